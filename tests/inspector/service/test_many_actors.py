"""Hosts of very many actors: paging, and a list of rows that change faster than anyone reads."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import trio
import trio.testing

from inspector.actors.actor import Actor
from inspector.registry import Registry
from inspector.service.pusher import PUSH_INTERVAL, Pusher
from inspector.service.subscriptions import ROWS, ActorsSubscription
from protocol.dialects import Frame
from protocol.dialects.cbor import CBOR
from protocol.errors import InspectorError
from protocol.messages import ActorsRequest, ActorsResponse, ActorsUpdated
from protocol.server import ServerSession
from tests.inspector.service.support import Box, Worker, attached, hosted

MANY = 6 * ROWS


class Leaf(Actor[None]):
    """Nothing."""


def forest() -> Registry:
    registry = Registry([Leaf, Box, Worker])
    for number in range(MANY):
        registry.get_or_create(Leaf, f"{number:06}")
    return registry


def test_each_busy_actor_has_its_turn() -> None:
    registry = forest()
    woken: list[bool] = []
    subscription = ActorsSubscription(1, registry, "leaf/", lambda: woken.append(True))
    cells = registry.page("", "", MANY)[0]
    told: Counter[str] = Counter()
    for _ in range(MANY // ROWS * 3):
        # All of them move between any two rounds.
        for cell in cells:
            cell.touch()
        push = subscription.collect()
        assert push is not None
        assert len(push.changed) == ROWS
        told.update(row.actor for row in push.changed)
    assert set(told) == {cell.address for cell in cells}
    # Three times each, give or take the round that the set's own order is not quite through with.
    assert set(told.values()) <= {2, 3, 4}
    # A turn of somebody whom the next round tells of anyway does not wake anyone.
    assert len(woken) == 1
    subscription.close(cut=False)
    cells[0].touch()
    assert len(woken) == 1


@pytest.mark.trio
async def test_a_round_of_pushes_is_bounded_however_many_actors_move() -> None:
    async with hosted(registry=forest()) as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True, limit=1), ActorsResponse)
        cells = host.registry.page("leaf/", "", MANY)[0]
        for cell in cells:
            cell.touch()
        seen: set[str] = set()
        for _ in range(MANY // ROWS):
            push = await client.pushed(ActorsUpdated)
            assert len(push.changed) <= ROWS
            seen |= {row.actor for row in push.changed}
        assert len(seen) == MANY


@pytest.mark.trio
async def test_making_actors_while_somebody_pages() -> None:
    registry = Registry([Leaf, Box, Worker])
    async with hosted(registry=registry) as host, attached(host) as client:
        walked: list[str] = []
        cursor, number, request = "leaf/", 0, 0
        while True:
            # Behind the page and before it: whoever pages sees each once, in order, and misses none that was there.
            for _ in range(40):
                if number < 2000:
                    registry.get_or_create(Leaf, f"{number * 7919 % 2000:04}")
                    number += 1
            request += 1
            page = await client.ask(ActorsRequest(id=request, cursor=cursor, limit=50), ActorsResponse)
            walked += [row.actor for row in page.actors]
            if not isinstance(page.cursor, str):
                break
            cursor = page.cursor
        assert walked == sorted(set(walked))
        request += 1
        whole = await client.ask(ActorsRequest(id=request, prefix="leaf/0000"), ActorsResponse)
        assert [row.actor for row in whole.actors] == ["leaf/0000"]


@pytest.mark.trio
async def test_what_waits_goes_out_in_the_next_rounds(autojump_clock: trio.testing.MockClock) -> None:
    registry = forest()
    rounds: list[tuple[float, int]] = []

    def transmit(frame: Frame) -> None:
        push = CBOR.decode_to_client(frame)
        assert isinstance(push, ActorsUpdated)
        rounds.append((trio.current_time(), len(push.changed)))

    def bug(message: str, exc: Exception, about: object) -> InspectorError:
        raise exc

    async with trio.open_nursery() as nursery:
        session = ServerSession(CBOR, max_frame=2**20)
        pusher = Pusher(session, nursery, lambda: True, transmit, bug, lambda: None)
        pusher.open(1, ActorsSubscription(1, registry, "", pusher.wake))
        for cell in registry.page("", "", MANY)[0]:
            cell.touch()
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert [count for _, count in rounds] == [ROWS] * (MANY // ROWS)
    times = [at for at, _ in rounds]
    assert [later - sooner for sooner, later in pairwise(times)] == pytest.approx([PUSH_INTERVAL] * (len(times) - 1))
