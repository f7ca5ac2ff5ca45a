"""Each message's round trip, and each typed refusal."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from inspector import Actor, Registry
from inspector.service import requests
from inspector.service.connection import MAX_FRAME
from protocol.addresses import encode_address
from protocol.messages import (
    TO_HOST,
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Error,
    Failure,
    StateRequest,
    StateResponse,
    StateUpdated,
    Unsubscribe,
    UnsubscribeResponse,
)
from tests.inspector.service.support import Box, BoxState, Worker, attached, hosted, name_of, until

__all__ = ()

pytestmark = pytest.mark.trio


class Plain(Actor[None]):
    """Without state."""


class Clock(Actor[BoxState]):
    """Changes its state in a task of its own."""

    tick: trio.Event

    def __init__(self) -> None:
        self.tick = trio.Event()

    async def run(self) -> None:
        """Count each time that it is told to."""
        while True:
            await self.tick.wait()
            self.tick = trio.Event()
            self.state.count += 1


def clock(registry: Registry) -> Clock:
    """Return the clock itself."""
    actor = registry.get("clock").actor
    assert isinstance(actor, Clock)
    return actor


# ---- Init ----


async def test_init_comes_first_and_says_who_it_is() -> None:
    async with hosted() as host, attached(host) as client:
        init, log = client.init, host.registry.log
        assert init.host.id == log.host_id
        assert init.host.name == "test"
        assert init.limits.max_frame == MAX_FRAME
        assert init.limits.max_batch == 256 * 1024
        assert init.log.first_seq == 1 < init.log.next_seq <= log.next_seq
        features = [
            "actors",
            "supervision",
            "state",
            "edits",
            "connections",
            "actions",
            "logs",
            "spans",
            "traces",
            "filter",
            "tasks",
        ]
        assert init.features == features


# ---- actors ----


async def test_actors_by_pages() -> None:
    registry = Registry([Box, Worker])
    keys = ["", "~", "a/b", "a b", "é", "ß/ü", "z", "%2F", "日本"]
    for key in keys:
        registry.get_or_create(Box, key)
    expected = sorted({encode_address("box", [key]) for key in [*keys, "a"]} | {"worker/w"})
    async with hosted(registry=registry) as host, attached(host) as client:
        found: list[str] = []
        cursor: Any = None
        for rid in range(1, 100):
            request = ActorsRequest(id=rid, limit=3)
            if cursor:
                request.cursor = cursor
            answer = await client.ask(request, ActorsResponse)
            assert answer.total == len(expected)
            found += [row.actor for row in answer.actors]
            cursor = answer.cursor
            if not cursor:
                break
            assert len(answer.actors) == 3
        assert found == expected
        whole = await client.ask(ActorsRequest(id=100), ActorsResponse)
        assert not whole.cursor
        assert {tuple(row.key) for row in whole.actors if row.name == "box"} == {(key,) for key in [*keys, "a"]}


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("box/", ["a", "é", "éa", "a/b"]),
        ("box/é", ["é", "éa"]),
        ("box/%C3%A9", ["é", "éa"]),
        ("box/a%2", ["a/b"]),
        ("x", []),
    ],
)
async def test_prefix_as_people_type_it(prefix: str, keys: list[str]) -> None:
    registry = Registry([Box, Worker])
    for key in ("é", "éa", "a/b"):
        registry.get_or_create(Box, key)
    async with hosted(registry=registry) as host, attached(host) as client:
        answer = await client.ask(ActorsRequest(id=1, prefix=prefix, limit=0), ActorsResponse)
        assert answer.total == len(keys)
        assert len(answer.actors) == min(1, len(keys))
        answer = await client.ask(ActorsRequest(id=2, prefix=prefix), ActorsResponse)
        assert sorted(row.key[0] for row in answer.actors) == sorted(keys)
        gone = await client.ask(ActorsRequest(id=3, prefix=prefix, cursor="zzz"), ActorsResponse)
        assert (gone.actors, gone.total) == ([], len(keys))


async def test_a_page_fits_into_a_frame() -> None:
    registry = Registry([Box, Worker])
    for number in range(600):
        cell = registry.get(registry.get_or_create(Box, f"{number:04}").address)
        cell.failure = Failure(type="X", message="é" * 1000, at=1)
    async with hosted(registry=registry) as host, attached(host) as client:
        first = await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        assert first.total == 602
        assert 100 < len(first.actors) < 600
        second = await client.ask(ActorsRequest(id=2, cursor=first.cursor), ActorsResponse)
        third = await client.ask(ActorsRequest(id=3, cursor=second.cursor), ActorsResponse)
        assert not third.cursor
        assert len(first.actors) + len(second.actors) + len(third.actors) == 602
        for number in range(600):
            registry.get(f"box/{number:04}").touch()
        seen: list[str] = []
        while len(seen) < 600:
            seen += [row.actor for row in (await client.pushed(ActorsUpdated)).changed if row.failure]
        assert len(set(seen)) == len(seen) == 600


async def test_actors_updated_with_what_changed_and_what_is_gone() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True, prefix="box/"), ActorsResponse)
        host.registry.get_or_create(Worker, "unseen")
        host.registry.get_or_create(Box, "new")
        update = await client.pushed(ActorsUpdated)
        assert (update.sub, [row.actor for row in update.changed], update.removed) == (1, ["box/new"], [])
        await client.call(2, "add", actor="box/new")
        await client.refused(ActionRequest(id=3, actor="box/new", name="fail"))
        while not update.changed or update.changed[0].actions < 2:
            update = await client.pushed(ActorsUpdated)
        row = update.changed[0]
        assert (row.actor, row.actions, row.errors, row.status, row.running) == ("box/new", 2, 1, "idle", 0)
        await host.registry.stop("box/new")
        while not update.removed:
            update = await client.pushed(ActorsUpdated)
        assert (update.changed, update.removed) == ([], ["box/new"])


async def test_an_actor_made_again_in_one_interval_is_not_removed() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        await host.registry.stop("box/a")
        host.registry.get_or_create(Box, "a")
        update = await client.pushed(ActorsUpdated)
        assert ([row.actor for row in update.changed], update.removed) == (["box/a"], [])


async def test_one_connection_watches_the_list_twice() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        await client.ask(ActorsRequest(id=2, subscribe=True), ActorsResponse)
        host.registry.get("box/a").touch()
        assert {(await client.pushed(ActorsUpdated)).sub for _ in range(2)} == {1, 2}
        await client.ask(Unsubscribe(id=3, sub=1), UnsubscribeResponse)
        host.registry.get("box/a").touch()
        assert (await client.pushed(ActorsUpdated)).sub == 2
    await until(lambda: not host.registry.watchers)


# ---- state ----


async def test_state_read_and_watched() -> None:
    async with hosted() as host, attached(host) as client:
        answer = await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        assert (answer.actor, answer.enabled, answer.version) == ("box/a", True, 1)
        assert answer.state == {"count": 0, "text": "", "odd": None}
        assert isinstance(answer.schema, dict)
        assert "BoxState" in str(answer.schema)
        action = await client.ask(ActionRequest(id=2, actor="box/a", name="add", args=[3]), ActionResponse)
        update = await client.pushed(StateUpdated)
        assert (update.sub, update.actor, update.version, update.state["count"]) == (1, "box/a", 2, 3)
        assert update.cause
        assert (update.cause.action, update.cause.span_id, update.cause.trace_id) == (
            "add",
            action.span_id,
            action.trace_id,
        )
        unwatched = await client.ask(StateRequest(id=3, actor="box/a"), StateResponse)
        assert unwatched.version == 2


async def test_state_changes_that_come_fast_are_told_once() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        for rid in range(2, 52):
            await client.send(ActionRequest(id=rid, actor="box/a", name="add"))
        updates = [await client.pushed(StateUpdated)]
        while updates[-1].state["count"] < 50:
            updates.append(await client.pushed(StateUpdated))
        versions = [update.version for update in updates]
        assert versions == list(range(2, 2 + len(versions)))
        counts = [update.state["count"] for update in updates]
        assert counts == sorted(counts)
        assert len(updates) < 50
        # An action that changes nothing is no news.
        await client.ask(ActionRequest(id=60, actor="box/a", name="add", args=[0]), ActionResponse)
        await client.call(61, "add", 1)
        assert (await client.pushed(StateUpdated)).version == versions[-1] + 1


async def test_a_task_of_the_actor_changes_its_state() -> None:
    registry = Registry([Box, Worker, Clock])
    registry.get_or_create(Clock)
    async with hosted(registry=registry) as host, attached(host) as client:
        # Another subscription sleeps already, and knows nothing of a state that has to be asked for.
        await client.ask(ActorsRequest(id=1, subscribe=True, prefix="nothing"), ActorsResponse)
        await client.ask(StateRequest(id=2, actor="clock", subscribe=True), StateResponse)
        clock(host.registry).tick.set()
        update = await client.pushed(StateUpdated)
        assert (update.sub, update.state["count"], update.cause or None) == (2, 1, None)


async def test_an_actor_without_state() -> None:
    registry = Registry([Box, Worker, Plain])
    registry.get_or_create(Plain)
    async with hosted(registry=registry) as host, attached(host) as client:
        answer = await client.ask(StateRequest(id=1, actor="plain", subscribe=True), StateResponse)
        assert (answer.enabled, bool(answer.version), bool(answer.schema)) == (False, False, False)


async def test_state_that_can_not_be_told() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "make_odd")
        assert name_of(await client.refused(StateRequest(id=2, actor="box/a"))) == "actor.unserializable"
        assert (
            name_of(await client.refused(StateRequest(id=3, actor="box/a", subscribe=True))) == "actor.unserializable"
        )
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.ask(StateRequest(id=3, actor="worker/w"), StateResponse)


async def test_state_that_is_too_large() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "write", 2 * MAX_FRAME)
        error = await client.refused(StateRequest(id=2, actor="box/a", subscribe=True))
        assert name_of(error) == "actor.result_too_large"
        assert error.metadata
        assert error.metadata["limit"] == MAX_FRAME
        assert name_of(await client.refused(Unsubscribe(id=3, sub=2))) == "inspector.unknown_subscription"
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.call(4, "write", 1)
        await client.ask(StateRequest(id=2, actor="box/a", subscribe=True), StateResponse)


@pytest.mark.parametrize(
    ("spoil", "argument", "code"),
    [("make_odd", (), "actor.unserializable"), ("write", (2 * MAX_FRAME,), "actor.result_too_large")],
)
async def test_a_watched_state_that_can_not_be_told_any_more(spoil: str, argument: tuple[int, ...], code: str) -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        await client.call(2, spoil, *argument)
        # An error with an open subscription's id ends it.
        assert name_of(await client.answer(1, Error)) == code
        assert name_of(await client.refused(Unsubscribe(id=3, sub=1))) == "inspector.unknown_subscription"
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.ask(ActorsRequest(id=1), ActorsResponse)


async def test_every_request_has_a_handler() -> None:
    assert set(requests.HANDLERS) == set(TO_HOST.values())
