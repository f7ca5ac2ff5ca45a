"""Tasks, one a line: as a tree those that there are, in the order of their end those that are over."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from protocol.messages import EndedTask, StackFrame, TaskInfo
from tui.cells import fit
from tui.logs.text import cut, neutralise
from tui.model.clock import write_time
from tui.model.tasks import (
    OUTCOME_SIGNS,
    STATE_SIGNS,
    TaskRow,
    Tasks,
    is_library,
    write_age,
    write_busy,
    write_end,
    write_frame,
    write_task,
)
from tui.widgets.lines import Cells, Lines

__all__ = ("TaskDetail", "TaskList")

_STATE_STYLES: Final = {"running": "lines--accent", "runnable": "lines--good", "waiting": "lines--dim"}
_OUTCOME_STYLES: Final = {"ok": "lines--good", "error": "lines--bad", "cancelled": "lines--warn"}
_AGE: Final = 9
_TIMED: Final = 16
"""Cells of the share of time that it ran, and of its steps."""
_MAX_INDENT: Final = 12
_WHERE_FROM: Final = 76


class TaskList(Lines):
    """The tasks of a program."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold / unfold", show=False, id="tasks.fold"),
    ]

    def __init__(self, tasks: Tasks, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tasks = tasks
        self.actor: str | None = None
        """The actor whose tasks alone are shown."""
        self.over = False
        """Whether what is over is shown, and not what there is."""
        self.why = "asking the host"
        self.now = 0
        self.rows: list[TaskRow] = []
        self._ended: list[EndedTask] = []
        self._folded: set[int] = set()

    @property
    def marked(self) -> TaskInfo | EndedTask | None:
        """The marked task."""
        shown: list[TaskInfo | EndedTask] = [*self._ended] if self.over else [row.info for row in self.rows]
        return shown[self.cursor] if self.cursor < len(shown) else None

    def update(self, now: int) -> None:
        """Draw what is known at `now`, milliseconds since 1970; the mark stays on its task, wherever that has gone."""
        self.now = now
        marked = self.marked
        if self.over:
            actor = self.actor
            self._ended = [each for each in self.tasks.ended if actor is None or each.actor == actor]
            numbers = [each.task for each in self._ended]
        else:
            self.rows = self.tasks.lay_out(self._folded, self.actor)
            numbers = [row.info.task for row in self.rows]
        if marked is not None and marked.task in numbers:
            self.set_reactive(Lines.cursor, numbers.index(marked.task))
        self.changed()

    def show_over(self, over: bool) -> None:
        """Show what is over, or what there is."""
        self.over = over
        self.set_reactive(Lines.cursor, 0)
        self.update(self.now)
        self.cursor = self.count() - 1 if over else 0
        # How high the list is now is not known before it has been laid out.
        self.call_after_refresh(self._show_cursor)

    def count(self) -> int:
        """Say how many there are."""
        return len(self._ended) if self.over else len(self.rows)

    def empty_text(self) -> str:
        """Say why there are none."""
        if self.why:
            return self.why
        if self.over:
            return "no task has ended yet"
        return (
            f"nothing runs for {neutralise(cut(self.actor, 80))} now: an idle actor has no task" if self.actor else ""
        )

    # ---- drawing ----

    def _columns(self, width: int) -> tuple[int, int, int]:
        """Give the cells of the names, of where they wait, and of the times that are measured."""
        timed = _TIMED if self.tasks.timing else 0
        rest = max(0, width - _AGE - timed)
        if rest < _WHERE_FROM:
            return rest, 0, timed
        names = rest * 11 // 20
        return names, rest - names, timed

    def heading(self, width: int) -> str:
        """Write the line above the list."""
        names, where, timed = self._columns(max(1, width - 1))
        if self.over:
            return fit(f" {self.count():,} ended", max(0, width - _AGE)) + fit("ran", _AGE, right=True)
        total = self.tasks.total
        count = f"{self.count():,} tasks" if self.actor is not None else f"{len(self.tasks):,} tasks"
        if len(self.tasks) < total:
            count += f" of {total:,}"
        text = " " + fit(count, names) + fit("where" if where else "", where)
        text += (fit("busy", 7, right=True) + fit("steps", 9, right=True)) if timed else ""
        return fit(text + fit("age", _AGE, right=True), width)

    def cells(self, index: int, width: int) -> Cells:
        """Draw a task."""
        if self.over:
            return self._cells_of_ended(self._ended[index], width)
        row = self.rows[index]
        info = row.info
        names, where, timed = self._columns(width)
        # Deep inside, the depth as a number says more than blanks up to the edge.
        indent = "  " * row.depth if row.depth <= _MAX_INDENT else f"{'  ' * (_MAX_INDENT - 2)}{row.depth}: "
        fold = "▸ " if row.folded else "▾ " if row.children else "  "
        sign = "⊘ " if info.cancelled else f"{STATE_SIGNS[info.state]} "
        style = "lines--warn" if info.cancelled else _STATE_STYLES[info.state]
        lints = "".join(f" !{lint.name}" for lint in info.lints)
        named = info.actor is not None and info.name.startswith(info.actor)
        owner = f"{'' if named else neutralise(cut(info.actor or '', 80))} {neutralise(cut(info.span_name or '', 40))}"
        owner = f"  {owner.strip()}" if not named and owner.strip() else ""
        lead = indent + fold
        room = max(0, names - len(lead) - 2)
        name = write_task(info)
        lints = fit(lints, min(len(lints), room // 2)) if lints else ""
        text = fit(name, min(len(name), max(0, room - len(lints))))
        owner = fit(owner, max(0, room - len(lints) - len(text)))
        cells: Cells = [
            (lead, "lines--dim"),
            (sign, style),
            (text, ""),
            (lints, "lines--warn"),
            (owner, "lines--accent"),
            (fit(_where(info), where) if where else "", "lines--dim"),
        ]
        if timed:
            steps = f"{info.steps:,}" if isinstance(info.steps, int) else ""
            cells.append((fit(write_busy(info), 7, right=True), ""))
            cells.append((fit(steps, 9, right=True), "lines--dim"))
        cells.append((fit(write_age(info, self.now), _AGE, right=True), "lines--dim"))
        return cells

    def _cells_of_ended(self, ended: EndedTask, width: int) -> Cells:
        style = _OUTCOME_STYLES[ended.outcome]
        name = write_task(ended)
        owner = f"  {neutralise(cut(ended.actor, 80))}" if ended.actor else ""
        room = max(0, width - 15 - _AGE)
        text = fit(name, min(len(name), room))
        owner = fit(owner, min(len(owner), max(0, room - len(text))))
        why = f"  {write_end(ended)}"
        return [
            (fit(write_time(ended.ended_at * 1_000_000), 13), "lines--dim"),
            (f"{OUTCOME_SIGNS[ended.outcome]} ", style),
            (text, ""),
            (owner, "lines--accent"),
            (fit(why, max(0, room - len(text) - len(owner))), style),
            (fit(write_age(ended, 0), _AGE, right=True), "lines--dim"),
        ]

    # ---- keys ----

    def action_fold(self) -> None:
        """Fold what is inside the marked task away, or show it again."""
        if self.over or not self.rows:
            return
        row = self.rows[self.cursor]
        (self._folded.discard if row.folded else self._folded.add)(row.info.task)
        self.update(self.now)


def _where(info: TaskInfo) -> str:
    """Give the innermost place in the program's own code, else the innermost of all."""
    if not isinstance(info.stack, list) or not info.stack:
        return ""
    frame = next((frame for frame in reversed(info.stack) if not is_library(frame)), info.stack[-1])
    return f"{neutralise(cut(frame.function, 60))}  {_short(frame)}"


def _short(frame: StackFrame) -> str:
    return f"{neutralise(cut(frame.file.replace(chr(92), '/').rsplit('/', 1)[-1], 60))}:{frame.line}"


class TaskDetail(Lines):
    """One task: what is wrong with it, and where it is, the innermost place last."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: list[tuple[str, str]] = []

    def show(self, task: TaskInfo | EndedTask | None, now: int) -> None:
        """Be about a task, at `now`, milliseconds since 1970."""
        said = self._said
        self._said = [] if task is None else list(_tell(task, now))
        if self._said != said:
            self.changed()

    def count(self) -> int:
        """Say how many lines there are."""
        return len(self._said)

    def empty_text(self) -> str:
        """Say what would be here."""
        return "mark a task to see where it is"

    def cells(self, index: int, width: int) -> Cells:
        """Draw a line."""
        return [self._said[index]]


def _tell(task: TaskInfo | EndedTask, now: int) -> list[tuple[str, str]]:
    lines = [(write_task(task), "lines--strong")]
    if isinstance(task, EndedTask):
        lines.append((f"{task.outcome} after {write_age(task, now) or 'some time'}", _OUTCOME_STYLES[task.outcome]))
        lines += [(part, "") for part in (write_end(task),) if part]
        return lines
    state = task.state + (", a scope around it is cancelled" if task.cancelled else "")
    lines.append((state, "lines--warn" if task.cancelled else "lines--dim"))
    if task.deadline is not None:
        left = (task.deadline - now) / 1000
        lines.append((f"deadline in {left:,.1f} s" if left >= 0 else f"deadline {-left:,.1f} s ago", "lines--dim"))
    for lint in task.lints:
        lines.append((f"! {neutralise(cut(lint.message, 300))}", "lines--warn"))
        if isinstance(lint.at, StackFrame):
            lines.append((f"  {write_frame(lint.at)}", "lines--warn"))
    for frame in task.stack if isinstance(task.stack, list) else ():
        lines.append((write_frame(frame), "lines--dim" if is_library(frame) else ""))
    return lines
