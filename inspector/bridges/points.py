"""Points: a function of the standard library that tells us what it is called with, and then does what it did before."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

from inspector.tracing.forks import on_fork

__all__ = ("Listener", "Point", "Tap", "tell")

Listener = Any
"""As a rule a function: it is called with what the point's function is called with."""


class Point:
    """An attribute of a module or class, replaced while somebody listens.

    The last listener to go puts back what was there. Where others have put something of theirs over it meanwhile, ours
    stays below and does nothing but to pass on: taking theirs away is not for us.

    Args:
        owner: the module or class.
        name: the attribute, a function.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self._owner = owner
        self._name = name
        self._listeners: tuple[Listener, ...] = ()
        self._before: Any = None
        self._ours: Any = None
        self._lock = threading.Lock()
        on_fork(self)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who listens."""
        return self._listeners

    def add(self, listener: Listener) -> None:
        """Begin to tell a listener."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            if self._ours is None or getattr(self._owner, self._name) is not self._ours:
                self._install()

    def remove(self, listener: Listener) -> None:
        """Tell a listener no more."""
        with self._lock:
            found = [number for number, each in enumerate(self._listeners) if each is listener]
            # Of one that listens twice, once.
            self._listeners = tuple(each for number, each in enumerate(self._listeners) if number not in found[:1])
            if not self._listeners and getattr(self._owner, self._name) is self._ours:
                setattr(self._owner, self._name, self._before)
                self._ours = self._before = None

    def abandon(self) -> None:
        """Let all listeners go, in a forked child; the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()
        for listener in self._listeners:
            self.remove(listener)

    def _install(self) -> None:
        before = self._before = getattr(self._owner, self._name)
        self._ours = ours = self.make(before, lambda: self._ours is ours)
        setattr(self._owner, self._name, ours)

    def make(self, before: Any, counts: Callable[[], bool]) -> Any:
        """Return what takes the place of `before`.

        Args:
            counts: tells whether it is still the one that tells the listeners, and not one that others have buried.
        """

        @functools.wraps(before)
        def told(*args: Any, **kwargs: Any) -> Any:
            if counts():
                for listener in self._listeners:
                    tell(listener, *args, **kwargs)
            return before(*args, **kwargs)

        return told


class Tap:
    """One who listens at points, until `close`. As a context manager, for the block."""

    def __init__(self, *places: tuple[Point, Listener]) -> None:
        self._places = places
        for point, listener in places:
            point.add(listener)

    def close(self) -> None:
        """Stop to listen; more than once does no harm."""
        places, self._places = self._places, ()
        for point, listener in places:
            point.remove(listener)

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def tell(listener: Callable[..., object], *args: Any, **kwargs: Any) -> None:
    """Call a listener. Whatever goes wrong in there is no concern of the program's."""
    with contextlib.suppress(Exception):
        listener(*args, **kwargs)
