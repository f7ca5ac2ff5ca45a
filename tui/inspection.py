"""All that the app knows of one host and does to it, without a screen: the link, the actors, what was fired.

Whoever shows it is told by a `Listener`, always from the event loop's own thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from protocol.errors import InspectorError
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Cause,
    Init,
    Rpc,
    RpcsListRequest,
    RpcsListResponse,
    SpansRequest,
    SpansResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tui.connection import LinkLost
from tui.discovery import Target
from tui.link import Link, LinkEvent, backoff
from tui.model.history import Fired, History
from tui.model.world import World

__all__ = (
    "PAGE",
    "Inspection",
    "Listener",
    "StateWatch",
)

PAGE: Final = 500
"""Actors of one page of the list."""


class Listener(Protocol):
    """Who is told; may raise nothing."""

    def link_changed(self, event: LinkEvent) -> None:
        """Hear that the connection came or went."""

    def actors_changed(self) -> None:
        """Hear that an actor came, went or changed; many times a second."""

    def fired_changed(self, fired: Fired) -> None:
        """Hear that an action was fired, or ended."""


class _ActorsFeed:
    """The list of actors, page after page, and what changes in it."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    def request(self, init: Init) -> ActorsRequest:
        self._inspection.world.greet(init)
        return ActorsRequest(id=0, subscribe=True, limit=PAGE)

    def opened(self, response: ActorsResponse) -> None:
        self._inspection._actors_listed(response)

    def pushed(self, push: ActorsUpdated) -> None:
        self._inspection._actors_updated(push)

    def ended(self, error: InspectorError) -> None:
        # A host without actors: its log can be read all the same.
        self._inspection.world.begin((), self._inspection.clock())


