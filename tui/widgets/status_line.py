"""The top line: which host, is it live, how fast, how late, what was lost."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from tui.cells import fit
from tui.link import Connected, LinkEvent, Lost
from tui.logs.text import cut, neutralise

__all__ = ("StatusLine", "describe_lost", "write_lag")

_FLASH = 1.5
"""Seconds."""
_LATE = 1.0
"""Seconds that an answer takes from which on what is seen may be no more than what was."""


def write_lag(seconds: float | None) -> str:
    """Write how late something is."""
    if seconds is None:
        return "–"
    if seconds < 9.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def describe_lost(event: Lost, left: float) -> str:
    """Say why there is no connection, and that it is tried again in `left` seconds; safe for a screen."""
    again = f"try {event.attempt} in {left:.0f} s" if left >= 0.5 else f"try {event.attempt} now"
    what = "refused" if event.refused else "not connected"
    return f"{what}: {neutralise(cut(event.reason, 300))} — reconnecting, {again} (r: at once)"


class StatusLine(Static):
    """One line, kept up to date by its screen."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    StatusLine:ansi { background: ansi_default; text-style: reverse; }
    StatusLine.-fired { background: $warning; color: $text; }
    StatusLine.-fired:ansi { background: ansi_default; color: ansi_yellow; text-style: bold reverse; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.said = ""
        self._flashing: Timer | None = None

    def flash(self) -> None:
        """Stand out for a moment."""
        if self._flashing is not None:
            self._flashing.stop()
        self.add_class("-fired")
        self._flashing = self.set_timer(_FLASH, lambda: self.remove_class("-fired"))

    def show(
        self,
        event: LinkEvent | None,
        *,
        place: str,
        round_trip: float | None,
        rate: float,
        lag: float | None,
        dropped: int,
    ) -> None:
        """Write the line anew.

        Args:
            event: what happened to the link last.
            place: HOST:PORT, or what is looked for.
            round_trip: seconds of a ping, also of one that has no answer yet.
            rate: records a second that come.
            lag: seconds that the newest record was late.
            dropped: records lost since the app attached.
        """
        if isinstance(event, Connected):
            name = neutralise(cut(event.init.host.name, 30))
            word, style = f"live {write_lag(round_trip)}", "bold $text-success"
            if round_trip is not None and round_trip > _LATE:
                word, style = f"late {round_trip:.0f} s", "bold $text-warning"
        else:
            name = ""
            word, style = ("connecting", "bold $text-warning") if event is None else ("lost", "bold $text-error")
        left = f" {name} {neutralise(place)}  " if name else f" {neutralise(place)}  "
        live = isinstance(event, Connected)
        numbers = f"{rate:,.0f} rec/s  lag {write_lag(lag if live else None)}  dropped "
        lost = f"{dropped:,} "
        width = max(self.size.width, 20)
        room = width - cell_len(numbers) - cell_len(lost)
        if cell_len(left) + cell_len(word) + 2 > room:
            left = fit(left, max(1, room - cell_len(word) - 2)) + " "
        gap = " " * max(1, room - cell_len(left) - cell_len(word))
        self.said = left + word + gap + numbers + lost
        self.update(
            Content.assemble(
                left,
                (word, style),
                gap,
                (numbers, "$text-muted"),
                (lost, "bold $text-error" if dropped else "$text-muted"),
            )
        )
