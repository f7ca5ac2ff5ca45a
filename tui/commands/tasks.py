"""`inspector-tui tasks`: what runs in the host's program, and where it waits."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import msgspec

from protocol.messages import TasksRequest, TasksResponse
from tui.cells import fit
from tui.commands.output import write_line
from tui.commands.session import host_options, json_option, run
from tui.connection import Connection
from tui.exits import EXIT_HELP
from tui.logs.text import cut, neutralise
from tui.model.clock import write_time
from tui.model.tasks import (
    OUTCOME_SIGNS,
    STATE_SIGNS,
    Tasks,
    write_age,
    write_busy,
    write_end,
    write_frame,
    write_task,
)
from tui.model.values import to_json

__all__ = ("command", "draw_ended", "draw_tasks")

_AGE = 9


@click.command("tasks", epilog=EXIT_HELP, short_help="Print the tree of the host's tasks.")
@click.option("--stacks", is_flag=True, help="Where each waits.")
@click.option("--actor", help="Only what works for the actor with this address.")
@click.option("--ended", is_flag=True, help="Those that are over instead, and why.")
@json_option
@host_options
def command(
    stacks: bool, actor: str | None, ended: bool, as_json: bool, url: str | None, token_file: Path | None
) -> None:
    """Print the tasks of the host's program as they are at this moment.

    Where stdout is a terminal, as a tree; else one JSON object a task, in the tree's order.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        response = await connection.request(TasksRequest(id=0, stacks=stacks), TasksResponse)
        tasks, now = Tasks(), int(connection.host_time * 1000)
        tasks.begin(response)
        if as_json:
            over = [each for each in tasks.ended if actor is None or each.actor == actor]
            there = [row.info for row in tasks.lay_out(actor=actor)]
            for each in over if ended else there:
                write_line(to_json(msgspec.to_builtins(each)))
            return 0
        width = shutil.get_terminal_size().columns
        for text in draw_ended(tasks, actor) if ended else draw_tasks(tasks, actor, now, width):
            write_line(text)
        return 0

    run(work, url, token_file, as_json)


def draw_tasks(tasks: Tasks, actor: str | None, now: int, width: int) -> list[str]:
    """Draw the tree at `now`, milliseconds since 1970: a line a task, below it where it waits."""
    lines = []
    for row in tasks.lay_out(actor=actor):
        info, indent = row.info, "  " * row.depth
        sign = "⊘" if info.cancelled else STATE_SIGNS[info.state]
        parts = [write_task(info), *(f"!{lint.name}" for lint in info.lints)]
        if info.actor:
            parts.append(f"({neutralise(cut(info.actor, 80))})")
        parts += [part for part in (write_busy(info),) if part]
        text = f"{indent}{sign} {'  '.join(parts)}"
        lines.append(fit(text, max(1, width - _AGE)) + fit(write_age(info, now), _AGE, right=True))
        if isinstance(info.stack, list):
            lines += [f"{indent}    {write_frame(frame)}" for frame in info.stack]
    if tasks.total > len(tasks):
        lines.append(f"{tasks.total - len(tasks):,} more: there is no room for them in one answer")
    return lines


def draw_ended(tasks: Tasks, actor: str | None) -> list[str]:
    """Draw what is over, in the order of its end."""
    return [
        f"{write_time(each.ended_at * 1_000_000)}  {OUTCOME_SIGNS[each.outcome]} {each.outcome:<9}  {write_task(each)}"
        f"  {neutralise(cut(each.actor or '', 80))}  {write_age(each, 0)}  {write_end(each)}".rstrip()
        for each in tasks.ended
        if actor is None or each.actor == actor
    ]
