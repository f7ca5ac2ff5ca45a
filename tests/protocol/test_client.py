"""A client's side of a connection: what it may send, and what it makes of every frame."""

from __future__ import annotations

from typing import Any

import cbor2
import msgspec
import pytest

from protocol.client import Answer, ClientSession, HostHello, Pushed, Refusal
from protocol.dialects import CBOR
from protocol.errors import BadMessage, InspectorError, LocalProtocolError, RemoteProtocolError
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Error,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    Request,
    StateRequest,
    StateResponse,
    StateUpdated,
    Unsubscribe,
    UnsubscribeResponse,
)
from tests.protocol.samples import INIT, TO_CLIENT_SAMPLES, TO_HOST_SAMPLES

ACTION = ActionRequest(id=1, actor="a", name="b")
RESULT = ActionResponse(rid=1, output=42, trace_id="t", span_id="s", duration_ns=1)
ROWS = ActorsResponse(rid=1, actors=[], total=0)
CHANGE = ActorsUpdated(sub=1, changed=[], removed=["a"])


def fresh() -> ClientSession:
    return ClientSession(CBOR)


def greeted() -> ClientSession:
    session = fresh()
    session.receive(CBOR.encode(INIT))
    return session


def watching(session: ClientSession) -> ActorsRequest:
    """Open subscription 1."""
    request = ActorsRequest(id=1, subscribe=True)
    session.send(request)
    assert session.receive(CBOR.encode(ROWS)) == Answer(request, ROWS)
    return request


def test_the_host_speaks_first() -> None:
    session = fresh()
    assert session.init is None
    assert session.receive(CBOR.encode(INIT)) == HostHello(INIT)
    assert session.init == INIT


@pytest.mark.parametrize("message", [sample for sample in TO_CLIENT_SAMPLES if sample != INIT], ids=repr)
def test_nothing_comes_before_init(message: Message) -> None:
    with pytest.raises(RemoteProtocolError, match="first message is not Init"):
        fresh().receive(CBOR.encode(message))


def test_not_even_what_a_newer_host_says_comes_before_init() -> None:
    with pytest.raises(RemoteProtocolError, match="first message is not Init"):
        fresh().receive(cbor2.dumps({"type": "Hello"}))


def test_init_comes_once() -> None:
    session = greeted()
    with pytest.raises(RemoteProtocolError, match="second Init"):
        session.receive(CBOR.encode(INIT))
    assert session.init == INIT


@pytest.mark.parametrize("frame", [b"", b"\xff", b"\xa0", "text", cbor2.dumps({"type": "Error", "rid": -1})], ids=repr)
@pytest.mark.parametrize("make", [fresh, greeted])
def test_a_frame_that_is_no_message_ends_it(make: Any, frame: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="what is no message") as caught:
        make().receive(frame)
    assert isinstance(caught.value.__cause__, BadMessage)


def test_what_a_newer_host_says_is_of_no_use() -> None:
    assert greeted().receive(cbor2.dumps({"type": "QueueUpdated", "sub": 1})) is None


def test_ids_count_up_past_those_that_the_caller_chose() -> None:
    session = greeted()
    assert [session.next_id(), session.next_id()] == [1, 2]
    session.send(ActorsRequest(id=10))
    session.send(ActorsRequest(id=5))
    assert session.next_id() == 11


@pytest.mark.parametrize("request_", TO_HOST_SAMPLES, ids=repr)
def test_what_is_sent_is_what_the_host_reads(request_: Request) -> None:
    assert CBOR.decode_to_host(greeted().send(request_)) == request_


def test_a_request_may_be_sent_before_init_has_come() -> None:
    session = fresh()
    session.send(ACTION)
    assert session.waiting == 1


def test_an_answer_comes_with_its_request_and_once() -> None:
    session = greeted()
    session.send(ACTION)
    assert session.waiting == 1
    assert session.receive(CBOR.encode(RESULT)) == Answer(ACTION, RESULT)
    assert session.waiting == 0
    assert session.receive(CBOR.encode(RESULT)) is None
    session.send(ACTION)


def test_an_id_in_use_is_not_sent() -> None:
    session = greeted()
    session.send(ACTION)
    with pytest.raises(LocalProtocolError, match="the id 1 is in use"):
        session.send(ActorsRequest(id=1))
    session.receive(CBOR.encode(RESULT))
    watching(session)
    with pytest.raises(LocalProtocolError, match="the id 1 is in use"):
        session.send(ActorsRequest(id=1))


def test_what_has_no_form_is_not_sent() -> None:
    session = greeted()
    with pytest.raises(InspectorError) as caught:
        session.send(ActionRequest(id=1, actor="a", name="b", args=[object()]))
    assert caught.value.name == "actor.unserializable"
    assert session.waiting == 0
    session.send(ACTION)


def test_what_the_host_would_close_the_connection_for_is_not_sent() -> None:
    session = fresh()
    session.receive(
        CBOR.encode(msgspec.structs.replace(INIT, limits=msgspec.structs.replace(INIT.limits, max_frame=100)))
    )
    room = 100 - len(CBOR.encode(ActionRequest(id=1, actor="a", name="b", args=["x" * 50]))) + 50
    with pytest.raises(BadMessage, match="101 bytes don't fit into a frame of at most 100") as caught:
        session.send(ActionRequest(id=1, actor="a", name="b", args=["x" * (room + 1)]))
    assert (caught.value.rid, caught.value.malformed) == (1, False)
    assert session.waiting == 0
    assert len(session.send(ActionRequest(id=1, actor="a", name="b", args=["x" * room]))) == 100


