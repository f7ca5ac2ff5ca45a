"""The Tasks tab: the tree of the program's tasks, where the marked one is, and what it says, beside it."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from protocol.errors import InspectorError
from protocol.messages import EndedTask, LogBatch, TaskInfo
from tui.cells import fit
from tui.inspection import Inspection
from tui.logs.text import cut, neutralise
from tui.model.family import Family
from tui.model.tasks import Tasks
from tui.trace_source import TraceSource
from tui.watches import TasksWatch
from tui.widgets.lines import Lines
from tui.widgets.log_view import LogView
from tui.widgets.task_list import TaskDetail, TaskList
from tui.widgets.wanted import TraceWanted

__all__ = ("TaskPane",)

_EVERY: Final = 0.1
_TICK: Final = 0.5
_SETTLE: Final = 0.15
"""Seconds that the mark has to rest on a task before the host is asked what it says."""


class _Saying:
    """What one span says, for as long as it is the one that is shown."""

    def __init__(self, pane: TaskPane, trace_id: str, span_id: str) -> None:
        self.span_id = span_id
        self.source = TraceSource(pane.inspection, trace_id, self)
        self._pane = pane
        self._family = Family(span_id)

    def take(self, lines: bytes, dropped: int = 0) -> None:
        """Take records of the trace; those of the span, and of spans inside it, are shown."""
        self._pane.say(self, self._family.pick(lines), dropped)

    def seam(self, text: str) -> None:
        """Take word that another run of the host begins here."""
        self._pane.silence(self, text)

    def told(self, why: str) -> None:
        """Hear that all of the past has been told."""
        self._pane.silence(self, "This task has said nothing yet.")

    def refused(self, error: InspectorError) -> None:
        """Show why there is nothing."""
        self._pane.silence(self, neutralise(cut(str(error), 300)))


class TaskPane(Vertical):
    """Tasks, live; asks the host only while somebody looks."""

    DEFAULT_CSS = """
    TaskPane {
        height: 1fr;
        & #task-line, & #task-scope { height: 1; background: $surface; color: $text-muted; text-wrap: nowrap; }
        & TaskList { height: 2fr; }
        & #task-more { height: 1fr; border-top: solid $surface-lighten-1; }
        & TaskDetail { width: 1fr; }
        & LogView { width: 2fr; border-left: solid $surface-lighten-1; }
        &:ansi #task-line, &:ansi #task-scope { background: ansi_default; color: ansi_default; }
    }
    .-narrow TaskPane #task-more { layout: vertical; }
    .-narrow TaskPane LogView { width: 1fr; height: 1fr; border-left: none; }
    .-low TaskPane #task-more { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "scope", "All tasks / this actor's", show=False, id="tasks.scope"),
        Binding("e", "ended", "What has ended / what there is", show=False, id="tasks.ended"),
        Binding("T", "timing", "Time their steps, or no longer", show=False, id="tasks.timing"),
        Binding("t", "trace", "The trace that it works for", show=False, id="tasks.trace"),
    ]

    def __init__(self, inspection: Inspection, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inspection = inspection
        self.tasks = Tasks()
        self._watch: TasksWatch | None = None
        self._timing = False
        self._actor: str | None = None
        self._stale = False
        self._saying: _Saying | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="task-line", markup=False)
        yield TaskList(self.tasks, id="task-list")
        with Horizontal(id="task-more"):
            yield TaskDetail(id="task-detail")
            yield LogView(1 << 20, id="task-log", empty="Mark a task to see what it says.")
        yield Static(id="task-scope", markup=False)

    def on_mount(self) -> None:
        """Let the ages go on."""
        self.set_interval(_TICK, self._tick)

    def on_resize(self) -> None:
        """Put the heads over their columns."""
        self._lines()

    # ---- what is shown ----

    def look(self, actor: str | None, *, seen: bool) -> None:
        """Ask while somebody sees it, and no longer; a list that is narrowed to one actor follows the choice."""
        self._actor = actor
        tasks = self.query_one(TaskList)
        if tasks.actor is not None and actor is not None:
            tasks.actor = actor
        if seen and self._watch is None:
            self._ask()
        elif not seen:
            self._leave()
            self._listen(None)
        self.stale()

    def _ask(self) -> None:
        watch = self._watch = TasksWatch(self.tasks, self._timing, self._changed)
        self.inspection.spawn(self.inspection.link.subscribe(watch))

    def _leave(self) -> None:
        if self._watch is not None:
            self.inspection.spawn(self.inspection.link.unsubscribe(self._watch))
            self._watch = None

    def _changed(self, watch: TasksWatch) -> None:
        if watch is self._watch and self._live:
            self.query_one(TaskList).why = "" if watch.error is None else neutralise(cut(str(watch.error), 300))
            self.stale()

    @property
    def _live(self) -> bool:
        # When the app ends the widgets go one by one, while the link still speaks.
        return self.is_mounted and self.app.is_running

    @property
    def _now(self) -> int:
        return int(self.inspection.link.host_time * 1000)

    def stale(self) -> None:
        """Draw soon: ten times a second, however often it changes."""
        if not self._stale and self._live:
            self._stale = True
            self.set_timer(_EVERY, self._draw)

    def _tick(self) -> None:
        if self._watch is not None:
            self.stale()

    def _draw(self) -> None:
        self._stale = False
        if self._live and self._watch is not None:
            tasks = self.query_one(TaskList)
            tasks.update(self._now)
            self.query_one(TaskDetail).show(tasks.marked, self._now)
            self._lines()
            if self._saying is None:
                self._settle()

    def _lines(self) -> None:
        width = max(1, self.size.width)
        tasks = self.query_one(TaskList)
        self.query_one("#task-line", Static).update(Content(tasks.heading(width)))
        scope = "all tasks" if tasks.actor is None else f"only {neutralise(cut(tasks.actor, 60))}"
        timing = "timed" if self.tasks.timing else "not timed: T times their steps"
        self.query_one("#task-scope", Static).update(
            Content(fit(fit(f" {scope}", max(1, width - len(timing) - 2)) + f" {timing} ", width))
        )

    # ---- what the marked task says ----

    @on(Lines.Moved, "#task-list")
    def _moved(self, event: Lines.Moved) -> None:
        event.stop()
        self.query_one(TaskDetail).show(self.query_one(TaskList).marked, self._now)
        self.set_timer(_SETTLE, self._settle)

    def _settle(self) -> None:
        task = self.query_one(TaskList).marked if self._watch is not None else None
        span = task if isinstance(task, TaskInfo) and task.span and task.trace_id else None
        if span is None:
            if self._saying is not None or task is not None:
                self._listen(None)
                over = isinstance(task, EndedTask)
                why = "It is over. What it said is in the log." if over else "It works in no span of its own."
                self.query_one("#task-log", LogView).empty = why
        elif self._saying is None or self._saying.span_id != span.span:
            self._listen(span)

    def _listen(self, task: TaskInfo | None) -> None:
        if self._saying is not None:
            self.inspection.spawn(self._saying.source.end())
            self._saying = None
            self.query_one("#task-log", LogView).clear()
        if task is not None and task.span and task.trace_id:
            self._saying = _Saying(self, task.trace_id, task.span)
            self.query_one("#task-log", LogView).empty = "Asking the host what it said."
            self.inspection.spawn(self._saying.source.run())

    def say(self, saying: _Saying, lines: bytes, dropped: int) -> None:
        """Take what the marked task said."""
        if saying is self._saying and lines and self._live:
            batch = LogBatch(sub=0, first_seq=0, next_seq=0, dropped=dropped, lines=lines)
            self.query_one("#task-log", LogView).append(batch)

    def silence(self, saying: _Saying, why: str) -> None:
        """Say why there is nothing, if there is nothing."""
        if saying is self._saying and self._live:
            self.query_one("#task-log", LogView).empty = why

    # ---- keys ----

    @on(Lines.Chosen, "#task-list")
    def _chosen(self, event: Lines.Chosen) -> None:
        event.stop()
        detail = self.query_one(TaskDetail)
        if detail.display and detail.size.height:
            detail.focus()

    @on(Lines.Chosen, "#task-detail")
    @on(Lines.Moved, "#task-detail")
    def _detail_moved(self, event: Lines.Chosen | Lines.Moved) -> None:
        event.stop()

    def action_scope(self) -> None:
        """Show all tasks, or only the chosen actor's."""
        tasks = self.query_one(TaskList)
        tasks.actor = self._actor if tasks.actor is None else None
        self.stale()

    def action_ended(self) -> None:
        """Show what has ended, or what there is."""
        tasks = self.query_one(TaskList)
        tasks.show_over(not tasks.over)
        self.stale()

    def action_timing(self) -> None:
        """Let the host time the steps of its tasks while this is open, or no longer."""
        self._timing = not self._timing
        self._leave()
        self._ask()

    def action_trace(self) -> None:
        """Show the trace that the marked task works for."""
        task = self.query_one(TaskList).marked
        if isinstance(task, TaskInfo) and task.trace_id:
            self.post_message(TraceWanted(task.trace_id, task.span))
