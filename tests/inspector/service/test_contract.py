"""All that the suite's clients send and get is held against docs/protocol.cddl, and what does not fit is caught."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from inspector.service.connection import Connection
from protocol.dialects import CBOR, DIALECTS, JSON, Frame
from protocol.messages import (
    ActorsRequest,
    ActorsResponse,
    ConnectionsRequest,
    ConnectionsResponse,
    Error,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    Response,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.script import SPELLINGS
from tests.contract import AVAILABLE, MISSING, Conversation
from tests.inspector.service.peer import raw
from tests.inspector.service.support import attached, hosted

__all__ = ()

pytestmark = pytest.mark.skipif(not AVAILABLE, reason=MISSING)
in_every_dialect = pytest.mark.parametrize("subprotocol", DIALECTS)


class Novel(ConnectionsResponse, tag="ConnectionsResponse", kw_only=True):
    """A response with a field that the contract does not have. Clients ignore it."""

    novelty: int = 1


class Talkative(Connection):
    """A host's side that says more than the contract has."""

    def _answer(self, response: Response) -> None:
        if isinstance(response, ConnectionsResponse):
            response = Novel(rid=response.rid, connections=response.connections)
        super()._answer(response)


class Lenient(Connection):
    """A host's side that takes what does not fit."""

    def _refuse_unasked(self, error: Error) -> None:
        assert error.rid is not None
        self._transmit(self._session.announce(UnsubscribeResponse(rid=error.rid)))


@in_every_dialect
@pytest.mark.trio
async def test_a_host_that_says_what_no_client_minds_is_caught(
    monkeypatch: pytest.MonkeyPatch, subprotocol: str
) -> None:
    monkeypatch.setattr("inspector.service.service.Connection", Talkative)
    async with hosted() as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        await client.ask(ActorsRequest(id=1), ActorsResponse)
        with pytest.raises(AssertionError, match=r"does not fit docs/protocol\.cddl: ConnectionsResponse.*novelty"):
            await client.ask(ConnectionsRequest(id=2), ConnectionsResponse)


@pytest.mark.trio
async def test_so_it_is_for_a_peer_that_writes_each_byte_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.Connection", Talkative)
    async with hosted() as host, raw(host) as peer:
        await peer.open()
        await peer.send(peer.request(ConnectionsRequest(id=2)))
        with pytest.raises(AssertionError, match="novelty"):
            await peer.message()
        await peer.send(peer.pack(Opcode.CLOSE, b"\x03\xe8"))


@pytest.mark.trio
async def test_a_host_that_takes_what_does_not_fit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.Connection", Lenient)
    wrong = Unsubscribe(id=1, sub=-1)
    async with hosted() as host, attached(host) as client:
        with pytest.raises(AssertionError, match=r"answered .*UnsubscribeResponse.* to what does not fit"):
            await client.ask(wrong, UnsubscribeResponse)


@in_every_dialect
@pytest.mark.trio
async def test_log_lines_fit_in_either_shape(subprotocol: str) -> None:
    async with hosted() as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        await client.ask(LogsSubscribe(id=1, filter="debug", backlog=2), LogsSubscribeResponse)
        assert (await client.pushed(LogBatch)).lines


# ---- what is a fault, and whose ----


def spelt(subprotocol: str, **message: Any) -> Frame:
    return SPELLINGS[subprotocol].encode(message)


@in_every_dialect
def test_a_key_that_only_a_newer_version_knows_may_be_sent_and_not_got(subprotocol: str) -> None:
    talk = Conversation(subprotocol)
    talk.sent(spelt(subprotocol, type="ConnectionsRequest", id=1, novelty={"a": [1]}))
    talk.got(spelt(subprotocol, type="ConnectionsResponse", rid=1, connections=[]))
    talk.end()
    with pytest.raises(AssertionError, match="novelty"):
        talk.got(spelt(subprotocol, type="ConnectionsResponse", rid=1, connections=[], novelty=1))


@in_every_dialect
@pytest.mark.parametrize(
    ("rid", "fields"),
    [
        (7, {"type": "ActorRestart", "id": 7}),
        (7, {"type": "ActorRestart", "id": 7, "actor": 1}),
        (7, {"type": "ConnectionsResponse", "id": 7}),
        (7, {"id": 7}),
        (None, {"type": "ConnectionsRequest"}),
        (None, {"type": "ConnectionsRequest", "id": -1}),
        (None, {"type": "ConnectionsRequest", "id": 1, "x": "\ud800"}),
    ],
    ids=range(7),
)
def test_what_does_not_fit_must_be_answered_as_a_mistake(
    subprotocol: str, rid: int | None, fields: dict[str, Any]
) -> None:
    frame: Frame = b"\xff" if "x" in fields else spelt(subprotocol, **fields)
    error = {"type": "Error", "rid": rid, "group": "inspector", "code": "bad_message", "message": ""}
    talk = Conversation(subprotocol)
    talk.sent(frame)
    with pytest.raises(AssertionError, match="nothing was said"):
        talk.end()
    with pytest.raises(AssertionError, match="to what does not fit"):
        talk.got(spelt(subprotocol, **{**error, "code": "internal_error"}))
    talk.got(spelt(subprotocol, **error))
    talk.end()


@in_every_dialect
def test_a_mistake_has_an_answer_of_its_own_whatever_else_has_its_id(subprotocol: str) -> None:
    talk = Conversation(subprotocol)
    talk.sent(spelt(subprotocol, type="ActorRestart", id=1, actor="a"))
    talk.sent(spelt(subprotocol, type="ActorRestart", id=1))
    talk.got(spelt(subprotocol, type="ActorRestartResponse", rid=1, generation=2))
    with pytest.raises(AssertionError, match="to what does not fit"):
        talk.got(spelt(subprotocol, type="ActorRestartResponse", rid=1, generation=3))


@in_every_dialect
@pytest.mark.parametrize(
    "message",
    [
        {"type": "Error", "rid": 1, "group": "g", "code": "c"},
        {"type": "LogBatch", "sub": 1, "first_seq": 1, "next_seq": 2, "dropped": 0},
        {"type": "LogBatch", "sub": 1, "first_seq": 1, "next_seq": 2, "dropped": 0, "lines": "{}"},
        {"type": "ActionResponse", "rid": 1, "output": 0, "trace_id": "0" * 31, "span_id": "0" * 16, "duration_ns": 1},
        {"type": "ConnectionsRequest", "id": 1},
        {"type": "Novelty"},
        {"rid": 1},
    ],
    ids=repr,
)
def test_what_no_host_may_say(subprotocol: str, message: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="does not fit"):
        Conversation(subprotocol).got(SPELLINGS[subprotocol].encode(message))


def test_a_frame_of_the_other_kind_is_a_fault() -> None:
    answer = spelt(CBOR.subprotocol, type="UnsubscribeResponse", rid=1)
    with pytest.raises(AssertionError, match="of the other kind"):
        Conversation(JSON.subprotocol).got(answer)
    with pytest.raises(AssertionError, match="of the other kind"):
        Conversation(CBOR.subprotocol).got("{}")
    Conversation(CBOR.subprotocol).got(answer)
