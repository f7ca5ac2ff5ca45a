"""What options of the command line have in common: their kinds, and how a group of them is put on a command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import click

from protocol.filters import Filter, FilterError, parse_filter
from protocol.handshake import check_token

__all__ = ("FilterType", "TokenType", "group", "option")

option: Final = partial(click.option, show_envvar=True)
"""An option whose help names its variable of the environment."""


def group(*options: Callable[[Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that puts options on a command, in this order in its help."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        for each in reversed(options):
            function = each(function)
        return function

    return put


class FilterType(click.ParamType[Filter]):
    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Filter:
        if isinstance(value, Filter):
            return value
        try:
            return parse_filter(value)
        except FilterError as exc:
            pointed = exc.pointed(value).replace("\n", "\n  ")
            self.fail(f"{exc}\n  {pointed}", param, ctx)


class TokenType(click.ParamType[str]):
    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return check_token(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
