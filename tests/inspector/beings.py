"""An actor that does in each stage of its life what a test says, and one without any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

import msgspec
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.cell import Cell
from inspector.registry import Registry
from tests.inspector.reading import settle

__all__ = ("Being", "Diary", "Quiet", "Stage", "being", "colour", "failing", "living", "sleeps", "waits")


colour: ContextVar[str] = ContextVar("colour", default="none")


class Diary(msgspec.Struct):
    """What happened in this life."""

    lines: list[str] = []


Stage = Callable[["Being"], Awaitable[object]]


def sleeps(seconds: float) -> Stage:
    """Make a stage that takes so long."""

    async def stage(self: Being) -> None:
        await trio.sleep(seconds)

    return stage


def waits(gate: trio.Event) -> Stage:
    """Make a stage that waits for the test."""

    async def stage(self: Being) -> None:
        await gate.wait()

    return stage


class Being(Actor[Diary]):
    """Does in each stage what the test says."""

    story: ClassVar[list[str]] = []
    start: ClassVar[Stage] = staticmethod(sleeps(0))
    work: ClassVar[Stage] = staticmethod(waits(trio.Event()))
    stop: ClassVar[Stage] = staticmethod(sleeps(0))

    def tell(self, line: str) -> None:
        self.story.append(line)
        self.state.lines.append(line)

    async def on_start(self) -> None:
        self.tell("start")
        await type(self).start(self)

    async def run(self) -> None:
        self.tell("run")
        try:
            await type(self).work(self)
        finally:
            self.tell("run over")

    async def on_stop(self) -> None:
        self.tell("stop")
        await type(self).stop(self)

    @action
    def lines(self) -> list[str]:
        return list(self.state.lines)

    @action
    async def hold(self) -> None:
        self.tell("hold")
        try:
            await trio.sleep_forever()
        finally:
            self.tell("hold over")

    @action
    async def linger(self) -> None:
        """Take a second to clean up."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            self.tell("linger over")

    @action(concurrent=True)
    async def beside(self) -> str:
        await trio.lowlevel.checkpoint()
        return "beside"

    @action
    def begin(self, what: str) -> None:
        self.spawn(getattr(self, what), name=what)

    @action
    def begin_coloured(self, seen: Any) -> None:
        colour.set("blue")

        async def look() -> None:
            seen.append(colour.get())

        self.spawn(look)
        self.spawn(look)

    async def fall(self) -> None:
        raise OSError("it fell")

    async def forever(self) -> None:
        await trio.sleep_forever()

    async def grumble(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async def two_grumble(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.grumble)
            nursery.start_soon(self.forever)

    async def end_me(self) -> None:
        await self.registry.stop(self.address)


class Quiet(Actor[Diary]):
    """No hooks at all."""

    @action
    def lines(self) -> list[str]:
        return list(self.state.lines)

    @action
    def begin(self, what: str) -> None:
        self.spawn(getattr(self, what))

    @action
    async def call(self, address: str, name: str) -> Any:
        return await self.registry.call(address, name)

    async def fall(self) -> None:
        raise OSError("it fell")

    async def forever(self) -> None:
        await trio.sleep_forever()

    async def grumble(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async def briefly(self) -> None:
        await trio.lowlevel.checkpoint()


def being(**stages: Stage) -> type[Being]:
    namespace: dict[str, Any] = {name: staticmethod(stage) for name, stage in stages.items()}
    return type("Being", (Being,), {"story": [], "__module__": __name__, "name": "being", **namespace})


@asynccontextmanager
async def living(cls: type[Being], drain: float = 20) -> AsyncIterator[tuple[Registry, Cell]]:
    registry = Registry([cls, Quiet])
    async with registry.running(drain_timeout=drain):
        registry.get_or_create(cls)
        await settle()
        yield registry, registry.get("being")


def failing(times: list[float]) -> Stage:
    async def fail(self: Being) -> None:
        times.append(trio.current_time())
        raise OSError("it fell")

    return fail
