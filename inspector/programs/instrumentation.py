"""Instrumentation: a log for a whole program, with bridges from what it says by other means."""

from __future__ import annotations

import atexit
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Literal, Self

from inspector.bridges import Tap, Uncaught, bridge_logging, bridge_uncaught, bridge_warnings
from inspector.programs.settings import LogSettings
from inspector.tracing import Log, Sink
from inspector.tracing.forks import on_fork
from protocol.filters import Filter

__all__ = ("BRIDGES", "Bridge", "Instrumentation", "instrument")

Bridge = Literal["logging", "warnings", "uncaught"]

BRIDGES: Final[dict[Bridge, Callable[[Log], Tap]]] = {
    "logging": bridge_logging,
    "warnings": bridge_warnings,
    "uncaught": bridge_uncaught,
}
"""What can be bridged without the program's help, by name."""


class _Program:
    """A log and its bridges, for as long as somebody holds them."""

    def __init__(self, log: Log, bridges: Iterable[Bridge]) -> None:
        self.log = log
        self.uncaught = Uncaught(log)
        self.token = secrets.token_urlsafe(24)
        self.holders = 1
        log.open(program=True)
        self._taps = contextlib.ExitStack()
        for bridge in bridges:
            self._taps.enter_context(BRIDGES[bridge](log))
        atexit.register(self.close)

    def close(self, timeout: float = 2.0) -> bool:
        atexit.unregister(self.close)
        self._taps.close()
        return self.log.close(timeout)


class _Programs:
    """The instrumentations that are on, the last one last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.on: list[_Program] = []
        on_fork(self)

    def abandon(self) -> None:
        """A forked child has none until it opens one; the logs and the bridges have gone by themselves."""
        self.lock = threading.Lock()
        for program in self.on:
            atexit.unregister(program.close)
        self.on.clear()


_programs: Final = _Programs()


class Instrumentation:
    """What `instrument` has switched on, until `close`. As a context manager, for the block.

    An exception that ends the block is written into the log before it goes on its way.

    Attributes:
        log: the program's.
        token: what inspectors of it need where no other is asked for.
    """

    def __init__(self, program: _Program) -> None:
        self._program = program
        self._closed = False
        self.log: Final = program.log
        self.token: Final = program.token

    def tell(self, exception: BaseException) -> None:
        """Write an exception that ends something into the log, unless it is there already or is no error."""
        self._program.uncaught.tell("the program failed", exception)

    def close(self, timeout: float = 2.0) -> bool:
        """Switch off what was switched on, once, and leave everything as it was.

        The last one who holds the log closes it, and then waits until its sinks have written all, or for `timeout`
        seconds; at the program's end that is done for those who did not.

        Returns:
            whether every sink has written everything, as far as this waits for them.
        """
        program = self._program
        with _programs.lock:
            if self._closed:
                return True
            self._closed = True
            program.holders -= 1
            if program.holders:
                return True
            # In a forked child it is there no more.
            if program in _programs.on:
                _programs.on.remove(program)
        return program.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exception is not None:
            self.tell(exception)
        self.close()


def instrument(
    *,
    name: str | None = None,
    log: str | Filter | None = None,
    log_format: str | None = None,
    log_spans: bool | None = None,
    sinks: Iterable[str | Sink] | None = None,
    record: str | Filter | None = None,
    record_size: int | None = None,
    bridges: Iterable[Bridge] | None = None,
) -> Instrumentation:
    """Open a log for this program, with bridges on: what it says is recorded, and nothing is served.

    Module loggers (`get_logger`) write into it, spans are recorded, and so is what the program says by `logging` and
    `warnings`, and each exception that nobody catches. Call it anywhere, inside `trio.run` or before. With no argument
    it joins the instrumentation that is on, if one is; with any, it opens a log of its own beside that.

    Args:
        name: what the program is called in the terminal; the script's name unless given.
        log: what is shown on stdout, a filter; nothing unless said here or by ``INSPECTOR_LOG``: it is the program's.
        log_format: ``json``, ``logfmt`` or ``pretty``; pretty on a terminal, else json.
        log_spans: put all spans around a record into it, on stdout.
        sinks: further places to write to, as `inspector.tracing.open_sink` spells or makes them.
        record: what the ring keeps, a filter; ``debug`` unless given.
        record_size: bytes that the ring may take; 16 MiB unless given.
        bridges: those of ``logging``, ``warnings`` and ``uncaught`` to switch on; all unless given.

    Raises:
        ValueError: a filter, a sink or a variable of the environment can't be understood; nothing is on then.
    """
    places = None if sinks is None else tuple(sinks)
    settings = LogSettings(name, log, log_format, log_spans, places, record, record_size)
    wanted: tuple[Any, ...] = tuple(BRIDGES) if bridges is None else tuple(bridges)
    unknown = [bridge for bridge in wanted if bridge not in BRIDGES]
    if unknown:
        raise ValueError(f"there is no bridge {unknown[0]!r}, there are {', '.join(BRIDGES)}")
    with _programs.lock:
        if settings == LogSettings() and bridges is None and _programs.on:
            program = _programs.on[-1]
            program.holders += 1
        else:
            program = _Program(settings.make_log(), wanted)
            _programs.on.append(program)
    return Instrumentation(program)
