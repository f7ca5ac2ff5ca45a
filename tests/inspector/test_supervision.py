"""Supervision: what a class says follows a crash, what is remembered of crashes, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

import inspector
from inspector import Actor, EscalationError, Registry, Supervision, action, escalate, restart, stop
from inspector.actors.supervision import HEALTHY_AFTER, Crashes
from protocol.errors import InspectorError
from tests.inspector.beings import Being, being, failing, living, waits
from tests.inspector.reading import events, raises, read, settle, spans

trio_test = pytest.mark.trio


# ---- what a class says ----


def test_the_default_and_what_may_be_said() -> None:
    assert Actor.supervision == restart() == restart(most=10, within=300, first=0.5, longest=30)
    assert stop() == Supervision(decision="stop")
    assert escalate().exit_code == 1
    assert [escalate(code).exit_code for code in (0, 255)] == [0, 255]
    assert restart(first=0, longest=0).longest == 0
    assert {"EscalationError", "Supervision", "escalate", "restart", "stop"} <= set(inspector.__all__)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: restart(most=-1), "most"),
        (lambda: restart(within=0), "within"),
        (lambda: restart(within=float("nan")), "within"),
        (lambda: restart(first=-1), "first"),
        (lambda: restart(first=31), "longest"),
        (lambda: restart(longest=float("nan")), "longest"),
        (lambda: escalate(-1), "0 to 255"),
        (lambda: escalate(256), "0 to 255"),
    ],
)
def test_what_can_not_be_meant(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_class_that_says_something_else() -> None:
    wrong: Any = restart
    cls = type("Odd", (Actor,), {"supervision": wrong})
    with pytest.raises(TypeError, match=r"Odd: supervision is restart\(\), stop\(\) or escalate\(\)"):
        Registry([cls])


# ---- what is remembered of crashes ----


@given(
    most=st.integers(0, 6),
    within=st.floats(0.5, 100),
    gaps=st.lists(st.floats(0, 120), min_size=1, max_size=40),
)
def test_given_up_when_one_more_than_most_fell_within_the_period(most: int, within: float, gaps: list[float]) -> None:
    crashes = Crashes(restart(most=most, within=within))
    now, times = 0.0, list[float]()
    for gap in gaps:
        now += gap
        times.append(now)
        too_many = sum(now - time <= within for time in times) > most
        assert (crashes.add(now) is None) == too_many
        if too_many:
            break


@given(st.lists(st.floats(0, 200), max_size=100), st.floats(0, 5), st.floats(5, 100))
def test_the_back_off(lives: list[float], first: float, longest: float) -> None:
    crashes = Crashes(restart(most=None, first=first, longest=longest))
    expected = crashes.add(0.0)
    assert expected == first
    for life in lives:
        began = crashes.again_at
        # The very same sum as is made there: the border is met to the bit.
        expected = first if (began + life) - began >= HEALTHY_AFTER else min(longest, 2 * expected)
        assert crashes.add(began + life) == pytest.approx(expected)
        assert crashes.again_at == pytest.approx(began + life + expected)


# ---- what comes of it ----


@trio_test
async def test_a_crash_loop_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    outcomes: list[str] = []
    cls = being(work=failing(times))
    cls.supervision = restart(most=2, within=10, first=1)

    async def call(registry: Registry) -> None:
        try:
            await registry.call("being", "hold")
        except InspectorError as exc:
            outcomes.append(exc.name)

    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        await trio.sleep(1.5)
        assert (cell.status, cell.restarts) == ("restarting", 2)
        # It waits for the next life, which ends before it can be worked on.
        nursery.start_soon(call, registry)
        await trio.sleep(100)
        assert times == [0, 1, 3]
        assert (cell.status, cell.restarts, cell.generation, cell.life) == ("failed", 2, 3, None)
        info = cell.info()
        # Three crashes; whether the action got to a worker before the third is trio's choice.
        assert info.errors in (3, 4)
        assert info.mailbox == 0
        assert info.failure == cell.failure
        assert cell.failure is not None
        assert (cell.failure.type, cell.failure.message) == ("OSError", "it fell")
        with raises("actor.stopped"):
            await registry.call("being", "lines")
        with raises("actor.stopped"):
            cell.spawn(trio.sleep_forever, (), None)
        crashed = events(registry.log, "actor crashed")
        assert [record.fields.get("again_in_ms") for record in crashed] == [1000, 2000, None]
        (given_up,) = events(registry.log, "actor given up")
        assert (given_up.level, given_up.fields["most"], given_up.fields["within_ms"]) == ("ERROR", 2, 10_000)
        assert given_up.span["generation"] == 3
        assert [span.status for span in spans(registry.log, "actor")] == ["error"] * 3
        # It is no longer there to be stopped in good order.
        await registry.stop("being")
        assert len(registry) == 0
        assert bool(registry)
    assert outcomes == ["actor.stopped"]
    assert "stop" not in cls.story


@trio_test
async def test_what_waits_for_an_actor_that_is_given_up_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()
    outcomes: dict[str, str] = {}

    async def work(self: Being) -> None:
        await gate.wait()
        raise OSError("it fell")

    async def call(registry: Registry, name: str) -> None:
        try:
            await registry.call("being", name)
        except InspectorError as exc:
            outcomes[name] = exc.name

    cls = being(work=work)
    cls.supervision = restart(most=0)
    async with living(cls) as (registry, cell), trio.open_nursery() as nursery:
        for name in ("hold", "lines"):
            nursery.start_soon(call, registry, name)
            await settle()
        gate.set()
        await settle()
        assert cell.status == "failed"
        assert outcomes == {"hold": "actor.stopped", "lines": "actor.stopped"}
        assert trio.current_time() == 0


@trio_test
async def test_without_a_bound_it_goes_on_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    cls = being(work=failing(times))
    cls.supervision = restart(most=None, first=0.1, longest=0.1)
    async with living(cls) as (_, cell):
        await trio.sleep(60)
        assert cell.status == "restarting"
        assert 590 < len(times) <= 600


@trio_test
@pytest.mark.parametrize("stage", ["start", "work"])
async def test_stopped_by_its_class(stage: str, autojump_clock: trio.testing.MockClock) -> None:
    times: list[float] = []
    cls = being(**{stage: failing(times)})
    cls.supervision = stop()
    async with living(cls) as (registry, cell):
        await trio.sleep(100)
        assert (cell.status, cell.restarts, cell.generation, len(times)) == ("stopped", 0, 1, 1)
        assert cell.failure is not None
        assert cell.info().failure == cell.failure
        assert registry.holds(cell)
        with raises("actor.stopped"):
            await registry.call("being", "lines")
        said = [record.fields["message"] for record in read(registry.log, "info") if record.span["name"] == "actor"]
        assert said == ["actor started", "actor crashed", "actor stopped"]
        assert [span.status for span in spans(registry.log, "actor")] == ["error"]


@trio_test
async def test_a_crash_that_ends_the_host_cancels_the_block_and_drains(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()

    async def work(self: Being) -> None:
        await gate.wait()
        raise OSError("it fell")

    class Keeper(Actor[None]):
        """Has an end in good order."""

        ended = False

        async def on_stop(self) -> None:
            type(self).ended = True

        @action
        def ping(self) -> str:
            return "pong"

    cls = being(work=work)
    cls.supervision = escalate(9)
    registry = Registry([cls, Keeper])

    async def live() -> None:
        async with registry.running():
            registry.get_or_create(cls)
            await registry.get_or_create(Keeper).call(Keeper.ping)
            await settle()
            gate.set()
            await trio.sleep_forever()

    with pytest.raises(EscalationError, match=r"^being crashed: OSError: it fell$") as caught:
        await live()
    assert (caught.value.address, caught.value.exit_code) == ("being", 9)
    assert isinstance(caught.value.__cause__, OSError)
    assert Keeper.ended
    assert registry.state == "stopped"
    (ends,) = events(registry.log, "actor ends the host")
    assert (ends.level, ends.fields["exit_code"], ends.span["name"]) == ("ERROR", 9, "actor")


@trio_test
async def test_what_fails_while_it_is_stopped_is_no_crash(autojump_clock: trio.testing.MockClock) -> None:
    async def later(self: Being) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while it was stopped")

    first, second = being(work=failing([])), being(work=later)
    first.supervision, second.supervision = escalate(3), escalate(4)
    second.name = "second"
    registry = Registry([first, second])

    async def live() -> None:
        async with registry.running():
            registry.get_or_create(second)
            registry.get_or_create(first)
            await trio.sleep_forever()

    with pytest.raises(EscalationError) as caught:
        await live()
    assert caught.value.exit_code == 3


@trio_test
async def test_two_that_crash_at_once_end_the_host_once(autojump_clock: trio.testing.MockClock) -> None:
    gate = trio.Event()

    async def work(self: Being) -> None:
        await waits(gate)(self)
        raise OSError(self.key[0])

    cls = being(work=work)
    cls.supervision = escalate()
    registry = Registry([cls])

    async def live() -> None:
        async with registry.running():
            for key in ("a", "b"):
                registry.get_or_create(cls, key)
            await settle()
            gate.set()
            await trio.sleep_forever()

    with pytest.raises(EscalationError):
        await live()
    assert len(events(registry.log, "actor ends the host")) == 2
    assert registry.escalation is not None
    assert str(registry.escalation).endswith(registry.escalation.address[-1])


@trio_test
async def test_a_crash_in_a_drain_still_counts(autojump_clock: trio.testing.MockClock) -> None:
    async def work(self: Being) -> None:
        await trio.sleep(1)
        raise OSError("it fell")

    class Slow(Actor[None]):
        """Keeps the drain waiting."""

        @action
        async def hold(self) -> None:
            await trio.sleep(3)

    cls = being(work=work)
    cls.supervision = escalate(5)
    registry = Registry([cls, Slow])

    async def serve() -> None:
        async with registry.running():
            registry.get_or_create(cls)
            held.start_soon(registry.get_or_create(Slow).call, Slow.hold)
            await settle()

    async with trio.open_nursery() as held:
        with pytest.raises(EscalationError) as caught:
            await serve()
    assert caught.value.exit_code == 5


@trio_test
async def test_what_the_constructor_raises_is_told_in_the_life_that_it_belongs_to(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Fragile(Actor[None]):
        """Can be made once."""

        supervision = restart(most=1)
        made = 0

        def __init__(self) -> None:
            type(self).made += 1
            if type(self).made > 1:
                raise ValueError("no state today")

        async def run(self) -> None:
            raise OSError("it fell")

    registry = Registry([Fragile])
    async with registry.running():
        registry.get_or_create(Fragile)
        await trio.sleep(10)
        assert registry.get("fragile").status == "failed"
        crashed = events(registry.log, "actor crashed")
        assert [record.span["generation"] for record in crashed] == [1, 2]
        assert [span.status for span in spans(registry.log, "actor")] == ["error", "error"]
