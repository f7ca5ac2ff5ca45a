"""Every frame that a session writes fits docs/protocol.cddl, and a frame that is not one of the protocol does not."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from protocol.client import ClientSession
from protocol.dialects import CBOR
from protocol.errors import TABLE, BadMessage, InspectorError
from protocol.messages import ActorsRequest, Message, Push, Request, Response
from protocol.server import ServerSession
from tests.contract import MISSING, schema_of
from tests.protocol.samples import INIT, TO_CLIENT_SAMPLES, TO_HOST_SAMPLES, wire

pycddl = pytest.importorskip("pycddl", reason=MISSING)
TO_HOST = schema_of("to-host")
TO_CLIENT = schema_of("to-client")


def whole(frame: bytes | str) -> bytes:
    assert isinstance(frame, bytes)
    return frame


@pytest.mark.parametrize("request_", TO_HOST_SAMPLES, ids=repr)
def test_what_a_client_sends_fits(request_: Request) -> None:
    TO_HOST.validate_cbor(whole(ClientSession(CBOR).send(request_)))


@pytest.mark.parametrize("message", TO_CLIENT_SAMPLES, ids=repr)
def test_what_a_host_sends_fits(message: Message) -> None:
    session = ServerSession(CBOR, max_frame=1 << 20)
    if isinstance(message, Push):
        session.open_subscription(message.sub)
        TO_CLIENT.validate_cbor(whole(session.push(message)))
    elif isinstance(message, Response):
        session.receive(CBOR.encode(ActorsRequest(id=message.rid)))
        TO_CLIENT.validate_cbor(whole(session.answer(message)))
    else:
        TO_CLIENT.validate_cbor(whole(session.announce(message)))


@pytest.mark.parametrize("name", TABLE)
def test_every_error_fits(name: str) -> None:
    session = ServerSession(CBOR, max_frame=1 << 20)
    metadata = dict.fromkeys(TABLE[name].metadata, "x")
    for rid in (None, 0, 2**64 - 1):
        TO_CLIENT.validate_cbor(whole(session.error(rid, InspectorError(name, "why", metadata))))
    TO_CLIENT.validate_cbor(whole(session.error(None, BadMessage("why"))))


@pytest.mark.parametrize(
    ("schema", "sample"),
    [(TO_HOST, sample) for sample in TO_HOST_SAMPLES] + [(TO_CLIENT, sample) for sample in TO_CLIENT_SAMPLES],
    ids=repr,
)
def test_a_key_too_many_or_too_few_does_not_fit(schema: Any, sample: Message) -> None:
    plain = wire(sample)
    wrong: list[dict[str, Any]] = [{**plain, "novelty": 1}, {**plain, "type": "Novelty"}]
    number = next(key for key in ("id", "rid", "sub", "now") if key in plain)
    wrong += [{key: value for key, value in plain.items() if key != number}, {**plain, number: -1}]
    for decoded in wrong:
        with pytest.raises(pycddl.ValidationError):
            schema.validate_cbor(cbor2.dumps(decoded))


def test_neither_side_may_say_what_the_other_says() -> None:
    with pytest.raises(pycddl.ValidationError):
        TO_HOST.validate_cbor(CBOR.encode(INIT))
    with pytest.raises(pycddl.ValidationError):
        TO_CLIENT.validate_cbor(CBOR.encode(TO_HOST_SAMPLES[0]))
