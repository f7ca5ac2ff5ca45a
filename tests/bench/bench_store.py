"""The store on the disk: what an append costs beside SQLite, how small it is, what a page takes, and who waits.

Both are given the same records, portion by portion, as a reader takes them from the ring. SQLite has one table with an
index by trace and one by time, a transaction for each portion, and does not wait for the disk (`synchronous=off`), as
the store does not. What writing takes is told in processor time, for it is done beside a program that works; the rest
in time as it passes. A time is the fastest of some rounds, all subjects in turn.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from inspector.store import Past, Store, make_query, open_store
from inspector.store.blocks import BlockBuilder
from inspector.store.folder import Folder
from inspector.tracing import Log
from inspector.tracing.reader import Portion
from protocol.filters import parse_filter
from tests.bench.figures import Figure

__all__ = ("run",)

_ACTIONS: Final = 20_000
_ROUNDS: Final = 3
_REPEATS: Final = 12
_GIB: Final = 2**30
_RATE: Final = 100_000
_RECORDS: Final = 5
"""Of one action."""
_BURSTS_A_SECOND: Final = 50
_BURSTS: Final = 5 * _BURSTS_A_SECOND


def run(repeats: int = _REPEATS) -> list[Figure]:
    """Measure, and return the figures.

    Args:
        repeats: how often the same hundred thousand records are appended to the store that is asked.
    """
    log = Log(host_name="bench", record_size=_GIB, max_records=10**7)
    traces = _fill(log, _ACTIONS)
    portions = _portions(log)
    count = sum(len(portion.entries) for portion in portions)
    raw = sum(len(line) + 1 for portion in portions for line, _, _ in portion.entries)
    folder = Path(tempfile.mkdtemp(prefix="bench-store-"))
    try:
        ours = _Timed(lambda path: _append(path, _portions(log)))
        theirs = _Timed(lambda path: _insert(path, _portions(log)))
        for number in range(_ROUNDS):
            for subject in (ours, theirs):
                subject.run(folder / f"{number}")
            rate = count / ours.seconds
        figures = [
            Figure(
                "records taken from the ring and appended, at least",
                round(rate),
                "1/s of processor time",
                100_000,
                rate >= 100_000,
            ),
            Figure("the same into SQLite", round(count / theirs.seconds), "1/s of processor time"),
            Figure("size on the disk to the lines' own", round(ours.size / raw, 3), "x"),
            Figure("the same of SQLite", round(theirs.size / raw, 3), "x"),
        ]
        figures += _ask(folder / "asked", log, portions, repeats, traces)
        figures += _live(folder / "live")
        return figures
    finally:
        shutil.rmtree(folder)


class _Timed:
    """A way to write: its least processor time, and the bytes of what it wrote."""

    def __init__(self, write: Callable[[Path], None]) -> None:
        self._write = write
        self.seconds = float("inf")
        self.size = 0

    def run(self, path: Path) -> None:
        """Write once, and take that away again."""
        begun = time.process_time()
        self._write(path)
        self.seconds = min(self.seconds, time.process_time() - begun)
        self.size = sum(each.stat().st_size for each in path.iterdir())
        shutil.rmtree(path)


def _fill(log: Log, actions: int) -> list[str]:
    chance = random.Random(1)
    cart, database = log.logger("shop.cart"), log.logger("shop.db")
    traces = []
    for number in range(actions):
        fields = {"actor": f"cart/{number % 1000}", "actor_id": f"9f2c{number % 1000:04x}", "rid": number}
        with log.start_span("action", {**fields, "action": "checkout"}, target="inspector.actors.action") as span:
            traces.append(span.trace_id)
            with database.span("query", table="orders", rows=number % 100):
                cart.info("card accepted", order=f"ord-{chance.getrandbits(32):08x}", amount=chance.random(), paid=True)
    return traces


def _portions(log: Log) -> list[Portion]:
    reader = log.subscribe(parse_filter("trace"), after_seq=0, wake=lambda: None)
    found = []
    while (portion := reader.take()) is not None:
        found.append(portion)
    reader.close()
    return found


def _folder(path: Path) -> Folder:
    folder = Folder(path, size=16 * _GIB, age=None, clock=time.time_ns)
    folder.name("bench", "bench")
    return folder


def _append(path: Path, portions: list[Portion]) -> None:
    folder, builder = _folder(path), BlockBuilder()
    for portion in portions:
        builder.add(portion.first_seq, portion.next_seq, portion.dropped, portion.entries)
        folder.append(builder.encode())
    folder.close()


def _insert(path: Path, portions: list[Portion]) -> None:
    path.mkdir()
    database = sqlite3.connect(path / "records.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=off")
    database.execute("create table record (seq integer primary key, time text, level int, target, actor, trace, line)")
    database.execute("create index by_trace on record (trace)")
    database.execute("create index by_time on record (time)")
    for portion in portions:
        rows = []
        for seq, (line, site, span) in enumerate(portion.entries, portion.first_seq):
            at = line.index(b'"timestamp":"') + 13
            stamp = line[at : at + 27].decode()
            rows.append((seq, stamp, site.level, site.target, span.actor, span.trace_id, line))
        database.execute("begin")
        database.executemany("insert into record values (?, ?, ?, ?, ?, ?, ?)", rows)
        database.execute("commit")
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()


def _ask(path: Path, log: Log, portions: list[Portion], repeats: int, traces: list[str]) -> list[Figure]:
    """Ask a store of many records, most of them before those that are asked for; the ring has none of them."""
    folder, builder = _folder(path), BlockBuilder()
    seq = 1
    for _ in range(repeats):
        for portion in portions:
            builder.add(seq, seq + len(portion.entries), 0, portion.entries)
            seq += len(portion.entries)
            folder.append(builder.encode())
    # One trace that is there once, at the very end.
    last = _fill(log, 1)[0]
    (portion,) = _portions(log)[-1:]
    builder.add(seq, seq + len(portion.entries), 0, portion.entries)
    folder.append(builder.encode())
    folder.seal()
    total = sum(segment.count for segment in folder.segments)
    empty = Log(host_name="bench")
    empty.add_sink(Store(folder))
    trace = parse_filter("trace")
    error = parse_filter("error")
    asked = {
        "a trace that is there once": make_query(trace, trace_id=last, limit=1000),
        "a trace that is nowhere": make_query(trace, trace_id="0" * 32, limit=1000),
        "a time behind all": make_query(trace, start_ms=4_000_000_000_000, limit=1000),
        "a level that nothing has": make_query(error, limit=1000),
        "an actor that is nowhere": make_query(trace, actor="cart/none", limit=1000),
        "the first thousand": make_query(trace, limit=1000),
        "a test that nothing passes, one page": make_query(parse_filter("[{paid=no}]"), limit=1000),
    }

    async def measure() -> dict[str, float]:
        past = Past(empty)
        found = {}
        for name, query in asked.items():
            best = float("inf")
            for _ in range(_ROUNDS):
                begun = time.perf_counter()
                await past.page(query, None)
                best = min(best, time.perf_counter() - begun)
            found[name] = best
        return found

    times = trio.run(measure)
    empty.close()
    return [
        Figure("records in the store that is asked", total, ""),
        *(Figure(f"a page: {name}", round(best * 1000, 1), "ms") for name, best in times.items()),
    ]


def _live(path: Path) -> list[Figure]:
    """Log a hundred thousand records a second, in bursts, for some seconds, and keep them."""
    log = Log(host_name="bench")
    store = open_store(path, size=_GIB)
    log.add_sink(store)
    log.open()
    begun = time.perf_counter()
    for number in range(_BURSTS):
        _fill(log, _RATE // _RECORDS // _BURSTS_A_SECOND)
        ahead = begun + (number + 1) / _BURSTS_A_SECOND - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
    took = time.perf_counter() - begun
    count = log.next_seq
    log.close(30)
    return [
        Figure("records a second of a program that logs", round(count / took), "1/s"),
        Figure("records of those lost, for the program and the store have one interpreter", store.dropped, ""),
    ]
