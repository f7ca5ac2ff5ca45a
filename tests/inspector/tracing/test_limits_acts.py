"""Values that do something when they are asked: change what is written, log, raise, wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from inspector.tracing import Log
from protocol.records import INFO, decode_record
from tests.inspector.tracing.records import all_lines, follow, make_log, written


class Acts:
    """Does something each time that its text is wanted."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __repr__(self) -> str:
        self.act()
        return "acted"


@pytest.mark.parametrize("act", ["clear", "grow", "replace"])
def test_fields_that_are_changed_while_they_are_written(act: str) -> None:
    fields: dict[str, Any] = {}

    def change() -> None:
        if act == "clear":
            fields.clear()
        elif act == "grow":
            fields[f"new{len(fields)}"] = 1
        else:
            fields["b"] = Acts(change)

    fields.update(a=Acts(change), b=2, c=3)
    [start] = written(lambda log: log.start_span("span", fields, target="t"))
    assert start.span == {"name": "span", "a": "acted", "b": 2, "c": 3}
    inner: dict[str, Any] = {"a": Acts(lambda: inner.update({str(len(inner)): 1})), "b": 2}
    items: list[Any] = [Acts(lambda: items.append(1)), 2]

    def write(log: Log) -> None:
        log.logger("t").info("dict", value=inner, after=1)
        log.logger("t").info("list", value=items)

    one, other = written(write)
    assert one.fields["after"] == 1
    assert other.fields["value"][:2] == ["acted", 2]


def test_a_name_of_a_field_that_changes_the_fields() -> None:
    fields: dict[Any, Any] = {}
    fields[Acts(lambda: fields.update({len(fields): 1}))] = 1
    fields["b"] = 2
    [start] = written(lambda log: log.start_span("span", fields, target="t"))
    assert start.span == {"name": "span", "acted": 1, "b": 2}


def test_a_repr_that_recurses() -> None:
    value = Acts(lambda: repr(value))
    [record] = written(lambda log: log.logger("t").info("x", value=value, after=1))
    assert record.fields == {"message": "x", "value": "<unprintable Acts: RecursionError>", "after": 1}


def test_a_repr_that_logs_and_changes_what_is_recorded() -> None:
    log = make_log(record_size=4096)
    readers: list[Any] = []

    def act() -> None:
        log.logger(f"new{len(readers)}").info("inside", value=value)
        readers.append(follow(log, "trace"))
        log.set_record_filter(readers[0].filter)
        log.add_secret(f"secret{len(readers)}")
        for _ in range(100):
            log.logger("t").info("turns the ring over", n=1)

    value = Acts(act)
    log.logger("t").info("outside", value=value)
    # Inside itself it acts once more, and then no more.
    assert len(readers) == 2
    last = [decode_record(line) for line in all_lines(readers[0])][-1]
    assert (last.message, last.fields["value"]) == ("outside", "acted")


def test_a_repr_that_waits_for_a_lock_of_somebody_who_logs() -> None:
    log = make_log(record_size=4096, record="info,[{n=1}]=trace")
    # Waits for somebody in the midst of the record, in each place where that may be.
    sides = [follow(log, "debug,[{value=acted}]=off"), follow(log, "info")]
    lock, begun, logged = threading.Lock(), threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        with lock:
            assert logged.is_set()

    def first() -> None:
        with log.logger("t").span("span", value=Acts(act)):
            log.logger("t").info("first", value=Acts(act))

    def second() -> None:
        with lock:
            thread.start()
            assert begun.wait(60)
            for number in range(1000):
                log.logger(f"t.{number % 50}").info("second", n=number)
            log.set_record_filter(sides[0].filter)
            sides.append(follow(log, "trace"))
            log.add_secret("geheim")
            sides[0].set_filter(sides[1].filter)
            log.span_records(["0" * 16])
            logged.set()

    thread = threading.Thread(target=first, daemon=True)
    other = threading.Thread(target=second, daemon=True)
    other.start()
    other.join(60)
    thread.join(60)
    assert not other.is_alive()
    assert not thread.is_alive()
    assert b'"first"' in b"".join(all_lines(sides[1]))


class Lying(ExceptionGroup[Exception]):
    """A group that can't be looked into."""

    @property
    def exceptions(self) -> Any:
        raise ValueError

    def split(self, _: Any) -> Any:
        raise ValueError


class Hiding(Exception):
    """An exception that can't be looked at."""

    @property
    def __cause__(self) -> Any:
        raise ValueError

    @__cause__.setter
    def __cause__(self, _: Any) -> None:
        raise ValueError


@pytest.mark.parametrize("error", [Lying("x", [ValueError()]), Hiding("x")])
def test_an_exception_that_can_not_be_looked_at(error: Exception) -> None:
    def write(log: Log) -> None:
        log.logger("t").exception("failed", error)
        with pytest.raises(type(error)), log.logger("t").span("span"):
            raise error

    event, _, end = written(write)
    assert event.exception is not None
    assert event.exception["type"] == type(error).__name__
    assert event.exception["message"] == f"<unprintable {type(error).__name__}: ValueError>"
    assert (end.status, end.exception) == ("error", event.exception)


def test_what_ends_the_program_goes_through() -> None:
    def stop() -> NoReturn:
        raise KeyboardInterrupt

    log = make_log()
    with pytest.raises(KeyboardInterrupt):
        log.logger("t").info("x", value=Acts(stop))
    log.logger("t").event(INFO, None, "goes on")
    assert log.next_seq == 2
