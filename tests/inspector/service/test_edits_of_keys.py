"""Edits of states whose keys are no text: a patch finds them by their JSON text, and what can't be said is refused."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from websockets.typing import Subprotocol

from inspector import Actor, Host
from protocol.dialects import DIALECTS
from protocol.messages import (
    PatchOp,
    PatchStateRequest,
    PatchStateResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tests.inspector.service.support import attached, hosted, name_of

__all__ = ()

pytestmark = pytest.mark.trio
in_every_dialect = pytest.mark.parametrize("subprotocol", DIALECTS)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


class Mixed(Actor[dict[Any, int]]):
    """Has keys of every kind that a host can send."""

    def __init__(self) -> None:
        self.state = {"true": 0, 7: 1, None: 2, 1.5: 3, b"\xff/": 4, NOON: 5, (1, "a/"): 6}


class Flags(Actor[dict[bool, int]]):
    """Has keys that no text can be turned into."""

    def __init__(self) -> None:
        self.state = {True: 1, False: 0}


class Scores(Actor[dict[float, int]]):
    """Has keys that are numbers."""

    def __init__(self) -> None:
        self.state = {0.5: 1}


KINDS: tuple[type[Actor[Any]], ...] = (Mixed, Flags, Scores)


def serve(host: Host) -> None:
    for kind in KINDS:
        host.registry.get_or_create(kind)


def state_of(host: Host, address: str) -> Any:
    actor = host.registry.get(address).actor
    assert actor is not None
    return actor.state


def replace(path: str, value: int) -> PatchOp:
    return PatchOp(op="replace", path=path, value=value)


@in_every_dialect
async def test_a_patch_finds_a_key_of_any_kind_by_its_json_text(subprotocol: str) -> None:
    async with hosted(*KINDS) as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        serve(host)
        operations = [
            replace("/true", 10),
            replace("/7", 11),
            replace("/null", 12),
            PatchOp(op="remove", path="/1.5"),
            replace('/{"$bytes":"~1y8="}', 14),
            replace('/"2026-01-01T12:00:00Z"', 15),
            PatchOp(op="move", from_='/[1,"a~1"]', path="/moved"),
        ]
        request = PatchStateRequest(id=1, actor="mixed", patch=operations)
        assert (await client.ask(request, PatchStateResponse)).version == 2
        assert state_of(host, "mixed") == {"true": 10, 7: 11, None: 12, b"\xff/": 14, NOON: 15, "moved": 6}
        request = PatchStateRequest(id=2, actor="flags", patch=[replace("/true", 5), replace("/false", 6)])
        await client.ask(request, PatchStateResponse)
        assert state_of(host, "flags") == {True: 5, False: 6}
        # Its name in Python is not its name.
        error = await client.refused(PatchStateRequest(id=3, actor="flags", patch=[replace("/True", 7)]))
        assert name_of(error) == "actor.invalid_patch"
        assert state_of(host, "flags") == {True: 5, False: 6}


@in_every_dialect
async def test_a_whole_state_has_keys_of_text_which_the_type_reads_or_refuses(subprotocol: str) -> None:
    async with hosted(*KINDS) as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        serve(host)
        await client.ask(PatchStateRequest(id=1, actor="scores", state={"2.5": 1, "1": 2}), PatchStateResponse)
        assert state_of(host, "scores") == {2.5: 1, 1.0: 2}
        error = await client.refused(PatchStateRequest(id=2, actor="flags", state={"true": 1}))
        assert name_of(error) == "actor.invalid_patch"
        assert "Expected `bool`, got `str`" in error.message
        assert state_of(host, "flags") == {True: 1, False: 0}


async def test_such_a_state_is_seen_in_one_dialect_and_refused_by_name_in_the_other() -> None:
    async with hosted(*KINDS) as host:
        serve(host)
        async with attached(host) as client:
            response = await client.ask(StateRequest(id=1, actor="mixed", subscribe=True), StateResponse)
            assert response.state == state_of(host, "mixed")
            await client.ask(PatchStateRequest(id=2, actor="mixed", patch=[replace("/null", 9)]), PatchStateResponse)
            assert (await client.pushed(StateUpdated)).state == state_of(host, "mixed")
        async with attached(host, subprotocols=[Subprotocol("inspector.json.v1")]) as client:
            for rid, (actor, kind) in enumerate([("mixed", "int"), ("flags", "bool"), ("scores", "float")]):
                for subscribe in (False, True):
                    request = StateRequest(id=rid, actor=actor, subscribe=subscribe)
                    error = await client.refused(request)
                    assert (name_of(error), error.metadata) == ("actor.unserializable", {"type": kind})
