"""Heads of frames, beside those that websockets itself writes and reads."""

from __future__ import annotations

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from inspector.service.framing import BINARY, TEXT, frame_head

SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 2**20)


@pytest.mark.parametrize(("first", "opcode"), [(TEXT, Opcode.TEXT), (BINARY, Opcode.BINARY)])
@pytest.mark.parametrize("size", SIZES)
def test_as_the_library_writes_them(first: int, opcode: Opcode, size: int) -> None:
    payload = b"x" * size
    frame = frame_head(first, size) + payload
    assert frame == Frame(opcode, payload).serialize(mask=False)
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=2**20)
    client.receive_data(frame)
    assert client.events_received() == [Frame(opcode, payload)]
    assert client.parser_exc is None
