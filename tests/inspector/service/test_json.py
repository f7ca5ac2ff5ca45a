"""The JSON dialect over a real socket: frames written by hand, read by the standard library."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from inspector import Actor, Host, action
from inspector.service.connection import MAX_FRAME
from inspector.service.subscriptions import row_size
from protocol.addresses import encode_address
from protocol.dialects import DIALECTS, JSON
from protocol.dialects.base import frame_size
from protocol.messages import ActorInfo, ActorsResponse, Failure
from tests.contract import Conversation
from tests.inspector.service.peer import raw
from tests.inspector.service.support import TOKEN, hosted

__all__ = ()

pytestmark = pytest.mark.trio


class Echo(Actor[dict[int, str]]):
    """Returns what it was given, and holds what JSON has no word for."""

    def __init__(self) -> None:
        self.state = {1: "one"}

    @action
    def say(self, value: Any) -> Any:
        """Return a value."""
        return value

    @action
    def kinds(self, at: datetime.datetime, data: bytes, some: set[int], ratio: float) -> list[Any]:
        """Return what the arguments were turned into."""
        return [at.astimezone(datetime.UTC), data, sorted(some), type(ratio).__name__, ratio]

    @action
    def wide(self, length: int) -> str:
        """Return so many characters, each of two bytes."""
        return "é" * length

    @action
    def table(self) -> dict[int, str]:
        """Return a map whose keys are numbers."""
        return {1: "one"}


class Peer:
    """A client that knows text and JSON, and nothing of this project's protocol."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.talk = Conversation(JSON.subprotocol)

    async def receive(self) -> dict[str, Any]:
        """Wait for the next message, which must be text."""
        text = await self.websocket.recv()
        assert isinstance(text, str)
        self.talk.got(text)
        message: dict[str, Any] = json.loads(text)
        return message

    async def ask(self, text: str | bytes) -> dict[str, Any]:
        """Send a frame as it is, and wait for what comes next."""
        self.talk.sent(text)
        await self.websocket.send(text)
        return await self.receive()

    async def call(self, name: str, args: str) -> Any:
        """Run an action of the echo; `args` is JSON."""
        answer = await self.ask(f'{{"type":"ActionRequest","id":1,"actor":"echo/e","name":"{name}","args":{args}}}')
        return answer["output"] if answer["type"] == "ActionResponse" else answer


@asynccontextmanager
async def joined(host: Host) -> AsyncIterator[Peer]:
    """Connect as a browser does, but for the Origin, and read Init."""
    url = host.url.replace("http", "ws") + "/inspector/connect"
    offered = [Subprotocol(JSON.subprotocol), Subprotocol(f"inspector_token.{TOKEN}")]
    async with connect(url, subprotocols=offered, proxy=None, compression=None, ping_interval=None) as websocket:
        assert websocket.subprotocol == "inspector.json.v1"
        peer = Peer(websocket)
        init = await peer.receive()
        assert init["type"] == "Init"
        assert init["host"]["id"] == host.registry.log.host_id
        yield peer


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Host, Peer]]:
    """Serve an echo, and connect to it."""
    async with hosted(Echo) as host, joined(host) as peer:
        host.registry.get_or_create(Echo, "e")
        yield host, peer


@pytest.mark.parametrize(
    "value",
    [
        "null",
        '[true,1,-0.0,1.0,"Grüße 😀"]',
        '{"$bytes":"AP+/"}',
        "123456789012345678901234567890",
        '[{"$float":"NaN"},{"$float":"-Infinity"}]',
        '{"$map":{"$bytes":"AP+/"}}',
        '{"$map":{"$map":{"$map":{"$float":{"$bytes":""}}}}}',
        '{"$ref":"#/$defs/Item"}',
    ],
)
async def test_a_value_goes_through_an_action_unchanged(value: str) -> None:
    async with echoing() as (_, peer):
        assert repr(await peer.call("say", f"[{value}]")) == repr(json.loads(value))


async def test_arguments_become_what_their_annotations_say() -> None:
    async with echoing() as (_, peer):
        args = '{"at":"2026-11-23T20:27:33+02:00","data":{"$bytes":"AAE="},"some":[2,1],"ratio":{"$float":"Infinity"}}'
        assert await peer.call("kinds", args) == [
            "2026-11-23T18:27:33Z",
            {"$bytes": "AAE="},
            [1, 2],
            "float",
            {"$float": "Infinity"},
        ]
        refused = await peer.call("kinds", args.replace("2026-11-23", "someday"))
        assert (refused["code"], refused["metadata"]) == ("invalid_arguments", {"argument": "at"})


async def test_what_json_cannot_say_is_refused_by_name() -> None:
    async with echoing() as (_, peer):
        refused = await peer.call("table", "[]")
        assert (refused["group"], refused["code"]) == ("actor", "unserializable")
        assert refused["metadata"] == {"type": "int"}
        assert "keys are text in JSON" in refused["message"]
        refused = await peer.ask('{"type":"StateRequest","id":2,"actor":"echo/e"}')
        assert (refused["rid"], refused["code"], refused["metadata"]) == (2, "unserializable", {"type": "int"})
        assert await peer.call("say", "[1]") == 1


