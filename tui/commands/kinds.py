"""Kinds of arguments that several commands take, each refused with the place of its mistake."""

from __future__ import annotations

from typing import Any

import click

from protocol.durations import parse_duration
from protocol.filters import Filter, FilterError, parse_filter
from tui.logs.text import neutralise
from tui.model.rule_grammar import parse_rule
from tui.model.rules import Rule

__all__ = ("DurationType", "FilterType", "RuleType")


class FilterType(click.ParamType[Filter]):
    """A filter, as the host's grammar has it."""

    name = "directives"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        try:
            return parse_filter(str(value))
        except FilterError as exc:
            self.fail(_pointed(exc, str(value)), param, ctx)


class RuleType(click.ParamType[Rule]):
    """A watch rule."""

    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rule:
        try:
            return parse_rule(str(value))
        except FilterError as exc:
            self.fail(_pointed(exc, str(value)), param, ctx)


class DurationType(click.ParamType[float]):
    """A length of time, such as 5m or 1.5h; seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_duration(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


def _pointed(error: FilterError, text: str) -> str:
    pointed = error.pointed(text).replace("\n", "\n  ")
    return f"{neutralise(str(error))}\n  {pointed}"
