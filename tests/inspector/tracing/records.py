"""A log with clocks that are set by hand, and its records read back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import orjson

from inspector.tracing import Log, LogReader
from protocol.filters import parse_filter
from protocol.records import Record, decode_record

START = 1_763_930_853_139_606_000
"""2025-11-23T20:47:33.139606Z"""


class Clock:
    """Tells the time it was set to."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def make_log(**settings: Any) -> Log:
    """Return a log of host `h` with the id `1`, whose clocks stand still."""
    settings = {"host_name": "h", "host_id": "1", "clock": Clock(START), "monotonic": Clock(0), **settings}
    return Log(**settings)


def follow(log: Log, filter: str = "trace", **places: Any) -> LogReader:
    """Return a reader that is never woken."""
    return log.subscribe(parse_filter(filter), wake=lambda: None, **places)


def all_lines(reader: LogReader, max_bytes: int = 256 * 1024) -> list[bytes]:
    """Return every line that a reader still has to read."""
    lines: list[bytes] = []
    while (chunk := reader.collect(max_bytes)) is not None:
        lines += chunk.lines.split(b"\n") if chunk.lines else []
    return lines


def read(reader: LogReader) -> list[Record]:
    """Return every record that a reader still has to read."""
    return [decode_record(line) for line in all_lines(reader)]


def messages(reader: LogReader) -> list[str]:
    """Return what every event says that a reader still has to read."""
    return [record.message for record in read(reader) if record.kind == "event"]


def written(write: Callable[[Log], object]) -> list[Record]:
    """Return what a function records in a log, once each line is found to be whole and short enough."""
    log = make_log()
    reader = follow(log)
    write(log)
    lines = all_lines(reader)
    assert lines
    assert max(map(len, lines)) <= 64 * 1024
    for line in lines:
        orjson.loads(line)
    return [decode_record(line) for line in lines]


class Told:
    """What a log says of its sinks, waited for."""

    def __init__(self, log: Log) -> None:
        self._new = threading.Event()
        self._reader = log.subscribe(parse_filter("inspector.tracing.sinks=trace"), wake=self._new.set)
        self._left: list[Record] = []

    def next(self) -> Record:
        """Wait for the next record."""
        while not self._left:
            self._left = read(self._reader)
            if not self._left:
                self._new.wait()
                self._new.clear()
        return self._left.pop(0)

    def rest(self) -> list[str]:
        """Return what else there is by now."""
        self._left += read(self._reader)
        return [record.message for record in self._left]
