"""The tasks of the program, seen from outside: the tree, their times, what looks wrong, and a loop that is blocked."""

from inspector.tasks.monitor import Monitor

__all__ = ("Monitor",)
