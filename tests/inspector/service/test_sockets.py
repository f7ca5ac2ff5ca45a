"""Sockets that a forked child closes, looked at without a fork."""

from __future__ import annotations

import gc
import os
import socket

import pytest
import trio

from inspector.service.sockets import Sockets

pytestmark = pytest.mark.trio


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


async def test_all_are_closed_and_trio_is_not_asked() -> None:
    sockets = Sockets()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sockets.listen(listeners)
    accepted, other = socket.socketpair()
    gone, far = socket.socketpair()
    for each in (accepted, gone):
        sockets.accept(each)
    gone.close()
    del gone
    gc.collect()
    descriptors = [listeners[0].socket.fileno(), accepted.fileno()]
    assert all(map(is_open, descriptors))
    sockets.abandon()
    assert not any(map(is_open, descriptors))
    assert other.recv(1) == b""
    # Again, and by whoever else ends what it has opened.
    sockets.abandon()
    await listeners[0].aclose()
    accepted.close()
    other.close()
    far.close()
