"""Run the app headless against a host, press its keys, and read its screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from tests.tui.host import ScriptedHost, running_host
from tui.app import InspectorApp
from tui.screens.main import MainScreen

__all__ = ("Driver", "at_once", "drive", "driving")

HANG = 60.0
"""Seconds. A guard against a wait for what never comes; nothing is measured by it."""


def at_once() -> Iterator[float]:
    """Try to connect again with no pause worth the name."""
    while True:
        yield 0.001


class Driver:
    """A running app, its host, and somebody at the keys."""

    def __init__(self, app: InspectorApp, host: ScriptedHost, pilot: Pilot[None]) -> None:
        self.app = app
        self.host = host
        self.pilot = pilot

    @property
    def main(self) -> MainScreen:
        """The main screen."""
        assert self.app.main is not None
        return self.app.main

    def lines(self) -> list[str]:
        """Read the screen, line by line, as a terminal would show it."""
        return ["".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        """Read the screen."""
        return "\n".join(self.lines())

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until the app has handled them."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.pilot.press(*text)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until something holds."""
        try:
            async with asyncio.timeout(HANG):
                while not condition():
                    await self.pilot.pause()
        except TimeoutError:
            raise AssertionError(f"never came: {what}\n{self.text()}") from None

    async def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        await self.until(lambda: all(text in self.text() for text in texts), f"{texts} on the screen")

    async def sees_no_more(self, text: str) -> None:
        """Wait until this is not on the screen."""
        await self.until(lambda: text not in self.text(), f"{text!r} gone from the screen")


@asynccontextmanager
async def driving(host: ScriptedHost, size: tuple[int, int] = (110, 30)) -> AsyncIterator[Driver]:
    """Run the app against a host for the length of a block."""
    app = InspectorApp(lambda: host.target, host.target.place, delays=at_once)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Driver(app, host, pilot)


def drive(
    test: Callable[[Driver], Awaitable[None]],
    *,
    size: tuple[int, int] = (110, 30),
    prepare: Callable[[ScriptedHost], None] = lambda host: None,
) -> None:
    """Run a test with an app that is attached and has shown its first records."""

    async def run() -> None:
        async with running_host() as host:
            prepare(host)
            async with driving(host, size) as driver:
                await driver.sees("live")
                await test(driver)

    asyncio.run(run())
