"""Options of what is recorded, and what is shown of it."""

from __future__ import annotations

from typing import Final

import click

from inspector.cli.options import FilterType, group, option
from inspector.tracing import Log, open_sink
from protocol.filters import Filter

__all__ = ("RECORDS", "set_up_log")

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
)
"""Puts them on a command."""


def set_up_log(log: Log, *, log_filter: Filter, log_format: str | None, log_spans: bool, record: Filter | None) -> None:
    """Let a log record and show what the options say."""
    if record is not None:
        log.set_record_filter(record)
    log.filters.set_own("log", log_filter)
    log.add_sink(open_sink("stdout", format=log_format, span_list=log_spans), follow=True)
