"""What hostile peers do. Each attack is one function; a seed decides all else."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import trio
from msgspec import to_builtins
from websockets.frames import Opcode

from inspector import Host
from protocol.messages import (
    ActionCancel,
    ActionRequest,
    ActorsRequest,
    ConnectionsRequest,
    LogFilterRequest,
    LogsSubscribe,
    PatchOp,
    PatchStateRequest,
    Request,
    RpcsListRequest,
    SpansRequest,
    StateRequest,
    TasksRequest,
    TraceQueryRequest,
    TraceQueryResponse,
    Unsubscribe,
)
from tests.fuzz.attacker import STATUSES, Attacker, connect, dial
from tests.fuzz.mutation import damage, frame, spoil
from tests.inspector.service.certificates import client_context

__all__ = ("ATTACKS", "Attack")

Attack = Callable[[Host, Random], Awaitable[None]]

_HEALTH: Final = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
_REQUESTS: Final[tuple[Request, ...]] = (
    ActorsRequest(id=1, subscribe=True, prefix="box", limit=3),
    StateRequest(id=1, actor="box/a", subscribe=True),
    PatchStateRequest(id=1, actor="box/a", patch=[PatchOp(op="replace", path="/count", value=7)]),
    ConnectionsRequest(id=1, subscribe=True),
    RpcsListRequest(id=1, actor="box/a"),
    ActionRequest(id=1, actor="box/a", name="add", args=[1]),
    ActionRequest(id=1, actor="box/a", name="add_async", args={"amount": 2}, timeout_ms=50, traceparent="00-aa-bb-01"),
    ActionCancel(id=1, action=2),
    LogsSubscribe(id=1, filter="info,[x]=debug", backlog=5),
    LogsSubscribe(id=1, filter="trace", after_seq=1, host="0" * 32),
    LogFilterRequest(id=1, record="trace,[action{name~a}]=off", for_ms=5),
    LogFilterRequest(id=1, log="off", record=None),
    SpansRequest(id=1, spans=["b7ad6b7169203331"]),
    TasksRequest(id=1, subscribe=True, stacks=True, timing=True),
    TraceQueryRequest(
        id=1, actor="box/a", start_ms=1, end_ms=2**62, limit=2, filter="debug,[{n~a.{50}b}]", trace_id="a" * 32
    ),
    TraceQueryRequest(id=1, actor="box/a", start_ms=0, limit=3, filter="info", cursor="WzAsIngiLDFd"),
    Unsubscribe(id=1, sub=2),
)


def _plain(request: Request, rid: int) -> dict[str, Any]:
    message: dict[str, Any] = to_builtins(request, builtin_types=(bytes,))
    return {**message, "id": rid}


async def _alive(peer: Attacker) -> None:
    """Check that the host answers this peer, unless it has closed as it may."""
    rid = 2**40
    await peer.say(peer.frame(ActorsRequest(id=rid)))
    await peer.hear_until(lambda: peer.answers[rid] or peer.close_code)
    assert peer.answers[rid] == 1 or peer.close_code is not None or peer.reset or peer.any_code
    # What came before it has been answered before it.
    peer.heard_all = peer.answers[rid] == 1


async def handshakes(host: Host, rng: Random) -> None:
    """Ask for a websocket in a way that is not quite right, and perhaps for more behind it."""
    async with connect(host, rng) as peer:
        request = peer.request()
        lines = request.split(b"\r\n")
        match rng.randrange(4):
            case 0:
                request = damage(rng, request)
            case 1:
                lines.insert(rng.randrange(1, len(lines)), rng.choice(lines))
                request = b"\r\n".join(lines)
            case 2:
                del lines[rng.randrange(len(lines) - 2)]
                request = b"\r\n".join(lines)
            case _:
                lines[rng.randrange(len(lines))] += b"x" * rng.choice((1, 100, 9000))
                request = b"\r\n".join(lines)
        await peer.say(request + rng.choice((b"", b"\r\n\r\n", request, rng.randbytes(50))))
        with trio.move_on_after(0.2):
            status = await peer.read_head()
            assert status is None or status in STATUSES, status


async def messages(host: Host, rng: Random) -> None:
    """Send messages that are not quite right, each in a frame that is."""
    async with connect(host, rng) as peer:
        await peer.open()
        for rid in range(1, rng.randrange(2, 80)):
            message = _plain(rng.choice(_REQUESTS), rid)
            match rng.randrange(3):
                case 0:
                    said = peer.frame(damage(rng, peer.spell(message)))
                case 1:
                    said = peer.frame(spoil(rng, message))
                case _:
                    said = peer.frame(message, text=rng.random() < 0.1 or not peer.dialect.binary)
            await peer.say(said)
            if rng.random() < 0.2:
                # Bounded: what was spoilt may have been answered already, or never will be.
                with trio.move_on_after(0.01):
                    await peer.hear()
        await _alive(peer)
        await peer.leave()


async def frames(host: Host, rng: Random) -> None:
    """Send good messages in frames that are not quite right."""
    async with connect(host, rng) as peer:
        await peer.open()
        peer.any_code = True
        stream = b""
        for rid in range(1, 20):
            data = peer.spell(_plain(rng.choice(_REQUESTS), rid))
            opcode = rng.choice((*([Opcode.BINARY if peer.dialect.binary else Opcode.TEXT] * 6), *Opcode))
            if opcode is Opcode.CLOSE:
                data = rng.choice((b"", b"\x03", b"\x03\xe8bye", b"\x00\x00", b"\xff\xff", data))
            if opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE) and rng.random() < 0.8:
                data = data[:125]
            reserved = rng.randrange(1, 8) if rng.random() < 0.03 else 0
            fin, mask = rng.random() < 0.9, rng.random() < 0.97
            stream += frame(rng, opcode, data, fin=fin, reserved=reserved, mask=mask)
        if rng.random() < 0.7:
            stream = damage(rng, stream)
        await peer.say(stream)
        with trio.move_on_after(0.2):
            await _alive(peer)
        await peer.leave()


async def ids(host: Host, rng: Random) -> None:
    """Pipeline requests, use ids twice, unsubscribe twice, subscribe without end: each gets exactly one answer."""
    async with connect(host, rng) as peer:
        await peer.open()
        sent: Counter[int | None] = Counter()
        many = rng.choice((20, 200, 2000, 10_000) if rng.random() < 0.1 else (20, 200))
        burst = b""
        for number in range(many):
            rid = rng.randrange(1, 20) if rng.random() < 0.3 else number + 20
            request: Request = rng.choice(
                (
                    ActorsRequest(id=rid, subscribe=True),
                    LogsSubscribe(id=rid, filter="off"),
                    LogsSubscribe(id=rid, filter="off,nowhere=trace", backlog=1),
                    Unsubscribe(id=rid, sub=rng.randrange(1, 40)),
                    ActionRequest(id=rid, actor="box/a", name="add_async"),
                    ActionCancel(id=rid, action=rng.randrange(1, 40)),
                )
            )
            sent[rid] += 1
            burst += peer.frame(request)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.say, burst)
            await peer.hear_until(lambda: peer.answers == sent)
        if peer.answers != sent and peer.close_code is None:
            # One that takes long to come to a ping behind all its answers and pushes has not answered it.
            peer.too_slow = True
            return
        assert peer.answers == sent
        peer.heard_all = True
        await peer.leave()


async def stalls(host: Host, rng: Random) -> None:
    """Stop in the middle of a frame, or of a message's fragments."""
    async with connect(host, rng) as peer:
        await peer.open()
        said = peer.frame(_plain(rng.choice(_REQUESTS), 1))
        if rng.random() < 0.3:
            said = frame(rng, Opcode.CONT if rng.random() < 0.1 else Opcode.BINARY, b"x", fin=False)
        elif rng.random() < 0.5:
            said = frame(rng, Opcode.BINARY, bytes(2**20))
        await peer.say(said[: rng.randrange(len(said) + 1)])
        with trio.move_on_after(rng.choice((0, 0.05, 0.5))):
            await peer.hear_out()
        await peer.leave()


