"""Actors as a program writes them: definitions, handles, circles, and what an idle one costs."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pytest
import trio
import trio.testing

from inspector import Actor, ActorHandle, Registry, action
from protocol.errors import InspectorError
from tests.inspector.reading import raises, settle

T = TypeVar("T")


class Sum(msgspec.Struct):
    """A sum."""

    total: int = 0


@dataclasses.dataclass
class Plain:
    """A dataclass does as well."""

    words: list[str] = dataclasses.field(default_factory=list)


class Adder(Actor[Sum]):
    """Adds."""

    @action
    def add(self, amount: int) -> int:
        self.state.total += amount
        return self.state.total


class BigAdder(Adder):
    """Inherits all of it."""


class Speaker(Actor[Plain]):
    name: ClassVar[str] = "voice"

    def initial_state(self) -> Plain:
        return Plain([*self.key])

    @action
    async def say(self, word: str) -> list[str]:
        self.state.words.append(word)
        return self.state.words


class Box(Actor[T], Generic[T]):
    """Generic in what it holds."""


class SumBox(Box[Sum]):
    pass


class Mixed(dict[str, int]):
    """No actor."""


class Talking:
    """No actor either, but part of one."""

    @action
    def talk(self) -> str:
        return "talking"


class TalkingAdder(Talking, Adder):
    """Has its state and half its actions from the second."""


class Caller(Actor[None]):
    """Calls others, and lets itself be called."""

    @action
    async def to(self, path: list[str]) -> str:
        """Call along a path of actors."""
        if not path:
            return "end"
        return str(await self.get(Caller, path[0]).call(Caller.to, path[1:]))

    @action
    async def through(self, path: list[str], last: str) -> str:
        if not path:
            return str(await self.registry.call(self.address, last))
        return str(await self.get(Caller, path[0]).call(Caller.through, path[1:], last))

    @action
    async def round_trip(self, back: str) -> str:
        """Call another that calls an action of this one."""
        return str(await self.get(Caller, "other").call(Caller.back, self.key[0], back))

    @action
    async def back(self, key: str, name: str) -> str:
        return str(await self.get(Caller, key).call(name))

    @action
    def leaf(self) -> str:
        return "leaf"

    @action(concurrent=True)
    async def beside(self) -> str:
        await trio.lowlevel.checkpoint()
        return "beside"

    @action
    async def hand_over(self, done: Any) -> None:
        """Let a task of its own call back, after this turn."""
        self.spawn(self._call_back, done)

    async def _call_back(self, done: Any) -> None:
        done.append(await self.registry.call(self.address, "leaf"))

    @action
    async def children(self, keys: list[str]) -> list[str]:
        """Call several at once from a nursery of its own."""
        found: list[str] = []

        async def one(key: str) -> None:
            found.append(str(await self.get(Caller, key).call(Caller.back, self.key[0], "leaf")))

        async with trio.open_nursery() as nursery:
            for key in keys:
                nursery.start_soon(one, key)
        return found

    @action
    async def end_itself(self) -> None:
        await self.registry.stop(self.address)


def test_names_and_states() -> None:
    registry = Registry([Adder, BigAdder, Speaker, SumBox, Caller, TalkingAdder])
    adder = registry.get_or_create(Adder, "a")
    assert (adder.address, repr(adder)) == ("adder/a", "<ActorHandle adder/a>")
    assert registry.get_or_create(BigAdder).address == "big-adder"
    assert registry.get_or_create("voice", ("x", "y/z")).address == "voice/x/y%2Fz"
    voice = registry.get("voice/x/y%2Fz").actor
    assert isinstance(voice, Speaker)
    assert (voice.state, voice.key, voice.address) == (Plain(["x", "y/z"]), ("x", "y/z"), "voice/x/y%2Fz")
    assert voice.registry is registry
    assert voice.log.target == __name__
    assert registry.get_or_create(SumBox).address == "sum-box"
    box = registry.get("sum-box").actor
    assert box is not None
    assert box.state == Sum()
    caller = registry.get_or_create(Caller)
    actor = registry.get(caller.address).actor
    assert actor is not None
    assert actor.state is None
    big = registry.get("big-adder").actor
    assert big is not None
    assert big.state == Sum()
    assert registry.get_or_create(Adder, ["a"]).address == "adder/a"
    registry.get_or_create(TalkingAdder)
    talking = registry.get("talking-adder")
    assert talking.actor is not None
    assert talking.actor.state == Sum()
    assert sorted(talking.kind.actions) == ["add", "talk"]
    assert len(registry) == 6


def test_classes_that_are_refused() -> None:
    class Again(Actor[None]):
        name: ClassVar[str] = "adder"

    class Sized(Actor[complex]):
        """A number has a schema; a complex one has none."""

        def initial_state(self) -> complex:
            return 0j

    class Vague(Actor["Nowhere"]):  # type: ignore[name-defined]  # no such type is the case
        pass

    with pytest.raises(TypeError, match="two actor classes are called 'adder'"):
        Registry([Adder, Again])
    with pytest.raises(TypeError, match="no subclass of Actor"):
        Registry([Actor])
    with pytest.raises(TypeError, match="no subclass of Actor"):
        Registry([Mixed])  # type: ignore[list-item]  # that is the case
    with pytest.raises(TypeError, match="no schema"):
        Registry([Vague])
    # What msgspec does not know is described by its name.
    registry = Registry([Sized])
    registry.get_or_create(Sized)
    assert registry.get("sized").kind.schema == {"description": "complex"}


def test_a_generic_class_has_no_state_of_its_own() -> None:
    registry = Registry([Box])
    registry.get_or_create(Box)
    actor = registry.get("box").actor
    assert actor is not None
    assert actor.state is None


async def within(body: Callable[[Registry], Any]) -> None:
    registry = Registry([Adder, Speaker, Caller])
    async with registry.running(drain_timeout=1):
        await body(registry)


@pytest.mark.trio
async def test_a_typed_handle() -> None:
    async def body(registry: Registry) -> None:
        adder: ActorHandle[Adder] = registry.get_or_create(Adder, "a")
        assert await adder.call(Adder.add, 2) == 2
        assert await adder.call(Adder.add, amount=3) == 5
        assert await adder.call("add", 1) == 6
        assert await registry.call("adder/a", "add", 1) == 7
        assert await registry.call(adder, "add", amount=1) == 8
        voice = registry.get_or_create(Speaker)
        assert await voice.call(Speaker.say, "hello") == ["hello"]
        assert await voice.within(5).call(Speaker.say, word="you") == ["hello", "you"]
        with raises("actor.not_found"):
            await registry.call("adder/b", "add", 1)

    await within(body)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("path", "chain"),
    [
        (["a"], ["caller/a", "caller/a"]),
        (["b", "a"], ["caller/a", "caller/b", "caller/a"]),
        (["b", "c", "d", "b"], ["caller/a", "caller/b", "caller/c", "caller/d", "caller/b"]),
    ],
)
async def test_a_circle_is_told_at_once(
    path: list[str], chain: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    async def body(registry: Registry) -> None:
        began = trio.current_time()
        with raises("actor.failed") as caught:
            await registry.get_or_create(Caller, "a").call(Caller.to, path)
        innermost: BaseException = caught.value
        while innermost.__cause__ is not None:
            innermost = innermost.__cause__
        assert isinstance(innermost, InspectorError)
        assert (innermost.name, innermost.metadata) == ("actor.call_cycle", {"chain": chain})
        assert " → ".join(chain) in innermost.message
        assert trio.current_time() == began
        # Nobody is stuck now.
        for address in set(chain):
            assert await registry.call(address, "leaf") == "leaf"

    await within(body)


@pytest.mark.trio
async def test_what_is_no_circle(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry) -> None:
        caller = registry.get_or_create(Caller, "a")
        assert await caller.call(Caller.to, ["b", "c", "d"]) == "end"
        # An action that is concurrent waits for nobody's turn.
        assert await caller.call(Caller.round_trip, "beside") == "beside"
        done: list[str] = []
        await caller.call(Caller.hand_over, done)
        await settle()
        assert done == ["leaf"]

    await within(body)


@pytest.mark.trio
async def test_a_circle_through_a_nursery(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry) -> None:
        with raises("actor.failed") as caught:
            await registry.get_or_create(Caller, "a").call(Caller.children, ["b", "c"])
        assert caught.value.metadata["type"] == "ExceptionGroup"
        group = caught.value.__cause__
        assert isinstance(group, ExceptionGroup)
        assert {str(error).partition(" → ")[0] for error in group.exceptions} == {
            "actor.failed: actor.call_cycle: caller/a"
        }
        with raises("actor.failed"):
            await registry.get_or_create(Caller, "a").call(Caller.round_trip, "leaf")

    await within(body)


@pytest.mark.trio
async def test_an_actor_cant_wait_for_its_own_end() -> None:
    async def body(registry: Registry) -> None:
        with raises("actor.failed") as caught:
            await registry.get_or_create(Caller, "a").call(Caller.end_itself)
        assert "can't wait for its own end" in caught.value.message
        assert await registry.call("caller/a", "leaf") == "leaf"

    await within(body)


class Idler(Actor[None]):
    """It has next to nothing, so that what it costs is the host's."""

    @action
    def sync(self) -> None: ...

    @action
    async def wait(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.trio
@pytest.mark.parametrize(("use", "bound"), [("none", 640), ("sync", 1120), ("async", 1216), ("queue", 1376)])
async def test_an_idle_actor_is_small(use: str, bound: int) -> None:
    # From its first action on it has a span, which lasts as long as it does. Of calls that have waited the heap of
    # deadlines holds three numbers each, for up to 1,024 of all actors.
    count = 1000
    # The ring is bounded by itself, so it is kept out of the sum.
    registry = Registry([Idler], record="off")
    async with registry.running():
        # A first one pays for what all share: caches, workers.
        await registry.get_or_create(Idler, "first").call(Idler.wait)
        tracemalloc.start()
        try:
            for number in range(count):
                handle = registry.get_or_create(Idler, str(number))
                if use == "sync":
                    await handle.call(Idler.sync)
                elif use == "async":
                    await handle.call(Idler.wait)
                elif use == "queue":
                    async with trio.open_nursery() as nursery:
                        for _ in range(3):
                            nursery.start_soon(handle.call, Idler.wait)
            await settle()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used / count < bound, f"{used / count:.0f} bytes"
