"""Who is let in, and what plain HTTP gets."""

from __future__ import annotations

import json

import cbor2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from inspector import Host, Registry
from protocol.messages import ActionRequest, ActionResponse, ActorsRequest, ActorsResponse, Error
from tests.inspector.service.peer import http, raw
from tests.inspector.service.support import TOKEN, Box, Worker, attached, connection_tasks, hosted, service_tasks, until

__all__ = ()

pytestmark = pytest.mark.trio

HOST = "Host: localhost\r\n"
AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n"
SUBPROTOCOL = "Sec-WebSocket-Protocol: inspector.cbor.v1\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
CONNECT = "GET /inspector/connect HTTP/1.1\r\n"
WHOLE = HOST + UPGRADE + AUTHORIZED + SUBPROTOCOL


def ring(host: Host) -> bytes:
    """Return all that the host has recorded."""
    recorder = host.registry.log.recorder
    return b"\n".join(entry[0] for _, run in recorder.entries(0, recorder.next_seq) for entry in run)


@pytest.mark.parametrize(
    ("status", "request_line", "fields"),
    [
        (400, CONNECT, UPGRADE + AUTHORIZED + SUBPROTOCOL),
        (400, CONNECT, HOST + WHOLE),
        (400, CONNECT, "Host: a b\r\n" + UPGRADE + AUTHORIZED + SUBPROTOCOL),
        (403, CONNECT, "Host: evil.example\r\n" + UPGRADE + AUTHORIZED + SUBPROTOCOL),
        (403, CONNECT, "Origin: http://evil.example\r\n" + WHOLE),
        (403, CONNECT, "Origin: null\r\n" + WHOLE),
        (401, CONNECT, HOST + UPGRADE + SUBPROTOCOL),
        (401, CONNECT, HOST + UPGRADE + SUBPROTOCOL + "Authorization: Bearer wrong\r\n"),
        (401, CONNECT, HOST + UPGRADE + SUBPROTOCOL + f"Authorization: Basic {TOKEN}\r\n"),
        (401, CONNECT, HOST + UPGRADE + "Sec-WebSocket-Protocol: inspector.cbor.v1, inspector_token.wrong\r\n"),
        (404, "GET /elsewhere HTTP/1.1\r\n", WHOLE),
        (404, "GET /inspector/connect/more HTTP/1.1\r\n", WHOLE),
        (400, CONNECT, HOST + UPGRADE + AUTHORIZED),
        (400, CONNECT, HOST + UPGRADE + AUTHORIZED + "Sec-WebSocket-Protocol: chat\r\n"),
        (426, CONNECT, HOST + AUTHORIZED),
        (426, CONNECT, HOST + AUTHORIZED + SUBPROTOCOL),
        (400, CONNECT, WHOLE.replace("Version: 13", "Version: 12")),
        (400, CONNECT, WHOLE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short")),
        (405, CONNECT.replace("GET", "POST"), WHOLE),
        (505, CONNECT.replace("1.1", "1.0"), WHOLE),
        (405, "POST /health HTTP/1.1\r\n", HOST),
        (405, "DELETE /metadata HTTP/1.1\r\n", HOST + AUTHORIZED),
        (401, "GET /metadata HTTP/1.1\r\n", HOST),
        # The first that holds: Host before Origin before token before path.
        (403, CONNECT, "Host: evil.example\r\nOrigin: http://x\r\n"),
        (403, "GET /elsewhere HTTP/1.1\r\n", HOST + "Origin: http://x\r\n"),
        (401, "GET /elsewhere HTTP/1.1\r\n", HOST),
    ],
)
async def test_refuses(status: int, request_line: str, fields: str) -> None:
    async with hosted() as host:
        found, headers, body = await http(host, f"{request_line}{fields}\r\n".encode())
        assert found == status
        assert headers["connection"] == "close"
        assert int(headers["content-length"]) == len(body) > 0
        assert TOKEN.encode() not in body + str(headers).encode()
        await until(lambda: not service_tasks())


async def test_says_what_is_wanted() -> None:
    async with hosted() as host:
        _, headers, body = await http(host, (CONNECT + HOST + UPGRADE + AUTHORIZED + "\r\n").encode())
        assert b"inspector.cbor.v1" in body
        _, headers, _ = await http(host, (CONNECT + HOST + "\r\n").encode())
        assert headers["www-authenticate"].startswith("Bearer")
        _, headers, _ = await http(host, (CONNECT + HOST + AUTHORIZED + "\r\n").encode())
        assert headers["upgrade"] == "websocket"
        _, headers, _ = await http(host, ("POST /health HTTP/1.1\r\n" + HOST + "\r\n").encode())
        assert headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        (400, b"GET\r\n\r\n"),
        (400, b"\r\n\r\n"),
        (400, b"GET / HTTP/2.0\r\n\r\n"),
        (400, b"GET /\xff HTTP/1.1\r\n\r\n"),
        (400, b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n"),
        (400, b"GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (400, b'POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{"a":1}'),
        (414, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n"),
        # What stands behind a request is none of its business.
        (200, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (405, b'POST /health HTTP/1.1\r\nHost: localhost\r\n\r\n{"a":1}'),
    ],
)
async def test_malformed_http(status: int, request_bytes: bytes) -> None:
    async with hosted() as host:
        found, _, _ = await http(host, request_bytes)
        assert found == status
        await until(lambda: not service_tasks())
        assert b'"level":"ERROR"' not in ring(host)


async def test_health_needs_no_token_and_metadata_does() -> None:
    async with hosted() as host:
        status, headers, body = await http(host, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"status": "ok"})
        status, _, body = await http(host, f"GET /metadata?x=1 HTTP/1.1\r\n{HOST}{AUTHORIZED}\r\n".encode())
        found = json.loads(body)
        assert status == 200
        assert found["host"]["id"] == host.registry.log.host_id
        assert found["subprotocols"] == ["inspector.cbor.v1", "inspector.json.v1"]
        assert "actions" in found["features"]
        assert TOKEN.encode() not in body


async def test_health_while_draining() -> None:
    async with hosted(drain_timeout=30) as host, attached(host) as client:
        async with raw(host) as peer:
            # Accepted before the listener closes: it may still ask.
            await until(lambda: len(service_tasks()) >= 2)
            await client.send(ActionRequest(id=1, actor="worker/w", name="work"))
            await until(lambda: host.registry.get("worker/w").running)
            host.shutdown()
            await peer.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            data = b""
            while chunk := await peer.stream.receive_some():
                data += chunk
            assert json.loads(data.partition(b"\r\n\r\n")[2]) == {"status": "draining"}
        worker = host.registry.get("worker/w").actor
        assert isinstance(worker, Worker)
        worker.gate.set()
        await client.answer(1, ActionResponse)
        await client.closed()


async def test_byte_by_byte_and_more_in_the_same_segment() -> None:
    async with hosted() as host:
        async with raw(host) as peer:
            for byte in peer.upgrade():
                await peer.send(bytes([byte]))
            await peer.frame()
        async with raw(host) as peer:
            behind = peer.pack(Opcode.PING, b"early") + peer.request(ActorsRequest(id=7))
            await peer.open(behind)
            pong = await peer.frame()
            assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"early")
            answer = await peer.message()
            assert isinstance(answer, ActorsResponse)
            assert answer.rid == 7


async def test_token_in_the_subprotocol_is_neither_echoed_nor_logged() -> None:
    async with hosted(registry=Registry([Box, Worker], record="trace")) as host:
        options = {"subprotocols": [f"inspector_token.{TOKEN}", "inspector.cbor.v1"], "additional_headers": {}}
        async with attached(host, **options) as client:
            assert client.websocket.subprotocol == "inspector.cbor.v1"
            response = client.websocket.response
            assert response is not None
            assert TOKEN not in str(response.headers)
            await client.websocket.send(cbor2.dumps({"type": "ActorsRequest", "id": 1, "prefix": 1, TOKEN: TOKEN}))
            assert (await client.answer(1, Error)).code == "bad_message"
        async with raw(host) as peer:
            await peer.send(f"GET /{TOKEN} HTTP/1.1\r\n{HOST}{AUTHORIZED}{TOKEN}\r\n\r\n".encode())
            while await peer.stream.receive_some():
                pass
        await until(lambda: not service_tasks())
        kept = ring(host)
        assert b"inspector attached" in kept
        assert TOKEN.encode() not in kept


async def test_no_extension_is_agreed_on() -> None:
    async with hosted() as host, attached(host, compression="deflate") as client:
        response = client.websocket.response
        assert response is not None
        assert "Sec-WebSocket-Extensions" not in response.headers


async def test_allowed_origin_and_host() -> None:
    async with hosted(allow_origins=["http://app.example"], allow_hosts=["Shop.example"]) as host:
        fields = "Host: shop.example:80\r\nOrigin: http://app.example\r\n" + UPGRADE + AUTHORIZED + SUBPROTOCOL
        async with raw(host) as peer:
            await peer.send((CONNECT + fields + "\r\n").encode())
            assert (await peer.stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_one_connection_too_many_gets_503_but_only_with_the_token() -> None:
    async with hosted(max_connections=2) as host, attached(host) as client:
        async with attached(host):
            with pytest.raises(InvalidStatus) as refusal:
                async with attached(host):
                    raise AssertionError
            assert refusal.value.response.status_code == 503
            # Who is not let in anyway does not learn how many are; and who asks after the host's health does not count.
            with pytest.raises(InvalidStatus) as refusal:
                async with attached(host, additional_headers={}):
                    raise AssertionError
            assert refusal.value.response.status_code == 401
            status, _, _ = await http(host, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status == 200
        await until(lambda: connection_tasks() == 1)
        async with attached(host):
            await client.ask(ActorsRequest(id=1), ActorsResponse)


async def test_slow_handshake_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.HANDSHAKE_TIMEOUT", 0.05)
    async with hosted() as host, raw(host) as peer:
        await peer.send(b"GET /inspector/connect HTTP/1.1\r\n")
        assert await peer.stream.receive_some() == b""
        await until(lambda: not service_tasks())
        assert b"no request within 0.05 s" in ring(host)


async def test_peer_that_goes_before_it_asked() -> None:
    async with hosted() as host:
        async with raw(host) as peer:
            await peer.send(b"GET /inspector")
            await peer.stream.send_eof()
            assert await peer.stream.receive_some() == b""
        await until(lambda: not service_tasks())


async def test_host_goes_on_after_each_refusal() -> None:
    async with hosted() as host:
        for _ in range(20):
            await http(host, b"GET / HTTP/1.1\r\n\r\n")
        async with attached(host) as client:
            answer = await client.ask(ActorsRequest(id=1), ActorsResponse)
            assert [row.actor for row in answer.actors] == ["box/a", "worker/w"]
            assert isinstance(await client.refused(ActorsRequest(id=2, limit=-1)), Error)


async def test_ipv6() -> None:
    try:
        async with hosted(host="::1") as host, attached(host) as client:
            peer = client.websocket.local_address
            await client.ask(ActorsRequest(id=1), ActorsResponse)
            assert f'"peer":"[::1]:{peer[1]}"'.encode() in ring(host)
    except OSError:
        pytest.skip("this machine has no ::1")
