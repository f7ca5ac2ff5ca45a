"""An app that is nothing but a log view, and what its tests do with it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from tui.widgets.log_view import LogView

__all__ = ("Batch", "Play", "Probe", "batch", "fill", "numbers", "play", "record", "screen", "searched")


@dataclass
class Batch:
    lines: bytes
    first_seq: int
    next_seq: int
    dropped: int = 0


def record(number: int, message: str = "card accepted", level: str = "INFO", **more: Any) -> bytes:
    """Make a record of the kind that a host sends; its time tells its number."""
    value: dict[str, Any] = {
        "seq": number,
        "timestamp": f"2026-11-23T20:{number // 60 % 60:02}:{number % 60:02}.139606Z",
        "level": level,
        "kind": "event",
        "target": "shop.cart",
        "fields": {"message": message, "number": number},
        "span": {"name": "action", "actor": "cart/7", "action": "checkout"},
    }
    return json.dumps(value | more, ensure_ascii=False, separators=(",", ":")).encode()


def batch(first: int, count: int, **more: Any) -> Batch:
    lines = [record(number, **more) for number in range(first, first + count)]
    return Batch(b"\n".join(lines), first, first + count)


class Probe(App[None]):
    """An app that is nothing but the view, and notes what the view says."""

    def __init__(self, view: LogView | None = None) -> None:
        super().__init__()
        self.view = view or LogView()
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.focus()

    def on_log_view_opened(self, message: LogView.Opened) -> None:
        self.said.append(message)

    def on_log_view_copy_requested(self, message: LogView.CopyRequested) -> None:
        self.said.append(message)

    def on_log_view_follow_changed(self, message: LogView.FollowChanged) -> None:
        self.said.append(message)

    def on_log_view_search_changed(self, message: LogView.SearchChanged) -> None:
        self.said.append(message)


Play = Callable[[Pilot[None], LogView], Awaitable[None]]


def play(
    act: Play, *, size: tuple[int, int] = (80, 12), view: LogView | None = None, app: Probe | None = None
) -> list[Message]:
    """Run the view in a screen of that size, and give what it said."""
    app = app or Probe(view)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(pilot, app.view)
            await pilot.pause()

    asyncio.run(main())
    return app.said


def screen(view: LogView) -> list[str]:
    """Give the text on the view's lines, as a terminal would show it."""
    return [strip.text for strip in view.render_lines(view.size.region)]


def numbers(view: LogView) -> list[int]:
    """Give the numbers of the records on the screen."""
    return [int(found[1]) for line in screen(view) if (found := re.search(r"number=(\d+)", line))]


async def fill(pilot: Pilot[None], view: LogView, count: int = 100) -> None:
    view.append(batch(0, count))
    await pilot.pause()


async def searched(pilot: Pilot[None], view: LogView) -> None:
    await view.workers.wait_for_complete()
    await pilot.pause()
