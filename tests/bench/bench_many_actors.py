"""A host of 100,000 actors: made while somebody pages, watched while all are busy, listed; and a client's list."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from inspector import Registry
from inspector.service.pusher import PUSH_INTERVAL
from inspector.service.subscriptions import ROWS, ActorsSubscription
from protocol.dialects.cbor import CBOR
from protocol.messages import ActorsResponse
from tests.bench.figures import Figure, show
from tests.bench.servers import BenchCounter
from tui.model.world import World

__all__ = ("run",)

ACTORS = 100_000
PAGES = 200
PAGE = 500


def _make(pages: int) -> tuple[Registry, float, list[float]]:
    """Make the actors in no order, with so many pages in between; return the seconds in all and those of each page."""
    registry = Registry([BenchCounter], name="bench")
    paging: list[float] = []
    start = time.process_time()
    for number in range(ACTORS):
        registry.get_or_create(BenchCounter, str(number * 7919 % ACTORS))
        if pages and number % (ACTORS // pages) == 0:
            before = time.process_time()
            registry.page("counter/", "", PAGE)
            paging.append(time.process_time() - before)
    return registry, time.process_time() - start, paging


def _watched(registry: Registry) -> list[Figure]:
    """Tell what a watcher costs the host while every actor moves between any two rounds."""
    subscription = ActorsSubscription(1, registry, "", lambda: None)
    cells = registry.page("", "", ACTORS)[0]
    for cell in cells:
        cell.touch()
    rounds: list[float] = []
    for _ in range(ACTORS // ROWS):
        before = time.process_time()
        push = subscription.collect()
        assert push is not None
        CBOR.encode(push)
        rounds.append(time.process_time() - before)
        for row in push.changed:
            registry.get(row.actor).touch()
    subscription.close(cut=False)
    share = statistics.mean(rounds) / (PUSH_INTERVAL + statistics.mean(rounds))
    return [
        Figure("a round of pushes with 100,000 busy actors", statistics.median(rounds) * 1e3, "ms"),
        Figure("the longest, a pass of the garbage collector over all of them included", max(rounds) * 1e3, "ms"),
        Figure("the host's processor time for one who watches them, at most", share, "", 0.2, share <= 0.2),
    ]


def _listed(registry: Registry) -> list[Figure]:
    """Tell what it costs the app to have the whole list."""
    frames: list[bytes] = []
    after, more = "", True
    before = time.process_time()
    while more:
        cells, total, more = registry.page("", after, PAGE)
        after = cells[-1].address
        frames.append(CBOR.encode(ActorsResponse(rid=1, actors=[cell.info() for cell in cells], total=total)))
    walked = time.process_time() - before
    world, size = World(), _resident()
    before = time.process_time()
    for frame in frames:
        page = CBOR.decode_to_client(frame)
        assert isinstance(page, ActorsResponse)
        world.add(page.actors, 0.0, complete=False)
        world.addresses()
    return [
        Figure("the host's processor time to list 100,000 actors in pages", walked, "s"),
        Figure("the app's processor time to read and keep them", time.process_time() - before, "s"),
        Figure("the app's memory for them", (_resident() - size) / 2**20, "MiB"),
    ]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def run() -> list[Figure]:
    """Measure, and return the figures."""
    _make(0)
    _, alone, _ = _make(0)
    registry, beside, paging = _make(PAGES)
    return [
        Figure("100,000 actors made", alone, "s"),
        Figure(f"the same beside {PAGES} pages, at most", beside / alone, "x", 2, beside <= 2 * alone),
        Figure("the longest page meanwhile", max(paging) * 1e3, "ms"),
        *_watched(registry),
        *_listed(registry),
    ]


if __name__ == "__main__":
    show(run())
