"""The Tasks tab: the tree, where a task is, what it says, and how others ended."""

from __future__ import annotations

import asyncio
import time

import pytest

from protocol.messages import EndedTask, StackFrame, TaskLint, TasksRequest, TraceQueryRequest
from tests.tui.driving import Driver, drive, driving
from tests.tui.host import TRACE, ScriptedHost, record, running_host, span_id, span_record, task
from tui.screens.trace import TraceScreen
from tui.widgets.log_view import LogView
from tui.widgets.task_list import TaskDetail, TaskList
from tui.widgets.task_pane import TaskPane

SIZE = (150, 40)


def now() -> int:
    return int(time.time() * 1000)


def work(host: ScriptedHost) -> None:
    """A program that serves three tasks; one works in a span that has said something."""
    host.tasks = [
        task(1, "main", state="running", started_at=now() - 60_000),
        task(2, "shop.serve", 1),
        task(
            3,
            "shop.Cart.run",
            2,
            actor="counter/default",
            span=span_id("run"),
            trace_id=TRACE,
            span_name="run",
            deadline=now() + 60_000,
        ),
        task(4, "shop.tick", 2),
    ]
    host.ring += [
        span_record(6, "run"),
        span_record(7, "inner", parent="run"),
        record(8, "deep inside").replace(b'0123456789abcdef"}', span_id("inner").encode() + b'"}'),
        span_record(9, "else"),
        record(10, "somebody else").replace(b'0123456789abcdef"}', span_id("else").encode() + b'"}'),
    ]


def tasks_asked(driver: Driver) -> list[TasksRequest]:
    return driver.host.asked_for(TasksRequest)


def test_the_tree_with_where_each_waits() -> None:
    async def test(driver: Driver) -> None:
        assert tasks_asked(driver) == []
        await driver.press("5")
        await driver.sees(
            "4 tasks", "▾ ▶ main", "▾ · shop.serve", "· shop.Cart.run", "counter/default run", "Cart.run  cart.py:13"
        )
        assert (tasks_asked(driver)[0].stacks, tasks_asked(driver)[0].timing) == (True, False)
        await driver.press("space")
        await driver.sees("▸ ▶ main")
        await driver.sees_no_more("shop.serve")
        await driver.press("space", "j", "j")
        await driver.sees(
            "shop.Cart.run", "deadline in", "Cart.run  …/shop/cart.py:13", "sleep  …/trio/_timeouts.py:116"
        )
        await driver.press("enter")
        assert driver.main.query_one(TaskDetail).has_focus
        await driver.press("j", "enter")
        await driver.press("escape", "1")
        pane = driver.main.query_one(TaskPane)
        await driver.until(lambda: pane._watch is None, "nobody looks")
        await driver.until(lambda: driver.host.clients[0].tasks_subs == [], "the host is not asked any more")

    drive(test, size=SIZE, prepare=work)


def test_what_a_task_says_stands_beside_it() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("4 tasks", "It works in no span of its own.")
        await driver.press("j", "j")
        await driver.sees("deep inside")
        assert "somebody else" not in driver.text()
        await driver.host.log(
            record(11, "said now").replace(b'0123456789abcdef"}', span_id("run").encode() + b'"}'),
            record(12, "not by it"),
        )
        await driver.sees("said now")
        assert "not by it" not in driver.text()
        await driver.press("t")
        await driver.until(lambda: isinstance(driver.app.screen, TraceScreen), "its trace")
        await driver.sees("not by it")
        await driver.press("escape", "j")
        await driver.sees("It works in no span of its own.")
        await driver.press("t")
        assert driver.app.screen is driver.main

    drive(test, size=SIZE, prepare=work)


