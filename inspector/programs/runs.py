"""An inspector in every run of trio that a program begins, without the program's help."""

from __future__ import annotations

import contextlib
import contextvars
import os
import signal
from collections.abc import Callable
from typing import Any, Final

import trio

from inspector.bridges import Tap
from inspector.bridges.runs import RUNS
from inspector.host import Host, open_host
from inspector.programs.instrumentation import Instrumentation
from inspector.registry import Registry
from inspector.tracing import current_span
from inspector.tracing.forks import on_fork

__all__ = ("inspect_runs",)


def inspect_runs(
    on: Instrumentation,
    serving: dict[str, Any],
    served: Callable[[Host], object],
    failed: Callable[[Exception], object],
) -> Tap:
    """Serve an inspector in each run that begins from now on, from its first steps to the end of its main task.

    The main task and what it raises are left as they are: the inspector is a system task. A run that ends waits for its
    inspectors to be sent home, for `drain_timeout` at most.

    Args:
        on: the program's log.
        serving: arguments of `inspector.serve`.
        served: is told of each host that serves.
        failed: is told why there is none, such as a port that is taken. The run goes on without.
    """
    inspected = _Inspected(on, serving, served, failed)
    return Tap(*((point, inspected) for point in RUNS))


class _Inspected:
    def __init__(
        self,
        on: Instrumentation,
        serving: dict[str, Any],
        served: Callable[[Host], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._on = on
        # The same in each run: the log hides every token that there ever was.
        self._serving: Final = {**serving, "token": serving.get("token") or on.token}
        self._served = served
        self._failed = failed
        self._pid = os.getpid()

    def begins(self) -> trio.abc.Instrument:
        return _Starter(self._serve)

    def failed(self, exception: BaseException) -> None:
        """Leave what a run raises to who is there for it."""

    async def _serve(self) -> None:
        if os.getpid() != self._pid:
            # Forked by the main task, before this had begun.
            return
        shutdown = trio.Event()
        trio.lowlevel.spawn_system_task(_when_cancelled, shutdown.set)
        # The run's end cancels its system tasks; this one has to send its inspectors home first.
        with trio.CancelScope(shield=True) as shielded:
            parents = _Parents(shielded)
            on_fork(parents)
            try:
                registry = Registry(log=self._on.log)
                async with open_host(registry, shutdown=shutdown, **self._serving) as host:
                    if parents.here():
                        self._served(host)
                    await host.wait_stopped()
            except Exception as exc:
                # The root of a system task: whatever it raised would end the program with an internal error.
                self._failed(exc)
            except KeyboardInterrupt:
                # It came in one of the few steps that trio has between ours. Here it goes to the main task.
                signal.raise_signal(signal.SIGINT)


class _Parents:
    """A scope that is left at once in a forked child, for as long as that goes on with its parent's run.

    A child that leaves by an exception makes its way through all of trio.
    """

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope
        self._pid = os.getpid()

    def here(self) -> bool:
        """Tell whether this is still the process that it began in."""
        return os.getpid() == self._pid

    def abandon(self) -> None:
        """Leave the scope. Forked in another thread than the run's, the child does not go on with the run at all."""
        with contextlib.suppress(RuntimeError, AttributeError):
            self._scope.cancel()


class _Starter(trio.abc.Instrument):
    """Starts a system task as soon as a run can have one: when trio's own first task has made its first step."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not trio.lowlevel.current_root_task():
            return
        trio.lowlevel.remove_instrument(self)
        # The innermost is the main task's. Where that could not be made, for the program gave no async function, trio
        # cancels nothing but waits for every system task, so there must be none.
        if task.child_nurseries and task.child_nurseries[-1].child_tasks:
            context = contextvars.copy_context()
            context.run(current_span.set, None)
            trio.lowlevel.spawn_system_task(self._start, name="inspector", context=context)


async def _when_cancelled(tell: Callable[[], object]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        tell()
