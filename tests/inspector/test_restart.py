"""Restarts by hand: in good order, from every status, and beside a stop or a drain."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import trio
import trio.testing

from inspector import Actor, Registry, action, restart, stop
from inspector.actors.stops import RESTART_GRACE
from protocol.errors import InspectorError
from tests.inspector.beings import Being, Diary, Quiet, being, failing, living, sleeps, waits
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio


class Outcomes:
    """What came of calls that run beside a test."""

    def __init__(self, registry: Registry, nursery: trio.Nursery) -> None:
        self.of: dict[str, Any] = {}
        self.at: dict[str, float] = {}
        self._registry = registry
        self._nursery = nursery

    def call(self, action: str, address: str = "being") -> None:
        self._nursery.start_soon(self._run, action, lambda: self._registry.call(address, action))

    def restart(self, name: str = "restart", address: str = "being") -> None:
        self._nursery.start_soon(self._run, name, lambda: self._registry.restart(address))

    def stop(self, address: str = "being") -> None:
        self._nursery.start_soon(self._run, "stop", lambda: self._registry.stop(address))

    async def _run(self, name: str, ask: Any) -> None:
        try:
            self.of[name] = await ask()
        except InspectorError as exc:
            self.of[name] = exc.name
        self.at[name] = trio.current_time()


async def test_a_life_ends_in_good_order_and_the_next_begins(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(1))
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        outcomes.call("hold")
        await settle()
        outcomes.call("lines")
        await settle()
        outcomes.restart()
        await settle()
        assert outcomes.of == {"hold": "actor.stopped"}
        assert (cell.status, cell.info().mailbox) == ("restarting", 1)
        # What comes now waits for the next life, as what was there does.
        outcomes.call("beside")
        await settle()
        assert cell.info().mailbox == 2
        with raises("actor.stopped"):
            cell.spawn(trio.sleep_forever, (), None)
        await trio.sleep(1.1)
        assert outcomes.of.pop("lines")[0] == "start"
        assert outcomes.of == {"hold": "actor.stopped", "restart": 2, "beside": "beside"}
        assert (cell.status, cell.generation, cell.restarts, cell.failure) == ("running", 2, 1, None)
        assert cls.story == ["start", "run", "hold", "hold over", "run over", "stop", "start", "run"]
        assert [span.status for span in spans(registry.log, "actor")] == ["ok"]
        assert len(events(registry.log, "actor is restarted")) == 1
        nursery.cancel_scope.cancel()


async def test_the_wait_after_a_crash_is_skipped(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    cls = being(work=failing(times))
    cls.supervision = restart(first=100, longest=100, most=1, within=1000)
    async with living(cls) as (registry, cell):
        await trio.sleep(10)
        assert cell.status == "restarting"
        assert await registry.restart("being") == 2
        await settle()
        assert times == [0, 10]
        # How often it crashed before counts no more: else it were given up now.
        assert (cell.status, cell.restarts) == ("restarting", 3)
        await trio.sleep(105)
        assert (times, cell.status) == ([0, 10, 110], "failed")
        assert "stop" not in cls.story


@pytest.mark.parametrize(("policy", "status"), [(restart(most=0), "failed"), (stop(), "stopped")])
async def test_one_that_was_given_up_lives_again(
    policy: Any, status: str, autojump_clock: trio.testing.MockClock
) -> None:
    falls = [True]

    async def work(self: Being) -> None:
        if falls and falls.pop():
            raise OSError("it fell")
        await trio.sleep_forever()

    cls = being(work=work)
    cls.supervision = policy
    async with living(cls) as (registry, cell):
        assert cell.status == status
        assert await registry.restart(registry.get_or_create(cls)) == 2
        await settle()
        assert cell.status == "running"
        assert await registry.call("being", "lines") == ["start", "run"]
        # That is how the life before ended; after one that ended in good order nothing is to be said.
        assert cell.failure is not None
        assert await registry.restart("being") == 3
        assert cell.failure is None
        await settle()
    assert cls.story.count("stop") == 2


async def test_one_that_starts_begins_anew(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(start=sleeps(10))
    async with living(cls) as (registry, cell):
        await trio.sleep(9)
        assert cell.info().status == "starting"
        assert await registry.restart("being") == 2
        await trio.sleep(9)
        assert (cell.info().status, cls.story) == ("starting", ["start", "start"])
        await trio.sleep(1.1)
        assert cell.status == "running"


async def test_one_without_hooks_that_has_not_begun(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Quiet])
    async with registry.running():
        quiet = registry.get_or_create(Quiet)
        cell = registry.get("quiet")
        assert await registry.restart(quiet) == 1
        await settle()
        assert (cell.status, cell.generation, cell.restarts) == ("idle", 1, 0)
        before = cell.actor
        assert await registry.restart(quiet) == 2
        await settle()
        assert (cell.status, cell.generation, cell.restarts, cell.life) == ("idle", 2, 1, None)
        assert cell.actor is not before
        assert await quiet.call(Quiet.lines) == []


async def test_several_who_ask_at_once_get_one_restart(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(1))
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        outcomes.restart("one")
        outcomes.restart("two")
        await trio.sleep(2)
        assert (outcomes.of, cell.generation) == ({"one": 2, "two": 2}, 2)


async def test_who_asks_and_goes_stops_nothing(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(1))
    async with living(cls) as (registry, cell):
        with trio.move_on_after(0.5):
            await registry.restart("being")
        assert cell.status == "restarting"
        await trio.sleep(1)
        assert (cell.status, cell.generation) == ("running", 2)


async def test_a_stop_hook_that_hangs_is_cut_short(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(1000))
    async with living(cls, drain=1) as (registry, cell):
        assert await registry.restart("being") == 2
        assert trio.current_time() == pytest.approx(RESTART_GRACE)
        (late,) = events(registry.log, "stop hook took too long")
        assert (late.level, late.span["generation"]) == ("ERROR", 1)
        await settle()
        assert cell.status == "running"


async def test_a_turn_that_lingers_too_long_leaves_no_time_for_the_hook(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()

    class Clinging(Actor[Diary]):
        """Does not let go."""

        stops = 0

        async def on_stop(self) -> None:
            type(self).stops += 1

        @action
        async def cling(self) -> None:
            with trio.CancelScope(shield=True):
                await gate.wait()

        @action
        def note(self) -> int:
            self.state.lines.append("noted")
            return len(self.state.lines)

    registry = Registry([Clinging])
    async with registry.running(), trio.open_nursery() as nursery:
        handle = registry.get_or_create(Clinging)
        outcomes = Outcomes(registry, nursery)
        outcomes.call("cling", "clinging")
        await settle()
        assert await registry.restart(handle) == 2
        assert trio.current_time() == pytest.approx(RESTART_GRACE)
        assert Clinging.stops == 0
        # Still one turn at a time, though they are turns of two lives.
        outcomes.call("note", "clinging")
        await trio.sleep(1)
        assert "note" not in outcomes.of
        gate.set()
        await settle()
        assert outcomes.of["note"] == 1
    assert Clinging.stops == 1


async def test_a_crash_on_the_way_to_the_end(autojump_clock: trio.testing.MockClock) -> None:
    falls = [True]

    async def work(self: Being) -> None:
        await trio.sleep(1)
        if falls and falls.pop():
            raise OSError("it fell")
        await trio.sleep_forever()

    cls = being(work=work)
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        await trio.sleep(0.5)
        outcomes.call("linger")
        await settle()
        # The turn takes a second to end; meanwhile `run` raises.
        assert await registry.restart("being") == 2
        assert trio.current_time() == pytest.approx(1.5)
        assert (cell.restarts, cell.info().errors) == (1, 2)
        assert cell.failure is not None
        (crashed,) = events(registry.log, "actor crashed")
        assert "again_in_ms" not in crashed.fields
        assert "stop" not in cls.story
        assert [span.status for span in spans(registry.log, "actor")] == ["error"]


async def test_deadlines_count_while_the_old_life_ends(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(3))
    async with living(cls) as (registry, _), trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        hold = registry.get_or_create(cls).within(100)
        nursery.start_soon(outcomes._run, "hold", lambda: hold.call("hold"))
        await settle()
        nursery.start_soon(outcomes._run, "lines", lambda: registry.get_or_create(cls).within(1).call("lines"))
        await settle()
        outcomes.restart()
        await trio.sleep(4)
        assert outcomes.of == {"hold": "actor.stopped", "lines": "actor.action_timed_out", "restart": 2}
        assert outcomes.at["lines"] < outcomes.at["restart"] == pytest.approx(3)


# ---- from inside ----


class Curious(Being):
    """Restarts actors, itself among them."""

    story: ClassVar[list[str]] = []

    @action
    async def again(self, address: str) -> int:
        return await self.registry.restart(address)

    @action(concurrent=True)
    async def again_beside(self) -> int:
        return await self.registry.restart(self.address)

    @action
    def again_later(self) -> None:
        self.spawn(self.registry.restart, self.address)


async def test_an_actor_that_restarts_others_and_itself(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Curious, Quiet])
    async with registry.running():
        handle = registry.get_or_create(Curious)
        registry.get_or_create(Quiet)
        assert await handle.call("again", "quiet") == 1
        with raises("actor.failed") as caught:
            await handle.call("again", "curious")
        assert "can't wait for its own end" in caught.value.message
        # Nobody's turn: it may, and is ended by it.
        await handle.call("again_later")
        await settle()
        assert registry.get("curious").generation == 2
        with raises("actor.stopped"):
            await handle.call("again_beside")
        assert trio.current_time() == 0
        await settle()
        assert registry.get("curious").generation == 3


async def test_a_hook_that_calls_in_a_circle_is_told(autojump_clock: trio.testing.MockClock) -> None:
    said: list[str] = []

    async def ask(self: Being) -> None:
        for name in ("lines", "beside"):
            try:
                await self.registry.call("quiet", "call", self.address, name)
            except InspectorError as exc:
                said.append(f"{exc.name} {exc.metadata['type']}")
        with pytest.raises(RuntimeError, match="its own end"):
            await self.registry.restart(self.address)

    async with living(being(stop=ask)) as (registry, _):
        registry.get_or_create(Quiet)
        await registry.restart("being")
        assert said == ["actor.failed actor.call_cycle"] * 2
        assert trio.current_time() == 0


# ---- beside a stop, a drain, an end ----


async def test_who_wants_the_end_goes_before_who_wants_a_start(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(1))
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        outcomes.restart()
        await settle()
        outcomes.call("lines")
        await settle()
        outcomes.stop()
        await settle()
        assert outcomes.of == {"restart": "actor.stopped", "lines": "actor.stopped"}
        assert cell.status == "stopping"
        # And not the other way round.
        outcomes.restart("late")
        await settle()
        assert outcomes.of.pop("late") == "actor.stopped"
        await trio.sleep(2)
        assert outcomes.of["stop"] is None
        assert (cell.status, cell.generation, len(registry)) == ("stopped", 1, 0)
        assert cls.story.count("stop") == 1


async def test_a_drain_ends_what_restarts(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(3))
    registry = Registry([cls])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        async with registry.running(drain_timeout=20):
            registry.get_or_create(cls)
            await settle()
            outcomes.restart()
            await settle()
        assert outcomes.of == {"restart": "registry.shut_down"}
        assert trio.current_time() == pytest.approx(3)
        assert (registry.get("being").status, cls.story.count("stop")) == ("stopped", 1)
        outcomes.restart("late")
        await settle()
        assert outcomes.of["late"] == "registry.shut_down"


async def test_a_drain_lets_a_restart_end_for_whom_it_has_admitted(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=sleeps(2))
    registry = Registry([cls])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        async with registry.running(drain_timeout=20):
            registry.get_or_create(cls)
            await settle()
            outcomes.restart()
            await settle()
            outcomes.call("lines")
            await settle()
        assert outcomes.of["restart"] == 2
        assert outcomes.of["lines"][0] == "start"
        assert cls.story.count("stop") == 2


async def test_a_host_that_is_cut_off_in_a_restart_answers(autojump_clock: trio.testing.MockClock) -> None:
    cls = being(stop=waits(trio.Event()))
    registry = Registry([cls])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(registry, nursery)
        with trio.CancelScope() as scope:
            async with registry.running():
                registry.get_or_create(cls)
                await settle()
                outcomes.restart()
                await settle()
                outcomes.call("lines")
                await settle()
                scope.cancel()
        await settle()
        assert outcomes.of == {"restart": "actor.stopped", "lines": "actor.stopped"}
        assert registry.get("being").status == "stopped"


async def test_where_there_is_nothing_to_restart(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Quiet])
    registry.get_or_create(Quiet)
    with pytest.raises(RuntimeError, match="does not run yet"):
        await registry.restart("quiet")
    async with registry.running():
        with raises("actor.not_found"):
            await registry.restart("quiet/none")
        with trio.CancelScope() as scope:
            scope.cancel()
            await registry.restart("quiet")
        assert scope.cancelled_caught
        assert registry.get("quiet").status == "idle"
    with raises("registry.shut_down"):
        await registry.restart("quiet")
