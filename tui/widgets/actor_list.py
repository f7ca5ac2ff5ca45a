"""The actors of the host: a sign and a word for the status, what waits, how much is done, what failed."""

from __future__ import annotations

from tui.cells import fit
from tui.logs.text import cut, neutralise
from tui.model.world import STATUS_SIGNS, ActorRow, World
from tui.widgets.lines import Cells, Lines

__all__ = ("ActorList", "write_rate")

_QUIET = ("idle", "running")
_STYLES = {
    "idle": "lines--dim",
    "running": "lines--good",
    "starting": "lines--accent",
    "stopping": "lines--accent",
    "restarting": "lines--warn",
    "stopped": "lines--dim",
    "failed": "lines--bad",
}
_COLUMNS = 20
"""Cells of the numbers: mailbox 5, rate 8, errors 6, a blank."""
_WIDE = 50


def write_rate(rate: float) -> str:
    """Write a rate a second in at most six cells; empty for none."""
    if rate < 0.05:
        return ""
    if rate < 9.95:
        return f"{rate:.1f}/s"
    return f"{rate:.0f}/s" if rate < 9_999.5 else f"{rate / 1000:.0f}k/s"


class ActorList(Lines):
    """One line an actor, sorted by address."""

    def __init__(self, world: World, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.world = world
        self.prefix = ""
        self.now = 0.0
        self._address: str | None = None

    @property
    def address(self) -> str | None:
        """The marked actor's address."""
        shown = self.world.addresses(self.prefix)
        return shown[self.cursor] if self.cursor < len(shown) else None

    def count(self) -> int:
        """Say how many actors there are."""
        return len(self.world.addresses(self.prefix))

    def update(self, now: float) -> None:
        """Draw what the world says at the time `now`; the mark stays on its actor, wherever that has gone."""
        self.now = now
        kept = self._address
        if kept is not None and self.address != kept:
            place = self.world.place(kept, self.prefix)
            if place is not None:
                self.set_reactive(Lines.cursor, place)
        self.changed()
        if self.address != self._address:
            self._address = self.address
            self.post_message(self.Moved(self, self.cursor))

    def watch_cursor(self, old: int, new: int) -> None:
        """Remember the actor, not the line."""
        self._address = self.address
        super().watch_cursor(old, new)

    def filter(self, prefix: str) -> None:
        """Show only addresses that begin with `prefix`."""
        self.prefix = prefix
        self.update(self.now)

    def empty_text(self) -> str:
        """Say why there is nothing."""
        if self.prefix:
            return f"no address begins with {neutralise(self.prefix)}"
        return "no actors yet" if self.world.init else "not connected yet"

    def heading(self, width: int) -> str:
        """Write the line above the list."""
        total = len(self.world)
        shown = self.count()
        text = f"Actors {shown:,} of {total:,}" if shown != total else f"Actors {total:,}"
        if not self.world.complete and total:
            text += "…"
        return fit(f" {text}", max(0, width - _COLUMNS)) + "  mail    act/s   err "[-_COLUMNS:]

    def cells(self, index: int, width: int) -> Cells:
        """Draw an actor."""
        address = self.world.addresses(self.prefix)[index]
        row = self.world.get(address)
        if row is None:
            return []
        info = row.info
        style = _STYLES[info.status]
        name = neutralise(cut(address, 300))
        left = max(4, width - _COLUMNS - 2)
        cells: Cells = [(f"{STATUS_SIGNS[info.status]} ", style)]
        if width >= _WIDE or info.status not in _QUIET:
            word = f" {info.status}"
            cells += [(fit(name, left - len(word)), ""), (word, style)]
        else:
            cells.append((fit(name, left), ""))
        return cells + self._numbers(row)

    def _numbers(self, row: ActorRow) -> Cells:
        info = row.info
        waiting = info.mailbox + info.running
        return [
            (fit(f"{waiting:,}" if waiting else "", 5, right=True), "lines--warn" if info.mailbox > 9 else ""),
            (fit(write_rate(row.rate(self.now)), 8, right=True), "lines--dim"),
            (fit(f"{info.errors:,}" if info.errors else "", 6, right=True), "lines--bad" if info.errors else ""),
        ]
