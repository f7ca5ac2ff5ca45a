"""Actors to be drained: one without hooks, one with a run and a stop hook; and calls beside a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.registry import Registry
from protocol.errors import InspectorError
from tests.inspector.reading import settle

__all__ = ("Outcomes", "Shelf", "Store", "Worker", "drain", "worker")


class Store(msgspec.Struct):
    """What arrived."""

    items: list[str] = []


class Shelf(Actor[Store]):
    """No hooks."""

    @action
    def put(self, item: str) -> int:
        self.state.items.append(item)
        return len(self.state.items)

    @action
    async def hold(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "held"

    @action
    async def hold_then_put(self, seconds: float, address: str) -> int:
        """Call another actor after a while."""
        await trio.sleep(seconds)
        return int(await self.registry.call(address, "put", "late"))

    @action
    async def hold_then_make(self, seconds: float, key: str) -> str:
        await trio.sleep(seconds)
        other = self.get(Shelf, key)
        await other.call(Shelf.put, "made late")
        return other.address

    @action
    async def hang(self) -> None:
        """Swallow every cancellation for a while."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1000)

    @action
    def spawn_calls(self, address: str, seconds: float, grouped: bool) -> None:
        self.spawn(self._call_later, address, seconds, grouped)

    async def _call_later(self, address: str, seconds: float, grouped: bool) -> None:
        await trio.sleep(seconds)
        if grouped:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.registry.call, address, "put", "too late")
        else:
            await self.registry.call(address, "put", "too late")


class Worker(Actor[None]):
    """With a run and a stop hook, whose ends are noted."""

    ends: ClassVar[list[str]] = []
    hook: ClassVar[float] = 0
    tell: ClassVar[str] = ""

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append(f"run {self.address}")

    async def on_stop(self) -> None:
        await trio.sleep(self.hook)
        if self.tell:
            await self.registry.call(self.tell, "put", self.address)
        self.ends.append(f"stop {self.address}")

    @action
    async def hold(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "held"


def worker(hook: float = 0, tell: str = "") -> type[Worker]:
    return type("Worker", (Worker,), {"ends": [], "hook": hook, "tell": tell, "__module__": __name__})


class Outcomes:
    """Calls beside the test."""

    def __init__(self, nursery: trio.Nursery, registry: Registry) -> None:
        self._nursery = nursery
        self._registry = registry
        self.of: dict[str, Any] = {}

    async def start(self, name: str, address: str, action: str, *args: Any) -> None:
        self._nursery.start_soon(self._call, name, address, action, *args)
        await settle()

    async def _call(self, name: str, address: str, action: str, *args: Any) -> None:
        try:
            self.of[name] = await self._registry.call(address, action, *args)
        except InspectorError as exc:
            self.of[name] = exc.name


async def drain(
    body: Callable[[Registry, Outcomes], Any], *classes: type[Actor[Any]], seconds: float = 8
) -> tuple[Registry, dict[str, Any], float]:
    """Run a registry whose block ends after `body`; return it, the outcomes of its calls, and what the drain took."""
    registry = Registry([Shelf, *classes])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        async with registry.running(drain_timeout=seconds):
            await body(registry, outcomes)
            began = trio.current_time()
        took = trio.current_time() - began
    return registry, outcomes.of, took
