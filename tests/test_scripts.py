"""Every protocol script, played against a real host over a real socket, in each dialect."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.utils import accept_key

from inspector import open_host
from inspector.demo import demo_registry
from inspector.service.connection import Connection
from protocol import handshake
from protocol.dialects import Frame
from protocol.errors import TABLE
from protocol.handshake import Refuse, check_handshake
from protocol.messages import Error as ErrorMessage
from protocol.script import (
    SPELLINGS,
    Do,
    Ended,
    Happened,
    Heard,
    Leave,
    Mismatch,
    Opened,
    Say,
    parse_script,
)
from protocol.script.patterns import Entries, Literal, Node
from protocol.script.statements import Connect, Message, Script, Wanted
from tests.contract import AVAILABLE, MISSING, Conversation
from tests.scripts.host import TOKEN, served
from tui.connection import CannotAttach
from tui.discovery import Target
from tui.script_link import play_script

__all__ = ()

ROOT = Path(__file__).parent
FILES = sorted((ROOT / "scripts").glob("*.cbs"))
SCRIPTS = [parse_script(f"tests/scripts/{path.name}", path.read_text("utf-8")) for path in FILES]
OPTIONS: dict[str, dict[str, Any]] = {"full.cbs": {"max_connections": 0}}
"""What the host of a script is told that is not as usual."""
GREETING = 'connect /inspector/connect\n<- {"type": "Init", ...}\n'


class Listener:
    """Holds all that a script sends and gets against docs/protocol.cddl."""

    def __init__(self) -> None:
        self.heard = 0
        self._talk: Conversation | None = None

    def __call__(self, do: Do, told: Happened) -> None:
        if isinstance(told, Opened):
            self._talk = Conversation(told.subprotocol or "")
        elif isinstance(do, Say) and not isinstance(told, Ended):
            assert self._talk
            self._talk.sent(do.frame)
        elif isinstance(told, Heard):
            assert self._talk
            self._talk.got(told.frame)
            self.heard += 1
        elif self._talk and (isinstance(told, Ended) or isinstance(do, Leave)):
            self._talk.end()
            self._talk = None


def play_on_a_host(script: Script, subprotocol: str, **options: Any) -> None:
    """Play a script against a host of its own; each frame must fit the protocol's description."""
    listener = Listener()

    async def run() -> None:
        with trio.fail_after(60):
            async with served(**options) as host:
                play = play_script(script, Target(host.url, TOKEN), subprotocol, listener)
                await trio.to_thread.run_sync(asyncio.run, play)

    trio.run(run)
    assert listener.heard or not any(isinstance(statement, Wanted) for statement in script.statements)


def mismatch_of(text: str, subprotocol: str = "inspector.cbor.v1") -> str:
    with pytest.raises(Mismatch) as caught:
        play_on_a_host(parse_script("x.cbs", text), subprotocol)
    return str(caught.value)


@pytest.mark.parametrize("subprotocol", SPELLINGS)
@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in FILES])
def test_a_script(script: Script, subprotocol: str) -> None:
    play_on_a_host(script, subprotocol, **OPTIONS.get(script.name.rpartition("/")[2], {}))


def test_the_example_of_the_docs() -> None:
    text = (ROOT.parent / "docs/scripts.md").read_text("utf-8").split("```")[1]

    async def run() -> None:
        with trio.fail_after(60):
            async with open_host(demo_registry(), token=TOKEN, runtime_file=False, drain_timeout=0.1) as host:
                play = play_script(parse_script("scripts.md", text), Target(host.url, TOKEN), "inspector.json.v1")
                await trio.to_thread.run_sync(asyncio.run, play)

    trio.run(run)


# ---- nothing is missing ----


def maps_of(kind: type[Message | Wanted]) -> Iterator[dict[str, Any]]:
    """Give each map that scripts send, or want, with its plain values alone."""
    for statement in (statement for script in SCRIPTS for statement in script.statements):
        if isinstance(statement, kind):
            yield _plain(statement.node)


def _plain(node: Node) -> dict[str, Any]:
    pairs = dict(node.nodes) if isinstance(node, Entries) else {}
    maps = {key: _plain(inside) for key, inside in pairs.items() if isinstance(inside, Entries)}
    return maps | {key: value.value for key, value in pairs.items() if isinstance(value, Literal)}


