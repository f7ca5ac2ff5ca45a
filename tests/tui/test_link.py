"""A link that never gives up, against a host that comes and goes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest

from protocol.errors import InspectorError
from protocol.messages import ActorsRequest, ActorsResponse, Init, Request, StateRequest
from tests.tui.driving import at_once
from tests.tui.host import ScriptedHost, running_host
from tui import link as module
from tui.connection import LinkLost
from tui.discovery import NoHost, Target
from tui.link import Connected, Link, LinkEvent, Lost, backoff


class Rig:
    """A link that runs, and what it said."""

    def __init__(self, host: ScriptedHost, resolve: Callable[[], Target]) -> None:
        self.host = host
        self.events: asyncio.Queue[LinkEvent] = asyncio.Queue()
        self.link = Link(resolve, self.events.put_nowait, delays=at_once)

    async def connected(self) -> Connected:
        while True:
            event = await self.events.get()
            if isinstance(event, Connected):
                return event

    async def lost(self) -> Lost:
        while True:
            event = await self.events.get()
            if isinstance(event, Lost):
                return event


class Watch:
    """A subscription that remembers."""

    def __init__(self, actor: str = "counter/default") -> None:
        self.actor = actor
        self.said: asyncio.Queue[Any] = asyncio.Queue()

    def request(self, init: Init) -> Request:
        return StateRequest(id=0, actor=self.actor, subscribe=True)

    def opened(self, response: Any) -> None:
        self.said.put_nowait(response.state)

    def pushed(self, push: Any) -> None:
        self.said.put_nowait(push.state)

    def ended(self, error: InspectorError) -> None:
        self.said.put_nowait(error.name)


def linked(test: Callable[[Rig], Awaitable[None]], resolve: Callable[[ScriptedHost], Target] | None = None) -> None:
    async def run() -> None:
        async with running_host() as host:
            rig = Rig(host, lambda: resolve(host) if resolve else host.target)
            task = asyncio.create_task(rig.link.run())
            try:
                async with asyncio.timeout(60):
                    await test(rig)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    asyncio.run(run())


def test_the_pauses_grow_and_never_end() -> None:
    pauses = list(islice(backoff(random.Random(1)), 40))
    assert pauses[0] < 0.1
    assert pauses[1] < 0.3
    assert all(0 < pause <= 6.5 for pause in pauses)
    assert min(pauses[10:]) >= 3.5
    assert len(set(pauses[10:])) > 20


def test_it_comes_back_with_its_subscriptions() -> None:
    async def test(rig: Rig) -> None:
        watch = Watch()
        await rig.link.subscribe(watch)
        first = await rig.connected()
        assert first.new_host
        assert await watch.said.get() == {"count": 3, "names": ["a", "b"]}
        rig.host.states["counter/default"] = "changed meanwhile"
        rig.host.vanish()
        assert "broke" in (await rig.lost()).reason
        assert not (await rig.connected()).new_host
        assert await watch.said.get() == "changed meanwhile"
        await rig.link.unsubscribe(watch)
        assert rig.link.subscriptions == 0

    linked(test)


def test_another_run_of_the_host_is_told() -> None:
    async def test(rig: Rig) -> None:
        await rig.connected()
        rig.host.id = "run-2"
        await rig.host.stop()
        assert (await rig.lost()).attempt == 1
        await rig.host.start()
        assert (await rig.connected()).new_host

    linked(test)


def test_while_there_is_nobody_requests_fail_at_once_and_subscriptions_wait() -> None:
    async def test(rig: Rig) -> None:
        await rig.connected()
        await rig.host.stop()
        while (await rig.lost()).attempt < 3:
            pass
        with pytest.raises(LinkLost, match="not connected"):
            await rig.link.request(ActorsRequest(id=0), ActorsResponse)
        watch, given_up = Watch(), Watch()
        await rig.link.subscribe(watch)
        await rig.link.subscribe(given_up)
        await rig.link.unsubscribe(given_up)
        await rig.host.start()
        await rig.connected()
        assert await watch.said.get() == {"count": 3, "names": ["a", "b"]}
        assert (await rig.link.request(ActorsRequest(id=0), ActorsResponse)).total == 3
        assert given_up.said.empty()

    linked(test)


def test_a_refusal_is_told_and_not_hammered() -> None:
    async def test(rig: Rig) -> None:
        lost = await rig.lost()
        assert lost.refused
        assert lost.retry_in == module.REFUSED_PAUSE
        assert "token is wrong" in lost.reason
        # The user says so: now.
        rig.host.token = "other"
        await asyncio.sleep(0)
        rig.link.retry_now()
        assert (await rig.connected()).target.token == "other"

    linked(test, lambda host: Target(host.url, "other"))


def test_a_host_that_is_not_found_is_looked_for_again() -> None:
    found: list[bool] = []

    def resolve(host: ScriptedHost) -> Target:
        if len(found) < 3:
            found.append(False)
            raise NoHost("no host yet")
        return host.target

    async def test(rig: Rig) -> None:
        assert (await rig.lost()).reason == "no host yet"
        await rig.connected()
        assert len(found) == 3

    linked(test, resolve)


def test_a_host_that_greets_and_drops_again_and_again_is_not_hammered() -> None:
    async def test(rig: Rig) -> None:
        attempts = []
        for _ in range(4):
            await rig.connected()
            rig.host.vanish()
            attempts.append((await rig.lost()).attempt)
        # A connection that did not last does not count as one: the pauses go on growing.
        assert attempts == [1, 2, 3, 4]

    linked(test)


def test_a_connection_that_lasted_lets_the_first_retry_come_at_once_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEADY", -1.0)

    async def test(rig: Rig) -> None:
        for _ in range(3):
            await rig.connected()
            rig.host.vanish()
            assert (await rig.lost()).attempt == 1

    linked(test)


def test_a_subscription_is_opened_anew_once() -> None:
    async def test(rig: Rig) -> None:
        await rig.connected()
        watch = Watch()
        await rig.link.renew(watch)
        await rig.link.subscribe(watch)
        assert await watch.said.get() == {"count": 3, "names": ["a", "b"]}
        await asyncio.gather(rig.link.renew(watch), rig.link.renew(watch))
        assert await watch.said.get() == {"count": 3, "names": ["a", "b"]}
        await rig.host.wait_asked(StateRequest, 2)
        await rig.host.set_state("counter/default", {"count": 4})
        assert await watch.said.get() == {"count": 4}
        assert len(rig.host.asked_for(StateRequest)) == 2
        assert watch.said.empty()

    linked(test)


def test_a_subscription_that_nobody_wants_any_more_is_not_opened_anew() -> None:
    async def test(rig: Rig) -> None:
        await rig.connected()
        watch = Watch()
        await rig.link.subscribe(watch)
        await watch.said.get()
        await asyncio.gather(rig.link.renew(watch), rig.link.unsubscribe(watch))
        assert rig.link.subscriptions == 0
        assert len(rig.host.asked_for(StateRequest)) == 1

    linked(test)
