"""Bridges: what a program says by other means than ours, written into a log. Each is off until it is asked for."""

from inspector.bridges.logging import LogHandler, bridge_logging
from inspector.bridges.points import Tap
from inspector.bridges.structlog import ToLog, add_span_ids
from inspector.bridges.uncaught import Uncaught, bridge_uncaught
from inspector.bridges.warnings import bridge_warnings

__all__ = (
    "LogHandler",
    "Tap",
    "ToLog",
    "Uncaught",
    "add_span_ids",
    "bridge_logging",
    "bridge_uncaught",
    "bridge_warnings",
)
