"""What sinks share that write lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspector.tracing.sinks.formats import Format
from inspector.tracing.sinks.pulling import PullingSink
from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.reader import Portion

__all__ = ("LineSink", "take_written")


class LineSink(PullingSink[bytes]):
    """Writes each record as a line, or a few; a batch is lines with their newlines."""

    def __init__(self, name: str, format: Format, filter: Filter, *, follows_default: bool = False) -> None:
        super().__init__(name, filter, follows_default=follows_default)
        self._format = format

    def prepare(self, portion: Portion, gap: bytes | None) -> list[bytes]:
        """Return the portion's lines, the gap with the first of them."""
        lines = [self._format(line, span) + b"\n" for line, _, span in portion.entries]
        if gap is not None:
            told = self._format(gap, self.log.host_span) + b"\n"
            # As one, for what is counted are records of the log.
            lines[:1] = [told + line for line in lines[:1]] or [told]
        return lines


def take_written(batch: list[bytes], written: int) -> None:
    """Take so many bytes off the front of a batch: what is left of a line that is written in part stays."""
    whole = 0
    while whole < len(batch) and written >= len(batch[whole]):
        written -= len(batch[whole])
        whole += 1
    del batch[:whole]
    if written:
        batch[0] = batch[0][written:]
