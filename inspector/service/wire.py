"""A wire: bytes in and bytes out over one socket, for a connection that never waits for its peer to read.

What is sent goes out at once where the socket takes it, with no task and no scheduling; what it does not take is kept
and written by a task that exists only meanwhile. A peer that takes nothing for `STALL_TIMEOUT` is cut.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

import trio

__all__ = ("STALL_TIMEOUT", "SocketWire")

STALL_TIMEOUT: Final = 30.0
"""Seconds without any progress in sending after which a connection is cut: its state is then unknown to the peer."""

_READ_SIZE: Final = 65536


class SocketWire:
    """One connected TCP socket.

    Args:
        sock: connected; this wire owns it from now on.
        nursery: where the writing task runs while there is one.
        drained: called when all that was kept has been written, and when the wire was closed.
    """

    def __init__(self, sock: socket.socket, nursery: trio.Nursery, drained: Callable[[], object]) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._nursery = nursery
        self._drained = drained
        self._kept = bytearray()
        self._writing = False
        self._eof = False
        self.closed = False
        self.stalled = False
        """Whether it was cut because the peer took nothing."""
        self.evicted = False
        """Whether it was cut to make room for another."""
        self.progressed = False
        """Set each time that the peer takes some of what was kept: a sign of life, for whoever resets it."""

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self._kept)

    async def receive(self) -> bytes:
        """Wait for bytes; none when the peer has ended, or the wire was closed."""
        while not self.closed:
            try:
                await trio.lowlevel.wait_readable(self._sock)
                return self._sock.recv(_READ_SIZE)
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, trio.ClosedResourceError):
                return b""
        return b""

    def send(self, chunks: list[bytes]) -> None:
        """Send, without waiting. An empty chunk ends the stream behind those before it."""
        if self.closed:
            return
        if chunks and not chunks[-1]:
            self._eof = True
            chunks = chunks[:-1]
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if self._writing:
            self._kept += data
            return
        sent = self._try(data)
        if sent < len(data):
            self._kept += memoryview(data)[sent:]
            self._writing = True
            self._nursery.start_soon(self._write_kept)
        elif self._eof:
            self._end()

    def close(self) -> None:
        """Close the socket at once. Whoever waits to receive gets no bytes."""
        if not self.closed:
            self.closed = True
            self._kept.clear()
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
            # Whoever waits for room would wait for ever.
            self._drained()

    @trio.lowlevel.enable_ki_protection
    async def _write_kept(self) -> None:
        try:
            while self._kept:
                with trio.move_on_after(STALL_TIMEOUT) as patience:
                    await trio.lowlevel.wait_writable(self._sock)
                if patience.cancelled_caught:
                    # A frame may be half sent: nothing can be said on this wire any more.
                    self.stalled = True
                    self.close()
                    return
                self.progressed = True
                sent = self._try(self._kept)
                del self._kept[:sent]
        except trio.ClosedResourceError:
            return
        finally:
            self._writing = False
        if self._eof:
            self._end()
        self._drained()

    def _try(self, data: bytes | bytearray) -> int:
        if not data:
            return 0
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            # Whatever it is, this socket is lost; whoever sends is often an actor's worker, whom it does not concern.
            self.close()
            return len(data)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
