"""What every test of the terminal app shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from protocol.dialects import CBOR, Frame
from protocol.dialects.base import frame_size
from protocol.messages import Error, Message, Request
from protocol.server import ServerSession
from tests.contract import AVAILABLE, Side, fault_of
from tests.tui import host

__all__ = ()

# What no real host would send in one frame is not looked through: that takes seconds.
_LARGEST = 2**20


class StrictSession(ServerSession):
    """A host's side that holds what the app says, and what it is told, against docs/protocol.cddl.

    What a test writes without a session, so as to be wrong, is not looked at.
    """

    faults: ClassVar[list[str]] = []

    def receive(self, frame: Frame) -> Request | Error:
        """Read a frame of the app's."""
        self._check("to-host", frame)
        return super().receive(frame)

    def _encode(self, message: Message) -> Frame:
        frame = super()._encode(message)
        self._check("to-client", frame)
        return frame

    def _check(self, side: Side, frame: Frame) -> None:
        if AVAILABLE and frame_size(frame) <= _LARGEST:
            fault = fault_of(side, CBOR.subprotocol, frame)
            # Raised here it would only break the connection, and the app would come again and again.
            if fault is not None:
                self.faults.append(fault)


@pytest.fixture(autouse=True)
def strict_sessions(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let nothing be said between the app and the scripted host that the contract does not have."""
    if request.module.__name__.endswith("test_hostile"):
        # There the host breaks the contract, and the app asks about what it was told.
        yield
        return
    faults: list[str] = []
    monkeypatch.setattr(StrictSession, "faults", faults)
    monkeypatch.setattr(host, "ServerSession", StrictSession)
    yield
    assert not faults, faults
