"""Who else inspects the host, and a restart from the list of actors."""

from __future__ import annotations

import datetime

import pytest

from protocol.errors import InspectorError
from protocol.messages import ActorRestart, ConnectionsRequest, Request
from tests.tui.driving import Driver, drive
from tests.tui.host import Client, ScriptedHost, inspector
from tui.widgets.connection_pane import write_size


def test_inspectors_are_listed_live_and_you_are_marked() -> None:
    async def test(driver: Driver) -> None:
        assert driver.host.asked_for(ConnectionsRequest) == []
        await driver.press("6")
        await driver.sees("1 inspector", "127.0.0.1:50000", "(you)", "12.3 kB", "–")
        now = int(datetime.datetime.now().timestamp() * 1000)
        other = inspector("2", "10.0.0.7:9", protocol="inspector.json.v1", since=now, sent=5_000_000, dropped=1_234)
        await driver.host.connect(inspector("1", you=True), other)
        await driver.sees("2 inspectors", "10.0.0.7:9", "5.0 MB", "1,234")
        await driver.press("j")
        await driver.press("1")
        await driver.until(lambda: driver.host.clients[0].connections_subs == [], "unsubscribed")

    drive(test)


def test_a_wide_screen_says_more_of_them() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("6")
        await driver.sees("dialect since", "127.0.0.1:50000  1 (you)", "json", "11-14")

    def prepare(host: ScriptedHost) -> None:
        host.connections = [inspector("1", you=True), inspector("2", "x" * 300, protocol="inspector.json.v1")]

    drive(test, size=(160, 40), prepare=prepare)


def test_a_host_that_does_not_tell_says_so() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ConnectionsRequest):
                error = InspectorError("inspector.bad_message", "no such message \x1b[2J")
                await client.send(client.session.refuse(request.id, error))
            return isinstance(request, ConnectionsRequest)

        driver.host.interfere = interfere
        await driver.press("6")
        await driver.sees("inspector.bad_message: no such message")

    drive(test)


def test_a_restart_is_asked_for_first() -> None:
    async def test(driver: Driver) -> None:
        # Only where the mark is what one sees.
        await driver.press("R")
        await driver.pilot.pause()
        await driver.press("tab", "R")
        await driver.sees("Restart counter/default?", "Its state is lost")
        await driver.press("enter")
        await driver.sees("Restart counter/default?")
        await driver.press("n")
        await driver.sees_no_more("Restart counter/default?")
        await driver.press("j", "R")
        await driver.sees("Restart orders/1042?")
        assert driver.host.asked_for(ActorRestart) == []
        await driver.press("y")
        await driver.sees("orders/1042 is in life 2")
        [request] = driver.host.asked_for(ActorRestart)
        assert request.actor == "orders/1042"

    drive(test)


def test_a_restart_that_is_refused_is_said() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActorRestart):
                await client.send(client.session.refuse(request.id, InspectorError("registry.shut_down", "ends")))
            return isinstance(request, ActorRestart)

        driver.host.interfere = interfere
        await driver.press("tab", "R")
        await driver.sees("Restart counter/default?")
        await driver.press("y")
        await driver.sees("Not restarted", "registry.shut_down")

    drive(test)


def test_there_may_be_nothing_to_restart() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("tab", "R")
        await driver.pilot.pause()
        assert len(driver.app.screen_stack) == 2

    def prepare(host: ScriptedHost) -> None:
        host.actors = []

    drive(test, prepare=prepare)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (100_000, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (5 * 10**14, "500 TB"),
        (1 << 63, "many TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert write_size(size) == text
    assert len(text) <= 8
