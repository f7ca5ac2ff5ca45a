"""The host's side of a connection: ids, subscriptions, malformed frames, and errors that always can be told."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from protocol.dialects import CBOR, Frame
from protocol.errors import BadMessage, InspectorError, LocalProtocolError
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Error,
    LogBatch,
    LogsSubscribe,
    Request,
    StateRequest,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.server import MAX_MALFORMED, MAX_SUBSCRIPTIONS, ServerSession, error_message
from tests.protocol.samples import INIT, wire

LIMIT = 1000


def session() -> ServerSession:
    return ServerSession(CBOR, max_frame=LIMIT)


def asked(session: ServerSession, request: Request) -> Request:
    received = session.receive(CBOR.encode(request))
    assert received == request
    assert isinstance(received, Request)
    return received


def read(frame: Frame) -> dict[str, Any]:
    assert isinstance(frame, bytes)
    decoded: dict[str, Any] = cbor2.loads(frame)
    return decoded


def result(rid: int, output: object) -> ActionResponse:
    return ActionResponse(rid=rid, output=output, trace_id="", span_id="", duration_ns=0)


def test_init_is_announced() -> None:
    assert read(session().announce(INIT)) == wire(INIT)


def test_a_request_waits_until_it_is_answered() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    asked(server, ActionRequest(id=6, actor="a", name="b"))
    assert server.waiting == 2
    assert read(server.answer(result(5, 42)))["output"] == 42
    assert server.waiting == 1
    frame = server.refuse(6, InspectorError("actor.not_found", "no actor a", {"actor": "a"}))
    assert read(frame) == {
        "type": "Error",
        "rid": 6,
        "group": "actor",
        "code": "not_found",
        "message": "no actor a",
        "metadata": {"actor": "a"},
    }
    assert server.waiting == 0


def test_a_request_is_answered_once() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    server.answer(result(5, 42))
    with pytest.raises(LocalProtocolError, match="no request 5 waits"):
        server.answer(result(5, 42))
    with pytest.raises(LocalProtocolError, match="no request 5 waits"):
        server.refuse(5, InspectorError("actor.stopped", ""))


@pytest.mark.parametrize(
    ("request_", "subscribes"),
    [
        (LogsSubscribe(id=0, filter="info"), True),
        (ActorsRequest(id=0, subscribe=True), True),
        (StateRequest(id=0, actor="a", subscribe=True), True),
        (StateRequest(id=0, actor="a", subscribe=False), False),
        (ActorsRequest(id=0), False),
        (ActionRequest(id=0, actor="a", name="b"), False),
    ],
)
def test_subscriptions_are_bounded_and_nothing_else_is(request_: Request, subscribes: bool) -> None:
    server = session()
    for rid in range(1, MAX_SUBSCRIPTIONS + 1):
        asked(server, ActorsRequest(id=rid, subscribe=True))
        server.open_subscription(rid)
        server.answer(ActorsResponse(rid=rid, actors=[], total=0))
    answer = server.receive(CBOR.encode(request_))
    if subscribes:
        assert isinstance(answer, Error)
        assert (answer.rid, answer.code, answer.metadata) == (0, "too_many_subscriptions", {"limit": 128})
        assert server.waiting == 0
        # One less, and there is room again.
        server.close_subscription(1)
        asked(server, request_)
    else:
        assert answer == request_


def test_an_id_in_use_is_refused_and_the_request_that_has_it_waits_on() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    error = server.receive(CBOR.encode(ActorsRequest(id=5)))
    assert isinstance(error, Error)
    assert (error.rid, error.group, error.code) == (5, "inspector", "id_in_use")
    assert "5" in error.message
    assert server.waiting == 1
    server.answer(result(5, None))
    asked(server, ActorsRequest(id=5))


def test_the_id_of_an_open_subscription_is_in_use() -> None:
    server = session()
    asked(server, ActorsRequest(id=5, subscribe=True))
    server.open_subscription(5)
    server.answer(ActorsResponse(rid=5, actors=[], total=0))
    error = server.receive(CBOR.encode(ActorsRequest(id=5)))
    assert isinstance(error, Error)
    assert error.code == "id_in_use"
    asked(server, Unsubscribe(id=6, sub=5))
    server.close_subscription(5)
    server.answer(UnsubscribeResponse(rid=6))
    asked(server, ActorsRequest(id=5))


def test_a_push_goes_to_an_open_subscription_alone() -> None:
    server = session()
    push = ActorsUpdated(sub=5, changed=[], removed=["a"])
    with pytest.raises(LocalProtocolError, match="subscription 5 is not open"):
        server.push(push)
    asked(server, ActorsRequest(id=5, subscribe=True))
    server.open_subscription(5)
    assert server.subscriptions == 1
    assert read(server.push(push)) == wire(push)
    server.close_subscription(5)
    assert server.subscriptions == 0
    with pytest.raises(LocalProtocolError):
        server.push(push)


def test_a_subscription_is_closed_once() -> None:
    server = session()
    server.open_subscription(5)
    server.close_subscription(5)
    with pytest.raises(InspectorError) as caught:
        server.close_subscription(5)
    assert caught.value.name == "inspector.unknown_subscription"
    assert "5" in caught.value.message


def test_a_refused_request_has_no_subscription() -> None:
    server = session()
    asked(server, ActorsRequest(id=5, subscribe=True))
    server.open_subscription(5)
    server.refuse(5, InspectorError("actor.result_too_large", ""))
    assert (server.waiting, server.subscriptions) == (0, 0)
    asked(server, ActorsRequest(id=5))


# ---- malformed frames ----

MALFORMED: list[Frame] = [
    b"",
    b"\xff",
    b"\xf6",
    b"\xa0",
    b"{}",
    "text",
    cbor2.dumps({"id": 1}),
    cbor2.dumps({"type": "x"}),
]
WELL_FORMED: list[dict[str, Any]] = [
    {"type": "ActionRequest", "id": 9, "actor": 1, "name": "b"},
    {"type": "NoSuchRequest", "id": 9},
    {"type": "ActionRequest", "id": 9, "actor": "a", "name": "b"},
]


@pytest.mark.parametrize("frame", MALFORMED, ids=repr)
def test_the_32nd_malformed_frame_in_a_row_ends_the_connection(frame: Frame) -> None:
    server = session()
    for number in range(1, MAX_MALFORMED + 1):
        error = server.receive(frame)
        assert isinstance(error, Error)
        assert (error.group, error.code) == ("inspector", "bad_message")
        assert error.rid == (1 if frame == cbor2.dumps({"id": 1}) else None)
        assert server.close_code == (1008 if number == 32 else None)


@pytest.mark.parametrize("decoded", WELL_FORMED, ids=repr)
def test_a_well_formed_frame_starts_the_count_again(decoded: dict[str, Any]) -> None:
    server = session()
    for _ in range(3):
        for _ in range(MAX_MALFORMED - 1):
            server.receive(b"\xff")
        # The second time round the last of them has its id in use; that counts as little.
        server.receive(cbor2.dumps(decoded))
        assert server.close_code is None
    for _ in range(MAX_MALFORMED):
        server.receive(b"\xff")
    assert server.close_code == 1008


@pytest.mark.parametrize(
    ("decoded", "code", "metadata"),
    [
        ({"type": "ActionRequest", "id": 9, "actor": 1, "name": "b"}, "bad_message", {"field": "actor"}),
        ({"type": "NoSuchRequest", "id": 9}, "unknown_type", {"type": "NoSuchRequest"}),
    ],
)
def test_a_refused_frame_leaves_nothing_waiting(decoded: dict[str, Any], code: str, metadata: dict[str, Any]) -> None:
    server = session()
    error = server.receive(cbor2.dumps(decoded))
    assert isinstance(error, Error)
    assert (error.rid, error.code, error.metadata) == (9, code, metadata)
    assert server.waiting == 0
    assert read(server.announce(error))["metadata"] == metadata
    asked(server, ActorsRequest(id=9))


# ---- what does not fit into a frame ----


def test_an_answer_that_is_too_large_waits_to_be_refused() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    with pytest.raises(InspectorError) as caught:
        server.answer(result(5, "x" * LIMIT))
    assert caught.value.name == "actor.result_too_large"
    size = len(CBOR.encode(result(5, "x" * LIMIT)))
    assert caught.value.metadata == {"size": size, "limit": LIMIT}
    assert server.waiting == 1
    assert read(server.refuse(5, caught.value))["metadata"] == {"size": size, "limit": LIMIT}


def test_a_frame_may_be_as_large_as_the_limit() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    spare = LIMIT - len(CBOR.encode(result(5, "x" * 256))) + 256
    with pytest.raises(InspectorError):
        server.answer(result(5, "x" * (spare + 1)))
    assert len(server.answer(result(5, "x" * spare))) == LIMIT


def test_an_answer_that_has_no_form_waits_to_be_refused() -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    with pytest.raises(InspectorError) as caught:
        server.answer(result(5, object()))
    assert (caught.value.name, caught.value.metadata) == ("actor.unserializable", {"type": "object"})
    assert server.waiting == 1


def test_a_push_or_an_announcement_that_is_too_large_is_told() -> None:
    server = session()
    server.open_subscription(5)
    with pytest.raises(InspectorError, match=r"result_too_large"):
        server.push(LogBatch(sub=5, first_seq=1, next_seq=2, dropped=0, lines=b"x" * LIMIT))
    with pytest.raises(InspectorError, match=r"result_too_large"):
        ServerSession(CBOR, max_frame=10).announce(INIT)


@pytest.mark.parametrize(
    ("message", "metadata", "told", "kept"),
    [
        ("why", {"type": "E"}, "why", {"type": "E"}),
        ("why", None, "why", None),
        ("why", {"type": object()}, "why", None),
        ("why", {"\udcff": 1}, "why", None),
        ("no file \udcff", {"type": "E"}, "no file ?", {"type": "E"}),
        ("no file \udcff", {"type": object()}, "no file ?", None),
        ("y" * 5000, None, "y" * 1000, None),
        ("y" * 5000, {"type": "E"}, "y" * 1000, None),
        ("why", {"type": "E" * 5000}, "why", None),
    ],
)
def test_an_error_is_told_whatever_it_holds(
    message: str, metadata: dict[str, Any] | None, told: str, kept: dict[str, Any] | None
) -> None:
    server = session()
    asked(server, ActionRequest(id=5, actor="a", name="b"))
    decoded = read(server.refuse(5, InspectorError("actor.failed", message, metadata)))
    assert (decoded["rid"], decoded["group"], decoded["code"]) == (5, "actor", "failed")
    assert (decoded["message"], decoded.get("metadata")) == (told, kept)
    assert server.waiting == 0


def test_an_error_may_answer_nothing() -> None:
    assert read(session().error(None, BadMessage("no"))) == wire(error_message(None, BadMessage("no")))
    assert read(session().error(3, BadMessage("no")))["rid"] == 3
