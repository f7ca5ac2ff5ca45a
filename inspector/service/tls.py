"""TLS on a wire, without a task or a stream of its own: bytes go through OpenSSL on their way to the same socket.

What TLS itself has to say (handshake, alerts, key updates) leaves by the wire like everything else, and is bounded.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from socket import socket
from typing import Final

import trio

from inspector.service.wire import SocketWire

__all__ = ("CHATTER", "HandshakeError", "TlsWire", "open_context")

CHATTER: Final = 64 * 1024
"""Bytes that TLS may answer on its own account between two bytes of the peer's data."""

_READ_SIZE: Final = 65536
_HANDSHAKE_RECORD: Final = 0x16
_NO_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 52\r\n\r\nThis port speaks TLS only: use https:// or wss://.\r\n"
)


class HandshakeError(Exception):
    """The peer and this host came to no TLS connection."""


def open_context(cert: str | os.PathLike[str], key: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """Make a server's context from PEM files.

    Args:
        cert: the certificate, with those that lead to its root behind it.
        key: its private key; in the same file unless given.

    Raises:
        ValueError: a file can't be read, holds no such thing, or the two don't belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # A peer that makes the host compute new keys over and over gets nothing else done.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, _no_password)
    except ssl.SSLError as exc:
        raise ValueError(f"no TLS with {_names(cert, key)}: {exc.reason or exc}") from exc
    except OSError as exc:
        raise ValueError(f"no TLS with {_names(cert, key)}: {exc.strerror}") from exc
    return context


class TlsWire(SocketWire):
    """One connected TCP socket whose bytes are encrypted on the way.

    Args:
        sock: connected; this wire owns it from now on.
        nursery: where the writing task runs while there is one.
        drained: called when all that was kept has been written, and when the wire was closed.
        context: a server's.
    """

    def __init__(
        self, sock: socket, nursery: trio.Nursery, drained: Callable[[], object], context: ssl.SSLContext
    ) -> None:
        super().__init__(sock, nursery, drained)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._chatter = 0
        self._said_end = False
        self._heard_end = False

    async def shake_hands(self) -> None:
        """Agree on keys, before anything is received or sent.

        Raises:
            HandshakeError: it failed, and the peer was told so.
        """
        first = True
        while True:
            try:
                self._ssl.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as exc:
                self._say()
                self._refuse(exc.reason or str(exc))
            else:
                self._say()
                return
            self._say()
            data = await super().receive()
            if not data:
                raise HandshakeError("the peer went during the TLS handshake")
            if first and data[0] != _HANDSHAKE_RECORD:
                super().send([_NO_TLS, b""])
                self._said_end = True
                raise HandshakeError("no TLS from the peer")
            first = False
            self._incoming.write(data)

    def _refuse(self, reason: str) -> None:
        super().send([b""])
        self._said_end = True
        raise HandshakeError(f"TLS: {reason.lower().replace('_', ' ')}") from None

    async def receive(self) -> bytes:
        """Wait for bytes; none when the peer has ended, what it sent is no TLS, or the wire was closed."""
        if self._said_end:
            # Whoever still reads waits for the peer to go, and for nothing that it says.
            return await super().receive()
        while not (data := self._take()):
            more = b"" if self._heard_end or self._chatter > CHATTER else await super().receive()
            if not more:
                return b""
            self._incoming.write(more)
        return data

    def _take(self) -> bytes:
        """Return what has been decrypted, all of it: one record is not one message."""
        taken: list[bytes] = []
        try:
            while data := self._ssl.read(_READ_SIZE):
                taken.append(data)
            # Its goodbye.
            self._heard_end = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # What came before the mistake counts, as it does on a plain socket that is reset.
            self._heard_end = True
        self._say()
        if taken:
            self._chatter = 0
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def send(self, chunks: list[bytes]) -> None:
        """Send, without waiting. An empty chunk ends the stream behind those before it, with TLS's own goodbye."""
        if self.closed:
            return
        ends = bool(chunks) and not chunks[-1]
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        try:
            if data:
                self._ssl.write(data)
            if ends:
                self._said_end = True
                self._ssl.unwrap()
        except ssl.SSLError:
            # Nobody waits for the peer's goodbye; and after its alert there is nothing to be said any more.
            pass
        out = self._outgoing.read()
        super().send([out, b""] if ends else [out])

    def _say(self) -> None:
        """Send what TLS itself has to say."""
        if out := self._outgoing.read():
            self._chatter += len(out)
            super().send([out])


def _no_password() -> str:
    # OpenSSL would ask for it on the terminal, in the middle of a program that may have none.
    raise ValueError("the key is encrypted; TLS needs one that is not")


def _names(cert: str | os.PathLike[str], key: str | os.PathLike[str] | None) -> str:
    return os.fspath(cert) if key is None else f"{os.fspath(cert)} and {os.fspath(key)}"
