"""Any trio program: its log, its spans and its tasks, with one call or with none."""

from inspector.programs.instrumentation import Instrumentation, instrument
from inspector.programs.opening import open_inspector

__all__ = ("Instrumentation", "instrument", "open_inspector")