def test_every_message_has_a_script() -> None:
    text = (ROOT.parent / "docs/protocol.cddl").read_text("utf-8")
    by_side = {}
    for side in ("to-host", "to-client"):
        rules = re.search(rf"^{side} = ((?:[a-z-]+\s*/\s*)+[a-z-]+)", text, re.MULTILINE)
        assert rules
        names = re.findall(r"[a-z-]+", rules[1])
        found = (re.search(rf'^{name} = {{ type: "(\w+)"', text, re.MULTILINE) for name in names)
        by_side[side] = {match[1] for match in found if match}
        assert len(by_side[side]) == len(names)
    assert by_side["to-host"] - {sent.get("type") for sent in maps_of(Message)} == set()
    assert by_side["to-client"] - {wanted.get("type") for wanted in maps_of(Wanted)} == set()


def test_every_error_has_a_script() -> None:
    said = {f"{wanted['group']}.{wanted['code']}" for wanted in maps_of(Wanted) if {"group", "code"} <= wanted.keys()}
    # An error inside an action reaches the client as what the action raised.
    said |= {wanted["metadata"].get("type") for wanted in maps_of(Wanted) if "metadata" in wanted}
    assert set(TABLE) - said == set()


def test_every_refusal_has_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = set()

    def told(*args: Any) -> Any:
        verdict = check_handshake(*args)
        if isinstance(verdict, Refuse):
            refusals.add((verdict.status, verdict.body))
        return verdict

    monkeypatch.setattr("inspector.service.service.check_handshake", told)
    (script,) = [script for script in SCRIPTS if script.name.endswith("/handshake.cbs")]
    play_on_a_host(script, "inspector.cbor.v1")
    written = [
        node.args
        for node in ast.walk(ast.parse(inspect.getsource(handshake)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refuse"
    ]
    assert len(written) >= 8
    for status, body, *_ in written:
        texts = [str(item.value) for item in ast.walk(body) if isinstance(item, ast.Constant)]
        assert isinstance(status, ast.Constant)
        assert any(seen == status.value and max(texts, key=len) in text for seen, text in refusals), texts
    statuses = {item.status for each in SCRIPTS for item in each.statements if isinstance(item, Connect)}
    assert {code for code, _ in refusals} | {503} <= statuses


# ---- each frame fits the protocol's description ----


class Forgetful(Connection):
    """A host's side that leaves a field out which no script asks for."""

    def _transmit(self, frame: Frame) -> None:
        spelling = SPELLINGS[self._dialect.subprotocol]
        message = spelling.decode(frame)
        message.pop("total", None)
        super()._transmit(spelling.encode(message))


class Deaf(Connection):
    """A host's side that says nothing of mistakes."""

    def _refuse_unasked(self, error: ErrorMessage) -> None:
        pass


@pytest.mark.skipif(not AVAILABLE, reason=MISSING)
@pytest.mark.parametrize("subprotocol", SPELLINGS)
def test_a_host_whose_frames_do_not_fit_is_caught(monkeypatch: pytest.MonkeyPatch, subprotocol: str) -> None:
    actors = (
        GREETING + '-> {"type": "ActorsRequest", "id": 1}\n<- {"type": "ActorsResponse", "rid": 1, ...}\ndisconnect'
    )
    wrong = GREETING + '-> {"type": "ActorsRequest", "id": 1, "limit": "all"}\nexpect-silence 1ms\ndisconnect'
    for name, text, said in ((Forgetful, actors, "missing key.*total"), (Deaf, wrong, "nothing was said of")):
        with monkeypatch.context() as patched:
            patched.setattr("inspector.service.service.Connection", name)
            with pytest.raises(AssertionError, match=said):
                play_on_a_host(parse_script("x.cbs", text), subprotocol)
    play_on_a_host(parse_script("x.cbs", actors), subprotocol)


# ---- what a mismatch says ----


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'connect /inspector/connect\n<- {"type": "Init", "now": 1, ...}',
            r'x\.cbs:2: the next message does not fit\n  {\n    "type": "Init"\n-   "now": 1\n\+   "now": \d+\n',
        ),
        (GREETING + "within 50ms\n<- _", r"x\.cbs:4: no message within 0\.05 s\n- _\n\+ nothing"),
        ("connect /elsewhere", r"x\.cbs:1: the handshake was answered otherwise\n- .* 101\n\+ 404: Nothing is here"),
        (
            "connect /inspector/connect expect 401",
            r"x\.cbs:1: the handshake was .*\n- .* 401\n\+ 101: a",
        ),
        (
            GREETING + "within 50ms\nclose 1001",
            r"x\.cbs:4: the host did not close within 0\.05 s\n- close 1001\n\+ the",
        ),
        (
            GREETING + '-> {"type": "LogsSubscribe", "id": 1, "filter": "info"}\nexpect-silence 10s',
            r'x\.cbs:4: something came\n- silence for 10 s\n\+ {"type": "LogsSubscribeResponse"',
        ),
        (
            "connect /inspector/connect\n" + '->> "]"\n' * 32 + "close 1001",
            r"x\.cbs:34: the host ended the connection otherwise\n- close 1001\n\+ close 1008",
        ),
        (
            "connect /inspector/connect\n" + '->> "]"\n' * 32 + '<~ {"rid": 1, ...}',
            r"x\.cbs:34: the connection ended before a message came \(close 1008.*\) that fits; 33 came",
        ),
    ],
)
def test_a_mismatch_says_where_and_what(text: str, said: str) -> None:
    shown = mismatch_of(text)
    assert re.match(said, shown), shown


