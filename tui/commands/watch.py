"""`inspector-tui watch`: wait for what rules say, and end with an exit code that tells whether it came."""

from __future__ import annotations

import asyncio
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from protocol.errors import InspectorError
from tui.commands.kinds import DurationType, RuleType
from tui.commands.output import write_line
from tui.commands.session import complain, host_options, json_option, run_alone, wanted
from tui.connection import CannotAttach, LinkLost
from tui.discovery import Target
from tui.exits import EXIT_HELP, FIRED, OK
from tui.link import Connected, Link, LinkEvent
from tui.logs.text import neutralise
from tui.model.alarms import Alarm, Firing
from tui.model.rules import LinkCondition, Rule
from tui.model.values import to_json
from tui.rule_commands import Commands
from tui.rules_file import RulesFile, rules_path
from tui.rules_source import Watching

__all__ = ("Watch", "command", "print_firing")

_TICK: Final = 0.1


@click.command("watch", epilog=EXIT_HELP, short_help="Wait until a rule fires; for scripts and CI.")
@click.argument("rules", nargs=-1, type=RuleType(), metavar="RULE...")
@click.option("--for", "seconds", type=DurationType(), metavar="TIME", help="End with success after so long, as 10m.")
@click.option("--keep", is_flag=True, help="Go on when a rule has fired, and when the connection is lost.")
@click.option("--mine", is_flag=True, help="The rules that the app keeps, too.")
@json_option
@host_options
def command(
    rules: tuple[Rule, ...],
    seconds: float | None,
    keep: bool,
    mine: bool,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Watch a host until a RULE fires, print what did it, and end with 4; with 0 when the time of --for is over.

    Rules: 'log error', 'log warn rate > 10/s for 5s', 'latency charge p95 > 200ms', 'actor pay/* failed',
    'restarts > 3 in 1m', 'state counter/default .count > 100', 'lag > 2s', 'link lost'. Each may have 'name:' before it
    and '-> run "COMMAND"' behind it.
    """
    found = list(rules)
    if mine:
        found += _mine()
    if not found:
        raise click.UsageError("there is no rule to watch")
    watch = Watch(wanted(url, token_file).resolve, found, keep, as_json or not sys.stdout.isatty())
    sys.exit(run_alone(lambda: watch.run(seconds)))


def _mine() -> list[Rule]:
    file = RulesFile(rules_path())
    try:
        for entry in file.read():
            complain("bad_rule", f"{file.path}: {entry.text.strip()}: {entry.fault}")
    except (OSError, ValueError) as exc:
        raise click.UsageError(f"can't read {file.path}: {getattr(exc, 'strerror', None) or exc}") from None
    return [entry.rule for entry in file.entries if entry.rule is not None and entry.enabled]


class Watch:
    """Rules that are watched without a screen.

    Args:
        resolve: finds the host.
        rules: what to wait for.
        keep: go on when one has fired.
        as_json: how to print it.
    """

    def __init__(self, resolve: Callable[[], Target], rules: list[Rule], keep: bool, as_json: bool) -> None:
        self._resolve = resolve
        self._link = Link(resolve, self._link_changed)
        self._watching = Watching(self._link, self._fired, on_refused=self._refused)
        self._commands = Commands()
        self._rules = rules
        self._keep = keep
        self._as_json = as_json
        self._count = 0
        self._failed: Exception | None = None
        self._attached = asyncio.Event()
        self._missing: set[Alarm] = set()
        self._end = asyncio.Event()

    async def run(self, seconds: float | None) -> int:
        """Watch until a rule fires, the time is over, or the host can't be had; gives the exit code.

        Raises:
            NoHost: there is none.
            CannotAttach: it does not let us in.
            LinkLost: the connection was lost, and no rule waits for that.
            InspectorError: the host refuses what a rule wants.
        """
        self._resolve()
        for rule in self._rules:
            self._watching.add(rule)
        tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(self._tick())]
        end = asyncio.create_task(self._end.wait())
        attached = asyncio.create_task(self._attached.wait())
        try:
            # What was not watched must not pass for a time in which nothing came.
            await asyncio.wait([*tasks, end, attached], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([*tasks, end], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    # It has no end of its own: what it raised is what ended it.
                    task.result()
            await self._commands.drain()
        finally:
            for one in (*tasks, end, attached):
                one.cancel()
            await asyncio.gather(*tasks, end, attached, return_exceptions=True)
            await self._watching.close()
            await self._commands.close()
        if self._failed is not None:
            raise self._failed
        return FIRED if self._count else OK

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._watching.tick()

    def _link_changed(self, event: LinkEvent) -> None:
        if isinstance(event, Connected):
            self._attached.set()
        elif not self._attached.is_set():
            # Nothing was lost that was never had, whatever rule waits for that.
            self._stop(CannotAttach(event.reason))
        elif not self._keep and not any(isinstance(rule.condition, LinkCondition) for rule in self._rules):
            self._stop(LinkLost(event.reason))
        self._watching.link_changed(event)

    def _refused(self, alarm: Alarm, error: InspectorError) -> None:
        if error.name != "actor.not_found":
            self._stop(error)
        elif alarm not in self._missing:
            # It may come yet; a slip of the pen should be seen all the same.
            self._missing.add(alarm)
            complain(error.name, f"{alarm.rule.title}: {error.message}")

    def _fired(self, alarm: Alarm, firing: Firing) -> None:
        if self._end.is_set():
            return
        self._count += 1
        print_firing(firing, self._as_json)
        self._commands.run(alarm, firing)
        if any(action.kind == "bell" for action in firing.rule.actions) and sys.stderr.isatty():
            click.echo("\a", nl=False, err=True)
        if not self._keep:
            self._end.set()

    def _stop(self, failure: Exception) -> None:
        if not self._end.is_set():
            self._failed = failure
            self._end.set()


def print_firing(firing: Firing, as_json: bool) -> None:
    """Print what has fired, and why, as one line of JSON or for people."""
    if as_json:
        write_line(to_json(firing.as_values()))
        return
    moment = datetime.datetime.fromtimestamp(firing.at)
    more = f"  (and {firing.more:,} more)" if firing.more else ""
    write_line(f"{moment:%H:%M:%S}  {neutralise(firing.rule.title)}  {firing.hit.what}{more}")