@pytest.mark.parametrize(
    ("frame", "rid"),
    [
        (b'{"type":"ActorsRequest","id":1}', None),
        ('{"type":"ActorsRequest","id":1', None),
        ('{"type":"ActorsRequest","id":1,"id":2}', None),
        ('{"type":"ActorsRequest","id":1} {}', None),
        ('{"type":"ActorsRequest","id":1,"x":NaN}', None),
        ('{"type":"ActorsRequest","id":1,"x":"\\ud800"}', None),
        ('{"type":"ActorsRequest","id":1,"x":{"$bytes":"A"}}', None),
        ('{"type":"ActorsRequest","id":1,"x":' + "[" * 100_000, None),
        ('{"type":"ActorsRequest","id":18446744073709551616}', None),
        ('{"id":18446744073709551615}', 2**64 - 1),
        ('{"type":"ActorsRequest","id":3,"limit":18446744073709551616}', 3),
        ('{"type":"StateRequest","id":3,"actor":{"$bytes":""}}', 3),
    ],
    ids=range(12),
)
async def test_a_malformed_message_gets_an_error_and_the_connection_goes_on(
    frame: str | bytes, rid: int | None
) -> None:
    async with echoing() as (_, peer):
        error = await peer.ask(frame)
        assert (error["type"], error["rid"], error["code"]) == ("Error", rid, "bad_message")
        assert await peer.call("say", "[1]") == 1


async def test_too_many_malformed_frames_end_it() -> None:
    async with echoing() as (_, peer):
        for _ in range(32):
            assert (await peer.ask(b"{}"))["code"] == "bad_message"
        with pytest.raises(ConnectionClosed) as caught:
            await peer.receive()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


async def test_text_that_is_no_utf_8_ends_it() -> None:
    async with hosted() as host, raw(host) as peer:
        upgrade = peer.upgrade().replace(b"inspector.cbor.v1", b"inspector.json.v1")
        peer.protocol.available_subprotocols = [Subprotocol("inspector.json.v1")]
        peer.talk = Conversation(JSON.subprotocol)
        await peer.send(upgrade)
        assert (await peer.frame()).opcode is Opcode.TEXT
        await peer.send(peer.pack(Opcode.TEXT, b'{"type":"\xff"}'))
        assert await peer.close_code() == 1007


async def test_records_come_as_the_ring_has_them() -> None:
    async with echoing() as (host, peer):
        answer = await peer.ask('{"type":"LogsSubscribe","id":1,"filter":"off,shop=info"}')
        assert answer["type"] == "LogsSubscribeResponse"
        host.registry.log.logger("shop").info("Grüße", data=b"\x00", big=2**70, quote='"\n')
        text = await peer.websocket.recv()
        recorder = host.registry.log.recorder
        kept = [entry[0].decode() for _, run in recorder.entries(0, recorder.next_seq) for entry in run]
        (line,) = (line for line in kept if '"Grüße"' in line)
        assert isinstance(text, str)
        assert text.endswith(f'"lines":[{line}]}}')
        batch = json.loads(text)
        assert batch["lines"][0]["fields"]["data"] == {"$bytes": "AA=="}
        assert batch["first_seq"] == answer["next_seq"]
        answer = await peer.ask('{"type":"SpansRequest","id":2,"spans":["0000000000000001"]}')
        assert (answer["type"], answer["lines"]) == ("SpansResponse", [])


async def test_a_result_is_measured_in_bytes() -> None:
    async with echoing() as (_, peer):
        head = len('{"type":"ActionResponse","rid":1,"output":"","trace_id":"","span_id":"","duration_ns":0}') + 32 + 16
        # Fewer characters than a frame may have bytes.
        refused = await peer.call("wide", f"[{MAX_FRAME // 2}]")
        assert refused["code"] == "result_too_large"
        assert refused["metadata"]["limit"] == MAX_FRAME
        assert head <= refused["metadata"]["size"] - MAX_FRAME < head + 20
        assert len(await peer.call("wide", f"[{MAX_FRAME // 2 - head}]")) == MAX_FRAME // 2 - head


@pytest.mark.parametrize(
    "key", [(), ("",), ("",) * 50, ("\0\x1f" * 50,), ('"\\/',) * 30, ("日😀é",) * 30], ids=range(6)
)
@pytest.mark.parametrize("text", ["", "\0\x1b" * 500, '"\\\n' * 300, "日😀é" * 300], ids=range(4))
async def test_a_page_of_rows_is_not_longer_than_was_reckoned(key: tuple[str, ...], text: str) -> None:
    most = 2**63 - 1
    row = ActorInfo(
        actor=encode_address("cart", key),
        id="0" * 16,
        name="cart",
        key=list(key),
        status="restarting",
        generation=most,
        mailbox=most,
        running=most,
        actions=most,
        errors=most,
        restarts=most,
        started_at=most,
        active_at=most,
        failure=Failure(type=text, message=text, at=most),
    )
    for dialect in DIALECTS.values():
        one, two = (dialect.encode(ActorsResponse(rid=1, actors=[row] * count, total=1)) for count in (1, 2))
        assert frame_size(two) - frame_size(one) <= row_size(row)
