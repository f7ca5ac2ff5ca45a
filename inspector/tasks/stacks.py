"""Stacks: the lines at which a task waits or a thread works, as frames that are made once and then looked up."""

from __future__ import annotations

import gc
import sysconfig
from collections.abc import Callable, Coroutine, Iterator
from functools import lru_cache
from pathlib import Path
from types import AsyncGeneratorType, CodeType, FrameType
from typing import Any, Final

import trio

from inspector.tracing.values import clean
from protocol.messages import StackFrame

__all__ = (
    "MAX_FRAMES",
    "Driven",
    "Line",
    "await_lines",
    "blamed",
    "is_ours",
    "place",
    "stack_frame",
    "stack_of",
    "thread_lines",
)

MAX_FRAMES: Final = 48
"""Frames of one stack; of a deeper one a quarter from the outside and the rest from the inside."""
_FILE: Final = 400
_FUNCTION: Final = 200

Line = tuple[CodeType, int]
Driven = Callable[[trio.lowlevel.Task], Coroutine[Any, Any, Any] | None]
"""Finds the coroutine that a task drives by hand, behind which trio can't see."""

_PATHS: Final = sysconfig.get_paths()
_STANDARD: Final = tuple(f"{Path(_PATHS[name]).resolve()}/" for name in ("stdlib", "platstdlib"))
_INSTALLED: Final = tuple(f"{Path(_PATHS[name]).resolve()}/" for name in ("purelib", "platlib"))
_OURS: Final = f"{Path(__file__).resolve().parents[1]}/"
_TRIO: Final = f"{Path(trio.__file__).resolve().parent}/"


@lru_cache(maxsize=8192)
def stack_frame(code: CodeType, line: int) -> StackFrame:
    """Make the frame of a line."""
    return StackFrame(clean(code.co_filename)[:_FILE], max(line, 0), clean(code.co_qualname)[:_FUNCTION])


def place(line: Line) -> str:
    """Return a line as people write it: file, number and function."""
    frame = stack_frame(*line)
    return f"{frame.file}:{frame.line} {frame.function}"


def await_lines(task: trio.lowlevel.Task, driven: Driven) -> list[Line]:
    """Return the lines at which a task waits, outermost first, those of a coroutine that it drives included."""
    lines = [(frame.f_code, line) for frame, line in task.iter_await_frames()]
    coroutine = driven(task)
    if coroutine is not None:
        lines += _lines_of(coroutine)
    return lines


def _lines_of(coroutine: Any) -> Iterator[Line]:
    # As trio walks a task's own.
    while coroutine is not None:
        if (frame := getattr(coroutine, "cr_frame", None)) is not None:
            yield frame.f_code, frame.f_lineno
            coroutine = coroutine.cr_await
        elif (frame := getattr(coroutine, "gi_frame", None)) is not None:
            yield frame.f_code, frame.f_lineno
            coroutine = coroutine.gi_yieldfrom
        else:
            # What an asynchronous generator is waited for with does not say which one that is, but refers to it.
            inside = [each for each in gc.get_referents(coroutine) if isinstance(each, AsyncGeneratorType)]
            if not inside or inside[0].ag_frame is None:
                return
            yield inside[0].ag_frame.f_code, inside[0].ag_frame.f_lineno
            coroutine = inside[0].ag_await


def thread_lines(frame: FrameType | None) -> list[Line]:
    """Return the lines of a thread's stack, outermost first."""
    lines: list[Line] = []
    while frame is not None:
        lines.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    lines.reverse()
    return lines


def stack_of(lines: list[Line]) -> list[StackFrame]:
    """Make frames of lines, at most `MAX_FRAMES`."""
    cut = len(lines) - MAX_FRAMES
    if cut <= 0:
        return [stack_frame(code, line) for code, line in lines]
    head = MAX_FRAMES // 4
    # The frame that says so takes a place of its own.
    cut += 1
    return [
        *(stack_frame(code, line) for code, line in lines[:head]),
        StackFrame("", 0, f"({cut} frames)"),
        *(stack_frame(code, line) for code, line in lines[head + cut :]),
    ]


def blamed(lines: list[Line]) -> Line | None:
    """Return the innermost line of the program's own; where none is, the innermost of what it has installed."""
    innermost = list(reversed(lines))
    for most in (0, 1, 2):
        for line in innermost:
            if _strangeness(line[0].co_filename) <= most:
                return line
    return None


def is_ours(lines: list[Line]) -> bool:
    """Tell whether a stack has no line of the program, nor of a package that it has installed."""
    return all(_strangeness(code.co_filename) == 2 for code, _ in lines)


@lru_cache(maxsize=4096)
def _strangeness(file: str) -> int:
    """Return 0 for a file of the program, 1 for an installed package's, 2 for Python's, trio's and ours."""
    path = file if file.startswith("<") else str(Path(file).resolve())
    if path.startswith(("<frozen", _OURS, _TRIO)):
        return 2
    if path.startswith(_INSTALLED):
        return 1
    return 2 if path.startswith(_STANDARD) else 0
