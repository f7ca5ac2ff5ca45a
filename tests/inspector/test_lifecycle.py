"""The state machine: every step of the table, every one that is not in it, and what waits for it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
import trio
import trio.testing

from inspector.lifecycle import DRAIN_TIMEOUT, TRANSITIONS, Event, Lifecycle, State
from tests.inspector.reading import settle

EVENTS: tuple[Event, ...] = get_args(Event)
STATES: tuple[State, ...] = get_args(State)
WAY: dict[State, list[Event]] = {
    "idle": [],
    "starting": ["start"],
    "serving": ["start", "ready"],
    "draining": ["start", "ready", "shutdown"],
    "stopped": ["start", "ready", "shutdown", "end"],
}
EXPECTED: dict[tuple[State, Event], State | None] = {
    ("idle", "start"): "starting",
    ("idle", "ready"): None,
    ("idle", "shutdown"): "stopped",
    ("idle", "end"): "stopped",
    ("starting", "start"): None,
    ("starting", "ready"): "serving",
    ("starting", "shutdown"): "draining",
    ("starting", "end"): "stopped",
    ("serving", "start"): None,
    ("serving", "ready"): None,
    ("serving", "shutdown"): "draining",
    ("serving", "end"): "stopped",
    ("draining", "start"): None,
    ("draining", "ready"): "draining",
    ("draining", "shutdown"): "draining",
    ("draining", "end"): "stopped",
    ("stopped", "start"): None,
    ("stopped", "ready"): None,
    ("stopped", "shutdown"): "stopped",
    ("stopped", "end"): "stopped",
}


def at(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for event in WAY[state]:
        lifecycle.apply(event)
    assert lifecycle.state == state
    return lifecycle


@pytest.mark.parametrize(("state", "event"), itertools.product(STATES, EVENTS))
def test_every_step(state: State, event: Event) -> None:
    lifecycle = at(state)
    expected = EXPECTED[state, event]
    if expected is None:
        with pytest.raises(RuntimeError, match=f"a registry that is {state} can't {event}"):
            lifecycle.apply(event)
        assert lifecycle.state == state
    else:
        assert lifecycle.apply(event) == expected
        assert lifecycle.state == expected
    assert lifecycle.over == (lifecycle.state in ("draining", "stopped"))


def test_the_table_says_nothing_else() -> None:
    assert {step: state for step, state in EXPECTED.items() if state is not None} == TRANSITIONS
    assert DRAIN_TIMEOUT == 20


@pytest.mark.trio
@pytest.mark.parametrize("way", [["shutdown"], ["start", "end"], ["start", "ready", "shutdown", "end"]])
async def test_waits_are_latched(way: list[Event]) -> None:
    lifecycle = Lifecycle()
    woken: list[str] = []

    async def wait(name: str) -> None:
        if name.startswith("draining"):
            await lifecycle.wait_draining()
        else:
            await lifecycle.wait_stopped()
        woken.append(name)

    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(wait, f"draining {number}")
            nursery.start_soon(wait, f"stopped {number}")
        await settle()
        for event in way:
            assert "stopped 0" not in woken
            lifecycle.apply(event)
            await settle()
            assert ("draining 0" in woken) == lifecycle.over
            assert ("stopped 1" in woken) == (lifecycle.state == "stopped")
    # For those who come after it is true as well, at once.
    await wait("draining later")
    await wait("stopped later")
    assert len(woken) == 6
