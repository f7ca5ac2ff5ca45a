"""Stacks of tasks: down to what they wait for, also inside an action that a worker drives; bounded."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest
import trio

from inspector.tasks.stacks import (
    MAX_FRAMES,
    _lines_of,
    await_lines,
    blamed,
    is_ours,
    place,
    stack_frame,
    stack_of,
    thread_lines,
)
from tests.inspector.desk import Callers, Desk, with_desk
from tests.inspector.reading import settle


def functions(task: trio.lowlevel.Task, driven: Any = lambda task: None) -> list[str]:
    return [code.co_qualname for code, _ in await_lines(task, driven)]


async def outer(depth: int) -> None:
    if depth:
        await outer(depth - 1)
    else:
        await trio.sleep_forever()


@pytest.mark.trio
async def test_what_a_task_waits_for() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outer, 1)
        await settle()
        (task,) = nursery.child_tasks
        assert functions(task)[:3] == ["outer", "outer", "sleep_forever"]
        frames = stack_of(await_lines(task, lambda task: None))
        assert (frames[0].file, frames[0].function) == (__file__, "outer")
        assert frames[0].line == outer.__code__.co_firstlineno + 2
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_deep_one_is_cut_in_the_middle() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outer, 200)
        await settle()
        (task,) = nursery.child_tasks
        lines = await_lines(task, lambda task: None)
        frames = stack_of(lines)
        assert len(frames) == MAX_FRAMES
        (left_out,) = (frame for frame in frames if not frame.file)
        assert left_out.function == f"({len(lines) - MAX_FRAMES + 1} frames)"
        assert frames[0] == stack_frame(*lines[0])
        assert frames[-1] == stack_frame(*lines[-1])
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_an_action_that_waits_in_a_worker() -> None:
    async def body(registry: Any, desk: Desk, callers: Callers) -> None:
        callers.start("work", "a")
        await settle()
        call = registry.get("desk").current
        task = call.worker.task
        assert "Desk.work" not in functions(task)
        found = functions(task, registry.driven)
        assert found[0] == "Worker.work"
        assert found[found.index("Worker._drive") + 1] == "Desk.work"
        assert "Event.wait" in found
        desk.open("a")
        await settle()
        assert registry.driven(task) is None

    await with_desk(body)


@types.coroutine
def _forever() -> Generator[Any, Any, None]:
    yield "a trap"


@types.coroutine
def generator() -> Generator[Any, Any, None]:
    yield from _forever()


async def numbers() -> AsyncIterator[int]:
    await _forever()
    yield 1


def test_generators_inside_a_driven_one() -> None:
    async def awaits() -> None:
        await generator()

    async def iterates() -> None:
        async for _ in numbers():
            pass

    def names(coroutine: Any) -> list[str]:
        return [code.co_name for code, _ in _lines_of(coroutine)]

    for inside, found in ((awaits, "awaits generator _forever"), (iterates, "iterates numbers _forever")):
        coroutine = inside()
        coroutine.send(None)
        assert names(coroutine) == found.split()
        coroutine.close()
        assert names(coroutine) == []
    assert names(object()) == []


def test_the_line_to_blame() -> None:
    def compiled(file: str) -> tuple[types.CodeType, int]:
        return compile("x = 1", file, "exec"), 1

    program, installed = compiled("/srv/shop/cart.py"), compiled(f"{_installed()}/shop/cart.py")
    standard, trios = compiled(json.__file__), compiled(trio.__file__)
    ours, frozen = compiled(stack_frame.__wrapped__.__code__.co_filename), compiled("<frozen importlib>")
    assert blamed([program, standard, trios]) == program
    assert blamed([program, installed, standard]) == program
    assert blamed([ours, installed, frozen]) == installed
    assert blamed([trios, standard]) == standard
    assert blamed([compiled("<stdin>"), frozen]) is not None
    assert blamed([]) is None
    assert is_ours([ours, trios, frozen, standard])
    assert not is_ours([ours, installed])
    assert not is_ours([ours, program])


def _installed() -> str:
    import sysconfig

    return sysconfig.get_paths()["purelib"]


def test_frames_have_utf8_and_a_bound() -> None:
    code = compile("x = 1", "/x/\udcff" + "y" * 900, "exec")
    frame = stack_frame(code, -1)
    assert frame.file.encode()
    assert len(frame.file) == 400
    assert frame.line == 0
    assert place((code, 7)).endswith(":7 <module>")


def test_the_stack_of_a_thread() -> None:
    lines = thread_lines(sys._getframe())
    assert lines[-1][0].co_name == "test_the_stack_of_a_thread"
    assert len(lines) > 3
    assert thread_lines(None) == []
