"""What a log asks of a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from protocol.filters import Filter

if TYPE_CHECKING:
    from inspector.tracing.log import Log

__all__ = ("Sink",)


class Sink(Protocol):
    """Writes a log somewhere, at its own pace: it pulls from the ring and nobody waits for it."""

    @property
    def name(self) -> str:
        """Where it writes, for people. Holds no secret."""
        ...

    @property
    def filter(self) -> Filter:
        """What it writes."""
        ...

    @property
    def follows_default(self) -> bool:
        """Whether it has no filter of its own, but that which the host shows its log by, whatever that is."""
        ...

    def set_filter(self, filter: Filter) -> None:
        """Write something else from now on."""
        ...

    def attach(self, log: Log) -> None:
        """Begin to write a log; once in a sink's life."""
        ...

    def finish(self) -> None:
        """Write what has been logged so far, then stop. Does not wait."""
        ...

    def close(self, timeout: float) -> bool:
        """Write what has been logged so far, then stop; give up after `timeout` seconds.

        Returns:
            whether everything was written.
        """
        ...
