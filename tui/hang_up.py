"""End when the terminal has gone, even where the last words to it can't be said any more."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Final

__all__ = ("PATIENCE", "end_on_hang_up")

PATIENCE: Final = 5.0
"""Seconds that an app has to end in good order after its terminal has gone; its demo host ends with it."""


def end_on_hang_up(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
    """Call `end` in a loop at SIGHUP, and end the process when that has no effect. For the main thread.

    What is written to the terminal goes through a bounded queue to a thread. On a terminal that is gone the thread
    ends, or hangs, and whoever writes next waits for it for ever: the loop is then stuck before it hears of the signal.
    """

    def hung_up(number: int, frame: object) -> None:
        # The system lets SIGCONT follow, at which Textual's driver would begin anew on what is gone.
        signal.signal(signal.SIGCONT, _ignore)
        last = threading.Timer(PATIENCE, os._exit, (128 + number,))
        last.daemon = True
        last.start()
        loop.call_soon_threadsafe(end)

    signal.signal(signal.SIGHUP, hung_up)


def _ignore(number: int, frame: object) -> None:
    pass
