"""What tests of actors share: reading a log back, and catching errors by their name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from inspector.tracing import Log
from protocol.errors import InspectorError
from protocol.filters import parse_filter
from protocol.records import Record, decode_record

__all__ = ("events", "raises", "read", "settle", "spans")


def read(log: Log, filter: str = "trace") -> list[Record]:
    """Return every record that the ring holds and the filter passes."""
    reader = log.subscribe(parse_filter(filter), after_seq=0, wake=lambda: None)
    found: list[Record] = []
    while (chunk := reader.collect(2**20)) is not None:
        assert chunk.dropped == 0 or filter != "trace"
        found.extend(decode_record(line) for line in chunk.lines.splitlines())
    reader.close(0.0)
    return found


def events(log: Log, message: str) -> list[Record]:
    """Return the events with a message."""
    return [record for record in read(log) if record.kind == "event" and record.message == message]


def spans(log: Log, name: str, kind: str = "span_end") -> list[Record]:
    """Return the records with which spans of a name start or end."""
    return [record for record in read(log) if record.kind == kind and record.span["name"] == name]


@contextmanager
def raises(name: str) -> Iterator[pytest.ExceptionInfo[InspectorError]]:
    """Expect an error of the protocol by its name."""
    with pytest.raises(InspectorError) as caught:
        yield caught
    assert caught.value.name == name, caught.value


async def settle() -> None:
    """Wait until every task waits for something."""
    await trio.testing.wait_all_tasks_blocked()
