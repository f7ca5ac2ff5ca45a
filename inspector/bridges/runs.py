"""Runs of trio: every `trio.run` and guest run that begins in this process, for those who want to know."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol

import trio

from inspector.bridges.points import Point, tell

__all__ = ("RUNS", "RunListener")


class RunListener(Protocol):
    """One who wants to know of runs. It is called in whatever thread a run is in."""

    def begins(self) -> trio.abc.Instrument | None:
        """Return an instrument for a run that begins; None where there is nothing to measure."""
        ...

    def failed(self, exception: BaseException) -> None:
        """Hear what a run's main task has raised, while the run still lasts, and then what the run has raised."""
        ...


class _RunPoint(Point):
    """A function that starts runs.

    What is raised passes through our functions and leaves no trace of them: a traceback is what it would be without us.
    """

    def make(self, before: Any, counts: Callable[[], bool]) -> Any:
        @functools.wraps(before)
        def run(async_fn: Any, *args: Any, **options: Any) -> Any:
            __tracebackhide__ = True
            try:
                if not counts():
                    return before(async_fn, *args, **options)
                main, options = self._prepare(async_fn, options)
                return before(main, *args, **options)
            except BaseException as exc:
                if counts():
                    self._failed(exc)
                _hide_frame(exc)
                raise

        return run

    def _prepare(self, async_fn: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        found: list[trio.abc.Instrument] = []
        for listener in self.listeners:
            tell(lambda ask=listener: found.append(instrument) if (instrument := ask.begins()) is not None else None)
        options = {**options, "instruments": (*options.get("instruments", ()), *found)}
        done = options.get("done_callback")
        if done is not None:
            # A guest run's outcome goes there.
            def finished(outcome: Any) -> Any:
                error = getattr(outcome, "error", None)
                if isinstance(error, BaseException):
                    self._failed(error)
                return done(outcome)

            options["done_callback"] = finished
        return self._main(async_fn), options

    def _main(self, async_fn: Any) -> Any:
        # For what is no async function trio has better words than we would get.
        if not inspect.iscoroutinefunction(async_fn):
            return async_fn

        def main(*args: Any) -> Any:
            __tracebackhide__ = True
            try:
                return self._watch(async_fn(*args))
            except BaseException as exc:
                # The arguments do not fit.
                _hide_frame(exc)
                raise

        # The task is called after it.
        return functools.update_wrapper(main, async_fn.func if isinstance(async_fn, functools.partial) else async_fn)

    async def _watch(self, coroutine: Any) -> Any:
        __tracebackhide__ = True
        try:
            return await coroutine
        except BaseException as exc:
            # Now, while the run's inspector is still there to show it.
            self._failed(exc)
            _hide_frame(exc)
            raise

    def _failed(self, exception: BaseException) -> None:
        for listener in self.listeners:
            tell(listener.failed, exception)


def _hide_frame(exception: BaseException) -> None:
    """Take the frame that has caught an exception out of its traceback; a bare `raise` does not put it back."""
    if exception.__traceback__ is not None:
        exception.__traceback__ = exception.__traceback__.tb_next


RUNS: Final = (_RunPoint(trio, "run"), _RunPoint(trio.lowlevel, "start_guest_run"))
"""Where runs begin. Those who listen are `RunListener`s."""
