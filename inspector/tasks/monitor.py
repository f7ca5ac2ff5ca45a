"""What is known of the tasks of a host's run, and who is told."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

import trio

from inspector.tasks.roster import Roster
from inspector.tasks.tree import Look, Tree
from protocol.messages import TaskLint

if TYPE_CHECKING:
    from inspector.registry import Registry

__all__ = ("Monitor",)


class Monitor:
    """Watches the tasks of the present run inside its block.

    Args:
        registry: whose workers drive actions, and whose log is told what is wrong.

    Attributes:
        roster: all tasks, and the last ones that ended.
    """

    def __init__(self, registry: Registry) -> None:
        self.roster = Roster(registry.log.secrets)
        self._timing_holds = 0
        self._lints: dict[trio.lowlevel.Task, list[TaskLint]] = {}
        self._tree = Tree(registry.log, self.roster, self._lints, registry.driven)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.roster.close()

    @property
    def timing(self) -> bool:
        """Whether each step of each task is timed at this moment."""
        return self._timing_holds > 0

    def hold_timing(self) -> None:
        """Time every step until `release_timing` was called as often."""
        self._timing_holds += 1

    def release_timing(self) -> None:
        """Stop timing, unless others still want it."""
        self._timing_holds -= 1

    def look(self, *, stacks: bool) -> Look:
        """Return the tree of tasks as it is now."""
        return self._tree.look(stacks=stacks)
