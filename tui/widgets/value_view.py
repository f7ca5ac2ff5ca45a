"""A value as a tree of lines that fold, with marks on what has changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.model.values import Line, Path, look_up, tree
from tui.widgets.lines import Cells, Lines

__all__ = (
    "MAX_LINES",
    "ValueView",
)

MAX_LINES: Final = 5_000
"""Lines of one value at most: what is beyond is reached by closing what is before it."""
_PAGE: Final = 200
_SIGNS: Final = {"changed": "~", "added": "+", "inside": "∙"}
_STYLES: Final = {"string": "lines--good", "number": "lines--accent", "word": "lines--warn", "other": "lines--dim"}


class ValueView(Lines):
    """Any decoded value. Large containers come by pages, long texts are cut and shown whole on `enter`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l,right", "unfold(True)", "Open the container", show=False, id="value.open"),
        Binding("h,left", "unfold(False)", "Close the container", show=False, id="value.close"),
        Binding("y", "copy", "Copy the value", show=False, id="value.copy"),
    ]

    @dataclass
    class Wanted(Message):
        """Somebody wants to see the whole of a value."""

        path: Path
        value: Any

    @dataclass
    class CopyRequested(Message):
        """Somebody wants a value on the clipboard."""

        path: Path
        value: Any

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.empty = empty
        self._value: Any = None
        self._lines: list[Line] = []
        self._marks: dict[Path, str] = {}
        self._folded: set[Path] = set()
        self._more: dict[Path, int] = {}

    def show(self, value: Any, marks: dict[Path, str] | None = None, *, fresh: bool = False) -> None:
        """Show a value.

        Args:
            value: any decoded value.
            marks: what is `changed` or `added`, by its path.
            fresh: it is another thing than before: folds are forgotten, and the first line is marked.
        """
        if fresh:
            self._folded, self._more = set(), {}
            self.cursor = 0
            self.scroll_to(y=0, animate=False)
        self._value, self._marks = value, {}
        for path, what in (marks or {}).items():
            if what in ("changed", "added"):
                self._marks[path] = what
                for end in range(len(path)):
                    self._marks.setdefault(path[:end], "inside")
        self._reflow()

    def clear(self, text: str) -> None:
        """Show nothing, and say why."""
        self._lines, self.empty = [], text
        self.changed()

    def count(self) -> int:
        """Say how many lines there are."""
        return len(self._lines)

    def empty_text(self) -> str:
        """Say why there is nothing."""
        return self.empty

    def cells(self, index: int, width: int) -> Cells:
        """Draw a line of the tree."""
        line = self._lines[index]
        mark = self._marks.get(line.path, "") if not line.more else ""
        # An open container shows by its children what has changed in it.
        sign = "" if mark == "inside" and line.open else _SIGNS.get(mark, "")
        fold = {True: "▾ ", False: "▸ ", None: "  "}[line.open]
        cells: Cells = [(f"{sign or ' '} ", "lines--warn"), ("  " * min(line.depth, 20) + fold, "lines--dim")]
        if line.key:
            cells.append((f"{line.key}: ", "lines--strong" if sign else ""))
        cells.append((line.text, _STYLES.get(line.kind, "lines--dim")))
        return cells

    def _reflow(self) -> None:
        lines = list(islice(tree(self._value, self._folded, self._more, page=_PAGE), MAX_LINES + 1))
        if len(lines) > MAX_LINES:
            lines[-1] = Line((), 0, "", "… more: close something above to see it", "other", more=1)
        self._lines = lines
        self.changed()

    @property
    def marked(self) -> Path | None:
        """The marked value's place; None if there is none."""
        if not self._lines or self._lines[self.cursor].more:
            return None
        return self._lines[self.cursor].path

    def clicked(self, index: int, event: events.Click) -> None:
        """Fold on a click at the fold's sign, else only mark; a second click opens."""
        line = self._lines[index]
        at = event.get_content_offset(self)
        if event.chain == 2 or line.more or (at is not None and line.open is not None and at.x <= 4 + 2 * line.depth):
            self.action_choose()

    def action_choose(self) -> None:
        """Fold or unfold, go on where a page ended, or ask for the whole of a long value."""
        if not self._lines:
            return
        line = self._lines[self.cursor]
        if line.more:
            if line.depth:
                self._more[line.path] = self._more.get(line.path, 0) + _PAGE * 5
                self._reflow()
        elif line.open is None:
            self.post_message(self.Wanted(line.path, look_up(self._value, line.path)))
        else:
            self.action_unfold(not line.open)

    def action_unfold(self, unfold: bool) -> None:
        """Open or close the container of the marked line."""
        if not self._lines:
            return
        line = self._lines[self.cursor]
        path = line.path if line.open is not None and line.open != unfold else line.path[:-1]
        if unfold and line.open is False:
            self._folded.discard(line.path)
        elif not unfold and (line.open or line.depth):
            self._folded.add(path)
            target = next((i for i, other in enumerate(self._lines) if other.path == path), self.cursor)
            self.cursor = target
        self._reflow()

    def action_copy(self) -> None:
        """Copy the marked value."""
        if (path := self.marked) is not None:
            self.post_message(self.CopyRequested(path, look_up(self._value, path)))
