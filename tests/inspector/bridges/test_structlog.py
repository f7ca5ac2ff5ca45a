"""structlog, into a log of ours and with its ids."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from inspector.bridges import ToLog, add_span_ids
from inspector.tracing import Log
from tests.inspector.tracing.records import follow, make_log, read


def logger(*processors: Any, name: str | None = None) -> Any:
    """Return a logger of structlog's that prints what the last processor gives; nothing where it drops the event."""
    printed = structlog.testing.CapturingLoggerFactory()
    bound = structlog.wrap_logger(printed(), processors=list(processors), wrapper_class=structlog.BoundLogger)
    return bound if name is None else bound.bind(logger=name)


def calls(bound: Any) -> list[Any]:
    return [(call.method_name, call.args, call.kwargs) for call in bound._logger.calls]


@pytest.fixture
def log() -> Log:
    return make_log(record="trace")


def test_it_stands_last(log: Log) -> None:
    reader = follow(log)
    bound = logger(ToLog(log)).bind(customer=7)
    with log.logger("t").span("work") as span:
        bound.warning("card refused", amount=12, password="hunter2", message="x")
    _, record, _ = read(reader)
    assert (record.level, record.target, record.span_id) == ("WARN", "structlog", span.span_id)
    assert record.fields == {
        "message": "card refused",
        "customer": 7,
        "amount": 12,
        "password": "[redacted]",
        "message_": "x",
    }
    assert calls(bound) == []


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "DEBUG"),
        ("info", "INFO"),
        ("msg", "INFO"),
        ("warn", "WARN"),
        ("error", "ERROR"),
        ("critical", "ERROR"),
        ("fatal", "ERROR"),
        ("unheard_of", "INFO"),
    ],
)
def test_levels(log: Log, method: str, level: str) -> None:
    reader = follow(log)
    getattr(logger(ToLog(log)), method)("x")
    (record,) = read(reader)
    assert record.level == level


def test_what_other_processors_add_is_understood(log: Log) -> None:
    reader = follow(log)
    bound = logger(
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        ToLog(log, target="mine"),
        name="shop.cart",
    )
    bound.error("x")
    (record,) = read(reader)
    assert (record.target, record.level, record.fields) == ("shop.cart", "ERROR", {"message": "x"})
    logger(ToLog(log, target="mine")).info("x", logger=7)
    (other,) = read(reader)
    assert other.target == "mine"


def test_exceptions(log: Log) -> None:
    reader = follow(log)
    bound = logger(ToLog(log))
    try:
        raise KeyError("x")
    except KeyError as exc:
        bound.error("by flag", exc_info=True)
        bound.error("by itself", exc_info=exc)
        bound.error("by tuple", exc_info=(KeyError, exc, exc.__traceback__))
    bound.error("none", exc_info=True)
    bound.error("none", exc_info=(None, None, None))
    bound.error("none", exc_info=False)
    *three, flag, empty, no = read(reader)
    assert [record.exception["type"] for record in three if record.exception] == ["KeyError"] * 3
    assert [record.exception for record in (flag, empty, no)] == [None] * 3
    assert "exc_info" not in three[0].fields


def test_it_passes_on_where_it_is_asked_to(log: Log) -> None:
    reader = follow(log)
    bound = logger(ToLog(log, pass_on=True), structlog.processors.KeyValueRenderer())
    bound.info("x", n=1)
    assert calls(bound) == [("info", ("n=1 event='x'",), {})]
    assert len(read(reader)) == 1


def test_what_nobody_wants_costs_nothing_more() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise AssertionError("nobody asked")

    log = make_log(record="warn")
    logger(ToLog(log)).info("x", thing=Unspeakable())
    assert log.next_seq == 1


def test_events_of_any_kind(log: Log) -> None:
    reader = follow(log)
    bound = logger(ToLog(log))
    bound.info(None)
    bound.info(7)
    bound.info(event="named")
    assert [record.message for record in read(reader)] == ["", "7", "named"]


def test_ids_for_structlogs_own_output(log: Log) -> None:
    bound = logger(add_span_ids, structlog.processors.JSONRenderer(sort_keys=True))
    bound.info("outside")
    with log.logger("t").span("work") as span:
        bound.info("inside")
        bound.info("set", trace_id="mine")
    texts = [args[0] for _, args, _ in calls(bound)]
    assert texts[0] == '{"event": "outside"}'
    assert texts[1] == f'{{"event": "inside", "span_id": "{span.span_id}", "trace_id": "{span.trace_id}"}}'
    assert '"trace_id": "mine"' in texts[2]
