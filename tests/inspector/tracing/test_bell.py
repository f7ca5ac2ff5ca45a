"""A bell that may be rung in the midst of ringing it and of waiting for it."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

from inspector.tracing.sinks.bell import Bell


def test_it_is_heard_once_however_often_it_rang() -> None:
    bell = Bell()
    assert not bell.wait(0)
    for _ in range(3):
        bell.ring()
    assert bell.wait()
    assert not bell.wait(0)


def test_it_is_heard_in_another_thread() -> None:
    bell, heard = Bell(), threading.Event()

    def hear() -> None:
        bell.wait()
        heard.set()

    thread = threading.Thread(target=hear)
    thread.start()
    bell.ring()
    assert heard.wait(60)
    thread.join(60)


def test_a_finaliser_may_ring_it_anywhere() -> None:
    bell = Bell()
    rung = 0

    def anywhere(frame: FrameType, what: str, _: Any) -> Any:
        # Between any two lines of what is below, as a finaliser may come that logs.
        nonlocal rung
        # Not for ever: what hears it goes on until it is silent.
        if frame.f_code is not use.__code__ and rung < 100:
            rung += 1
            bell.ring()
        return anywhere

    def use() -> None:
        sys.settrace(anywhere)
        bell.ring()
        bell.wait()
        bell.wait(0)
        sys.settrace(None)

    # A thread, for what would fail here is to wait for ever.
    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert rung > 5
