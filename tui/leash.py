"""Run a program and end it when whoever holds the leash is gone, however that came about.

`python -m tui.leash COMMAND…` runs COMMAND in a session of its own, so that Ctrl+C does not reach it, and
waits for the end of its own standard input: that comes when the holder closes the pipe, exits, crashes or is
killed. Then COMMAND gets SIGTERM, time to end in good order, and SIGKILL. Needs nothing but the standard
library, and starts fast.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

__all__ = ("GRACE", "main")

GRACE = 8.0
"""Seconds between SIGTERM and SIGKILL."""


def main(command: list[str]) -> int:
    """Run the command; gives its exit status as a shell would."""
    process: subprocess.Popen[bytes] | None = None

    def end(number: int, frame: FrameType | None) -> None:
        if process is not None and number == signal.SIGTERM:
            process.terminate()

    # Handlers, for what is ignored would be ignored in the command too. A Ctrl+C or a hang-up of the terminal
    # is the holder's affair: it closes the pipe when it has ended.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_hold, args=(process,), daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


def _hold(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
