"""Decide which rows a screen shows: where it begins, what is chosen, whether it follows the tail.

Rows may be taller than one line (when long ones wrap), so a window begins at a row and a line of that row.
It knows the rows by number only; how tall one is, it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ("Place", "Window")


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the screen: a row, and which of its lines."""

    row: int
    part: int = 0


def _one(row: int) -> int:
    return 1


@dataclass(slots=True)
class Window:
    """A view of so many lines onto rows that come at one end and go at the other.

    While it follows it shows the end; otherwise it stays at its rows, whatever comes or goes. Going down
    past the last row makes it follow again.

    Attributes:
        height: lines of the screen.
        first: the oldest row that is kept.
        end: the row that comes next.
        follow: whether the window stays at the end.
        top: the first line shown, unless it follows.
        cursor: the chosen row; None while following.
        pinned: rows that can still be shown though they were dropped, for they were on the screen.
        tall: how many lines a row takes, at least one.
    """

    height: int = 1
    first: int = 0
    end: int = 0
    follow: bool = True
    top: Place = Place(0)
    cursor: int | None = None
    pinned: range = field(default_factory=lambda: range(0))
    tall: Callable[[int], int] = _one

    def lines(self) -> list[Place]:
        """Give the places that the screen shows, top first; fewer than `height` when there is no more."""
        place = self._tail_top() if self.follow else self.top
        row, part = self._kept(place.row), place.part
        part = min(part, self.tall(row) - 1) if row == place.row and row < self.end else 0
        shown: list[Place] = []
        while len(shown) < self.height and row < self.end:
            count = min(self.tall(row) - part, self.height - len(shown))
            shown += [Place(row, part + extra) for extra in range(count)]
            row, part = self._kept(row + 1), 0
        return shown

    def hold(self, shown: list[Place]) -> None:
        """Stay at these places while not following, even when their rows are dropped."""
        if self.follow or not shown:
            self.pinned = range(0)
        else:
            self.top = shown[0]
            self.pinned = range(shown[0].row, shown[-1].row + 1)

    def tail(self) -> None:
        """Follow the end."""
        self.follow, self.cursor, self.pinned = True, None, range(0)

    def pause(self) -> None:
        """Stay where the window is, the newest row on the screen chosen if none was."""
        if self.follow and self.end > self.first:
            self.top = self._tail_top()
        self.follow = False
        if self.cursor is None and (shown := self.lines()):
            self.cursor = shown[-1].row

    def home(self) -> None:
        """Go to the oldest row."""
        if self.end > self.first:
            self.follow, self.cursor, self.top = False, self.first, Place(self.first)

    def select(self, row: int, *, centre: bool = False) -> None:
        """Choose a row and show it, in the middle if it was off the screen and `centre` is asked."""
        self.pause()
        if self.end <= self.first:
            return
        row = min(self._kept(row), self.end - 1)
        seen = any(place.row == row for place in self.lines())
        self.cursor = row
        if centre and not seen:
            self.top = self._up(Place(row), self.height // 2)
            self._fill()
        self._reveal(row)

    def move(self, rows: int) -> None:
        """Choose the row so many further down; past the last one, follow."""
        if (self.follow and rows > 0) or self.end <= self.first:
            return
        self.pause()
        row = (self.cursor or 0) + rows
        if row >= self.end:
            self.tail()
            return
        self.cursor = self._oldest(row) if rows < 0 else self._kept(row)
        self._reveal(self.cursor)

    def page(self, lines: int) -> None:
        """Scroll so many lines and take the chosen row along."""
        if self.follow and lines > 0:
            return
        self.pause()
        at = self._line_of(self.cursor)
        self.scroll(lines)
        if self.follow or self.cursor is None:
            return
        shown = self.lines()
        # At the top there is nothing to scroll: the chosen row goes there, as in vim.
        stuck = lines < 0 and self.top == Place(self._oldest(-1))
        self.cursor = shown[0].row if stuck and at < -lines else shown[min(at, len(shown) - 1)].row

    def scroll(self, lines: int) -> None:
        """Scroll so many lines; the chosen row stays, or stops at the edge that it would leave by."""
        if (self.follow and lines > 0) or self.end <= self.first:
            return
        self.pause()
        if lines < 0:
            self.top = self._up(self.top, -lines)
        else:
            self.top = self._down(self.top, lines)
            if self._after(self.top, self._tail_top()):
                self.tail()
                return
        self._stay_seen()

    def jump(self, fraction: float) -> None:
        """Go to a place between the oldest row (0) and the newest (1), where it follows."""
        if fraction >= 1:
            self.tail()
        elif self.end > self.first:
            self.pause()
            room = max(0, self._tail_top().row - self.first)
            self.top = Place(self.first + round(max(0.0, fraction) * room))
            self._stay_seen()

    def thumb(self) -> tuple[int, int]:
        """Give the lines of a scroll bar, of the window's height, that its thumb begins and ends at."""
        count = self.end - self.first
        if count <= self.height:
            return 0, self.height
        shown = self.lines()
        size = max(1, self.height * len({place.row for place in shown}) // count)
        room = self.height - size
        if self.follow:
            return room, self.height
        above = max(0, shown[0].row - self.first)
        start = min(room, round(room * above / max(1, self._tail_top().row - self.first)))
        return start, start + size

    def _kept(self, row: int) -> int:
        return row if row in self.pinned else max(row, self.first)

    def _oldest(self, row: int) -> int:
        """Give the row, or the oldest that can be shown above the window when that is gone."""
        if row >= self.first or row in self.pinned:
            return row
        if not self.pinned or self.pinned.start > self.first:
            return self.first
        return self.pinned.start if row < self.pinned.start else self.pinned.stop - 1

    def _tail_top(self) -> Place:
        return self._up(Place(self.end), self.height)

    def _up(self, place: Place, lines: int) -> Place:
        row, part = place.row, place.part
        while lines > part:
            lines -= part
            above = self._oldest(row - 1)
            if above >= row:
                return Place(row)
            # A gap between pinned and kept rows is stepped over.
            row = above
            if self.tall is _one and row - lines + 1 >= self.first:
                return Place(row - lines + 1)
            part = self.tall(row)
        return Place(row, part - lines)

    def _down(self, place: Place, lines: int) -> Place:
        row, part = self._kept(place.row), place.part
        if self.tall is _one and row >= self.first:
            return Place(min(row + lines, self.end))
        while row < self.end and lines >= (left := self.tall(row) - part):
            lines -= left
            row, part = self._kept(row + 1), 0
        return Place(row, part + lines if row < self.end else 0)

    def _after(self, place: Place, other: Place) -> bool:
        return (place.row, place.part) >= (other.row, other.part)

    def _fill(self) -> None:
        """Leave no blank below the last row."""
        if self._after(self.top, tail := self._tail_top()):
            self.top = tail

    def _stay_seen(self) -> None:
        shown = [place.row for place in self.lines()]
        if shown and self.cursor not in shown:
            self.cursor = shown[0] if (self.cursor or 0) < shown[0] else shown[-1]

    def _line_of(self, row: int | None) -> int:
        return next((line for line, place in enumerate(self.lines()) if place.row == row), 0)

    def _reveal(self, row: int) -> None:
        if not self._after(Place(row), self.top):
            self.top = Place(row)
            return
        lowest = self._up(Place(row, self.tall(row)), self.height)
        if self._after(lowest, self.top):
            # A row that is taller than the screen shows its beginning.
            self.top = lowest if lowest.row < row else Place(row)
