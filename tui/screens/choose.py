"""A list of this user's hosts, when several run and none was named."""

from __future__ import annotations

import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.cells import fit
from tui.discovery import HostFile
from tui.logs.text import cut, neutralise
from tui.widgets.key_line import KeyLine
from tui.widgets.lines import Cells, Lines

__all__ = ("ChooseScreen", "HostList")


class HostList(Lines):
    """The hosts, the youngest first."""

    def __init__(self, hosts: tuple[HostFile, ...], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hosts = hosts

    def count(self) -> int:
        """Say how many there are."""
        return len(self.hosts)

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        host = self.hosts[index]
        since = ""
        if host.started_at:
            moment = datetime.datetime.fromtimestamp(host.started_at / 1000)
            since = f"since {moment:%Y-%m-%d %H:%M}"
        name = neutralise(cut(host.name, 60)) or "(no name)"
        return [
            (fit(name, 20), "lines--strong"),
            (fit(f" {host.target.place}", 23), ""),
            (f" pid {host.pid}  {since}", "lines--dim"),
        ]


class ChooseScreen(Screen[HostFile]):
    """Choose a host to attach to."""

    DEFAULT_CSS = """
    ChooseScreen #choose-heading { height: 1; background: $panel; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.quit", "Quit", id="choose.quit")]

    def __init__(self, hosts: tuple[HostFile, ...]) -> None:
        super().__init__()
        self._hosts = hosts

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(Content(f" {len(self._hosts)} hosts of yours run: which one?"), id="choose-heading", markup=False)
        yield HostList(self._hosts, id="hosts")
        keys = KeyLine(id="keys")
        keys.show((("enter", "attach"), ("q", "quit")))
        yield keys

    @on(Lines.Chosen)
    def _chosen(self, event: Lines.Chosen) -> None:
        self.dismiss(self._hosts[event.index])
