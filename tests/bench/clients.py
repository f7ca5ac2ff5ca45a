"""The clients of the benchmarks: the library's own, and one that costs next to nothing."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import cbor2
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.bench.servers import TOKEN

__all__ = ("RawClient", "flood", "flooding", "processor", "round_trips", "server_process", "websocket")


# The first byte of a whole one: FIN and the opcode.
_PING = 0x80 | Opcode.PING


@contextmanager
def server_process(name: str) -> Iterator[tuple[int, int]]:
    """Start a server; get its port and its process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"from tests.bench.servers import main; main({name!r})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def _subprotocols(path: str) -> list[Subprotocol] | None:
    names = ("inspector.cbor.v1", f"inspector_token.{TOKEN}")
    return None if path == "/" else [Subprotocol(name) for name in names]


@asynccontextmanager
async def websocket(port: int, path: str = "/inspector/connect") -> AsyncIterator[ClientConnection]:
    """Connect as any client would."""
    async with connect(
        f"ws://127.0.0.1:{port}{path}", subprotocols=_subprotocols(path), compression=None, proxy=None
    ) as connection:
        yield connection


class RawClient:
    """A blocking socket with frames made beforehand. It only counts what comes back."""

    def __init__(self, port: int, path: str = "/inspector/connect") -> None:
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), subprotocols=_subprotocols(path))
        protocol.send_request(protocol.connect())
        self._sock.sendall(b"".join(protocol.data_to_send()))
        self._file = self._sock.makefile("rb", buffering=2**20)
        self._rest = b""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._sock.recv(65536)
        assert head.startswith(b"HTTP/1.1 101"), head
        self._rest = head.partition(b"\r\n\r\n")[2]

    @staticmethod
    def frame(payload: bytes) -> bytes:
        """Make the bytes of a client's binary frame."""
        return Frame(Opcode.BINARY, payload).serialize(mask=True)

    def send(self, payload: bytes) -> None:
        """Send one binary message."""
        self._sock.sendall(self.frame(payload))

    def message(self) -> Any:
        """Read and decode one message."""
        while True:
            opcode, size = self._exactly(2)
            if size == 126:
                size = int.from_bytes(self._exactly(2), "big")
            elif size == 127:
                size = int.from_bytes(self._exactly(8), "big")
            payload = self._exactly(size)
            # Pings go unanswered: a benchmark is over before a host gives its client up.
            if opcode & 15 == Opcode.BINARY:
                return cbor2.loads(payload)

    def _exactly(self, size: int) -> bytes:
        kept, self._rest = self._rest[:size], self._rest[size:]
        data = kept + self._file.read(size - len(kept)) if len(kept) < size else kept
        if len(data) < size:
            raise ConnectionError("the server has gone")
        return data

    def receive(self, count: int) -> None:
        """Read until so many frames have come. Pings are answered: a round may take longer than a server's patience."""
        data = self._rest
        position = 0
        while count:
            bounds = _payload(data, position)
            if bounds is not None and len(data) >= bounds[1]:
                if data[position] == _PING:
                    self._sock.sendall(Frame(Opcode.PONG, data[bounds[0] : bounds[1]]).serialize(mask=True))
                else:
                    count -= 1
                position = bounds[1]
                continue
            data = data[position:] + self._more()
            position = 0
        self._rest = data[position:]

    def _more(self) -> bytes:
        more = self._sock.recv(2**20)
        if not more:
            raise ConnectionError("the server has gone")
        return more

    def round_trips(self, frames: Sequence[bytes], in_flight: int = 1) -> float:
        """Send `in_flight` frames in one write, wait for as many answers, and so on; return the seconds a frame."""
        bursts = [b"".join(frames[first : first + in_flight]) for first in range(0, len(frames), in_flight)]
        start = time.perf_counter()
        for burst in bursts:
            self._sock.sendall(burst)
            self.receive(in_flight)
        return (time.perf_counter() - start) / len(frames)

    def close(self) -> None:
        """Close in good order."""
        self._sock.sendall(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
        while self._file.read(65536):
            pass
        self._file.close()
        self._sock.close()


def _payload(data: bytes | bytearray, position: int) -> tuple[int, int] | None:
    """Return where the payload of a server's frame begins and ends; None if its head is not there yet."""
    if len(data) - position < 2:
        return None
    size, head = data[position + 1], 2
    if size == 126:
        size, head = int.from_bytes(data[position + 2 : position + 4], "big"), 4
    elif size == 127:
        size, head = int.from_bytes(data[position + 2 : position + 10], "big"), 10
    if len(data) - position < head:
        return None
    return position + head, position + head + size


def flood(port: int, path: str, payload: bytes, in_flight: int) -> None:
    """Keep so many requests under way until stdin is closed; the payload is sent each time as it is."""
    client = RawClient(port, path)
    if path != "/":
        client.receive(1)
    frame = client.frame(payload)
    client._sock.sendall(frame * in_flight)
    print("flooding", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        client.receive(in_flight // 2)
        client._sock.sendall(frame * (in_flight // 2))


@contextmanager
def flooding(port: int, path: str, payload: bytes, in_flight: int) -> Iterator[None]:
    """Have a process of its own `flood` a server meanwhile."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from tests.bench.clients import flood; flood({port}, {path!r}, {payload!r}, {in_flight})",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"flooding\n"
        yield
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def processor(pid: int) -> float:
    """Return the processor time that a process has had, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def round_trips(connection: ClientConnection, payloads: Sequence[bytes], in_flight: int = 1) -> float:
    """Keep `in_flight` requests under way with the library's client; return the seconds a request."""
    start = time.perf_counter()
    for payload in payloads[:in_flight]:
        await connection.send(payload)
    for payload in payloads[in_flight:]:
        await connection.recv()
        await connection.send(payload)
    for _ in payloads[:in_flight]:
        await connection.recv()
    return (time.perf_counter() - start) / len(payloads)
