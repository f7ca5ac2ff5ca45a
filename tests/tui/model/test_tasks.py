"""Tasks as a tree, and how they are written."""

from __future__ import annotations

import pytest

from protocol.messages import EndedTask, StackFrame, TaskError, TaskLint, TasksResponse, TasksUpdated
from tests.tui.host import span_id, span_record, task
from tui.commands.tasks import draw_ended, draw_tasks
from tui.model.family import Family
from tui.model.tasks import Tasks, is_library, write_age, write_busy, write_end, write_frame, write_task

NOW = 1_700_000_003_000


def over(number: int, outcome: str = "ok", **changes: object) -> EndedTask:
    ended = EndedTask(
        task=number,
        parent=1,
        name=f"job {number}",
        actor=None,
        started_at=1_700_000_000_000,
        ended_at=1_700_000_002_000,
        outcome=outcome,  # type: ignore[arg-type]  # one of three texts
    )
    for field, value in changes.items():
        setattr(ended, field, value)
    return ended


def tree() -> Tasks:
    tasks = Tasks()
    rows = [
        task(4, "second", 2, nursery=1),
        task(3, "first", 2, actor="cart/7"),
        task(5, "inside", 3),
        task(1, "main", state="running"),
        task(2, "serve", 1, actor="cart/7"),
        task(6, "lost", 99),
    ]
    tasks.begin(TasksResponse(rid=1, tasks=rows, ended=[over(9)], timing=False, total=8))
    return tasks


def names(tasks: Tasks, **options: object) -> list[tuple[str, int]]:
    return [(row.info.name, row.depth) for row in tasks.lay_out(**options)]  # type: ignore[arg-type]  # as given


def test_parents_stand_before_their_children() -> None:
    tasks = tree()
    assert names(tasks) == [("main", 0), ("serve", 1), ("first", 2), ("inside", 3), ("second", 2), ("lost", 0)]
    assert names(tasks, folded={3, 5}) == [("main", 0), ("serve", 1), ("first", 2), ("second", 2), ("lost", 0)]
    assert [row.folded for row in tasks.lay_out({3})] == [False, False, True, False, False]


def test_an_actors_tasks_with_what_they_started() -> None:
    assert names(tree(), actor="cart/7") == [("serve", 0), ("first", 1), ("inside", 2), ("second", 1)]
    assert names(tree(), actor="nobody") == []


def test_what_changes() -> None:
    tasks = tree()
    version = tasks.version
    changed = [task(1, "main", state="waiting"), task(7, "new", 1)]
    tasks.change(TasksUpdated(sub=1, changed=changed, removed=[4, 77], ended=[over(4, "cancelled")], timing=True))
    assert (len(tasks), tasks.total, tasks.timing) == (6, 8, True)
    assert tasks.version > version
    assert [each.task for each in tasks.ended] == [9, 4]
    assert tasks.get(4) is None
    assert tasks.get(7) is changed[1]


def test_tasks_inside_one_another_have_no_place() -> None:
    tasks = Tasks()
    rows = [task(1, "a", 2), task(2, "b", 1)]
    tasks.begin(TasksResponse(rid=1, tasks=rows, ended=[], timing=False, total=2))
    assert tasks.lay_out() == []


def test_how_a_task_is_written() -> None:
    info = task(1, "shop.main.<locals>.tick\x1b[2J")
    assert write_task(info) == "shop.main.tick␛[2J"
    assert (write_age(info, NOW), write_age(over(1), NOW), write_age(info, 0)) == ("3.00 s", "2.00 s", "0 ns")
    info.started_at = None
    assert (write_age(info, NOW), write_busy(info)) == ("", "")
    info.busy_ns, info.idle_ns = 25, 75
    assert write_busy(info) == "25%"
    info.busy_ns = 1
    assert write_busy(info) == "1.3%"
    info.busy_ns = info.idle_ns = 0
    assert write_busy(info) == ""


def test_why_a_task_ended() -> None:
    assert write_end(over(1)) == ""
    assert write_end(over(1, exception=TaskError(type="ValueError", message="no\nway"))) == "ValueError: no␊way"
    assert write_end(over(1, cancelled_by="deadline", reason="too late")) == "by deadline  too late"


def test_the_lines_of_a_stack() -> None:
    own, library = task(1, "a").stack or []
    assert (is_library(own), is_library(library)) == (False, True)
    assert write_frame(own) == "Cart.run  …/shop/cart.py:11"
    assert write_frame(StackFrame("cart.py", 3, "f")) == "f  cart.py:3"
    assert is_library(StackFrame("/opt/python/lib/python3.12/asyncio/x.py", 3, "f"))


@pytest.mark.parametrize("place", ["/src", "/venv/lib/python3.12/site-packages"])
def test_the_host_is_no_program_and_the_demo_is_one(place: str) -> None:
    assert is_library(StackFrame(f"{place}/inspector/actors/calls.py", 141, "Call.wait"))
    assert not is_library(StackFrame(f"{place}/inspector/demo/shop.py", 88, "Order.checkout"))


def test_the_tree_as_text() -> None:
    tasks = tree()
    info = tasks.get(3)
    assert info is not None
    info.lints = [TaskLint(name="long_step", message="held the loop", since=1)]
    info.cancelled = True
    text = draw_tasks(tasks, None, NOW, 60)
    assert text[0].split() == ["▶", "main", "3.00", "s"]
    assert text[1] == "    Cart.run  …/shop/cart.py:11"
    assert f"{'    ⊘ first  !long_step  (cart/7)':<51}   3.00 s" in text
    assert text[-1] == "2 more: there is no room for them in one answer"
    assert draw_ended(tasks, None) == ["22:13:22.000  ✓ ok         job 9    2.00 s"]
    assert draw_ended(tasks, "cart/7") == []


def test_one_span_and_all_inside_it() -> None:
    family = Family(span_id("a"))
    lines = [
        span_record(1, "root"),
        span_record(2, "a", parent="root"),
        span_record(3, "other", parent="root"),
        span_record(4, "inner", parent="a"),
        b"text",
        span_record(5, "inmost", parent="inner"),
        span_record(6, "cousin", parent="other"),
    ]
    assert family.pick(b"\n".join(lines)) == b"\n".join([lines[1], lines[3], lines[5]])
    assert family.pick(span_record(7, "inner", ended=4)) != b""
    assert family.pick(span_record(8, "cousin", ended=4)) == b""
