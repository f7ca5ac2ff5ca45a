"""Count in several processes: what is counted is bytes, and the interpreter lets only one thread look at them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

__all__ = ("add_up", "processors")


def processors() -> int:
    """Give how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def add_up(count: Callable[[int], int], shares: int) -> int:
    """Add up what each share counts, every share but the first in a process of its own.

    Only for a program of one thread. What a process could not tell, because there are too many of them or it was
    killed, is counted here.

    Args:
        count: counts one share, by its number from 0.
        shares: how many there are.
    """
    begun: list[tuple[int, int] | None] = []
    try:
        begun += [_begin(count, share) for share in range(1, shares)]
        total = count(0)
        for share in range(1, shares):
            told = _told(begun[share - 1])
            begun[share - 1] = None
            total += count(share) if told is None else told
        return total
    finally:
        for each in filter(None, begun):
            with suppress(ProcessLookupError):
                os.kill(each[0], signal.SIGKILL)
            _told(each)


def _begin(count: Callable[[int], int], share: int) -> tuple[int, int] | None:
    """Begin a process, and give its id and where it will tell; None where the system has no room for one."""
    reading, writing = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if process == 0:
        # Nothing of what the parent has open or waiting to be written may be touched on the way out.
        try:
            os.write(writing, b"%d" % count(share))
        finally:
            os._exit(0)
    os.close(writing)
    return process, reading


def _told(begun: tuple[int, int] | None) -> int | None:
    """Wait for a process, and give what it told; None if it told nothing."""
    if begun is None:
        return None
    process, reading = begun
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(process, 0)
    return int(told) if told else None
