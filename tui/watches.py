"""Subscriptions that a screen looks at: one actor's state, and who inspects the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from protocol.errors import InspectorError
from protocol.messages import (
    Cause,
    ConnectionInfo,
    ConnectionsRequest,
    ConnectionsResponse,
    ConnectionsUpdated,
    Init,
    StateRequest,
    StateResponse,
    StateUpdated,
    TasksRequest,
    TasksResponse,
    TasksUpdated,
)
from tui.model.replica import Replica
from tui.model.tasks import Tasks

if TYPE_CHECKING:
    from tui.inspection import Inspection

__all__ = ("ConnectionsWatch", "StateWatch", "TasksWatch")


class ConnectionsWatch:
    """Who inspects the host, live, as a subscription.

    Attributes:
        rows: the inspectors, in the order of their coming.
        known: an answer has come.
        error: why there is nothing to see, if so.
    """

    def __init__(self, on_change: Callable[[ConnectionsWatch], None]) -> None:
        self.rows: list[ConnectionInfo] = []
        self.known = False
        self.error: InspectorError | None = None
        self._on_change = on_change

    def request(self, init: Init) -> ConnectionsRequest:
        """Make the request that opens it."""
        return ConnectionsRequest(id=0, subscribe=True)

    def opened(self, response: ConnectionsResponse) -> None:
        """Take all of them."""
        self.rows, self.known, self.error = response.connections, True, None
        self._on_change(self)

    def pushed(self, push: ConnectionsUpdated) -> None:
        """Take all of them anew."""
        self.rows = push.connections
        self._on_change(self)

    def ended(self, error: InspectorError) -> None:
        """Take the reason why there is nothing (more) to see."""
        self.error, self.known = error, True
        self._on_change(self)


class TasksWatch:
    """The tasks of the host's program, live, as a subscription.

    Args:
        tasks: takes what comes.
        timing: let the host time their steps while this is open.
        on_change: hears of each change.

    Attributes:
        known: an answer has come.
        error: why there is nothing to see, if so.
    """

    def __init__(self, tasks: Tasks, timing: bool, on_change: Callable[[TasksWatch], None]) -> None:
        self.known = False
        self.error: InspectorError | None = None
        self._tasks = tasks
        self._timing = timing
        self._on_change = on_change

    def request(self, init: Init) -> TasksRequest:
        """Make the request that opens it."""
        return TasksRequest(id=0, subscribe=True, stacks=True, timing=self._timing)

    def opened(self, response: TasksResponse) -> None:
        """Take all of them."""
        self._tasks.begin(response)
        self.known, self.error = True, None
        self._on_change(self)

    def pushed(self, push: TasksUpdated) -> None:
        """Take what changed."""
        self._tasks.change(push)
        self._on_change(self)

    def ended(self, error: InspectorError) -> None:
        """Take the reason why there is nothing (more) to see."""
        self.error, self.known = error, True
        self._on_change(self)


class StateWatch:
    """One actor's state, live, as a subscription.

    Attributes:
        actor: the address.
        known: an answer has come.
        enabled: the actor has a state.
        state: the last one.
        before: the one before it, from which the changes can be told; `first` says that there is none.
        version: of the last one.
        schema: the JSON Schema of the state, where the host has one.
        cause: what changed it, where the host says so.
        error: why there is nothing to see, if so.
        at: when the last one came, in seconds of a monotonic clock.
    """

    def __init__(self, inspection: Inspection, actor: str, on_change: Callable[[StateWatch], None]) -> None:
        self.actor = actor
        self.known = False
        self.enabled = False
        self.state: Any = None
        self.before: Any = None
        self.first = True
        self.version: int | None = None
        self.schema: dict[str, Any] = {}
        self.cause: Cause | None = None
        self.error: InspectorError | None = None
        self.at = 0.0
        self._replica = Replica()
        self._inspection = inspection
        self._on_change = on_change

    def request(self, init: Init) -> StateRequest:
        """Make the request that opens it."""
        return StateRequest(id=0, actor=self.actor, subscribe=True)

    def opened(self, response: StateResponse) -> None:
        """Take the state as it is."""
        self.error, self.enabled, self.known = None, response.enabled, True
        self.schema = response.schema if isinstance(response.schema, dict) else {}
        self._replica.begin(response)
        if response.enabled:
            self._take(None)
        else:
            self.state = self.before = self.version = self.cause = None
            self.first = True
        self._on_change(self)

    def pushed(self, push: StateUpdated) -> None:
        """Take a new version; where it is a patch that does not fit, begin anew."""
        if not self._replica.follow(push):
            self._inspection.spawn(self._inspection.link.renew(self))
            return
        self._take(push.cause if isinstance(push.cause, Cause) else None)
        self._on_change(self)

    def ended(self, error: InspectorError) -> None:
        """Take the reason why there is nothing (more) to see."""
        self.error, self.known = error, True
        self._on_change(self)

    def _take(self, cause: Cause | None) -> None:
        state, version = self._replica.state, self._replica.version
        if version is not None and version == self.version and self.state == state:
            return
        self.first = self.version is None
        self.before, self.state = self.state, state
        self.version, self.cause, self.at = version, cause, self._inspection.clock()
