"""Heads of the websocket frames that a host sends (RFC 6455, section 5.2): whole messages, unmasked, no extension.

websockets' `ServerProtocol` keeps every rule of the connection, reads all frames and writes those that control it. What
carries a message is a few bytes before the payload, and there are as many as requests: made here they cost a tenth.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ("BINARY", "TEXT", "frame_head")

TEXT: Final = 0x81
"""The first byte of a whole text message: FIN and the opcode."""
BINARY: Final = 0x82
"""The same of a binary one."""

_MEDIUM: Final = struct.Struct("!BBH")
_LARGE: Final = struct.Struct("!BBQ")
_SHORT: Final = {first: [bytes((first, size)) for size in range(126)] for first in (TEXT, BINARY)}


def frame_head(first: int, size: int) -> bytes:
    """Return what stands before a payload of `size` bytes; `first` is `TEXT` or `BINARY`."""
    if size < 126:
        return _SHORT[first][size]
    if size < 65536:
        return _MEDIUM.pack(first, 126, size)
    return _LARGE.pack(first, 127, size)
