"""TLS: the same service behind it, and a clear end for whoever does not keep to it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trio
import trustme
from websockets.exceptions import InvalidMessage
from websockets.frames import Opcode

from inspector import Host, Registry, open_host, serve
from inspector.service.tls import open_context
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    LogsSubscribe,
    LogsSubscribeResponse,
)
from tests.inspector.service.certificates import client_context, server_context, server_files
from tests.inspector.service.peer import Raw, address_of, http, raw, works
from tests.inspector.service.support import (
    attached,
    connection_tasks,
    connections_of,
    hosted,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio


def loud(host: Host) -> list[bytes]:
    """Return the service's records above debug."""
    recorder = host.registry.log.recorder
    records = [entry[0] for _, run in recorder.entries(0, recorder.next_seq) for entry in run]
    return [r for r in records if b'"target":"inspector.service' in r and b'"level":"DEBUG"' not in r]


def refusals(host: Host) -> list[bytes]:
    """Return the records of refused handshakes."""
    recorder = host.registry.log.recorder
    records = [entry[0] for _, run in recorder.entries(0, recorder.next_seq) for entry in run]
    return [r for r in records if b"handshake refused" in r]


@asynccontextmanager
async def tls_raw(host: Host, context: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    """Connect a peer that writes each byte itself, inside TLS."""
    async with raw(host) as peer:
        stream = trio.SSLStream(peer.stream, context or client_context(), server_hostname="localhost")
        await stream.do_handshake()
        yield Raw(cast(trio.SocketStream, stream))


class Bytewise(trio.abc.Stream):
    """A socket that takes and gives one byte at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for byte in bytes(data):
            await self._stream.send_all(bytes([byte]))

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(1)

    async def aclose(self) -> None:
        await self._stream.aclose()


# ---- what goes well ----


async def test_a_client_over_tls(tmp_path: Path) -> None:
    async with hosted(tls=server_files(tmp_path)) as host:
        assert host.url.startswith("https://127.0.0.1:")
        async with attached(host, ssl=client_context()) as client, attached(host, ssl=client_context()) as other:
            assert await client.call(1, "add", 3) == 3
            assert len(await client.call(2, "big", 900_000)) == 900_000
            assert await other.call(1, "add_async") == 4
            await client.ask(LogsSubscribe(id=3, filter="info"), LogsSubscribeResponse)
            for rid in range(10, 400):
                await client.send(ActionRequest(id=rid, actor="box/a", name="add"))
            for rid in range(10, 400):
                await client.answer(rid, ActionResponse)
        await until(lambda: not service_tasks())
        assert loud(host) == []


async def test_versions_from_1_2_on(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = client_context()
            context.minimum_version = context.maximum_version = version
            async with tls_raw(host, context) as peer:
                await peer.open()
                await works(peer)


async def test_byte_by_byte_and_much_at_once(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host, raw(host) as bare:
        stream = trio.SSLStream(Bytewise(bare.stream), client_context(), server_hostname="localhost")
        peer = Raw(cast(trio.SocketStream, stream))
        await peer.open()
        await works(peer)
        await peer.send(b"".join(peer.request(ActorsRequest(id=rid)) for rid in range(200)))
        for _ in range(200):
            assert isinstance(await peer.message(), ActorsResponse)


async def test_plain_http_over_tls(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host, tls_raw(host) as peer:
        await peer.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while data := await peer.stream.receive_some():
            answer += data
        # Had it ended without TLS's goodbye, the client would have been told that it was cut off.
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b'{"status":"ok"}\n')


async def test_a_shutdown_says_goodbye_in_tls_too(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host, tls_raw(host) as peer:
        await peer.open()
        host.shutdown()
        assert await peer.close_code() == 1001
        await peer.send(peer.pack(Opcode.CLOSE, b"\x03\xe9"))
        assert await peer.stream.receive_some() == b""


async def test_other_machines_may_connect_with_tls(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="insecure_bind"):
        async with open_host(Registry([]), host="0.0.0.0"):
            raise AssertionError
    async with hosted(host="0.0.0.0", tls=server_context(tmp_path)) as host, tls_raw(host) as peer:
        await peer.open()
        await works(peer)


async def test_allowed_origins_and_hosts_are_the_same_behind_tls(tmp_path: Path) -> None:
    options = {"allow_hosts": ["shop.example"], "allow_origins": ["https://tools.example"]}
    async with hosted(tls=server_context(tmp_path), **options) as host:
        async with tls_raw(host) as peer:
            request = peer.upgrade(Origin="https://tools.example")
            await peer.send(request.replace(b"Host: localhost", b"Host: shop.example"))
            assert (await peer.stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        for fields in ({}, {"Origin": "https://evil.example"}):
            async with tls_raw(host) as peer:
                request = peer.upgrade(**fields)
                if not fields:
                    request = request.replace(b"Host: localhost", b"Host: evil.example")
                await peer.send(request)
                assert (await peer.stream.receive_some()).startswith(b"HTTP/1.1 403 ")


# ---- whoever speaks the other ----


async def test_plain_http_to_a_tls_port_is_told(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host:
        for request in (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"G", b"\x00\xff" * 5000):
            status, fields, body = await http(host, request)
            assert (status, fields["connection"], int(fields["content-length"])) == (400, "close", len(body))
            assert b"https://" in body
        await until(lambda: not service_tasks())
        assert len(refusals(host)) == 3
        assert loud(host) == []


async def test_tls_to_a_plain_port_is_told_at_once() -> None:
    async with hosted() as host:
        with pytest.raises(trio.BrokenResourceError) as broken:
            async with tls_raw(host):
                raise AssertionError
        assert isinstance(broken.value.__cause__, ssl.SSLError)
        # What OpenSSL says of an answer in plain HTTP; the answer itself is for clients that look at it.
        assert broken.value.__cause__.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
        status, _, body = await http(host, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert status == 400
        assert b"TLS" in body
        await until(lambda: not service_tasks())
        assert len(refusals(host)) == 2


# ---- handshakes that fail ----


async def test_a_client_that_does_not_trust_the_certificate(tmp_path: Path) -> None:
    async with hosted(tls=server_context(tmp_path)) as host:
        with pytest.raises(trio.BrokenResourceError):
            async with tls_raw(host, client_context(trusting=False)):
                raise AssertionError
        await until(lambda: not service_tasks())
        assert len(refusals(host)) <= 1
        assert loud(host) == []
        async with tls_raw(host) as peer:
            await peer.open()


async def test_no_version_in_common_is_an_alert(tmp_path: Path) -> None:
    context = server_context(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    old = client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with hosted(tls=context) as host:
        with pytest.raises(trio.BrokenResourceError) as broken:
            async with tls_raw(host, old):
                raise AssertionError
        assert "alert" in str(broken.value.__cause__).lower()
        await until(lambda: not service_tasks())
        (refusal,) = refusals(host)
        assert b"TLS: unsupported protocol" in refusal


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_a_handshake_that_stops_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr("inspector.service.service.HANDSHAKE_TIMEOUT", 0.05)
    async with hosted(tls=server_context(tmp_path)) as host, raw(host) as peer:
        await peer.send(said)
        assert await peer.stream.receive_some() == b""
        await until(lambda: not service_tasks())
        assert len(refusals(host)) == 1


async def test_silence_behind_the_tls_handshake_is_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.service.HANDSHAKE_TIMEOUT", 0.3)
    async with hosted(tls=server_context(tmp_path)) as host, tls_raw(host) as peer:
        with contextlib.suppress(trio.BrokenResourceError):
            assert await peer.stream.receive_some() == b""
        await until(lambda: not service_tasks())


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
async def test_a_peer_that_goes_during_the_handshake(tmp_path: Path, said: bytes) -> None:
    async with hosted(tls=server_context(tmp_path)) as host:
        async with raw(host) as peer:
            await peer.send(said)
            await peer.stream.send_eof()
            assert await peer.stream.receive_some() == b""
        await until(lambda: not service_tasks())
        assert loud(host) == []


# ---- connections that fail ----


async def _open_socket(host: Host) -> tuple[Raw, trio.SocketStream]:
    stream = await trio.open_tcp_stream(*address_of(host))
    peer = Raw(cast(trio.SocketStream, trio.SSLStream(stream, client_context(), server_hostname="localhost")))
    await peer.open()
    return peer, stream


@pytest.mark.parametrize("how", ["goodbye", "end", "reset", "garbage", "forged"])
async def test_a_connection_that_ends_leaves_nothing(tmp_path: Path, how: str) -> None:
    async with hosted(tls=server_context(tmp_path)) as host:
        peer, stream = await _open_socket(host)
        await works(peer)
        if how == "goodbye":
            await cast("trio.SSLStream[trio.SocketStream]", peer.stream).unwrap()
        elif how == "end":
            await stream.send_eof()
        elif how == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        elif how == "garbage":
            await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        else:
            await stream.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        if how in ("garbage", "forged"):
            with pytest.raises(trio.BrokenResourceError) as broken:
                await peer.stream.receive_some()
            assert "alert" in str(broken.value.__cause__).lower()
        await trio.aclose_forcefully(stream)
        await until(lambda: not service_tasks())
        assert loud(host) == []


async def test_a_peer_that_reads_nothing_is_bounded_and_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.service.wire.STALL_TIMEOUT", 0.2)
    context = client_context()
    async with hosted(tls=server_context(tmp_path)) as host, attached(host, ssl=context) as other:
        peer, stream = await _open_socket(host)
        await peer.send(peer.request(LogsSubscribe(id=1, filter="trace")))
        assert isinstance(await peer.message(), LogsSubscribeResponse)
        connection = connections_of(host)[-1]
        logger = host.registry.log.logger("shop")
        most, rid = 0, 0
        while not connection._wire.closed:
            for _ in range(100):
                logger.info("x" * 1000)
            rid += 1
            await other.call(rid, "add")
            most = max(most, connection._wire.waiting)
        assert 0 < most < 2.6 * 2**20
        assert connection._wire.stalled
        await until(lambda: connection_tasks() == 1)
        await trio.aclose_forcefully(stream)


async def test_tls_that_only_talks_of_itself_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The handshake alone is more than that.
    monkeypatch.setattr("inspector.service.tls.CHATTER", 100)
    async with hosted(tls=server_context(tmp_path)) as host:
        with pytest.raises(InvalidMessage):
            async with attached(host, ssl=client_context()):
                raise AssertionError
        await until(lambda: not service_tasks())


# ---- certificates that can't be used ----


async def test_files_that_make_no_context(tmp_path: Path) -> None:
    cert, key = server_files(tmp_path)
    other = trustme.CA().issue_cert("localhost").private_key_pem
    other.write_to_path(str(tmp_path / "other.pem"))
    (tmp_path / "empty.pem").write_bytes(b"")
    (tmp_path / "encrypted.pem").write_text(_encrypted(key))
    for files, said in (
        ((tmp_path / "none.pem", key), "No such file"),
        ((cert, tmp_path / "none.pem"), "No such file"),
        ((tmp_path, key), "no TLS with"),
        ((tmp_path / "empty.pem", key), "no TLS with"),
        ((cert, tmp_path / "empty.pem"), "no TLS with"),
        ((cert, tmp_path / "other.pem"), "KEY_VALUES_MISMATCH"),
        ((cert, tmp_path / "encrypted.pem"), "encrypted"),
        ((cert,), "no TLS with"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            open_context(*files)
        assert "BEGIN" not in str(refused.value)
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    assert isinstance(open_context(both), ssl.SSLContext)


def _encrypted(key: Path) -> str:
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()


async def test_a_client_s_context_is_refused() -> None:
    with pytest.raises(ValueError, match="server"):
        await serve(Registry([]), tls=client_context())
