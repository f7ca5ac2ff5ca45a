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
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Init,
    PatchStateRequest,
    PatchStateResponse,
    Rpc,
    RpcsListRequest,
    RpcsListResponse,
    SpansRequest,
    SpansResponse,
    StateRequest,
    StateResponse,
)
from tui.connection import LinkLost
from tui.discovery import Target
from tui.link import Link, LinkEvent, backoff
from tui.model.edit import Edit
from tui.model.history import Fired, History
from tui.model.world import World

__all__ = ("PAGE", "Inspection", "Listener")

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


class Inspection:
    """One host, as far as it is known.

    Args:
        resolve: finds where to connect, each time anew.
        listener: is told of changes.
        clock: seconds of a monotonic clock.
        wall: seconds since 1970, by our clock.
        delays: makes the pauses between tries to connect.
    """

    def __init__(
        self,
        resolve: Callable[[], Target],
        listener: Listener,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        delays: Callable[[], Iterator[float]] = backoff,
    ) -> None:
        self.clock = clock
        self.world = World()
        self.history = History()
        self.event: LinkEvent | None = None
        """What happened to the connection last."""
        self.link = Link(resolve, self._link_changed, delays=delays, wall=wall)
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

    async def restart(self, actor: str) -> int:
        """End an actor's life and begin its next; gives that one's number.

        Raises:
            InspectorError: the host refuses.
            LinkLost: there is no connection, or it ended before the answer.
        """
        return (await self.link.request(ActorRestart(id=0, actor=actor), ActorRestartResponse)).generation

    async def send_edit(self, edit: Edit) -> int:
        """Change a state; gives the version that it has then.

        Raises:
            InspectorError: the host refuses, and nothing was changed.
            LinkLost: there is no connection, or it ended before the answer.
        """
        request = PatchStateRequest(id=0, actor=edit.actor, patch=edit.patch)
        if edit.version is not None:
            request.version = edit.version
        return (await self.link.request(request, PatchStateResponse)).version

    async def rebase(self, edit: Edit) -> Edit:
        """Give the same edit made for the state as it is now.

        Raises:
            InspectorError: there is no such actor any more.
            LinkLost: there is no connection.
        """
        now = await self.link.request(StateRequest(id=0, actor=edit.actor), StateResponse)
        return edit.moved(now.version if isinstance(now.version, int) else None, now.state)

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
