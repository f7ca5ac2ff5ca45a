"""The websocket frames of a connection, as bytes (RFC 6455, section 5.2): heads of those that a host sends, and
messages out of those that a client sends.

websockets' `ServerProtocol` keeps every rule of the connection and writes the frames that control it. What carries a
message is much the same each time, and there are as many as requests. So whole messages in one frame, as every
client sends them, are read and written here, for a fifth of what they cost there; all else goes through the library.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import Final

from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover - where the library has no wheel for the machine
    from websockets.utils import apply_mask

from protocol.dialects import Frame

__all__ = ("BINARY", "TEXT", "FrameReader", "Mark", "frame_head")

TEXT: Final = 0x81
"""The first byte of a whole text message: FIN and the opcode."""
BINARY: Final = 0x82
"""The same of a binary one."""

_MEDIUM: Final = struct.Struct("!BBH")
_LARGE: Final = struct.Struct("!BBQ")
_SHORT: Final = {first: [bytes((first, size)) for size in range(126)] for first in (TEXT, BINARY)}
_MASKED: Final = 0x80
_OPCODES: Final = frozenset(Opcode)


def frame_head(first: int, size: int) -> bytes:
    """Return what stands before a payload of `size` bytes; `first` is `TEXT` or `BINARY`."""
    if size < 126:
        return _SHORT[first][size]
    if size < 65536:
        return _MEDIUM.pack(first, 126, size)
    return _LARGE.pack(first, 127, size)


class Mark(Enum):
    """What a reader gives where there is no message."""

    NONE = "a frame, or a part of one, that ends no message"
    END = "no whole frame any more"


class FrameReader:
    """Messages out of a client's frames, one at a time and in order, as the bytes come.

    The library's parser gets its frames one by one and each from its first byte on, so that this side always knows
    whether it stands between two. There, where no fragment is under way, a plain frame that has come whole is read
    here.

    Args:
        protocol: the websocket, open; nobody else gives it bytes.
    """

    __slots__ = ("_at", "_data", "_fragments", "_max_size", "_owed", "_protocol", "_text")

    def __init__(self, protocol: ServerProtocol) -> None:
        self._protocol = protocol
        self._max_size = protocol.max_message_size or 0
        self._data = b""
        self._at = 0
        self._owed = 0
        """Bytes still to come of the frame that the library has begun to read."""
        self._fragments = bytearray()
        self._text = False

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def take(self) -> Frame | Mark:
        """Return the next message.

        Raises:
            UnicodeDecodeError: it is a text, and no UTF-8.
        """
        protocol = self._protocol
        if self._owed or protocol.current_size is not None or protocol.eof_sent:
            return self._pass_on()
        data, at = self._data, self._at
        try:
            first = data[at]
            size = data[at + 1] - _MASKED
            start = at + 6
            if size >= 126:
                if size == 127:
                    return self._pass_on()
                start = at + 8
                size = data[at + 2] << 8 | data[at + 3]
        except IndexError:
            return self._pass_on()
        end = start + size
        if (first != BINARY and first != TEXT) or size < 0 or end > len(data) or size > self._max_size:
            return self._pass_on()
        self._at = end
        payload = apply_mask(data[start:end], data[start - 4 : start])
        return payload if first == BINARY else payload.decode()

    def discard(self) -> None:
        """Let the library alone have what is there: nobody takes messages any more, also not what comes later."""
        if self._at < len(self._data):
            self._protocol.receive_data(self._data[self._at :])
            self._protocol.events_received()
            self._data, self._at = b"", 0

    def end(self) -> None:
        """Note that no bytes come any more."""
        if self._at < len(self._data):
            self._protocol.receive_data(self._data[self._at :])
        self._protocol.receive_eof()

    def _pass_on(self) -> Frame | Mark:
        """Give the library what there is of the next frame, or of the one that it reads."""
        protocol, data, at = self._protocol, self._data, self._at
        left = len(data) - at
        if not left:
            # An idle connection holds on to nothing.
            self._data, self._at = b"", 0
            return Mark.END
        if protocol.eof_sent:
            # Behind a close, or a mistake, there are no frames.
            self._owed = left
        elif not self._owed:
            self._owed = _size(data, at)
            if not self._owed:
                return Mark.END
        piece = data[at : at + self._owed]
        self._at += len(piece)
        self._owed -= len(piece)
        protocol.receive_data(piece)
        for event in protocol.events_received():
            assert isinstance(event, WebsocketFrame)
            return self._join(event)
        return Mark.NONE

    def _join(self, frame: WebsocketFrame) -> Frame | Mark:
        opcode = frame.opcode
        if opcode is Opcode.CONT:
            # Joined at once: of empty fragments there may be any number.
            self._fragments += frame.data
        elif opcode is Opcode.BINARY or opcode is Opcode.TEXT:
            self._text = opcode is Opcode.TEXT
            self._fragments = bytearray(frame.data)
        else:
            return Mark.NONE
        if not frame.fin:
            return Mark.NONE
        whole, self._fragments = self._fragments, bytearray()
        return whole.decode() if self._text else bytes(whole)


def _size(data: bytes, at: int) -> int:
    """Return how many bytes the frame has that begins at `at`, its head included; 0 where that can't be told yet.

    Of a head that the library refuses, it is all that there is: it must hear of it at once.
    """
    left = len(data) - at
    if left < 2:
        return 0
    first, size = data[at], data[at + 1] - _MASKED
    if size < 0 or first & 0x0F not in _OPCODES:
        return left
    if size < 126:
        return 6 + size
    head = 4 if size == 126 else 10
    return head + 4 + int.from_bytes(data[at + 2 : at + head], "big") if left >= head else 0
