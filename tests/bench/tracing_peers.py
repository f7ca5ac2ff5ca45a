"""What others take for an event and for a span: each as its documentation sets it up for speed, writing to nowhere."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import loguru
import orjson
import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from pythonjsonlogger.orjson import OrjsonFormatter

__all__ = ("CALLS", "FIELDS", "peers")

CALLS: Final = 500
"""How often a subject does it in a round."""

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


@contextmanager
def peers() -> Iterator[tuple[dict[str, Callable[[], None]], dict[str, Callable[[], None]]]]:
    """Set them up; yield what writes events and what writes spans, by name."""
    with _structlog() as structured, _opentelemetry() as spans:
        yield (
            {
                "structlog with orjson and three context variables": structured,
                "python-json-logger with orjson": _json_logger(),
                "loguru with serialize=True": _loguru(),
            },
            {"OpenTelemetry SDK through its batch processor": spans},
        )


@contextmanager
def _structlog() -> Iterator[Callable[[], None]]:
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
    logger = structlog.get_logger()

    def events() -> None:
        info = logger.info
        for _ in range(CALLS):
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

    with structlog.contextvars.bound_contextvars(actor="cart/7", actor_id="9f2c", action="checkout"):
        yield events
    structlog.reset_defaults()


def _json_logger() -> Callable[[], None]:
    logger = logging.Logger("shop.cart", logging.INFO)
    handler = logging.StreamHandler(_NowhereText())
    handler.setFormatter(OrjsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)

    def events() -> None:
        info = logger.info
        for _ in range(CALLS):
            info("card accepted", extra=FIELDS)

    return events


def _loguru() -> Callable[[], None]:
    loguru.logger.remove()
    loguru.logger.add(_NowhereText(), serialize=True, level="INFO")
    logger = loguru.logger

    def events() -> None:
        info = logger.info
        for _ in range(CALLS):
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

    return events


@contextmanager
def _opentelemetry() -> Iterator[Callable[[], None]]:
    provider = TracerProvider(resource=Resource.create({"service.name": "bench"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_NoExporter()))
    tracer = provider.get_tracer("shop.cart")

    def spans() -> None:
        start = tracer.start_as_current_span
        for number in range(CALLS):
            with start(
                "action", attributes={"actor": "cart/7", "actor_id": "9f2c", "action": "checkout", "rid": number}
            ):
                pass

    with tracer.start_as_current_span("outer"):
        yield spans
    provider.shutdown()


class _NoExporter(SpanExporter):
    """Takes batches and does nothing with them: what an exporter costs is not counted."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _Nowhere(io.BytesIO):
    def write(self, data: Any, /) -> int:
        return len(data)


class _NowhereText(io.StringIO):
    def write(self, data: str, /) -> int:
        return len(data)
