"""Edits of a state over real sockets, in both dialects."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from websockets.typing import Subprotocol

from inspector import Actor, Host, action, restart
from inspector.actors.edits import EDIT
from protocol.dialects import DIALECTS
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorRestart,
    ActorRestartResponse,
    Cause,
    Error,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    PatchOp,
    PatchStateRequest,
    PatchStateResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tests.inspector.service.support import Client, attached, hosted, lines_of, name_of, until

__all__ = ()

pytestmark = pytest.mark.trio
in_every_dialect = pytest.mark.parametrize("subprotocol", DIALECTS)
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@dataclasses.dataclass
class DeskState:
    """What JSON has no word for, and a constructor of its own."""

    count: int = 0
    numbers: dict[int, str] = dataclasses.field(default_factory=lambda: {1: "one", 2: "two"})
    at: datetime.datetime = NOON
    data: bytes = b"\x00"
    tags: set[str] = dataclasses.field(default_factory=set)
    ratio: float = 0.5
    odd: Any = None

    def __post_init__(self) -> None:
        if self.count == 13:
            raise LookupError("no desk has this number")
        if self.count == 14:
            self.odd = object()


class Desk(Actor[DeskState]):
    """Has a state that is edited, and holds its turn until it is let go."""

    supervision = restart(first=3600, longest=3600)

    def __init__(self) -> None:
        self.gate = trio.Event()

    @action
    def count(self, amount: int = 1) -> int:
        """Add to the count."""
        self.state.count += amount
        return self.state.count

    @action
    async def hold(self) -> int:
        """Keep the turn, and return the count as it is in the end."""
        await self.gate.wait()
        return self.state.count

    @action(concurrent=True)
    def let_go(self) -> None:
        """Let the turn go."""
        self.gate.set()

    @action
    def make_odd(self) -> None:
        """Put into the state what has no form on the wire."""
        self.state.odd = object()

    @action(concurrent=True)
    def crash(self) -> None:
        """End this life."""
        self.spawn(self._crash)

    async def _crash(self) -> None:
        raise RuntimeError("crashed as asked")


@asynccontextmanager
async def editing(subprotocol: str, **options: Any) -> AsyncIterator[tuple[Host, Client]]:
    """Serve a desk, and connect to it."""
    async with hosted(Desk, **options) as host:
        host.registry.get_or_create(Desk, "d")
        async with attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
            yield host, client


def state_of(host: Host) -> DeskState:
    """Return the desk's state as it is in the host."""
    actor = host.registry.get("desk/d").actor
    assert isinstance(actor, Desk)
    return actor.state


def whole(rid: int, state: Any, **fields: Any) -> PatchStateRequest:
    """Make an edit of the desk as a whole."""
    return PatchStateRequest(id=rid, actor="desk/d", state=state, **fields)


def patch(rid: int, *operations: PatchOp, **fields: Any) -> PatchStateRequest:
    """Make an edit of the desk by operations."""
    return PatchStateRequest(id=rid, actor="desk/d", patch=list(operations), **fields)


async def version_of(client: Client, rid: int) -> int:
    """Ask for the version that the box's state has."""
    response = await client.ask(StateRequest(id=rid, actor="box/a"), StateResponse)
    assert isinstance(response.version, int)
    return response.version


@in_every_dialect
async def test_a_whole_state_becomes_what_its_type_says(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, client):
        later = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
        value = {"count": 3, "numbers": {"7": "seven"}, "at": later, "data": b"\xff", "tags": ["b", "a"], "ratio": 2}
        assert (await client.ask(whole(1, value), PatchStateResponse)).version == 2
        state = state_of(host)
        assert state == DeskState(3, {7: "seven"}, later, b"\xff", {"a", "b"}, 2.0)
        assert type(state.ratio) is float
        # What is not told is as in a new state.
        assert (await client.ask(whole(2, {"at": "2026-01-01T13:00:00+01:00"}), PatchStateResponse)).version == 3
        assert state_of(host) == DeskState()


@in_every_dialect
async def test_a_patch_finds_keys_that_are_numbers_by_their_text(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, client):
        request = patch(
            1,
            PatchOp(op="replace", path="/numbers/1", value="ONE"),
            PatchOp(op="remove", path="/numbers/2"),
            PatchOp(op="add", path="/numbers/3", value="three"),
            PatchOp(op="test", path="/data", value=b"\x00"),
            PatchOp(op="replace", path="/data", value=b"\x01\x02"),
            PatchOp(op="add", path="/tags/-", value="new"),
            PatchOp(op="copy", from_="/ratio", path="/odd"),
        )
        assert (await client.ask(request, PatchStateResponse)).version == 2
        expected = DeskState(0, {1: "ONE", 3: "three"}, NOON, b"\x01\x02", {"new"}, 0.5, 0.5)
        assert state_of(host) == expected


