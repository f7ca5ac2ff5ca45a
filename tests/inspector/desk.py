"""An actor that waits when it is told to, and calls that run beside a test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import msgspec
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.calls import Call, current_call
from inspector.registry import Registry
from inspector.tracing import current_span
from protocol.errors import InspectorError

__all__ = ("Callers", "Desk", "Foreign", "Notes", "Unspeakable", "desk_of", "mood", "with_desk")


mood: ContextVar[str] = ContextVar("mood", default="calm")


class Notes(msgspec.Struct):
    """What was done, in order."""

    done: list[str] = []


class Desk(Actor[Notes]):
    """An actor that waits when it is told to."""

    mailbox_size = 3
    gates: dict[str, trio.Event]

    def __init__(self) -> None:
        self.gates = {}
        self.inside = 0
        self.most = 0

    def open(self, gate: str) -> None:
        self.gates.setdefault(gate, trio.Event()).set()

    @action
    async def work(self, name: str) -> str:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.state.done.append(f"{name} begins")
        try:
            await self.gates.setdefault(name, trio.Event()).wait()
        finally:
            self.inside -= 1
        self.state.done.append(f"{name} ends")
        return name

    @action
    async def quick(self, name: str) -> str:
        self.state.done.append(name)
        return name

    @action
    def note(self, name: str) -> str:
        self.state.done.append(name)
        return name

    @action(concurrent=True)
    async def beside(self, name: str) -> str:
        self.state.done.append(f"{name} beside")
        await self.gates.setdefault(name, trio.Event()).wait()
        return name

    @action(concurrent=True)
    def peek(self) -> list[str]:
        return list(self.state.done)

    @action
    def refuse(self, error: str) -> None:
        raise {"value": ValueError("no"), "stop": StopIteration("no"), "odd": Unspeakable()}[error]

    @action
    def bare(self) -> tuple[str, bool, bool]:
        before = mood.get(), current_call.get() is not None, current_span.get() is not None
        mood.set("wild")
        return before

    @action
    async def bare_async(self) -> str:
        before = mood.get()
        mood.set("wild")
        await trio.lowlevel.checkpoint()
        assert mood.get() == "wild"
        return before

    @action
    async def foreign(self, after: bool) -> None:
        if after:
            await trio.lowlevel.checkpoint()
        await Foreign()

    @action
    def row(self) -> tuple[str, int]:
        row = self.registry.get(self.address).info()
        return row.status, row.running

    @action(timeout=2)
    async def brief(self, name: str) -> str:
        return await self.work(name)


class Foreign:
    """Something to await that trio knows nothing of."""

    def __await__(self) -> Generator[str, None, None]:
        yield "no trap of trio's"


class Unspeakable(Exception):
    """Its text can't be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def desk_of(registry: Registry) -> Desk:
    actor = registry.get("desk").actor
    assert isinstance(actor, Desk)
    return actor


class Callers:
    """Calls that run beside the test, and their outcomes."""

    def __init__(self, nursery: trio.Nursery, registry: Registry) -> None:
        self.nursery = nursery
        self.registry = registry
        self.outcomes: dict[str, Any] = {}

    def start(self, action: str, name: str, seconds: float | None = None) -> trio.CancelScope:
        scope = trio.CancelScope()
        self.nursery.start_soon(self._call, action, name, seconds, scope)
        return scope

    async def _call(self, action: str, name: str, seconds: float | None, scope: trio.CancelScope) -> None:
        handle = self.registry.get_or_create(Desk)
        with scope:
            try:
                self.outcomes[name] = await (handle if seconds is None else handle.within(seconds)).call(action, name)
            except InspectorError as exc:
                self.outcomes[name] = exc.name

    def send(self, action: str, name: str, rid: int | None = None) -> Call:
        """Deliver a call as a connection does."""
        cell = self.registry.get("desk")
        spec = cell.find(action)
        call = Call(cell, spec, (name,), {}, spec.timeout, None, None, self._done, rid)
        cell.deliver(call)
        return call

    def _done(self, call: Call) -> None:
        self.outcomes[call.args[0]] = call.value if call.error is None else call.error.name


async def with_desk(body: Callable[[Registry, Desk, Callers], Any]) -> None:
    registry = Registry([Desk], record="trace")
    async with registry.running(), trio.open_nursery() as nursery:
        registry.get_or_create(Desk)
        await body(registry, desk_of(registry), Callers(nursery, registry))
