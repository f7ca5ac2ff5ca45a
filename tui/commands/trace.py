"""`inspector-tui trace`: one request with all that it caused, in time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import click

from protocol.messages import TraceQueryRequest, TraceQueryResponse
from tui.cells import fit
from tui.commands.output import write_line
from tui.commands.session import complain, host_options, json_option, run
from tui.connection import Connection
from tui.exits import ANSWERED_ERROR, EXIT_HELP, OK
from tui.logs.row import format_duration
from tui.model.clock import write_time
from tui.model.spans import Spans, Trace
from tui.model.waterfall import STATUS_SIGNS, bar, lay_out, write_length

__all__ = ("command", "draw_trace")

_PAGE = 2_000
_NAMES = 44
_LENGTH = 10


class _TraceId(click.ParamType[str]):
    name = "trace id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).lower()
        if not re.fullmatch("[0-9a-f]{32}", text):
            self.fail(f"{value!r} is no trace id: 32 hexadecimal digits", param, ctx)
        return text


@click.command("trace", epilog=EXIT_HELP, short_help="Print one trace: its spans in time.")
@click.argument("trace_id", metavar="ID", type=_TraceId())
@json_option
@host_options
def command(trace_id: str, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """Print one trace as far as the host has it, in its ring or its store.

    Where stdout is a terminal, its spans are drawn as a tree in time; else all its records are printed as the host
    wrote them, in their order. A trace that the host has nothing of is exit code 1.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        spans, cursor, any_record, now = Spans(max_spans=1 << 30), None, False, 0
        while True:
            request = TraceQueryRequest(id=0, trace_id=trace_id, limit=_PAGE)
            if cursor is not None:
                request.cursor = cursor
            page = await connection.request(request, TraceQueryResponse)
            any_record |= bool(page.lines)
            if as_json:
                for line in page.lines.splitlines():
                    write_line(line.decode("utf-8", "replace"))
            else:
                spans.feed(page.lines)
            if not isinstance(page.cursor, str):
                break
            cursor = page.cursor
        if not any_record:
            complain("no_trace", f"the host has no record of {trace_id} (any more)")
            return ANSWERED_ERROR
        now = int((connection.host_time) * 1e9)
        trace = spans.traces.get(trace_id)
        if trace is not None:
            for text in draw_trace(trace, now, shutil.get_terminal_size().columns):
                write_line(text)
        return OK

    run(work, url, token_file, as_json)


def draw_trace(trace: Trace, now: int, width: int) -> list[str]:
    """Draw a trace at `now`, nanoseconds since 1970: a line for the whole, then one a span."""
    first, last = trace.start, trace.end(now)
    count = len(trace.spans) + trace.unseen
    names = max(20, min(_NAMES, width // 2))
    bars = max(8, width - names - _LENGTH - 1)
    lines = [
        f"{trace.id}  {write_time(first)}  {trace.status}  {format_duration(last - first)}  "
        f"{count:,} span{'s' * (count != 1)}  {trace.events:,} record{'s' * (trace.events != 1)}"
    ]
    for row in lay_out(trace):
        span = row.span
        before, drawn = bar(span.start, span.start + span.length(now), first, last, bars)
        label = f"{'  ' * row.depth}{STATUS_SIGNS[span.status]} {span.label}"
        said = f" !{span.problems:,}" if span.problems else ""
        name = fit(label, names) if not said else fit(fit(label, names - len(said)).rstrip() + said, names)
        lines.append(f"{name}{fit(write_length(span, now), _LENGTH, right=True)} {' ' * before}{drawn}")
        if span.exception:
            lines.append(f"{'  ' * row.depth}    {span.exception}")
    return lines
