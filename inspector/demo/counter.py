"""The demo's actors to begin with: a counter to play with, and a ticker that lives by itself."""

from __future__ import annotations

import msgspec
import trio

from inspector.actors.actions import action
from inspector.actors.actor import Actor

__all__ = ("Counter", "CounterState", "Ticker", "TickerState")


class CounterState(msgspec.Struct):
    """What a counter holds."""

    count: int = 0
    last_amount: int | None = None


class Counter(Actor[CounterState]):
    """A number to play with."""

    @action
    def increment(self, amount: int = 1) -> int:
        """Add to the count and return what it is then.

        A negative amount takes away.
        """
        self.state.count += amount
        self.state.last_amount = amount
        self.log.debug("incremented", amount=amount, count=self.state.count)
        return self.state.count

    @action
    def reset(self) -> None:
        """Set the count to nought."""
        self.state.count = 0
        self.log.info("reset")

    @action
    def fail(self) -> None:
        """Raise an exception, to see what an inspector makes of it."""
        raise RuntimeError("this action always fails")

    @action
    async def sleep(self, seconds: float) -> float:
        """Wait, holding the counter's turn: what comes meanwhile waits in the mailbox. Cancel it to go on."""
        self.log.info("sleeping", seconds=seconds)
        await trio.sleep(seconds)
        return seconds


class TickerState(msgspec.Struct):
    """The time, in ticks."""

    ticks: int = 0
    last: list[float] = []


class Ticker(Actor[TickerState]):
    """A clock that ticks once a second."""

    async def on_start(self) -> None:
        """Say that it begins."""
        self.log.info("ticking")

    async def run(self) -> None:
        """Tick, for ever."""
        while True:
            self.state.ticks += 1
            self.state.last = [*self.state.last[-4:], round(trio.current_time(), 3)]
            self.log.debug("tick", number=self.state.ticks)
            await trio.sleep(1)

    async def on_stop(self) -> None:
        """Say how far it came."""
        self.log.info("stopped ticking", ticks=self.state.ticks)