@in_every_dialect
@pytest.mark.parametrize(
    ("operations", "index", "path"),
    [
        ([PatchOp(op="replace", path="/count", value=9), PatchOp(op="remove", path="/none")], 1, "/none"),
        ([PatchOp(op="test", path="/count", value=1)], 0, "/count"),
        ([PatchOp(op="add", path="count", value=1)], 0, "count"),
        ([PatchOp(op="replace", path="/count", value="many")], None, None),
        ([PatchOp(op="remove", path="/numbers/1"), PatchOp(op="add", path="/numbers/x", value="")], None, None),
        ([PatchOp(op="replace", path="", value=None)], None, None),
    ],
    ids=repr,
)
async def test_what_does_not_fit_changes_nothing(
    subprotocol: str, operations: list[PatchOp], index: int | None, path: str | None
) -> None:
    async with editing(subprotocol) as (host, client):
        before = state_of(host)
        error = await client.refused(patch(1, *operations))
        assert name_of(error) == "actor.invalid_patch"
        assert (error.metadata or {}) == ({} if index is None else {"index": index, "path": path})
        assert state_of(host) is before
        assert before == DeskState()
        # The reply is an error, but neither the actor nor its action has failed.
        row = host.registry.get("desk/d").info()
        assert (row.errors, row.restarts) == (0, 0)


async def test_a_constructor_that_raises_refuses_the_edit() -> None:
    async with editing("inspector.cbor.v1") as (host, client):
        error = await client.refused(patch(1, PatchOp(op="replace", path="/count", value=13)))
        assert name_of(error) == "actor.invalid_patch"
        assert "no desk has this number" in error.message
        assert host.registry.get("desk/d").info().restarts == 0
        assert state_of(host).count == 0


async def test_an_edit_whose_outcome_nobody_could_see_is_taken_back() -> None:
    async with editing("inspector.cbor.v1") as (host, client):
        before = state_of(host)
        error = await client.refused(patch(1, PatchOp(op="replace", path="/count", value=14)))
        assert name_of(error) == "actor.unserializable"
        assert state_of(host) is before


async def test_a_state_that_nobody_can_see_is_not_edited() -> None:
    async with editing("inspector.cbor.v1") as (host, client):
        await client.call(1, "make_odd", actor="desk/d")
        assert name_of(await client.refused(whole(2, {}))) == "actor.unserializable"
        assert state_of(host).odd is not None


@in_every_dialect
async def test_who_has_no_state_has_nothing_to_edit(subprotocol: str) -> None:
    async with editing(subprotocol) as (_, client):
        error = await client.refused(PatchStateRequest(id=1, actor="worker/w", state={}))
        assert (name_of(error), error.metadata) == ("actor.state_disabled", {"actor": "worker/w"})
        error = await client.refused(PatchStateRequest(id=2, actor="desk/none", state={}))
        assert name_of(error) == "actor.not_found"


@in_every_dialect
async def test_the_second_of_two_editors_is_told(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, one), attached(host) as other:
        version = await version_of(one, 1)
        assert await version_of(other, 1) == version
        first = PatchStateRequest(id=2, actor="box/a", state={"count": 1}, version=version)
        assert (await one.ask(first, PatchStateResponse)).version == version + 1
        second = PatchStateRequest(id=2, actor="box/a", state={"text": "x"}, version=version)
        error = await other.refused(second)
        assert (name_of(error), error.metadata) == ("actor.state_conflict", {"version": version + 1})
        state = await other.ask(StateRequest(id=3, actor="box/a"), StateResponse)
        assert (state.state["count"], state.state["text"]) == (1, "")
        # Whoever leaves the version out wants to win.
        last = PatchStateRequest(id=4, actor="box/a", state={"text": "x"})
        assert (await other.ask(last, PatchStateResponse)).version == version + 2


@in_every_dialect
async def test_an_edit_waits_for_its_turn(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, client):
        await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
        await client.send(patch(2, PatchOp(op="replace", path="/count", value=5)))
        await client.send(ActionRequest(id=3, actor="desk/d", name="count"))
        await until(lambda: host.registry.get("desk/d").info().mailbox == 2)
        assert state_of(host).count == 0
        await client.call(4, "let_go", actor="desk/d")
        # Nothing of it was seen by the action that had the turn.
        assert (await client.answer(1, ActionResponse)).output == 0
        assert (await client.answer(2, PatchStateResponse)).version == 2
        assert (await client.answer(3, ActionResponse)).output == 6


@in_every_dialect
async def test_an_edit_that_waits_can_be_cancelled(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, client):
        await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
        await client.send(whole(2, {"count": 5}))
        assert (await client.ask(ActionCancel(id=3, action=2), ActionCancelResponse)).cancelled is True
        assert name_of(await client.answer(2, Error)) == "actor.action_cancelled"
        await client.call(4, "let_go", actor="desk/d")
        assert (await client.answer(1, ActionResponse)).output == 0
        assert (await client.ask(ActionCancel(id=5, action=2), ActionCancelResponse)).cancelled is False
        assert state_of(host).count == 0


