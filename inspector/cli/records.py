"""Options of what is recorded, and what is shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from inspector.cli.options import FilterType, group, option
from inspector.store import MIN_SIZE, STORE_SIZE
from inspector.tracing import Log, Sink, SinkError, open_sink, split_sinks
from protocol.durations import parse_duration
from protocol.filters import Filter

__all__ = ("RECORDS", "AgeType", "SinkType", "set_up_log")


class SinkType(click.ParamType[Sink]):
    name = "sink"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Sink:
        try:
            return open_sink(value)
        except SinkError as exc:
            self.fail(_pointed_at(value, exc), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        try:
            return split_sinks(rv)
        except SinkError as exc:
            raise click.BadParameter(_pointed_at(rv, exc), param_hint="INSPECTOR_SINK") from exc


class AgeType(click.ParamType[float | None]):
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if not isinstance(value, str):
            age: float | None = value
            return age
        if value.lower() == "off":
            return None
        try:
            return parse_duration(value)
        except ValueError as exc:
            self.fail(f"{exc}, or it is off", param, ctx)


class _DirectoryType(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            # To a path that is the working directory, which nobody has named.
            self.fail("a directory is missing here", param, ctx)
        return super().convert(value, param, ctx)


def _pointed_at(text: str, error: SinkError) -> str:
    """Return what is wrong with a text, and the line of it with the character marked."""
    start = text.rfind("\n", 0, error.position) + 1
    line = text[start:].partition("\n")[0]
    return f"{error}\n  {line}\n  {' ' * (error.position - start)}^"


RECORDS: Final = group(
    option(
        "--log",
        "log_filter",
        type=FilterType(),
        default="info",
        envvar="INSPECTOR_LOG",
        show_default=True,
        help="What is shown on stdout.",
    ),
    option(
        "--log-format",
        type=click.Choice(["json", "logfmt", "pretty"]),
        envvar="INSPECTOR_LOG_FORMAT",
        help="pretty on a terminal, else json.",
    ),
    option("--log-spans", is_flag=True, envvar="INSPECTOR_LOG_SPANS", help="Put all spans around a record into it."),
    option(
        "--sink",
        "sinks",
        type=SinkType(),
        multiple=True,
        metavar="SINK",
        envvar="INSPECTOR_SINK",
        help="Write the log there too: stdout, stderr, file:PATH or otlp:URL, options behind commas. Repeatable.",
    ),
    option(
        "--record",
        type=FilterType(),
        envvar="INSPECTOR_RECORD",
        help="What the ring keeps; debug unless the registry says otherwise.",
    ),
    option(
        "--record-size",
        default=16,
        type=click.IntRange(1, 4096),
        envvar="INSPECTOR_RECORD_SIZE",
        show_default=True,
        help="demo: the ring's size in MiB. A registry of yours says its own.",
    ),
    option(
        "--record-to",
        type=_DirectoryType(path_type=Path, file_okay=False),
        metavar="DIR",
        envvar="INSPECTOR_RECORD_TO",
        help="Keep what the ring keeps on the disk too, and over restarts: a directory for this host alone.",
    ),
    option(
        "--record-to-size",
        default=STORE_SIZE // 2**20,
        type=click.IntRange(MIN_SIZE // 2**20, 2**30),
        callback=lambda context, parameter, value: value * 2**20,
        metavar="MIB",
        envvar="INSPECTOR_RECORD_TO_SIZE",
        show_default=True,
        help="What that may take in MiB; the oldest records go first.",
    ),
    option(
        "--record-to-age",
        default="7d",
        type=AgeType(),
        envvar="INSPECTOR_RECORD_TO_AGE",
        show_default=True,
        help="How long records stay there, such as 12h, or off.",
    ),
)
"""Puts them on a command."""


def set_up_log(
    log: Log,
    *,
    log_filter: Filter,
    log_format: str | None,
    log_spans: bool,
    sinks: Sequence[Sink],
    record: Filter | None,
) -> None:
    """Let a log record and show what the options say."""
    if record is not None:
        log.set_record_filter(record)
    log.filters.set_own("log", log_filter)
    if not any(sink.name == "stdout" for sink in sinks):
        log.add_sink(open_sink("stdout", format=log_format, span_list=log_spans))
    for sink in sinks:
        log.add_sink(sink)
