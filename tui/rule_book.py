"""The watch rules of the app: read from the user's file at the start, and written when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tui.link import Link, LinkEvent
from tui.logs.text import cut, neutralise
from tui.model.alarms import Alarm, Firing
from tui.model.rules import Rule
from tui.rule_commands import Commands
from tui.rules_file import Entry, RulesFile
from tui.rules_source import Watching

__all__ = ("TICK", "RuleBook")

TICK: Final = 0.25
"""Seconds between two looks at what only the time decides."""


class RuleBook:
    """Rules that can be changed while they wait.

    Args:
        link: brings what they wait for.
        fired: hears each time that one acts, after its commands were begun.
        path: the file; None for rules that nobody keeps.
    """

    def __init__(self, link: Link, fired: Callable[[Alarm, Firing], None], path: Path | None) -> None:
        self.watching = Watching(link, self._told)
        self.ended: dict[Alarm, str] = {}
        """How the last command of a rule has ended."""
        self._fired = fired
        self._file = None if path is None else RulesFile(path)
        self._lines: dict[Alarm, Entry] = {}
        # Of a file that could not be read nothing is known: writing it would be the end of what it holds.
        self._readable = True
        self._commands = Commands(self._command_ended)

    @property
    def alarms(self) -> list[Alarm]:
        """The rules, in order."""
        return self.watching.alarms

    def load(self) -> list[str]:
        """Read the file, and let its rules wait; gives what is wrong with it, safe for a screen."""
        if self._file is None:
            return []
        try:
            faults = self._file.read()
        except (OSError, ValueError) as error:
            self._readable = False
            return [neutralise(f"can't read {self._file.path}: {getattr(error, 'strerror', None) or error}")]
        for entry in self._file.entries:
            if entry.rule is not None:
                self._lines[self.watching.add(entry.rule, enabled=entry.enabled)] = entry
        return [neutralise(cut(f"{entry.text.strip()}: {entry.fault}", 300)) for entry in faults]

    async def run(self) -> None:
        """Watch, until cancelled."""
        try:
            while True:
                await asyncio.sleep(TICK)
                self.watching.tick()
        finally:
            await self.watching.close()
            await self._commands.close()

    def link_changed(self, event: LinkEvent) -> None:
        """Hear that the connection came or went."""
        self.watching.link_changed(event)

    # ---- changes ----

    def add(self, rule: Rule) -> None:
        """Let one more wait.

        Raises:
            OSError: it waits, but could not be written.
        """
        self.watching.add(rule)
        self._save()

    def replace(self, alarm: Alarm, rule: Rule) -> None:
        """Put another rule in the place of one; it counts from the beginning.

        Raises:
            OSError: as of `add`.
        """
        new = self.watching.add(rule, enabled=alarm.enabled, at=self.alarms.index(alarm))
        if (line := self._lines.get(alarm)) is not None:
            self._lines[new] = line
        self._forget(alarm)
        self._save()

    def remove(self, alarm: Alarm) -> None:
        """Forget one.

        Raises:
            OSError: it waits no more, but the file has it still.
        """
        self._forget(alarm)
        self._save()

    def toggle(self, alarm: Alarm) -> None:
        """Turn one off or on.

        Raises:
            OSError: it is done, but the file does not say so.
        """
        self.watching.enable(alarm, not alarm.enabled)
        self._save()

    def _forget(self, alarm: Alarm) -> None:
        self.watching.remove(alarm)
        self._lines.pop(alarm, None)
        self.ended.pop(alarm, None)

    def _save(self) -> None:
        if self._file is None:
            return
        if not self._readable:
            raise OSError(0, "it could not be read, and is left as it is")
        lines = self._file.write([(self._lines.get(alarm), alarm.rule, alarm.enabled) for alarm in self.alarms])
        self._lines = dict(zip(self.alarms, lines, strict=True))

    # ---- what comes of them ----

    def _told(self, alarm: Alarm, firing: Firing) -> None:
        self._commands.run(alarm, firing)
        self._fired(alarm, firing)

    def _command_ended(self, alarm: Alarm, how: str) -> None:
        if alarm in self.alarms:
            self.ended[alarm] = how