async def test_an_edit_that_waits_too_long_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EDIT, "timeout", 0.01)
    async with editing("inspector.cbor.v1") as (host, client):
        await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
        error = await client.refused(whole(2, {"count": 5}))
        assert (name_of(error), error.metadata) == ("actor.action_timed_out", {"timeout_ms": 10})
        await client.call(3, "let_go", actor="desk/d")
        assert (await client.answer(1, ActionResponse)).output == 0
        assert state_of(host).count == 0


@in_every_dialect
async def test_what_an_edit_changed_is_told_with_its_cause(subprotocol: str) -> None:
    async with editing(subprotocol) as (_, client):
        await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        logs = LogsSubscribe(id=2, filter="info", actor="box/a")
        await client.ask(logs, LogsSubscribeResponse)
        edit = PatchStateRequest(id=3, actor="box/a", patch=[PatchOp(op="replace", path="/count", value=5)])
        version = (await client.ask(edit, PatchStateResponse)).version
        found: dict[type[Any], Any] = {}
        while len(found) < 2:
            push = client.pushes.popleft() if client.pushes else await client.receive()
            found[type(push)] = push
        update = found[StateUpdated]
        assert (update.version, update.state["count"]) == (version, 5)
        assert isinstance(update.cause, Cause)
        assert not update.cause.action
        (line,) = [line for line in lines_of(found[LogBatch]) if line["fields"]["message"] == "state edited"]
        assert line["fields"]["version"] == version
        assert (line["trace_id"], line["span_id"]) == (update.cause.trace_id, update.cause.span_id)
        # An edit that changes nothing is no news: the next update is of the action behind it.
        again = PatchStateRequest(id=4, actor="box/a", patch=[])
        assert (await client.ask(again, PatchStateResponse)).version == version
        await client.call(5, "add")
        later: Message | None = None
        while not isinstance(later, StateUpdated):
            later = client.pushes.popleft() if client.pushes else await client.receive()
        assert later.version == version + 1
        assert isinstance(later.cause, Cause)
        assert later.cause.action == "add"


@in_every_dialect
async def test_an_edit_between_two_lives_is_made_in_the_next(subprotocol: str) -> None:
    async with editing(subprotocol) as (host, client):
        cell = host.registry.get("desk/d")
        await client.call(1, "count", 7, actor="desk/d")
        await client.call(2, "crash", actor="desk/d")
        await until(lambda: cell.status == "restarting")
        await client.send(
            patch(3, PatchOp(op="test", path="/count", value=0), PatchOp(op="add", path="/count", value=1))
        )
        await until(lambda: cell.info().mailbox == 1)
        assert (await client.ask(ActorRestart(id=4, actor="desk/d"), ActorRestartResponse)).generation == 2
        await client.answer(3, PatchStateResponse)
        assert state_of(host).count == 1


async def test_who_has_stopped_is_not_edited() -> None:
    async with editing("inspector.cbor.v1") as (host, client), trio.open_nursery() as nursery:
        await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
        await client.send(whole(2, {"count": 5}))
        await until(lambda: host.registry.get("desk/d").info().mailbox == 1)
        nursery.start_soon(host.registry.stop, "desk/d")
        assert name_of(await client.answer(2, Error)) == "actor.stopped"
        # Its last turn is still under way.
        assert name_of(await client.refused(whole(3, {"count": 5}))) == "actor.stopped"
        cell = host.registry.get("desk/d")
        assert isinstance(cell.actor, Desk)
        cell.actor.gate.set()
        assert (await client.answer(1, ActionResponse)).output == 0


async def test_nothing_is_edited_while_the_host_drains() -> None:
    async with editing("inspector.cbor.v1", drain_timeout=20) as (host, client):
        await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
        await until(lambda: host.registry.get("desk/d").running)
        host.registry.lifecycle.apply("shutdown")
        await until(lambda: host.registry.state == "draining")
        assert name_of(await client.refused(whole(2, {"count": 5}))) == "registry.shut_down"
        cell = host.registry.get("desk/d")
        assert isinstance(cell.actor, Desk)
        cell.actor.gate.set()
        assert (await client.answer(1, ActionResponse)).output == 0


async def test_an_edit_outlives_the_connection_that_asked_for_it() -> None:
    async with editing("inspector.cbor.v1") as (host, client):
        async with attached(host) as other:
            await client.send(ActionRequest(id=1, actor="desk/d", name="hold"))
            await until(lambda: host.registry.get("desk/d").running)
            await other.send(whole(1, {"count": 5}))
            await until(lambda: host.registry.get("desk/d").info().mailbox == 1)
        await client.call(2, "let_go", actor="desk/d")
        assert (await client.answer(1, ActionResponse)).output == 0
        assert await client.call(3, "count", actor="desk/d") == 6
