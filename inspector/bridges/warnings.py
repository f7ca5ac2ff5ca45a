"""Python's warnings as events of the log, in the current span."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from inspector.bridges.points import Point, Tap
from inspector.tracing.sinks import inside_sink

if TYPE_CHECKING:
    from inspector.tracing import Log

__all__ = ("TARGET", "bridge_warnings")

TARGET: Final = "py.warnings"
"""As `logging.captureWarnings` calls it."""

_SHOW: Final = Point(warnings, "showwarning")


def bridge_warnings(log: Log) -> Tap:
    """Let a log have each warning that is shown, until the tap is closed. It is shown all the same.

    Which are shown the filters of `warnings` decide, once a place for most of them.
    """
    logger = log.logger(TARGET)

    def write(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        if not inside_sink():
            logger.warn(str(message), category=category.__name__, file=filename, line=lineno)

    return Tap((_SHOW, write))