def test_a_refusal_comes_with_its_request() -> None:
    session = greeted()
    session.send(ACTION)
    event = session.receive(
        CBOR.encode(Error(rid=1, group="actor", code="failed", message="no card", metadata={"type": "ValueError"}))
    )
    assert isinstance(event, Refusal)
    assert event.request == ACTION
    assert str(event.error) == "actor.failed: no card"
    assert event.error.metadata == {"type": "ValueError"}
    assert session.waiting == 0
    assert session.receive(CBOR.encode(Error(rid=1, group="a", code="b", message=""))) is None


def test_an_error_without_id_is_told_too() -> None:
    session = greeted()
    session.send(ACTION)
    event = session.receive(CBOR.encode(Error(rid=None, group="inspector", code="bad_message", message="no map")))
    assert isinstance(event, Refusal)
    assert (event.request, event.error.name, event.error.metadata) == (None, "inspector.bad_message", {})
    assert session.waiting == 1


# ---- subscriptions ----


@pytest.mark.parametrize(
    ("request_", "response", "push"),
    [
        (ActorsRequest(id=1, subscribe=True), ROWS, CHANGE),
        (
            StateRequest(id=1, actor="a", subscribe=True),
            StateResponse(rid=1, actor="a", enabled=True, state=1, version=1),
            StateUpdated(sub=1, actor="a", version=2, state=2),
        ),
        (
            LogsSubscribe(id=1, filter=""),
            LogsSubscribeResponse(rid=1, next_seq=1, missed=0),
            LogBatch(sub=1, first_seq=1, next_seq=2, dropped=0, lines=b"{}"),
        ),
    ],
    ids=["actors", "state", "logs"],
)
def test_a_subscription_brings_pushes_from_the_response_to_the_end(request_: Any, response: Any, push: Any) -> None:
    session = greeted()
    session.send(request_)
    assert session.receive(CBOR.encode(push)) is None
    assert session.receive(CBOR.encode(response)) == Answer(request_, response)
    assert session.receive(CBOR.encode(push)) == Pushed(request_, push)
    end = Unsubscribe(id=2, sub=1)
    session.send(end)
    assert session.receive(CBOR.encode(push)) == Pushed(request_, push)
    assert session.receive(CBOR.encode(UnsubscribeResponse(rid=2))) == Answer(end, UnsubscribeResponse(rid=2))
    assert session.receive(CBOR.encode(push)) is None
    session.send(request_)


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (ActorsRequest(id=1), ROWS),
        (ActorsRequest(id=1, subscribe=False), ROWS),
        (StateRequest(id=1, actor="a"), StateResponse(rid=1, actor="a", enabled=False)),
        (ACTION, RESULT),
    ],
    ids=repr,
)
def test_a_request_that_does_not_subscribe_opens_nothing(request_: Request, response: Any) -> None:
    session = greeted()
    session.send(request_)
    session.receive(CBOR.encode(response))
    assert session.receive(CBOR.encode(CHANGE)) is None


def test_an_error_ends_a_subscription() -> None:
    session = greeted()
    request = watching(session)
    event = session.receive(CBOR.encode(Error(rid=1, group="actor", code="stopped", message="")))
    assert isinstance(event, Refusal)
    assert event.request == request
    assert session.receive(CBOR.encode(CHANGE)) is None
    session.send(ACTION)


def test_a_refused_subscription_was_never_open() -> None:
    session = greeted()
    session.send(ActorsRequest(id=1, subscribe=True))
    session.receive(CBOR.encode(Error(rid=1, group="registry", code="shut_down", message="")))
    assert session.receive(CBOR.encode(CHANGE)) is None


def test_a_refused_unsubscribe_leaves_the_subscription() -> None:
    session = greeted()
    request = watching(session)
    session.send(Unsubscribe(id=2, sub=1))
    session.receive(CBOR.encode(Error(rid=2, group="inspector", code="internal_error", message="")))
    assert session.receive(CBOR.encode(CHANGE)) == Pushed(request, CHANGE)


def test_unsubscribing_from_what_an_error_has_ended_meanwhile_does_no_harm() -> None:
    session = greeted()
    watching(session)
    end = Unsubscribe(id=2, sub=1)
    session.send(end)
    session.receive(CBOR.encode(Error(rid=1, group="actor", code="stopped", message="")))
    assert session.receive(CBOR.encode(UnsubscribeResponse(rid=2))) == Answer(end, UnsubscribeResponse(rid=2))


def test_an_answer_or_a_push_of_another_kind_ends_it() -> None:
    session = greeted()
    session.send(ACTION)
    with pytest.raises(RemoteProtocolError, match="the host sent ActorsResponse for ActionRequest"):
        session.receive(CBOR.encode(ROWS))
    session = greeted()
    watching(session)
    with pytest.raises(RemoteProtocolError, match="the host sent LogBatch for ActorsRequest"):
        session.receive(CBOR.encode(LogBatch(sub=1, first_seq=1, next_seq=1, dropped=0, lines=b"")))