def test_a_dead_connection_takes_nothing_more() -> None:
    text = "connect /inspector/connect\n" + '->> "]"\n' * 32 + '<~ {"rid": 1, ...}'
    assert ":34:" in mismatch_of(text)


# ---- hosts that are none ----


async def _peer(answer: bytes, text: str) -> None:
    """Play a script against a server that says always the same."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
        assert key
        writer.write(answer.replace(b"ACCEPT", accept_key(key[1].decode()).encode()))
        await writer.drain()
        if answer:
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await play_script(parse_script("x.cbs", text), Target(f"http://127.0.0.1:{port}", None), "inspector.json.v1")


HELLO = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: inspector.json.v1\r\n\r\n"
)


@pytest.mark.parametrize(
    ("answer", "text", "said"),
    [
        (b"", "within 100ms\nconnect /", "x.cbs:2: the handshake was not answered within 0.1 s"),
        (b"SSH-2.0-x\r\n\r\n", "connect /", "no HTTP"),
        (HELLO.replace(b"ACCEPT", b"x"), "connect /", "+ 101: "),
        (HELLO.replace(b"json", b"none"), "connect /", "+ 101: "),
        (HELLO + b"\x81\x02{}", "connect /\n<- {}\n<- _", "x.cbs:3: the connection ended before a message came"),
        (
            HELLO + b"\x01\x01{\x89\x00\x80\x01}\x81\x01[",
            "connect /\n<- {}\n<- _",
            "a frame that is no inspector.json.v1",
        ),
        (
            HELLO + b"\x81\x01\xff",
            "connect /\nclose 1007",
            "+ the connection broke: the host sent text",
        ),
        (HELLO + b"\xf1\x00", "connect /\n<- _", "x.cbs:2: the connection ended"),
        (HELLO + b"\x82\x01\x00", "connect /\nexpect-silence 10s", "+ h'00'"),
        (HELLO + b"\x88\x02\x03\xe9", "connect /\nexpect-silence 10s", "+ close 1001"),
        (HELLO + b"\x88\x02\x03\xe9", 'connect /\n<~ {"x": 1}', "- {"),
        (HELLO.replace(b"Sec-WebSocket-Protocol: inspector.json.v1\r\n", b""), "connect /\n-> {}", "no dialect"),
    ],
)
def test_a_peer_that_is_no_inspector(answer: bytes, text: str, said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        asyncio.run(_peer(answer, text))
    assert said in str(caught.value)


def test_what_has_no_form_in_the_dialect() -> None:
    with pytest.raises(Mismatch, match=r"x\.cbs:2: this can't be said in inspector\.json\.v1"):
        asyncio.run(_peer(HELLO, "connect /\n-> {1: 2}"))


def test_nobody_listens_and_no_tls() -> None:
    async def run(scheme: str) -> None:
        async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            if scheme == "http":
                server.close()
                await server.wait_closed()
            target = Target(f"{scheme}://127.0.0.1:{port}")
            await play_script(parse_script("x", "connect /"), target, "x")

    for scheme in ("http", "https"):
        with pytest.raises(CannotAttach, match=r"127\.0\.0\.1"):
            asyncio.run(run(scheme))
