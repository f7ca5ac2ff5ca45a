"""Logs that are kept, stores that say when they have written, and pages put together."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson

from inspector.store import Cursor, Page, Past, Query, Store, make_query
from inspector.store.blocks import BlockBuilder
from inspector.store.folder import Folder
from inspector.tracing import Log
from inspector.tracing.reader import Portion
from protocol.filters import parse_filter
from tests.inspector.tracing.records import START, Clock

__all__ = ("SIZE", "ToldFolder", "ask", "block_of", "kept_log", "pages", "portion", "say", "seqs", "told_store")

SIZE = 2**20


class ToldFolder(Folder):
    """Says when something was appended, and fails as often as it is told."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.changed = threading.Condition()
        self.appended = 0
        self.failures = 0
        self.failed = 0
        super().__init__(path, **{"size": SIZE, "age": None, "clock": Clock(START), **settings})

    def append(self, block: bytes) -> None:
        """Append, or fail."""
        with self.changed:
            if self.failures:
                self.failures -= 1
                self.failed += 1
                self.changed.notify_all()
                raise OSError(28, "No space left on device")
            super().append(block)
            self.appended += 1
            self.changed.notify_all()

    def wait_for(self, seq: int) -> None:
        """Wait until the record before this number is on the disk."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(each.next_seq >= seq for each in self.segments[-1:]), 30)


def told_store(path: Path, *, flush: float = 0.0, **settings: Any) -> tuple[Store, ToldFolder]:
    """Open a store of `SIZE` bytes whose folder says what it does. It does not let records wait."""
    folder = ToldFolder(path, **settings)
    return Store(folder, flush=flush), folder


def kept_log(path: Path, *, flush: float = 0.0, **settings: Any) -> tuple[Log, ToldFolder]:
    """Return an open log that is kept in a directory. It is of another host each time, unless said."""
    store, folder = told_store(path, flush=flush)
    log = Log(host_name="h", **settings)
    log.add_sink(store)
    return log.open(), folder


def say(log: Log, count: int, *, actor: str = "cart/7", target: str = "shop.cart", **fields: Any) -> list[str]:
    """Log so many actions with one event each; return their traces."""
    traces = []
    logger = log.logger(target)
    for number in range(count):
        with log.start_span("action", {"actor": actor, "action": "pay", "rid": number}, target="shop.action") as span:
            logger.info("paid", number=number, **fields)
        traces.append(span.trace_id)
    return traces


def ask(filter: str = "trace", limit: int = 1000, **settings: Any) -> Query:
    """Make a query."""
    return make_query(parse_filter(filter), limit=limit, **settings)


async def pages(log: Log, query: Query) -> list[Page]:
    """Return all pages of an answer; each cursor goes through its spelling."""
    past = Past(log)
    found = [await past.page(query, None)]
    while (cursor := found[-1].cursor) is not None:
        found.append(await past.page(query, Cursor.decode(cursor.encode())))
    return found


def seqs(found: list[Page]) -> list[tuple[str, int]]:
    """Return the runs and numbers of all records of pages."""
    return [(page.host, orjson.loads(line)["seq"]) for page in found if page.lines for line in page.lines.split(b"\n")]


def portion(log: Log, after: int = 0) -> Portion:
    """Return what a log has recorded behind a record."""
    reader = log.subscribe(parse_filter("trace"), after_seq=after, wake=lambda: None)
    taken = reader.take(2**30)
    reader.close()
    assert taken is not None
    return taken


def block_of(taken: Portion) -> bytes:
    """Return a portion as a block."""
    builder = BlockBuilder()
    builder.add(taken.first_seq, taken.next_seq, taken.dropped, taken.entries)
    return builder.encode()