async def cuts(host: Host, rng: Random) -> None:
    """Ask for much, and go while it comes."""
    async with connect(host, rng) as peer:
        await peer.open()
        burst = [
            peer.frame(ActionRequest(id=rid, actor="box/a", name="big", args=[rng.choice((10, 100_000, 700_000))]))
            for rid in range(1, rng.randrange(2, 6))
        ]
        await peer.say(b"".join(burst))
        for _ in range(rng.randrange(3)):
            await peer.hear()
        await peer.leave()


async def deaf(host: Host, rng: Random) -> None:
    """Want to hear everything, make the host say much, and read nothing."""
    async with connect(host, rng) as peer:
        await peer.open()
        await peer.say(peer.frame(LogsSubscribe(id=1, filter="trace")))
        await peer.say(peer.frame(StateRequest(id=2, actor="box/a", subscribe=True)))
        for rid in range(3, 10):
            say = ActionRequest(id=rid, actor="box/a", name="say", args=["x" * 5000, 100])
            with trio.move_on_after(0.2):
                await peer.say(peer.frame(say))
        await trio.sleep(rng.choice((0, 0.1, 0.5)))


async def past(host: Host, rng: Random) -> None:
    """Page through what is kept, by cursors that are now and then not quite those that were given."""
    async with connect(host, rng) as peer:
        await peer.open()
        asked: Counter[int | None] = Counter()
        cursor: str | None = None
        for rid in range(1, rng.randrange(2, 30)):
            request = TraceQueryRequest(id=rid, limit=rng.choice((0, 1, 100, 2**63 - 1)))
            if rng.random() < 0.5:
                request.filter = rng.choice(("off", "info", "trace,[{text~(x|y)*z}]=off,[action]=debug", "off,[{n>1}]"))
            if rng.random() < 0.3:
                request.start_ms, request.end_ms = rng.choice(((0, 2**63 - 1), (2**63 - 1, 0), (7, 7)))
            if cursor is not None and rng.random() < 0.9:
                request.cursor = damage(rng, cursor.encode()).decode("latin-1") if rng.random() < 0.2 else cursor
            asked[rid] += 1
            await peer.say(peer.frame(request))
            if rng.random() < 0.7:
                await peer.hear_until(lambda: peer.answers == asked)
                answer = peer.last
                cursor = answer.cursor if isinstance(answer, TraceQueryResponse) and answer.cursor else None
        await peer.hear_until(lambda: peer.answers == asked)
        assert peer.answers == asked or peer.reset
        await peer.leave()


