"""An inspector in every run, without the program's help."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from inspector import Host, instrument
from inspector.programs.runs import inspect_runs
from inspector.tracing import forks
from protocol.messages import TasksRequest, TasksResponse
from tests.inspector.reading import events
from tests.inspector.service.support import TOKEN, attached


class Watched:
    """Runs functions with an inspector, and notes what is told of it."""

    def __init__(self, served: Callable[[Host], object] | None = None, **serving: Any) -> None:
        self.hosts: list[Host] = []
        self.problems: list[Exception] = []
        self.serving = {"port": 0, "runtime_file": False, **serving}
        self.served = served or self.hosts.append

    def run(self, main: Callable[..., Any], **options: Any) -> Any:
        with instrument(name="watched") as on:
            self.log = on.log
            with inspect_runs(on, self.serving, self.served, self.problems.append):
                return trio.run(main, **options)


async def ready(watched: Watched) -> Host:
    await trio.testing.wait_all_tasks_blocked()
    (host,) = watched.hosts
    return host


def test_it_serves_while_the_main_task_runs() -> None:
    watched = Watched(token=TOKEN)

    async def main() -> str:
        assert trio.lowlevel.current_task().name.endswith("main")
        host = await ready(watched)
        async with attached(host) as client:
            assert client.init.host.name == "watched"
            tasks = await client.ask(TasksRequest(id=1), TasksResponse)
            assert trio.lowlevel.current_task().name in {task.name for task in tasks.tasks}
        return "done"

    assert watched.run(main) == "done"
    (host,) = watched.hosts
    assert host.state == "stopped"
    assert [len(events(watched.log, f"inspector {what}")) for what in ("listening", "stopped")] == [1, 1]


def test_who_is_attached_is_sent_home_before_the_run_is_over() -> None:
    watched = Watched(token=TOKEN)
    codes: list[int] = []
    threads: list[threading.Thread] = []

    async def main() -> None:
        host = await ready(watched)
        token, there = trio.lowlevel.current_trio_token(), trio.Event()

        async def client() -> None:
            async with attached(host) as client:
                token.run_sync_soon(there.set)
                close = await client.closed()
                assert close is not None
                codes.append(close.code)

        # In a run of its own, which outlives this one.
        threads.append(threading.Thread(target=trio.run, args=(client,)))
        threads[0].start()
        await there.wait()

    watched.run(main)
    threads[0].join()
    assert codes == [1001]


def test_a_host_that_can_not_be_is_told_and_the_run_goes_on() -> None:
    watched = Watched(host="0.0.0.0")

    async def main() -> str:
        await trio.testing.wait_all_tasks_blocked()
        return "done"

    assert watched.run(main) == "done"
    (problem,) = watched.problems
    assert "insecure_bind" in str(problem)
    assert watched.hosts == []


def test_the_token_is_one_for_all_runs() -> None:
    watched = Watched(token=None)

    async def main() -> None:
        await trio.testing.wait_all_tasks_blocked()

    with instrument(name="watched") as on, inspect_runs(on, watched.serving, watched.served, watched.problems.append):
        trio.run(main)
        trio.run(main)
    assert [host.token for host in watched.hosts] == [on.token] * 2
    trio.run(main)
    assert len(watched.hosts) == 2


def test_an_interrupt_in_the_middle_of_ours_is_the_main_tasks() -> None:
    def interrupt(host: Host) -> None:
        raise KeyboardInterrupt

    watched = Watched(interrupt)
    ended: list[str] = []

    async def main() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("in good order")

    with pytest.raises(KeyboardInterrupt):
        watched.run(main)
    assert ended == ["in good order"]
    assert watched.problems == []


@pytest.mark.parametrize("main", [None, print, len])
def test_what_is_no_async_function_is_refused_by_trio_and_by_nobody_else(main: Any) -> None:
    watched = Watched()
    with pytest.raises(TypeError):
        watched.run(main)
    assert (watched.hosts, watched.problems) == ([], [])


def test_a_clock_of_the_programs_own() -> None:
    watched = Watched()

    async def main() -> float:
        await trio.sleep(1000)
        return trio.current_time()

    assert watched.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == 1000


def test_what_goes_on_in_a_forked_child_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()

    async def main() -> None:
        await ready(watched)
        # What a fork does here, in the child that goes on with the run.
        scopes = [thing for thing in forks._watched if type(thing).__name__ == "_Parents"]
        for scope in scopes:
            scope.abandon()
        await trio.testing.wait_all_tasks_blocked()
        assert watched.hosts[0].state == "stopped"
        # Forked in another thread it is in no run.
        await trio.to_thread.run_sync(scopes[0].abandon)

    watched.run(main)
    assert watched.problems == []

    async def later() -> None:
        await trio.testing.wait_all_tasks_blocked()

    with instrument() as on, inspect_runs(on, watched.serving, watched.served, watched.problems.append):
        monkeypatch.setattr("inspector.programs.runs.os.getpid", lambda: -1)
        trio.run(later)
    assert len(watched.hosts) == 1
