"""Options of what the host finds out about the program's tasks."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, Final

import click

from inspector.cli.options import group, option
from inspector.tasks import THRESHOLD, Lints, check_threshold

__all__ = ("TASKS", "LintType", "WatchdogType")

_NAMES: Final = tuple(field.name for field in fields(Lints))


class WatchdogType(click.ParamType[float | None]):
    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if isinstance(value, float):
            return value
        if str(value).lower() == "off":
            # None is what click takes for an option that was not given at all.
            return math.inf
        try:
            seconds = float(value)
            check_threshold(seconds)
        except ValueError:
            self.fail(f"{value!r} is neither a positive number of seconds nor off", param, ctx)
        return seconds


class LintType(click.ParamType[tuple[str, float]]):
    name = "lint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, text = str(value).partition("=")
        if name not in _NAMES:
            self.fail(f"there is no lint {name!r}; there are {', '.join(_NAMES)}", param, ctx)
        try:
            threshold = math.inf if text.lower() == "off" else float(text)
        except ValueError:
            threshold = math.nan
        if not threshold > 0:
            self.fail(f"{name}={text}: that is neither a positive number nor off", param, ctx)
        return name, threshold


def _watchdog(context: click.Context, option: click.Parameter, value: float) -> float | None:
    return None if value == math.inf else value


def _lints(context: click.Context, option: click.Parameter, value: tuple[tuple[str, float], ...]) -> Lints:
    return Lints(**dict(value))


TASKS: Final = group(
    option(
        "--watchdog",
        type=WatchdogType(),
        default=THRESHOLD,
        callback=_watchdog,
        metavar="SECONDS|off",
        envvar="INSPECTOR_WATCHDOG",
        show_default=True,
        help="Say in the log what blocks the loop, when it has for so long.",
    ),
    option(
        "--task-timing",
        is_flag=True,
        envvar="INSPECTOR_TASK_TIMING",
        help="Time every step of every task, and not only while an inspector asks for it.",
    ),
    option(
        "--lint",
        "lints",
        type=LintType(),
        multiple=True,
        callback=_lints,
        metavar="NAME=NUMBER|off",
        envvar="INSPECTOR_LINT",
        help="From where on timed tasks look wrong, like long_step=0.25. Repeatable.",
    ),
)
"""Puts them on a command."""
