"""One connection that never gives up: it comes back by itself, and its subscriptions with it.

A first retry comes at once, later ones with growing, jittered pauses. A host that refuses us is told of and
asked again slowly, since its token may change. Where to connect is found anew at each try: a host that starts
again has another token, perhaps another port.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from protocol.messages import Init, Request, Response
from tui.connection import REPLY_TIMEOUT, CannotAttach, Connection, LinkLost, Subscriber, dial
from tui.discovery import NoHost, Target

__all__ = (
    "REFUSED_PAUSE",
    "STEADY",
    "Connected",
    "Link",
    "LinkEvent",
    "Lost",
    "Subscription",
    "backoff",
)

REFUSED_PAUSE: Final = 10.0
"""Seconds before a host that refused us (401, 403, …) is asked again."""
STEADY: Final = 5.0
"""Seconds that a connection must have lasted for the next retry to come at once again."""
_LONGEST: Final = 5.0

_R = TypeVar("_R", bound=Response)


@dataclass(frozen=True, slots=True)
class Connected:
    """The host has greeted. `new_host` tells that it is another run than the one before, or the first."""

    init: Init
    target: Target
    new_host: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection. The try number `attempt` comes in `retry_in` seconds; `refused` is the host's
    own no.
    """

    reason: str
    attempt: int
    retry_in: float
    refused: bool = False


LinkEvent = Connected | Lost


class Subscription(Subscriber, Protocol):
    """A subscription that outlives connections: it is asked what to send on each new one."""

    def request(self, init: Init) -> Request:
        """Make the request that opens it, or goes on with it; its id is set by the link."""


def backoff(rng: random.Random | None = None) -> Iterator[float]:
    """Give the pauses before the tries after a connection was lost, in seconds, without end."""
    rng = rng or random.Random()
    yield 0.05
    pause = 0.2
    while True:
        # Many inspectors of one host must not come back in step with one another.
        yield pause * rng.uniform(0.7, 1.3)
        pause = min(pause * 2, _LONGEST)


class Link:
    """Keep a connection to what `resolve` finds, for as long as `run` runs.

    Args:
        resolve: finds the target, each time anew; raises NoHost where there is none now.
        on_event: hears of every change, from `run`'s own task.
        delays: makes the pauses between tries; for tests.
        wall: gives seconds since 1970, by our clock.
    """

    def __init__(
        self,
        resolve: Callable[[], Target],
        on_event: Callable[[LinkEvent], None],
        *,
        delays: Callable[[], Iterator[float]] = backoff,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._resolve = resolve
        self._on_event = on_event
        self._delays = delays
        self.wall = wall
        self._connection: Connection | None = None
        self._subscriptions: dict[Subscription, int | None] = {}
        self._host_id: str | None = None
        self._now = asyncio.Event()
        self.clock_offset = 0.0
        """Seconds that the host's clock is before ours, as the last greeting told."""

    @property
    def connection(self) -> Connection | None:
        """The connection there is now."""
        return self._connection

    @property
    def host_time(self) -> float:
        """Seconds since 1970 by the host's clock."""
        return self.wall() + self.clock_offset

    @property
    def subscriptions(self) -> int:
        """How many subscriptions are kept, connected or not."""
        return len(self._subscriptions)

    async def run(self) -> None:
        """Connect and connect again until cancelled."""
        loop = asyncio.get_running_loop()
        delays, attempt = self._delays(), 0
        while True:
            began, refused = loop.time(), False
            try:
                # Looking for runtime files is a few small reads; it blocks no longer than a frame of the
                # screen takes.
                async with dial(self._resolve(), wall=self.wall) as connection:
                    reason = await self._serve(connection)
                if loop.time() - began > STEADY:
                    # One that greets and drops us at once, again and again, must not be hammered.
                    delays, attempt = self._delays(), 0
            except NoHost as exc:
                reason = str(exc)
            except CannotAttach as exc:
                reason, refused = str(exc), exc.status is not None
            attempt += 1
            pause = REFUSED_PAUSE if refused else next(delays)
            self._on_event(Lost(reason, attempt, pause, refused))
            await self._rest(pause)

    def retry_now(self) -> None:
        """Cut the pause before the next try short."""
        self._now.set()

    async def request(self, request: Request, kind: type[_R], *, within: float | None = REPLY_TIMEOUT) -> _R:
        """Send a request and await its answer, as `Connection.request` does.

        Raises:
            InspectorError: the host's answer is an error.
            LinkLost: there is no connection, or it ended before the answer.
        """
        return await self.require().request(request, kind, within=within)

    def require(self) -> Connection:
        """Give the connection there is.

        Raises:
            LinkLost: there is none.
        """
        if self._connection is None:
            raise LinkLost("not connected")
        return self._connection

    async def subscribe(self, subscription: Subscription) -> None:
        """Open a subscription now, if there is a connection, and again on each that follows, until
        `unsubscribe`.
        """
        self._subscriptions[subscription] = None
        if self._connection is not None:
            await self._open(self._connection, subscription)

    async def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription, here and at the host."""
        sub = self._subscriptions.pop(subscription, None)
        if sub is not None and self._connection is not None:
            await self._connection.unsubscribe(sub)

    async def renew(self, subscription: Subscription) -> None:
        """Open a subscription anew, on the connection that it is open on; one that is not open is left alone."""
        connection, sub = self._connection, self._subscriptions.get(subscription)
        if connection is None or sub is None:
            return
        # Whoever asks again meanwhile finds that it is under way.
        self._subscriptions[subscription] = None
        await connection.unsubscribe(sub)
        if subscription in self._subscriptions and connection is self._connection:
            await self._open(connection, subscription)

    async def _serve(self, connection: Connection) -> str:
        host_id = connection.init.host.id
        new_host, self._host_id = host_id != self._host_id, host_id
        self._connection = connection
        self.clock_offset = connection.clock_offset
        try:
            self._on_event(Connected(connection.init, connection.target, new_host))
            for subscription in list(self._subscriptions):
                await self._open(connection, subscription)
            return await connection.closed
        finally:
            self._connection = None
            self._subscriptions = dict.fromkeys(self._subscriptions)

    async def _open(self, connection: Connection, subscription: Subscription) -> None:
        try:
            sub = await connection.subscribe(subscription.request(connection.init), subscription)
        except LinkLost:
            # The next connection opens it.
            return
        if subscription in self._subscriptions and connection is self._connection:
            self._subscriptions[subscription] = sub
        else:
            await connection.unsubscribe(sub)

    async def _rest(self, pause: float) -> None:
        self._now.clear()
        try:
            async with asyncio.timeout(pause):
                await self._now.wait()
        except TimeoutError:
            return