class StateWatch:
    """One actor's state, live, as a subscription.

    Attributes:
        actor: the address.
        known: an answer has come.
        enabled: the actor has a state.
        state: the last one.
        before: the one before it, from which the changes can be told; `first` says that there is none.
        version: of the last one.
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
        self.cause: Cause | None = None
        self.error: InspectorError | None = None
        self.at = 0.0
        self._inspection = inspection
        self._on_change = on_change

    def request(self, init: Init) -> StateRequest:
        """Make the request that opens it."""
        return StateRequest(id=0, actor=self.actor, subscribe=True)

    def opened(self, response: StateResponse) -> None:
        """Take the state as it is."""
        self.error, self.enabled, self.known = None, response.enabled, True
        if response.enabled:
            version = response.version if isinstance(response.version, int) else None
            self._take(response.state, version, None)
        else:
            self.state = self.before = self.version = self.cause = None
            self.first = True
        self._on_change(self)

    def pushed(self, push: StateUpdated) -> None:
        """Take a new version; one that comes as a patch is asked for whole."""
        if isinstance(push.patch, list):
            self._inspection.spawn(self._fetch(push))
            return
        self._take(push.state, push.version, push.cause if isinstance(push.cause, Cause) else None)
        self._on_change(self)

    def ended(self, error: InspectorError) -> None:
        """Take the reason why there is nothing (more) to see."""
        self.error, self.known = error, True
        self._on_change(self)

    async def _fetch(self, push: StateUpdated) -> None:
        try:
            response = await self._inspection.link.request(StateRequest(id=0, actor=self.actor), StateResponse)
        except (InspectorError, LinkLost):
            # The next version, or the next connection, brings it.
            return
        self._take(response.state, push.version, push.cause if isinstance(push.cause, Cause) else None)
        self._on_change(self)

    def _take(self, state: Any, version: int | None, cause: Cause | None) -> None:
        if version is not None and version == self.version and self.state == state:
            return
        self.first = self.version is None
        self.before, self.state = self.state, state
        self.version, self.cause, self.at = version, cause, self._inspection.clock()


class Inspection:
    """One host, as far as it is known.

    Args:
        resolve: finds where to connect, each time anew.
        listener: is told of changes.
        clock: seconds of a monotonic clock.
        delays: makes the pauses between tries to connect.
    """

    def __init__(
        self,
        resolve: Callable[[], Target],
        listener: Listener,
        *,
        clock: Callable[[], float] = time.monotonic,
        delays: Callable[[], Iterator[float]] = backoff,
    ) -> None:
        self.clock = clock
        self.world = World()
        self.history = History()
        self.event: LinkEvent | None = None
        """What happened to the connection last."""
        self.link = Link(resolve, self._link_changed, delays=delays)
        self._listener = listener
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep the connection, until cancelled."""
        await self.link.subscribe(_ActorsFeed(self))
        try:
            await self.link.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside, for as long as the inspection runs at most."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def watch_state(self, actor: str, on_change: Callable[[StateWatch], None]) -> StateWatch:
        """Begin to watch a state; `link.unsubscribe` ends it."""
        watch = StateWatch(self, actor, on_change)
        await self.link.subscribe(watch)
        return watch

    async def actions(self, actor: str) -> list[Rpc]:
        """List an actor's actions.

        Raises:
            InspectorError: there is no such actor.
            LinkLost: there is no connection.
        """
        return (await self.link.request(RpcsListRequest(id=0, actor=actor), RpcsListResponse)).rpcs

    async def ancestors(self, span_id: str) -> list[bytes]:
        """Give the start records of a span and its ancestors, root first, as far as the host keeps them.

        Raises:
            InspectorError: the host doesn't tell.
            LinkLost: there is no connection.
        """
        response = await self.link.request(SpansRequest(id=0, spans=[span_id]), SpansResponse)
        return response.lines.split(b"\n") if response.lines else []

    def fire(self, actor: str, action: str, args: list[Any] | dict[str, Any]) -> Fired:
        """Fire an action; what becomes of it is told to the listener."""
        fired = Fired(actor, action, args, self.clock())
        self.history.add(fired)
        self._listener.fired_changed(fired)
        self.spawn(self._fire(fired))
        return fired

    async def cancel(self, fired: Fired) -> bool:
        """Cancel an action that is under way; False if it was too late.

        Raises:
            InspectorError: the host refuses.
            LinkLost: there is no connection.
        """
        if fired.request is None:
            return False
        response = await self.link.request(ActionCancel(id=0, action=fired.request), ActionCancelResponse)
        return response.cancelled

    async def _fire(self, fired: Fired) -> None:
        try:
            connection = self.link.require()
            request = ActionRequest(id=connection.next_id(), actor=fired.actor, name=fired.action, args=fired.args)
            answer = await connection.begin(request)
            fired.request = request.id
            # The host has a deadline for each action, and losing the connection ends this too: no timeout
            # here.
            response = await answer
            assert isinstance(response, ActionResponse)
            fired.answered(response, self.clock())
        except InspectorError as error:
            fired.refused(error, self.clock())
        except LinkLost as lost:
            fired.lost(str(lost), self.clock())
        self._listener.fired_changed(fired)

    def _link_changed(self, event: LinkEvent) -> None:
        self.event = event
        self._listener.link_changed(event)

    def _actors_listed(self, response: ActorsResponse) -> None:
        more = isinstance(response.cursor, str)
        self.world.begin(response.actors, self.clock(), complete=not more)
        self._listener.actors_changed()
        if isinstance(response.cursor, str):
            self.spawn(self._more_actors(response.cursor))

    async def _more_actors(self, cursor: str) -> None:
        while True:
            try:
                page = await self.link.request(ActorsRequest(id=0, limit=PAGE, cursor=cursor), ActorsResponse)
            except (InspectorError, LinkLost):
                # A new connection lists from the beginning; a cursor that no longer holds leaves the list
                # short, which the screen says.
                return
            self.world.add(page.actors, self.clock(), complete=not isinstance(page.cursor, str))
            self._listener.actors_changed()
            if not isinstance(page.cursor, str) or page.cursor == cursor:
                return
            cursor = page.cursor

    def _actors_updated(self, push: ActorsUpdated) -> None:
        self.world.change(push.changed, push.removed, self.clock())
        self._listener.actors_changed()
