"""How a host ends besides a shutdown: by an actor's crash, by Ctrl+C, and what its caller gets to see of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from inspector import Actor, EscalationError, Host, Registry, escalate, open_host, serve
from tests.inspector.reading import events, read, settle
from tests.inspector.served import Steady, runtime_files, steady

pytestmark = pytest.mark.trio


class Vital(Actor[None]):
    """Ends the host when it is told to."""

    supervision = escalate(7)
    gate: trio.Event

    def __init__(self) -> None:
        self.gate = trio.Event()

    async def run(self) -> None:
        await self.gate.wait()
        raise OSError("the disk is gone")


def crash(registry: Registry) -> None:
    """Let the actor crash."""
    actor = registry.get("vital").actor
    assert isinstance(actor, Vital)
    actor.gate.set()


def made(*actors: type[Actor[None]]) -> Registry:
    kinds: list[type[Actor[None]]] = [Vital, *actors]
    registry = Registry(kinds)
    for kind in kinds:
        registry.get_or_create(kind)
    return registry


async def test_a_host_drains_before_it_raises(runtime_directory: Path, autojump_clock: trio.testing.MockClock) -> None:
    cls = steady()
    registry = made(cls)
    answers: list[str] = []

    async def call() -> None:
        answers.append(await registry.get_or_create(cls).call(Steady.quick))

    async def run(task_status: trio.TaskStatus[Host]) -> None:
        with pytest.raises(EscalationError, match=r"^vital crashed: OSError: the disk is gone$") as caught:
            await serve(registry, task_status=task_status)
        assert (caught.value.address, caught.value.exit_code) == ("vital", 7)
        assert isinstance(caught.value.__cause__, OSError)

    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(run)
        nursery.start_soon(call)
        await settle()
        crash(registry)
        await host.wait_stopped()
    assert answers == ["done"]
    assert cls.ends == ["run", "stop"]
    assert runtime_files(runtime_directory) == []
    said = [record.message for record in read(registry.log, "info") if record.target == "inspector.host"]
    assert said == ["inspector listening", "inspector draining", "inspector stopped"]


async def test_a_block_is_cancelled_once_the_host_has_stopped(autojump_clock: trio.testing.MockClock) -> None:
    cls = steady()
    registry = made(cls)
    states: list[str] = []

    async def live() -> None:
        async with open_host(registry) as host:
            await settle()
            crash(registry)
            try:
                await trio.sleep_forever()
            finally:
                states.append(host.state)

    with pytest.raises(EscalationError) as caught:
        await live()
    assert caught.value.exit_code == 7
    assert states == ["stopped"]
    assert cls.ends == ["run", "stop"]


async def test_a_block_that_waits_for_the_end_gets_to_know_why(autojump_clock: trio.testing.MockClock) -> None:
    registry = made()

    async def live() -> None:
        async with open_host(registry) as host:
            await settle()
            crash(registry)
            await host.wait_stopped()

    with pytest.raises(EscalationError):
        await live()


async def test_the_end_of_the_host_goes_before_what_the_block_says_of_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    registry = made()

    async def live() -> None:
        async with open_host(registry):
            await settle()
            crash(registry)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("cut off")

    with pytest.raises(EscalationError):
        await live()


async def test_a_host_that_never_served(autojump_clock: trio.testing.MockClock) -> None:
    class Hasty(Actor[None]):
        """Crashes before anybody can attach."""

        supervision = escalate()

        async def on_start(self) -> None:
            raise OSError("no disk")

    shutdown = trio.Event()
    shutdown.set()
    registry = Registry([Hasty])
    registry.get_or_create(Hasty)
    with pytest.raises(EscalationError):
        await serve(registry, shutdown=shutdown)
    assert events(registry.log, "inspector listening") == []
    assert events(registry.log, "inspector draining") == []
    assert events(registry.log, "inspector stopped") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=["Ctrl+C", "exit"])
@pytest.mark.parametrize("where", ["start", "run", "task"])
async def test_who_ends_the_program_is_heard_as_he_is(
    where: str, error: BaseException, autojump_clock: trio.testing.MockClock
) -> None:
    class Ender(Actor[None]):
        """Ends the program from some place."""

        async def on_start(self) -> None:
            await trio.sleep(1)
            if where == "start":
                await self.end()

        async def run(self) -> None:
            if where == "task":
                self.spawn(self.end)
            elif where == "run":
                await self.end()
            await trio.sleep_forever()

        async def end(self) -> None:
            raise error

    registry = Registry([Ender])
    registry.get_or_create(Ender)
    with pytest.raises(type(error)) as caught:
        await serve(registry)
    assert caught.value is error
    # The group that it came in is not shown behind it.
    assert caught.value.__context__ is None
    assert registry.state == "stopped"
    assert len(events(registry.log, "inspector stopped")) == 1


async def test_several_errors_stay_a_group(autojump_clock: trio.testing.MockClock) -> None:
    class Two(Actor[None]):
        """Raises more than one can be."""

        async def run(self) -> None:
            raise BaseExceptionGroup("both", [KeyboardInterrupt(), OSError("beside")])

    registry = Registry([Two])
    registry.get_or_create(Two)
    with pytest.raises(BaseExceptionGroup) as caught:
        await serve(registry)
    assert caught.group_contains(KeyboardInterrupt)
    assert caught.group_contains(OSError, match="beside")


async def test_a_nursery_that_serves_is_told(autojump_clock: trio.testing.MockClock) -> None:
    registry = made()

    async def live() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, registry))
            await settle()
            crash(registry)
            await trio.sleep_forever()

    with pytest.RaisesGroup(EscalationError):
        await live()
