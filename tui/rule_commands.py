"""Runs the commands of watch rules: in the background, one at a time for each rule, and not for ever.

The command is the user's own text and goes to `/bin/sh` as it is. What a host said reaches it on stdin, as one line of
JSON, and in variables of its environment, never in that text.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from tui.logs.text import cut
from tui.model.alarms import Alarm, Firing
from tui.model.values import to_json

__all__ = ("LIMIT", "Commands", "environment")

LIMIT: Final = 30.0
"""Seconds after which a command is killed, with all that it has started."""
_LONGEST: Final = 4_000


def environment(firing: Firing) -> dict[str, str]:
    """Give the variables that tell a command what has fired; the whole of it is on its stdin."""
    told = {
        "INSPECTOR_RULE": str(firing.rule),
        "INSPECTOR_RULE_NAME": firing.rule.name,
        "INSPECTOR_WHAT": firing.hit.what,
        "INSPECTOR_SUBJECT": firing.hit.subject,
        "INSPECTOR_VALUE": "" if firing.hit.value is None else to_json(firing.hit.value),
    }
    # No system has a variable with a NUL in it, nor text that has no UTF-8 form.
    return {
        name: cut(text, _LONGEST).replace("\0", "").encode("utf-8", "replace").decode() for name, text in told.items()
    }


class Commands:
    """The commands that run now.

    Args:
        ended: hears how one has ended, in a few words.
        limit: seconds that one has.
    """

    def __init__(self, ended: Callable[[Alarm, str], None] = lambda alarm, how: None, *, limit: float = LIMIT) -> None:
        self.skipped = 0
        """How many were not run because the one before had not ended."""
        self._ended = ended
        self._limit = limit
        self._running: dict[Alarm, asyncio.Task[None]] = {}

    def run(self, alarm: Alarm, firing: Firing) -> None:
        """Run the commands of a rule that has fired, one after the other, unless they still run."""
        commands = [action.command for action in firing.rule.actions if action.kind == "run"]
        if not commands:
            return
        if alarm in self._running:
            self.skipped += 1
            return
        task = asyncio.get_running_loop().create_task(self._run(alarm, commands, firing))
        self._running[alarm] = task
        task.add_done_callback(lambda task: self._running.pop(alarm, None))

    async def drain(self) -> None:
        """Wait until all have ended."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """Kill those that run."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, alarm: Alarm, commands: list[str], firing: Firing) -> None:
        told = to_json(firing.as_values()).encode() + b"\n"
        for command in commands:
            self._ended(alarm, await self._one(command, told, environment(firing)))

    async def _one(self, command: str, told: bytes, variables: dict[str, str]) -> str:
        try:
            # In a session of its own: it can't write to the terminal that the app draws on, and is killed as a whole.
            process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **variables},
                start_new_session=True,
            )
        except OSError as error:
            return f"can't run: {error.strerror}"
        try:
            async with asyncio.timeout(self._limit):
                await process.communicate(told)
        except TimeoutError:
            return f"killed after {self._limit:g} s"
        finally:
            if process.returncode is None:
                # Its group is there for certain: nobody has waited for the leader yet.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        code = process.returncode or 0
        return f"exit {code}" if code >= 0 else f"ended by signal {-code}"
