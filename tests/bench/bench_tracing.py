"""What a record costs: ratios to `orjson.dumps` of the same ten fields, and to what others take, all in one run.

Each subject runs for a short round, all subjects in turn, many rounds. Its time is the least processor time of a round,
for whatever else the machine does can only add to that; of all threads, for some do their work in another one. A ratio
is of two such times. Each of ours has a log of its own, so that none pays for what another has left in the ring.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from inspector.tracing import Log, Logger, Span, current_span
from protocol.filters import parse_filter
from tests.bench import tracing_peers
from tests.bench.figures import Figure
from tests.bench.tracing_peers import FIELDS

__all__ = ("main", "run")

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

_Subject = Callable[[], object]


class Empty:
    """What a call costs that does nothing."""

    def info(self, message: str, /, **fields: Any) -> None:
        """Do nothing."""


def _log() -> tuple[Log, Logger, Span]:
    log = Log(host_name="bench", record_size=16 * 2**20)
    # As every real host has one.
    log.add_secret("8Jx2mQ9vT4zKp7RwY1sB6nHcD3fGaL5e_uXoViPqZkM")
    fields = {"actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": 12}
    return log, log.logger("shop.cart"), log.start_span("action", fields, target="shop.cart")


def _serialise(fields: dict[str, Any]) -> _Subject:
    def subject() -> None:
        dumps = orjson.dumps
        for _ in range(_CALLS):
            dumps(fields)

    return subject


def _events() -> tuple[Log, _Subject]:
    log, logger, span = _log()

    def subject() -> None:
        token = current_span.set(span)
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
        current_span.reset(token)

    return log, subject


def _events_of_texts() -> _Subject:
    _, logger, span = _log()

    def subject() -> None:
        token = current_span.set(span)
        info = logger.info
        for _ in range(_CALLS):
            info("request answered", **TEXTS)
        current_span.reset(token)

    return subject


def _spans() -> tuple[Log, _Subject]:
    log, _, span = _log()

    def subject() -> None:
        start = log.start_span
        for number in range(_CALLS):
            with start(
                "action",
                {"actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": number},
                target="shop.cart",
                parent=span,
            ):
                pass

    return log, subject


def _spans_of_logger() -> _Subject:
    _, logger, span = _log()

    def subject() -> None:
        token = current_span.set(span)
        start = logger.span
        for number in range(_CALLS):
            with start("action", actor="cart/7", actor_id="9f2c", action="checkout", rid=number):
                pass
        current_span.reset(token)

    return subject


def _filtered() -> _Subject:
    _, logger, _ = _log()

    def subject() -> None:
        for _ in range(_CALLS):
            logger.trace("card accepted", order="7f3c9a", amount=12, paid=True)

    return subject


def _empty() -> _Subject:
    empty = Empty()

    def subject() -> None:
        for _ in range(_CALLS):
            empty.info("card accepted", order="7f3c9a", amount=12, paid=True)

    return subject


def _read(written: tuple[Log, _Subject]) -> _Subject:
    """Let somebody read all that a subject writes, in the same round."""
    log, write = written
    reader = log.subscribe(parse_filter("trace"), wake=lambda: None)

    def subject() -> None:
        write()
        while reader.collect() is not None:
            pass

    return subject


def run(rounds: int = _ROUNDS) -> list[Figure]:
    """Measure, and return the figures."""
    subjects: dict[str, _Subject] = {
        "dumps": _serialise(FIELDS),
        "event": _events()[1],
        "dumps of texts": _serialise(TEXTS),
        "event of texts": _events_of_texts(),
        "spans": _spans()[1],
        "spans of a logger": _spans_of_logger(),
        "filtered": _filtered(),
        "empty": _empty(),
        "events read": _read(_events()),
        "spans read": _read(_spans()),
    }
    with tracing_peers.peers() as (of_events, of_spans):
        best = _measure({**subjects, **of_events, **of_spans}, rounds)
    took = {name: best[name] / (_CALLS if name in subjects else tracing_peers.CALLS) for name in best}
    base = took["dumps"]
    figures = [
        Figure("orjson.dumps of ten fields", round(base * 1e9, 1), "ns"),
        _most("event into the ring, to orjson.dumps, at most", took["event"] / base, 6.5),
        _told("the same of ten fields that are mostly texts", took["event of texts"] / took["dumps of texts"]),
        _told("event into the ring and out to a subscriber, to orjson.dumps", took["events read"] / base),
        _most("span with both records, to orjson.dumps, at most", took["spans"] / base, 18),
        _most("span with both records (logger.span), to orjson.dumps, at most", took["spans of a logger"] / base, 18),
        _told("span with both records, and out to a subscriber, to orjson.dumps", took["spans read"] / base),
        _most("call filtered out, to an empty method, at most", took["filtered"] / took["empty"], 1.1),
    ]
    for name in of_events:
        figures.append(_told(f"event of {name}, to orjson.dumps", took[name] / base))
        bound = 4 if name.startswith("structlog") else 1
        whose = name.split()[0]
        figures.append(_least(f"speed of an event to {whose}, at least", took[name] / took["event"], bound))
        figures.append(_least(f"the same with a subscriber, to {whose}, at least", took[name] / took["events read"], 1))
    for name in of_spans:
        figures.append(_told(f"span of {name}, to orjson.dumps", took[name] / base))
        whose = name.split()[0]
        figures.append(_least(f"speed of a span to {whose}, at least", took[name] / took["spans"], 1))
        figures.append(_least(f"the same with a subscriber, to {whose}, at least", took[name] / took["spans read"], 1))
    return figures


def _told(name: str, value: float) -> Figure:
    return Figure(name, round(value, 2), "x")


def _most(name: str, value: float, bound: float) -> Figure:
    return Figure(name, round(value, 2), "x", bound, value <= bound)


def _least(name: str, value: float, bound: float) -> Figure:
    return Figure(name, round(value, 2), "x", bound, value >= bound)


def _measure(subjects: dict[str, _Subject], rounds: int) -> dict[str, float]:
    best = dict.fromkeys(subjects, float("inf"))
    # Until each ring is full, so that what is dropped is paid for from the first round on.
    for subject in subjects.values():
        for _ in range(20):
            subject()
    gc.collect()
    for _ in range(rounds):
        for name, subject in subjects.items():
            begun = time.process_time()
            subject()
            best[name] = min(best[name], time.process_time() - begun)
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
