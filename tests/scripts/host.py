"""The host that the scripts of this folder are played against: actors that do, or fail to do, what a script asks."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import trio

from inspector import Actor, Host, Registry, action, open_host, restart
from inspector.actors.cell import Cell

__all__ = ("TOKEN", "Frail", "Loner", "Patient", "Rig", "served")

TOKEN = "script-token.~-_1"


class RigState(msgspec.Struct):
    """What a rig holds."""

    count: int = 0
    odd: Any = None


class Rig(Actor[RigState]):
    """Works, hangs, fails and crashes as it is told. Two messages may wait for it."""

    mailbox_size: ClassVar[int] = 2

    @action
    def add(self, amount: int = 1) -> int:
        """Add to the count."""
        self.state.count += amount
        return self.state.count

    @action
    def echo(self, value: Any) -> Any:
        """Return what was given."""
        return value

    @action
    def moment(self, at: datetime.datetime) -> datetime.datetime:
        """Return the time an hour later."""
        return at + datetime.timedelta(hours=1)

    @action
    def numbered(self) -> dict[int, str]:
        """Return a map whose keys are numbers."""
        return {1: "one", 2: "two"}

    @action
    def keyed(self, kind: str) -> dict[Any, int]:
        """Return a map with a key of some kind."""
        keys = {
            "true": True,
            "null": None,
            "float": 1.5,
            "bytes": b"\x00",
            "time": datetime.datetime(2026, 11, 24, 8, tzinfo=datetime.UTC),
            "array": (1, 2),
        }
        return {keys[kind]: 1}

    @action
    def say(self, text: str, times: int = 1) -> None:
        """Log at info."""
        for number in range(times):
            self.log.info(text, number=number)

    @action
    async def hang(self) -> None:
        """Never end."""
        await trio.sleep_forever()

    @action
    def fail(self) -> None:
        """Raise."""
        raise RuntimeError("as asked")

    @action(concurrent=True)
    def crash(self) -> None:
        """Start a task that raises: this life ends."""
        self.spawn(self._crash)

    async def _crash(self) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("crashed as asked")

    @action
    def make_odd(self) -> None:
        """Put into the state what has no form on the wire."""
        self.state.odd = object()

    @action
    def odd(self) -> Any:
        """Return what has no form on the wire."""
        return object()

    @action
    def big(self, size: int) -> bytes:
        """Return so many bytes."""
        return bytes(size)

    @action
    async def relay(self, via: list[str]) -> int:
        """Call the rigs with these keys, each by the one before it."""
        if not via:
            return self.add()
        return await self.get(Rig, via[0]).call(Rig.relay, via[1:])

    @action
    async def make(self, key: str, name: str = "rig") -> str:
        """Make another rig, or an actor of another class."""
        return self.registry.get_or_create(name, key).address

    @action
    async def stop(self, address: str) -> None:
        """Stop another actor."""
        await self.registry.stop(address)

    @action
    def drain(self) -> None:
        """Shut the host down."""
        self.registry.lifecycle.apply("shutdown")


class Patient(Rig):
    """Waits after a crash for as long as a script wants to look at it."""

    supervision = restart(first=3600, longest=3600)


class Frail(Rig):
    """Is given up after one crash."""

    supervision = restart(most=0)


class Loner(Actor[None]):
    """Has no state and one action."""

    @action(concurrent=True, timeout=5)
    def ping(self) -> str:
        """Answer."""
        return "pong"


class _Faulty(Registry):
    """A registry with a bug: no prefix may be `bug`."""

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[Cell], int, bool]:
        if prefix == "bug":
            raise ZeroDivisionError("as asked")
        return super().page(prefix, after, limit)


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Host]:
    """Serve the rigs `a` and `b` and a loner, with the options of `inspector.serve`."""
    registry = _Faulty([Rig, Patient, Frail, Loner], name="scripts")
    registry.get_or_create(Rig, "a")
    registry.get_or_create(Rig, "b")
    registry.get_or_create(Loner)
    async with open_host(registry, **{"token": TOKEN, "runtime_file": False, "drain_timeout": 1, **options}) as host:
        yield host
