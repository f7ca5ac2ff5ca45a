"""The style of a log view: what is drawn in which colour, in themes of many colours and of sixteen."""

from __future__ import annotations

from typing import Final

__all__ = ("COMPONENTS", "LOG_VIEW_CSS")

COMPONENTS: Final = frozenset(
    {
        "log-view--time",
        "log-view--trace",
        "log-view--debug",
        "log-view--info",
        "log-view--warn",
        "log-view--error",
        "log-view--target",
        "log-view--span",
        "log-view--message",
        "log-view--field",
        "log-view--exception",
        "log-view--gap",
        "log-view--match",
        "log-view--selected",
        "log-view--mark",
        "log-view--bar",
        "log-view--thumb",
        "log-view--badge",
        "log-view--empty",
    }
)
"""The component classes that a log view draws with."""

LOG_VIEW_CSS: Final = """
LogView {
    width: 1fr;
    height: 1fr;
    color: $foreground;
    background: $background;
    & > .log-view--time { color: $text-muted; }
    & > .log-view--trace { color: $text-muted; text-style: italic; }
    & > .log-view--debug { color: $text-muted; }
    & > .log-view--info { color: $text-success; }
    & > .log-view--warn { color: $text-warning; text-style: bold; }
    & > .log-view--error { color: $text-error; text-style: bold; }
    & > .log-view--target { color: $text-muted; }
    & > .log-view--span { color: $text-secondary; }
    & > .log-view--message { color: $foreground; }
    & > .log-view--field { color: $text-muted; }
    & > .log-view--exception { color: $text-error; }
    & > .log-view--gap { color: $text-warning; text-style: italic; }
    & > .log-view--match { color: $text; background: $warning; text-style: bold; }
    & > .log-view--selected { background: $boost; text-style: bold; }
    & > .log-view--mark { color: $primary; }
    & > .log-view--bar { color: $surface-lighten-2; }
    & > .log-view--thumb { color: $text-muted; }
    & > .log-view--badge { color: $background; background: $primary; text-style: bold; }
    & > .log-view--empty { color: $text-muted; }
    &:focus > .log-view--selected { background: $primary 25%; text-style: bold; }
    &:focus > .log-view--thumb { color: $primary; }
    &:ansi {
        & > .log-view--trace { color: ansi_default; text-style: dim italic; }
        & > .log-view--time, & > .log-view--debug, & > .log-view--target, & > .log-view--field,
        & > .log-view--empty, & > .log-view--bar { color: ansi_default; text-style: dim; }
        & > .log-view--info { color: ansi_green; }
        & > .log-view--warn, & > .log-view--gap { color: ansi_yellow; }
        & > .log-view--error, & > .log-view--exception { color: ansi_red; }
        & > .log-view--span { color: ansi_cyan; }
        & > .log-view--message, & > .log-view--thumb { color: ansi_default; }
        & > .log-view--match { color: ansi_black; background: ansi_yellow; text-style: bold; }
        & > .log-view--selected { background: ansi_default; text-style: bold reverse; }
        & > .log-view--badge { color: ansi_default; background: ansi_default; text-style: bold reverse; }
    }
}
"""