async def replays(host: Host, rng: Random) -> None:
    """Begin far back in the log, of this run and of others, and end it while it comes."""
    async with connect(host, rng) as peer:
        await peer.open()
        for rid in range(1, rng.randrange(2, 6)):
            request = LogsSubscribe(id=rid, filter="trace", after_seq=rng.choice((0, 1, 5000, 2**63 - 1)))
            if rng.random() < 0.7:
                request.host = rng.choice((host.registry.log.host_id, "0" * 32, "", "x" * 5000))
            await peer.say(peer.frame(request))
            for _ in range(rng.randrange(4)):
                with trio.move_on_after(0.05):
                    await peer.hear()
            if rng.random() < 0.6:
                await peer.say(peer.frame(Unsubscribe(id=100 + rid, sub=rid)))
        await _alive(peer)
        await peer.leave()


async def watchers(host: Host, rng: Random) -> None:
    """Watch all tasks as often as one may, with everything that costs, and change the log's filters meanwhile."""
    async with connect(host, rng) as peer:
        await peer.open()
        burst = b""
        for rid in range(1, rng.choice((3, 3, 3, 140))):
            burst += peer.frame(TasksRequest(id=rid, subscribe=True, stacks=rng.random() < 0.5, timing=True))
            if rng.random() < 0.2:
                record = rng.choice(("trace", "off", "info,[action]=trace"))
                change = LogFilterRequest(id=1000 + rid, record=record, for_ms=rng.choice((0, 1, 2**63 - 1)))
                burst += peer.frame(change)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.say, burst)
            with trio.move_on_after(rng.choice((0, 0.1, 1))):
                await peer.hear_out()
        await peer.leave()


async def mute(host: Host, rng: Random) -> None:
    """Answer no ping."""
    async with connect(host, rng) as peer:
        peer.polite = False
        await peer.open()
        await peer.hear_out()


async def floods(host: Host, rng: Random) -> None:
    """Open sockets as fast as can be, and say little or nothing on them."""
    said = rng.choice((b"", b"G", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", _HEALTH, _HEALTH + b"\r\n"))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(rng.choice((10, 50, 200))):
            stream = await dial(host)
            stack.push_async_callback(trio.aclose_forcefully, stream)
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(said)
            if rng.random() < 0.3:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


async def tls(host: Host, rng: Random) -> None:
    """Speak TLS, or nearly, to a port that may not."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    sock = await dial(host)
    try:
        broken = rng.randrange(3)
        hello = outgoing.read()
        with contextlib.suppress(trio.BrokenResourceError, ssl.SSLError):
            await sock.send_all(damage(rng, hello) if broken == 0 else hello)
            with trio.move_on_after(0.1):
                while data := await sock.receive_some():
                    incoming.write(data)
                    with contextlib.suppress(ssl.SSLWantReadError):
                        client.do_handshake()
                        client.write(b"GET /health HTTP/1.1\r\n" * 5)
                    answer = outgoing.read()
                    await sock.send_all(damage(rng, answer) if broken == 1 else answer)
                    if broken == 2:
                        await sock.send_all(rng.randbytes(rng.randrange(1, 2000)))
    finally:
        await trio.aclose_forcefully(sock)


ATTACKS: Final[tuple[Attack, ...]] = (
    handshakes, messages, frames, ids, stalls, cuts, deaf, past, replays, watchers, mute, floods, tls,
)  # fmt: skip
"""All of them."""
