"""The tree of tasks for those who ask, and what has changed in it for those who watch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from inspector.service.subscriptions import PAGE_BYTES
from inspector.tasks.monitor import INTERVAL
from inspector.tasks.roster import MAX_ENDED
from protocol.messages import EndedTask, TaskInfo, TasksRequest, TasksResponse, TasksUpdated

if TYPE_CHECKING:
    from inspector.service.connection import Connection
    from inspector.tasks import Monitor

__all__ = ("TasksSubscription", "tasks_response")

_REST: Final = 100
"""How many times as long as finding out what to tell takes must pass until the next time, for each subscription of the
connection: of those who watch very many tasks, each takes a hundredth of the host's time at most, however often he
watches them."""
_ENDED_BYTES: Final = 256 * 1024


def _size(row: TaskInfo | EndedTask) -> int:
    # CBOR is nowhere longer, but for the head of a long text.
    return len(msgspec.json.encode(row)) + 16


def _that_fit(rows: list[TaskInfo], room: int) -> list[TaskInfo]:
    for count, row in enumerate(rows):
        room -= _size(row)
        if room < 0:
            return rows[:count]
    return rows


def _last_that_fit(ended: list[EndedTask]) -> tuple[list[EndedTask], int]:
    size = 0
    for count, each in enumerate(reversed(ended)):
        size += _size(each)
        if size > _ENDED_BYTES:
            return ended[len(ended) - count :], size
    return ended, size


def tasks_response(connection: Connection, request: TasksRequest) -> TasksResponse:
    """Answer with the tree, and open a subscription where one is asked for."""
    monitor = connection.tasks
    stacks = request.stacks is True
    if request.subscribe is True:
        subscription = TasksSubscription(request.id, monitor, connection, stacks=stacks, timing=request.timing is True)
        response = subscription.first()
        connection.pusher.open(request.id, subscription)
        return response
    return _response(request.id, monitor, stacks)


def _response(rid: int, monitor: Monitor, stacks: bool) -> TasksResponse:
    look = monitor.look(stacks=stacks)
    ended, size = _last_that_fit(monitor.roster.last(MAX_ENDED))
    rows = _that_fit(look.rows, PAGE_BYTES - size)
    return TasksResponse(rid=rid, tasks=rows, ended=ended, timing=monitor.timing, total=look.total)


class TasksSubscription:
    """The tree of tasks: rows that are other than they were told.

    Args:
        sub: the subscription's name.
        monitor: has the tree.
        watcher: whose subscription it is.
        stacks: whether rows have their stacks.
        timing: whether steps are timed as long as it is open.
    """

    plenty = False
    paced = True
    dropped = 0

    def __init__(self, sub: int, monitor: Monitor, watcher: object, *, stacks: bool, timing: bool) -> None:
        self._sub = sub
        self._monitor = monitor
        self._watcher = watcher
        self._stacks = stacks
        self._timing = timing
        # Those told longest ago come first.
        self._told: dict[int, TaskInfo] = {}
        self._ended = monitor.roster.ended
        self._was_timed = monitor.timing
        self._next = 0.0
        self._pause = INTERVAL

    @property
    def poll(self) -> float:
        """Seconds; nobody tells when a task has taken a step."""
        return self._pause

    def first(self) -> TasksResponse:
        """Make the response to the request itself. From here on steps are timed, if that was asked for."""
        self._monitor.watchers[self._watcher] += 1
        if self._timing:
            self._monitor.hold_timing()
        response = self._response()
        self._told = {row.task: row for row in response.tasks}
        return response

    def _response(self) -> TasksResponse:
        try:
            return _response(self._sub, self._monitor, self._stacks)
        except Exception:
            # There will be no subscription whose end lets go of it.
            self.close(cut=False)
            raise

    def collect(self) -> TasksUpdated | None:
        """Return what has changed since the last time, as far as there is room; the rest comes next time."""
        now = trio.current_time()
        if now < self._next:
            return None
        began = time.perf_counter()
        monitor, told = self._monitor, self._told
        look = monitor.recent(stacks=self._stacks)
        ended, size = _last_that_fit(monitor.roster.last(monitor.roster.ended - self._ended))
        self._ended = monitor.roster.ended
        changed = self._in_turn([row for row in look.rows if not _same(row, told.get(row.task))], PAGE_BYTES - size)
        removed = list(told.keys() - {row.task for row in look.rows})
        for task in removed:
            del told[task]
        for row in changed:
            # Told last, and so behind all others.
            told.pop(row.task, None)
            told[row.task] = row
        news = changed or removed or ended or self._was_timed != monitor.timing
        self._was_timed = monitor.timing
        self._pause = max(INTERVAL, _REST * monitor.watchers[self._watcher] * (time.perf_counter() - began))
        self._next = now + self._pause
        if not news:
            return None
        return TasksUpdated(sub=self._sub, changed=changed, removed=removed, ended=ended, timing=monitor.timing)

    def _in_turn(self, changed: list[TaskInfo], room: int) -> list[TaskInfo]:
        """Return the rows that there is room for: where that is not all of them, each has its turn."""
        fitting = _that_fit(changed, room)
        if len(fitting) < len(changed):
            turns = {task: turn for turn, task in enumerate(self._told)}
            changed.sort(key=lambda row: turns.get(row.task, -1))
            fitting = _that_fit(changed, room)
        return fitting

    def close(self, *, cut: bool) -> None:
        """End it."""
        watchers = self._monitor.watchers
        watchers[self._watcher] -= 1
        if not watchers[self._watcher]:
            del watchers[self._watcher]
        if self._timing:
            self._timing = False
            self._monitor.release_timing()


def _same(row: TaskInfo, told: TaskInfo | None) -> bool:
    if told is None:
        return False
    # That a task has gone on waiting is no news.
    idle, row.idle_ns = row.idle_ns, told.idle_ns
    same = row == told
    row.idle_ns = idle
    return same