def test_changes_come_by_themselves_and_the_mark_stays() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("4 tasks")
        await driver.press("j", "j", "j")
        tasks = driver.main.query_one(TaskList)
        lint = TaskLint(
            name="long_step", message="held the loop for 300 ms", since=1, at=StackFrame("a/b.py", 7, "slow")
        )
        ended = EndedTask(
            task=3,
            parent=2,
            name="shop.Cart.run",
            actor="counter/default",
            started_at=1,
            ended_at=now(),
            outcome="cancelled",
            cancelled_by="deadline",
        )
        await driver.host.change_tasks(
            task(4, "shop.tick", 2, lints=[lint], cancelled=True, deadline=now() - 5_000),
            task(5, "shop.new", 2, state="runnable"),
            removed=(3,),
            ended=(ended,),
        )
        await driver.sees(
            "⊘ shop.tick !long_step", "» shop.new", "! held the loop for 300 ms", "slow  a/b.py:7", "s ago"
        )
        assert getattr(tasks.marked, "task", None) == 4
        await driver.press("e")
        await driver.sees("1 ended", "⊘ shop.Cart.run  counter/default  by deadline", "It is over.")
        await driver.press("e")
        await driver.sees("4 tasks")

    drive(test, size=SIZE, prepare=work)


def test_steps_are_timed_only_on_demand() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("T times their steps")
        driver.host.tasks[1].busy_ns, driver.host.tasks[1].idle_ns, driver.host.tasks[1].steps = 25, 75, 1234
        await driver.press("T")
        await driver.sees("25%", "1,234", " timed ")
        assert [each.timing for each in tasks_asked(driver)] == [False, True]
        await driver.press("T")
        await driver.sees("T times their steps")
        await driver.sees_no_more("25%")

    drive(test, size=SIZE, prepare=work)


def test_one_actors_tasks() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("4 tasks")
        await driver.press("a")
        await driver.sees("1 tasks", "only counter/default")
        await driver.sees_no_more("shop.serve")
        await driver.press("tab", "j")
        await driver.sees("nothing runs for orders/1042 now")
        await driver.press("tab", "e")
        await driver.sees("no task has ended yet")
        await driver.press("e", "a")
        await driver.sees("all tasks", "shop.serve")

    drive(test, size=SIZE, prepare=work)


def test_more_tasks_than_are_told() -> None:
    def prepare(host: ScriptedHost) -> None:
        host.tasks = [task(1, "main"), *(task(n, f"deep {n}", n - 1) for n in range(2, 40))]
        host.total = 50_000

    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("39 tasks of 50,000", "deep 30")

    drive(test, size=(150, 60), prepare=prepare)


def test_another_run_of_the_host() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("4 tasks")
        await driver.press("j", "j")
        await driver.sees("deep inside")
        await driver.host.stop()
        driver.host.id = "run-2"
        driver.host.tasks = [task(1, "another main")]
        await driver.host.start()
        await driver.sees("1 tasks", "another main")

    drive(test, size=SIZE, prepare=work)


def test_no_past_is_asked_for_twice() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("5")
        await driver.sees("4 tasks")
        await driver.press("j", "j")
        await driver.sees("deep inside")
        await driver.host.change_tasks(task(7, "new", 1))
        await driver.sees("5 tasks")
        assert len(driver.host.asked_for(TraceQueryRequest)) == 1
        assert driver.main.query_one("#task-log", LogView).counts.rows > 0

    drive(test, size=SIZE, prepare=work)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 50), (20, 5)])
def test_it_fits_any_screen(size: tuple[int, int]) -> None:
    async def run() -> None:
        async with running_host() as host:
            work(host)
            async with driving(host, size) as driver:
                await driver.until(lambda: driver.app.main is not None and driver.main.actors.count() == 3, "attached")
                await driver.press("5")
                tasks = driver.main.query_one(TaskList)
                await driver.until(lambda: tasks.count() == 4, "tasks")
                await driver.press("j", "j", "enter", "escape", "e", "T")
                assert all(len(line) <= size[0] for line in driver.lines())

    asyncio.run(run())
