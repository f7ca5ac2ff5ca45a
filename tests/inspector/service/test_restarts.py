"""Restarts over the wire."""

from __future__ import annotations

import pytest
import trio

from inspector import Actor, Registry, action
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActorRestart,
    ActorRestartResponse,
    ActorsRequest,
    ActorsResponse,
    Error,
)
from tests.inspector.service.support import attached, hosted, name_of, until

__all__ = ()

pytestmark = pytest.mark.trio


class Steward(Actor[None]):
    """Takes its time to end."""

    gate: trio.Event

    def __init__(self) -> None:
        self.gate = trio.Event()

    async def on_stop(self) -> None:
        await self.gate.wait()

    @action
    async def hold(self) -> None:
        """Wait."""
        await trio.sleep_forever()


def steward(registry: Registry) -> Steward:
    """Return the steward itself."""
    actor = registry.get("steward").actor
    assert isinstance(actor, Steward)
    return actor


async def test_a_restart_is_told_when_the_next_life_begins() -> None:
    async with hosted(Steward) as host, attached(host) as client:
        registry = host.registry
        registry.get_or_create(Steward)
        await client.send(ActionRequest(id=1, actor="steward", name="hold"))
        await until(lambda: registry.get("steward").status == "running")
        await client.send(ActorRestart(id=2, actor="steward"))
        assert name_of(await client.answer(1, Error)) == "actor.stopped"
        # It is no action: nobody can cancel it.
        cancelled = await client.ask(ActionCancel(id=3, action=2), ActionCancelResponse)
        assert cancelled.cancelled is False
        listed = await client.ask(ActorsRequest(id=4, prefix="steward"), ActorsResponse)
        assert [(row.status, row.generation) for row in listed.actors] == [("restarting", 1)]
        steward(registry).gate.set()
        assert (await client.answer(2, ActorRestartResponse)).generation == 2


async def test_a_client_that_goes_stops_no_restart() -> None:
    async with hosted(Steward) as host:
        registry = host.registry
        await registry.restart(registry.get_or_create(Steward))
        cell = registry.get("steward")
        await until(lambda: cell.status == "idle")
        async with attached(host) as client:
            await client.send(ActorRestart(id=1, actor="steward"))
            await until(lambda: cell.status == "restarting")
        steward(registry).gate.set()
        await until(lambda: (cell.status, cell.generation) == ("idle", 2))


async def test_a_restart_that_a_shutdown_overtakes_and_one_that_comes_later() -> None:
    async with hosted(Steward) as host, attached(host) as client:
        registry = host.registry
        await registry.restart(registry.get_or_create(Steward))
        await until(lambda: registry.get("steward").status == "idle")
        await client.send(ActorRestart(id=1, actor="steward"))
        await until(lambda: registry.get("steward").status == "restarting")
        host.shutdown()
        assert name_of(await client.refused(ActorRestart(id=2, actor="steward"))) == "registry.shut_down"
        assert name_of(await client.answer(1, Error)) == "registry.shut_down"
