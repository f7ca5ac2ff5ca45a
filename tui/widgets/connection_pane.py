"""The Connections tab: who inspects the host, with what each was sent and lost."""

from __future__ import annotations

import datetime
from typing import Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from protocol.messages import ConnectionInfo
from tui.cells import fit
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.watches import ConnectionsWatch
from tui.widgets.lines import Cells, Lines

__all__ = ("ConnectionList", "ConnectionPane", "write_size")

_WIDE: Final = 64
_LATEST: Final = 1 << 45
"""Milliseconds: what a host says beyond this Python's calendar may not have."""


def write_size(size: int) -> str:
    """Write a number of bytes in at most eight cells."""
    if size < 1_000:
        return f"{size} B"
    scaled = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1_000
        if scaled < 999.5:
            return f"{scaled:.1f} {unit}" if scaled < 99.95 else f"{scaled:.0f} {unit}"
    return "many TB"


class ConnectionList(Lines):
    """One line an inspector."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[ConnectionInfo] = []
        self.why = "asking the host"
        self.now = 0.0

    def show(self, rows: list[ConnectionInfo], now: float, why: str = "") -> None:
        """Show inspectors at `now`, seconds since 1970 by the host's clock; where there are none, say why."""
        self.rows, self.now, self.why = rows, now, why
        self.changed()

    def count(self) -> int:
        """Say how many there are."""
        return len(self.rows)

    def empty_text(self) -> str:
        """Say why there are none."""
        return self.why

    def heading(self, width: int) -> str:
        """Write the line above the list."""
        count = "1 inspector" if len(self.rows) == 1 else f"{len(self.rows):,} inspectors"
        heads = f" {'subs':>4}{'sent':>10}{'lost':>9}"
        if width > _WIDE:
            heads = f"  {'dialect':<8}{'since':<9}{heads}"
        return fit(f" {count}", max(0, width - len(heads))) + heads[-width:]

    def cells(self, index: int, width: int) -> Cells:
        """Draw one."""
        row = self.rows[index]
        cells: Cells = [
            (fit(f"{row.subscriptions:,}", 5, right=True), ""),
            (fit(write_size(row.sent), 10, right=True), ""),
            (fit(f"{row.dropped:,}" if row.dropped else "–", 9, right=True), "lines--bad" if row.dropped else ""),
        ]
        if width >= _WIDE:
            dialect = row.protocol.removeprefix("inspector.").removesuffix(".v1")
            cells[:0] = [
                ("  " + fit(neutralise(dialect), 8), "lines--dim"),
                (fit(_since(row.since, self.now), 9), "lines--dim"),
            ]
        room = max(4, width - sum(len(text) for text, _ in cells))
        you = " (you)" if row.you else ""
        who = f"{neutralise(cut(row.peer, 100))}  {neutralise(cut(row.id, 60))}"
        if cell_len(who) + len(you) > room:
            who = neutralise(cut(row.peer, 100))
        name = who + you if cell_len(who) + len(you) <= room else fit(who, max(0, room - len(you))) + you
        return [(fit(name, room), "lines--strong" if row.you else ""), *cells]


def _since(at: int, now: float) -> str:
    # In UTC, as all that the host's records say.
    moment = datetime.datetime.fromtimestamp(min(at, _LATEST) / 1000, datetime.UTC)
    today = datetime.datetime.fromtimestamp(min(now, _LATEST / 1000), datetime.UTC).date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%m-%d}"


class ConnectionPane(Vertical):
    """All inspectors, live while somebody looks."""

    DEFAULT_CSS = """
    ConnectionPane { height: 1fr; }
    ConnectionPane #connection-line { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
    ConnectionPane:ansi #connection-line { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self._watch: ConnectionsWatch | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="connection-line", markup=False)
        yield ConnectionList(id="connection-list")

    def on_resize(self) -> None:
        """Put the heads over their columns."""
        self._heading()

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Ask while somebody sees it, and no longer; of whatever actor."""
        if seen and self._watch is None:
            self._watch = ConnectionsWatch(self._changed)
            self.inspection.spawn(self.inspection.link.subscribe(self._watch))
        elif not seen and self._watch is not None:
            self.inspection.spawn(self.inspection.link.unsubscribe(self._watch))
            self._watch = None

    def _changed(self, watch: ConnectionsWatch) -> None:
        # When the app ends the widgets go one by one, while the link still speaks.
        if watch is self._watch and self.is_mounted and self.app.is_running:
            error = watch.error
            rows = [] if error is not None else watch.rows
            self.query_one(ConnectionList).show(
                rows, self.inspection.link.host_time, neutralise(cut(str(error), 300)) if error else "nobody"
            )
            self._heading()

    def _heading(self) -> None:
        text = self.query_one(ConnectionList).heading(max(1, self.size.width))
        self.query_one("#connection-line", Static).update(Content(text))
