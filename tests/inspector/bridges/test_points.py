"""Functions of the standard library that tell us what they are called with."""

from __future__ import annotations

import os
import types
from typing import Any

import pytest

from inspector.bridges.points import Point, Tap


def place() -> tuple[Any, list[str]]:
    """Return a module with a function, and what that was called with."""
    called: list[str] = []
    module: Any = types.ModuleType("place")

    def function(text: str) -> str:
        """Say it."""
        called.append(text)
        return text.upper()

    module.function = function
    return module, called


def test_listeners_hear_before_the_function_works() -> None:
    module, called = place()
    before = module.function
    heard: list[tuple[str, int]] = []
    with Tap((Point(module, "function"), lambda text: heard.append((text, len(called))))):
        assert module.function is not before
        assert module.function.__doc__ == "Say it."
        assert module.function("a") == "A"
    assert module.function is before
    assert (heard, called) == ([("a", 0)], ["a"])


def test_a_listener_that_raises_is_passed_over() -> None:
    module, called = place()
    heard: list[str] = []
    point = Point(module, "function")

    def broken(text: str) -> None:
        raise RuntimeError("ours")

    with Tap((point, broken), (point, heard.append)):
        assert module.function("a") == "A"
    assert (heard, called) == (["a"], ["a"])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_to_go_puts_all_back(order: tuple[int, int]) -> None:
    module, _ = place()
    before = module.function
    point = Point(module, "function")
    taps = [Tap((point, lambda text: None)), Tap((point, lambda text: None))]
    taps[order[0]].close()
    assert module.function is not before
    taps[order[1]].close()
    assert module.function is before
    taps[order[1]].close()
    assert module.function is before


def test_what_others_put_over_it_stays() -> None:
    module, called = place()
    heard: list[str] = []
    point = Point(module, "function")
    tap = Tap((point, heard.append))
    ours = module.function

    def theirs(text: str) -> Any:
        return ours(text + "!")

    module.function = theirs
    module.function("a")
    # Over theirs again: heard once, as it is called, and not once more below.
    second = Tap((point, heard.append))
    module.function("b")
    tap.close()
    second.close()
    assert module.function is theirs
    assert module.function("c") == "C!"
    assert (heard, called) == (["a!", "b", "b"], ["a!", "b!", "c!"])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_is_without_listeners() -> None:
    module, called = place()
    before = module.function
    heard: list[str] = []
    point = Point(module, "function")
    with Tap((point, heard.append)), point._lock:
        child = os.fork()
        if not child:
            module.function("in the child")
            os._exit(0 if module.function is before and not heard and not point.listeners else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (heard, called) == ([], [])


def test_all_listeners_are_let_go_at_once() -> None:
    module, _ = place()
    before = module.function
    point = Point(module, "function")
    tap = Tap((point, print), (point, print), (point, repr))
    point.abandon()
    assert module.function is before
    assert point.listeners == ()
    tap.close()
