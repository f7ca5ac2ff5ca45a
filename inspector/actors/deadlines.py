"""Deadlines of calls that wait in a mailbox behind something that itself waits.

A running action's deadline is its worker's cancel scope. One that has not begun has no scope: it stands here, in one
heap with one task for all of a registry's actors.
"""

from __future__ import annotations

import heapq
import math

import trio

from inspector.actors.calls import Call, Watched

__all__ = ("Deadlines",)


class Deadlines:
    """The deadlines of one registry."""

    def __init__(self) -> None:
        self._heap: list[Watched] = []
        self._count = 0
        self._sweep_at = 1024
        self._sooner = trio.Event()

    def add(self, call: Call) -> None:
        """Watch a waiting call; adding it twice does no harm."""
        call.start_clock()
        if call.finished or call.deadline == math.inf or call.watched is not None:
            return
        if len(self._heap) >= self._sweep_at:
            # Most calls are over long before their deadline: without this the heap would hold a minute of them.
            self._heap = [item for item in self._heap if item[2] is not None]
            heapq.heapify(self._heap)
            self._sweep_at = 2 * len(self._heap) + 1024
        self._count += 1
        if not self._heap or call.deadline < self._heap[0][0]:
            self._sooner.set()
        call.watched = [call.deadline, self._count, call]
        heapq.heappush(self._heap, call.watched)

    @trio.lowlevel.enable_ki_protection
    async def watch(self) -> None:
        """Reject each waiting call whose deadline passes, for ever."""
        while True:
            self._sooner = trio.Event()
            next_deadline = self._heap[0][0] if self._heap else math.inf
            with trio.move_on_at(next_deadline):
                await self._sooner.wait()
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                call = heapq.heappop(self._heap)[2]
                # With a worker it is that worker's business.
                if call is not None and call.worker is None:
                    call.cell.withdraw(call, call.timed_out())
