"""What one connection pushes: its subscriptions, and the task that asks them when there may be something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import trio

from inspector.service.subscriptions import Subscription
from protocol.dialects import Frame
from protocol.errors import InspectorError
from protocol.messages import ConnectionsUpdated
from protocol.server import ServerSession

__all__ = ("PUSH_INTERVAL", "Pusher")

PUSH_INTERVAL: Final = 0.05
"""Seconds between two rounds of pushes, so that what comes fast is sent together."""

_LONG_PUSH: Final = 64 * 1024
_SLICES: Final = 10


class Pusher:
    """The subscriptions of one connection. It has a task from the first one on.

    Args:
        session: writes the messages.
        nursery: where the task runs.
        ready: tells whether the peer takes any more at this moment. Where it doesn't, nothing is collected: what a
            slow reader misses is counted where it is kept, and told later.
        transmit: sends a frame.
        changed: told when a subscription was opened or closed.
        bug: logs what a subscription raised that it should not, and makes the error for the peer.
    """

    def __init__(
        self,
        session: ServerSession,
        nursery: trio.Nursery,
        ready: Callable[[], bool],
        transmit: Callable[[Frame], None],
        bug: Callable[[str, Exception, object], InspectorError],
        changed: Callable[[], object],
    ) -> None:
        self._changed = changed
        self._session = session
        self._nursery = nursery
        self._ready = ready
        self._transmit = transmit
        self._bug = bug
        self._subscriptions: dict[int, Subscription] = {}
        self._something = trio.Event()
        self._gone_on = trio.Event()
        self._running = False
        self._dropped = 0
        self.told = 0
        """Bytes of the roll of inspectors that were pushed."""
        self._token = trio.lowlevel.current_trio_token()

    def __contains__(self, sub: int) -> bool:
        return sub in self._subscriptions

    @property
    def dropped(self) -> int:
        """Log records that the peer has lost so far."""
        return self._dropped + sum(item.dropped for item in self._subscriptions.values())

    def open(self, sub: int, subscription: Subscription) -> None:
        """Take a subscription in; its pushes begin behind the response to its request."""
        self._session.open_subscription(sub)
        self._subscriptions[sub] = subscription
        self._changed()
        # Also to learn how often this one wants to be asked.
        self._something.set()
        if not self._running:
            self._running = True
            self._nursery.start_soon(self._push)

    def close(self, sub: int) -> None:
        """End a subscription.

        Raises:
            InspectorError: ``inspector.unknown_subscription``.
        """
        self._session.close_subscription(sub)
        subscription = self._subscriptions.pop(sub)
        self._dropped += subscription.dropped
        subscription.close(cut=False)
        self._changed()

    def wake(self) -> None:
        """Look for something to push, soon. Any thread may call this."""
        try:
            here = trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            here = False
        if here:
            self._something.set()
        else:
            # A record of another thread: the loop may be over by now, and nobody left to tell.
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._something_new, idempotent=True)

    def go_on(self) -> None:
        """Look again at once: the peer has taken all that was sent, or never will."""
        self._gone_on.set()
        self._something.set()

    def push_all(self) -> None:
        """Send at once all that there is and that the peer takes."""
        for sub, subscription in list(self._subscriptions.items()):
            while self._push_one(sub, subscription):
                pass

    def end(self) -> None:
        """Let go of all subscriptions; the client may come back for what it wanted."""
        for subscription in self._subscriptions.values():
            subscription.close(cut=True)
        self._subscriptions.clear()

    def _something_new(self) -> None:
        self._something.set()

    @trio.lowlevel.enable_ki_protection
    async def _push(self) -> None:
        while True:
            polls = [item.poll for item in self._subscriptions.values() if item.poll is not None]
            with trio.move_on_after(min(polls, default=float("inf"))):
                await self._something.wait()
            self._something = trio.Event()
            for turn, (sub, subscription) in enumerate(list(self._subscriptions.items())):
                if turn:
                    # However many there are, nobody else waits for more than one of them: to find that there is no
                    # news may take as long as to tell some.
                    await trio.lowlevel.checkpoint()
                # A long backlog goes out without a pause, but does not keep the others waiting.
                while self._push_one(sub, subscription) > _LONG_PUSH and not subscription.paced:
                    await trio.lowlevel.checkpoint()
            await self._rest()

    async def _rest(self) -> None:
        """Let records come together before the next round, but never so many that the ring turns over meanwhile."""
        for _ in range(_SLICES):
            if not self._ready():
                self._gone_on = trio.Event()
                await self._gone_on.wait()
                return
            await trio.sleep(PUSH_INTERVAL / _SLICES)
            if any(item.plenty for item in self._subscriptions.values()):
                return

    def _push_one(self, sub: int, subscription: Subscription) -> int:
        """Send the next that a subscription has; return its size, 0 for nothing."""
        if self._subscriptions.get(sub) is not subscription or not self._ready():
            return 0
        try:
            push = subscription.collect()
            if push is None:
                return 0
            frame = self._session.push(push)
        except Exception as exc:
            error = exc if isinstance(exc, InspectorError) else self._bug("push failed", exc, subscription)
            self.close(sub)
            self._transmit(self._session.error(sub, error))
            return 0
        if isinstance(push, ConnectionsUpdated):
            self.told += len(frame) if isinstance(frame, bytes) else len(frame.encode())
        self._transmit(frame)
        # There may be more; it is asked again until there is none.
        self._something.set()
        return len(frame)
