"""The tasks of the program, seen from outside: the tree, their times, what looks wrong, and a loop that is blocked."""

from inspector.tasks.lints import Lints
from inspector.tasks.monitor import Monitor
from inspector.tasks.watchdog import THRESHOLD, check_threshold

__all__ = ("THRESHOLD", "Lints", "Monitor", "check_threshold")
