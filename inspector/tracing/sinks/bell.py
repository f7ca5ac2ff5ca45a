"""What wakes a thread that waits: anybody may ring, from the midst of anything."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue

__all__ = ("Bell",)


class Bell:
    """Rung by any thread, heard by one.

    A finaliser may ring it while the same thread rings it, or is about to wait. With `threading.Event` that would wait
    for ever for a lock which its own thread has; of what the standard library has, `SimpleQueue` alone allows it.
    """

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake whoever waits; if nobody does, the next one will not wait."""
        self._rings.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it rings, or for so many seconds; all that it rang before counts as one.

        Returns:
            whether it rang.
        """
        try:
            self._rings.get(timeout=timeout)
        except Empty:
            return False
        with suppress(Empty):
            while True:
                self._rings.get_nowait()
        return True
