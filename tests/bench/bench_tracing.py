"""What a record costs: ratios to `orjson.dumps` of the same ten fields, all in one run.

Each subject runs for a short round, all subjects in turn, many rounds; a subject's time is its fastest round, for
whatever else the machine does can only add to it. A ratio is of two such times.
"""

from __future__ import annotations

import argparse
import gc
import io
import time
from collections.abc import Callable
from typing import Any, Final

import orjson
import structlog

from inspector.tracing import Log, current_span
from tests.bench.figures import Figure

__all__ = ("main", "run")

FIELDS: Final[dict[str, Any]] = {
    "order": "ord-7f3c9a1e",
    "customer": "Ada Lovelace",
    "email": "ada@example.org",
    "items": 4,
    "amount": 129.95,
    "tax": 20.748319327731093,
    "latitude": 52.520008,
    "longitude": 13.404954,
    "paid": True,
    "elapsed_ms": 12.734182,
}

# Ten fields that orjson writes faster, for it has one float to write and not five; told beside the figure.
TEXTS: Final[dict[str, Any]] = {
    "method": "POST",
    "path": "/v1/carts/7f3c9a/checkout",
    "status": 201,
    "duration_ms": 12.734,
    "bytes": 18231,
    "client": "203.0.113.24",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "request_id": "0198a7c2-5d1e-7c3a-9f42-8a6b1c2d3e4f",
    "user": "ada@example.org",
    "cached": False,
}

_CALLS: Final = 2000
_ROUNDS: Final = 40


class Empty:
    """What a call costs that does nothing."""

    def info(self, message: str, /, **fields: Any) -> None:
        """Do nothing."""


def run(rounds: int = _ROUNDS) -> list[Figure]:
    """Measure, and return the figures."""
    dumps = orjson.dumps
    fields, texts = FIELDS, TEXTS

    log = Log(host_name="bench", record_size=16 * 2**20)
    # As every real host has one.
    log.add_secret("8Jx2mQ9vT4zKp7RwY1sB6nHcD3fGaL5e_uXoViPqZkM")
    logger = log.logger("shop.cart")
    span = log.start_span(
        "action", {"actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": 12}, target="shop.cart"
    )
    empty = Empty()

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.BytesLoggerFactory(file=_Nowhere()),
        cache_logger_on_first_use=True,
    )
    peer = structlog.get_logger()

    def serialise() -> None:
        for _ in range(_CALLS):
            dumps(fields)

    def event() -> None:
        info = logger.info
        for _ in range(_CALLS):
            info(
                "card accepted",
                order="ord-7f3c9a1e",
                customer="Ada Lovelace",
                email="ada@example.org",
                items=4,
                amount=129.95,
                tax=20.748319327731093,
                latitude=52.520008,
                longitude=13.404954,
                paid=True,
                elapsed_ms=12.734182,
            )

    def event_of_texts() -> None:
        info = logger.info
        for _ in range(_CALLS):
            info("request answered", **texts)

    def serialise_texts() -> None:
        for _ in range(_CALLS):
            dumps(texts)

    def spans() -> None:
        start = log.start_span
        for number in range(_CALLS):
            with start(
                "action",
                {"actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": number},
                target="shop.cart",
                parent=span,
            ):
                pass

    def spans_below() -> None:
        open_span = logger.span
        for number in range(_CALLS):
            with open_span("action", actor="cart/7", actor_id="9f2c", action="checkout", rid=number):
                pass

    def filtered() -> None:
        for _ in range(_CALLS):
            logger.trace("card accepted", order="7f3c9a", amount=12, paid=True)

    def nothing() -> None:
        for _ in range(_CALLS):
            empty.info("card accepted", order="7f3c9a", amount=12, paid=True)

    def structured() -> None:
        info = peer.info
        for _ in range(_CALLS):
            info(
                "card accepted",
                order="ord-7f3c9a1e",
                customer="Ada Lovelace",
                email="ada@example.org",
                items=4,
                amount=129.95,
                tax=20.748319327731093,
                latitude=52.520008,
                longitude=13.404954,
                paid=True,
                elapsed_ms=12.734182,
            )

    subjects: list[Callable[[], None]] = [
        serialise,
        event,
        serialise_texts,
        event_of_texts,
        spans,
        spans_below,
        filtered,
        nothing,
        structured,
    ]
    token = current_span.set(span)
    structlog.contextvars.bind_contextvars(actor="cart/7", actor_id="9f2c", action="checkout")
    try:
        best = _measure(subjects, rounds)
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.reset_defaults()
        current_span.reset(token)
    base = best[serialise]

    def most(name: str, value: float, bound: float) -> Figure:
        return Figure(name, round(value, 2), "x", bound, value <= bound)

    return [
        Figure("orjson.dumps of ten fields", round(base / _CALLS * 1e9, 1), "ns"),
        most("event into the ring, to orjson.dumps, at most", best[event] / base, 8),
        Figure(
            "the same of ten fields that are mostly texts",
            round(best[event_of_texts] / best[serialise_texts], 2),
            "x",
        ),
        most("span with both records, to orjson.dumps, at most", best[spans] / base, 24),
        most("span with both records (logger.span), to orjson.dumps, at most", best[spans_below] / base, 24),
        most("call filtered out, to an empty method, at most", best[filtered] / best[nothing], 1.3),
        Figure(
            "structlog with orjson and three context variables, to orjson.dumps", round(best[structured] / base, 2), "x"
        ),
        Figure(
            "speed to structlog's, at least",
            round(best[structured] / best[event], 2),
            "x",
            3,
            best[structured] / best[event] >= 3,
        ),
    ]


class _Nowhere(io.BytesIO):
    def write(self, data: Any, /) -> int:
        return len(data)


def _measure(subjects: list[Callable[[], None]], rounds: int) -> dict[Callable[[], None], float]:
    best = {subject: float("inf") for subject in subjects}
    for subject in subjects:
        subject()
    gc.collect()
    for _ in range(rounds):
        for subject in subjects:
            begun = time.perf_counter()
            subject()
            best[subject] = min(best[subject], time.perf_counter() - begun)
    return best


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="What a record costs.")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    for figure in run(parser.parse_args().rounds):
        verdict = "" if figure.ok is None else "ok" if figure.ok else "MISSED"
        bound = "" if figure.bound is None else f"{figure.bound:g}"
        print(f"{figure.name:75} {figure.value:9g} {figure.unit:3} {bound:>5} {verdict}")


if __name__ == "__main__":
    main()
