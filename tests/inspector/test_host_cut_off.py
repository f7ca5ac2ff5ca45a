"""A host that is cut off, or raced by a shutdown, before any step: nothing of it is left."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.abc
import trio.testing

from inspector import Host, Registry, serve
from protocol.errors import InspectorError
from tests.inspector.reading import events, settle, spans
from tests.inspector.served import listens, runtime_files, steady

pytestmark = pytest.mark.trio


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class AtStep(trio.abc.Instrument):
    """Does something before the n-th step of any task."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.left = step
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.left == 0:
            self._act()
        self.left -= 1


class Scenario:
    """A whole life of a host: it starts, an action hangs, one runs, it drains."""

    def __init__(self) -> None:
        self.cls = steady()
        self.registry = Registry([self.cls])
        self.registry.get_or_create(self.cls)
        self.port = free_port()
        self.shutdown = trio.Event()
        self.outcomes: list[str] = []
        self.scope = trio.CancelScope()
        self.host: Host | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as callers:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    try:
                        self.host = await nursery.start(
                            partial(serve, self.registry, port=self.port, shutdown=self.shutdown, drain_timeout=0.01)
                        )
                        callers.start_soon(self._call, "hold")
                        callers.start_soon(self._call, "quick")
                        await trio.lowlevel.checkpoint()
                    finally:
                        self.shutdown.set()
            assert self.registry.state == "stopped"

    async def _call(self, name: str) -> None:
        try:
            self.outcomes.append(await self.registry.get_or_create(self.cls, name).call(name))
        except InspectorError as exc:
            self.outcomes.append(exc.name)

    def check(self, folder: Path) -> None:
        """Nothing of it is left, and everybody has an answer."""
        assert self.registry.state == "stopped"
        assert runtime_files(folder) == []
        assert not listens(self.port)
        assert {cell.status for cell in self.registry.page("", "", 9)[0]} == {"stopped"}
        started = {span.span_id for span in spans(self.registry.log, "actor", "span_start")}
        assert started == {span.span_id for span in spans(self.registry.log, "actor")}
        began = {span.span_id for span in spans(self.registry.log, "action", "span_start")}
        assert began == {span.span_id for span in spans(self.registry.log, "action")}
        # Whoever reads of a start reads of the end, and the other way round.
        said = [len(events(self.registry.log, f"inspector {what}")) for what in ("listening", "stopped")]
        assert said in ([0, 0], [1, 1])
        assert set(self.outcomes) <= {"done", "actor.stopped", "registry.shut_down"}
        runs = len(spans(self.registry.log, "run", "span_start"))
        assert self.cls.ends.count("run") == runs


def living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@pytest.mark.parametrize("what", ["cancel", "shutdown"])
async def test_a_host_that_is_cut_off_at_any_step_leaves_nothing(
    what: str, runtime_directory: Path, autojump_clock: trio.testing.MockClock
) -> None:
    reached = set()
    for step in range(10_000):
        scenario = Scenario()
        before = living()

        def act(scenario: Scenario = scenario) -> None:
            reached.add(scenario.registry.state)
            (scenario.scope.cancel if what == "cancel" else scenario.shutdown.set)()

        instrument = AtStep(step, act)
        trio.lowlevel.add_instrument(instrument)
        try:
            await scenario.run()
        finally:
            trio.lowlevel.remove_instrument(instrument)
        await settle()
        scenario.check(runtime_directory)
        assert living() == before
        if instrument.left >= 0:
            break
    assert step > 15
    assert reached == {"idle", "starting", "serving", "draining", "stopped"}
