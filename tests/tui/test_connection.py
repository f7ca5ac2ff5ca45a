"""One connection to a host, over a real socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from protocol.dialects.cbor import dump_value
from protocol.errors import InspectorError
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    Push,
    Request,
    Response,
    StateRequest,
    StateResponse,
)
from tests.tui.host import Client, ScriptedHost, running_host
from tui import connection as module
from tui.connection import CannotAttach, Connection, LinkLost, dial
from tui.discovery import Target


def attached(test: Callable[[ScriptedHost, Connection], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_host() as host, dial(host.target) as connection:
            await test(host, connection)

    asyncio.run(run())


class Ear:
    """A subscriber that remembers."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()

    def opened(self, response: Response) -> None:
        self.said.put_nowait(response)

    def pushed(self, push: Push) -> None:
        self.said.put_nowait(push)

    def ended(self, error: InspectorError) -> None:
        self.said.put_nowait(error)


def test_requests_are_answered_whatever_their_order() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        assert connection.init.host.name == "demo"
        assert abs(connection.clock_offset) < 60
        sleeping = asyncio.create_task(
            connection.request(ActionRequest(id=0, actor="counter/default", name="sleep", args=[1]), ActionResponse)
        )
        await host.wait_asked(ActionRequest)
        answer = await connection.request(ActorsRequest(id=0), ActorsResponse)
        assert [row.actor for row in answer.actors] == ["counter/default", "orders/1042", "ticker"]
        assert not sleeping.done()
        sleeping.cancel()

    attached(test)


def test_an_error_is_raised() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        with pytest.raises(InspectorError, match="boom") as caught:
            await connection.request(ActionRequest(id=0, actor="counter/default", name="fail"), ActionResponse)
        assert caught.value.name == "actor.failed"

    attached(test)


def test_an_answer_of_another_kind_is_no_answer() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            await client.send(client.session.answer(StateResponse(rid=request.id, actor="x", enabled=False)))
            return True

        host.interfere = interfere
        with pytest.raises(LinkLost, match="StateResponse for ActorsRequest"):
            await connection.request(ActorsRequest(id=0), ActorsResponse)

    attached(test)


def test_a_host_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            return True

        host.interfere = interfere
        with pytest.raises(LinkLost, match="no answer within"):
            await connection.request(ActorsRequest(id=0), ActorsResponse, within=0.001)
        host.interfere = None
        assert (await connection.request(ActorsRequest(id=0), ActorsResponse)).total == 3

    attached(test)


def test_a_subscription_hears_its_response_first_and_nothing_after_its_end() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        ear = Ear()
        sub = await connection.subscribe(StateRequest(id=0, actor="counter/default", subscribe=True), ear)
        assert (await ear.said.get()).state == {"count": 3, "names": ["a", "b"]}
        await host.set_state("counter/default", 5)
        assert (await ear.said.get()).state == 5
        await connection.unsubscribe(sub)
        await connection.unsubscribe(sub)
        await host.set_state("counter/default", 6)
        await connection.request(ActorsRequest(id=0), ActorsResponse)
        assert ear.said.empty()

    attached(test)


def test_a_refused_subscription_is_told() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        ear = Ear()
        await connection.subscribe(StateRequest(id=0, actor="nobody", subscribe=True), ear)
        assert (await ear.said.get()).name == "actor.not_found"

    attached(test)


def test_what_does_not_fit_into_a_frame_is_not_sent() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        huge = ActionRequest(id=0, actor="counter/default", name="increment", args=["x" * (3 << 20)])
        with pytest.raises(InspectorError, match="don't fit"):
            await connection.request(huge, ActionResponse)
        ear = Ear()
        await connection.subscribe(StateRequest(id=0, actor="x" * (3 << 20), subscribe=True), ear)
        assert (await ear.said.get()).name == "inspector.bad_message"
        assert host.asked == []

    attached(test)


def test_what_has_no_form_on_the_wire_is_refused_here() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        with pytest.raises(InspectorError) as caught:
            await connection.request(ActionRequest(id=0, actor="a", name="b", args=[object()]), ActionResponse)
        assert caught.value.name == "actor.unserializable"

    attached(test)


def test_the_round_trip_is_measured() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        while connection.round_trip is None:
            await connection.request(ActorsRequest(id=0), ActorsResponse)
        assert 0 <= connection.round_trip < 60

    attached(test)


def test_a_host_that_does_not_answer_is_late_before_it_does() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        while connection.round_trip is None:
            assert connection.latency is None or connection.latency >= 0
            await connection.request(ActorsRequest(id=0), ActorsResponse)
        assert connection.latency == connection.round_trip
        now = asyncio.get_running_loop().time()
        connection._pinged_at = now - 7.0
        assert connection.latency >= 7.0
        connection.round_trip = 60.0
        assert connection.latency == 60.0

    attached(test)


@pytest.mark.parametrize("how", ["stop", "vanish", "garbage", "text", "second init"])
def test_a_host_that_goes_leaves_nobody_waiting(how: str) -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        waiting = asyncio.create_task(
            connection.request(ActionRequest(id=0, actor="counter/default", name="sleep", args=[1]), ActionResponse)
        )
        await host.wait_asked(ActionRequest)
        [client] = host.clients
        if how == "stop":
            await host.stop()
        elif how == "vanish":
            host.vanish()
        else:
            frame: dict[str, bytes | str] = {
                "garbage": b"\xff\x00",
                "text": "hello",
                "second init": client.session.announce(connection.init),
            }
            await client.send(frame[how])
        with pytest.raises(LinkLost):
            await waiting
        reason = await connection.closed
        wanted = {
            "stop": "going away",
            "vanish": "broke",
            "garbage": "no message",
            "text": "no message",
            "second init": "second Init",
        }
        assert wanted[how] in reason
        with pytest.raises(LinkLost):
            await connection.request(ActorsRequest(id=0), ActorsResponse)
        with pytest.raises(LinkLost):
            await connection.subscribe(ActorsRequest(id=0, subscribe=True), Ear())

    attached(test)


def test_a_subscriber_that_raises_is_a_bug_that_is_seen() -> None:
    class Bad(Ear):
        def opened(self, response: Response) -> None:
            raise RuntimeError("a bug")

    async def run() -> None:
        async with running_host() as host, dial(host.target) as connection:
            await connection.subscribe(ActorsRequest(id=0, subscribe=True), Bad())
            await connection.closed

    with pytest.raises(RuntimeError, match="a bug"):
        asyncio.run(run())


def test_a_host_that_says_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_TIMEOUT", 0.05)

    async def test(host: ScriptedHost, connection: Connection) -> None:
        [client] = host.clients
        client.websocket.transport.pause_reading()
        assert "silent" in await connection.closed or "broke" in connection.closed.result()

    monkeypatch.setattr(module, "PING_EVERY", 0.001)
    attached(test)


def test_a_host_that_takes_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_TIMEOUT", 0.05)

    async def test(host: ScriptedHost, connection: Connection) -> None:
        [client] = host.clients
        client.websocket.transport.pause_reading()

        async def flood() -> None:
            for _ in range(100):
                big = ActionRequest(id=connection.next_id(), actor="a", name="b", args=["x" * (1 << 20)])
                await connection.begin(big)

        with pytest.raises(LinkLost):
            await flood()

    attached(test)


def refused(host: ScriptedHost, target: Target) -> CannotAttach:
    async def run() -> CannotAttach:
        await host.start()
        try:
            with pytest.raises(CannotAttach) as caught:
                async with dial(Target(host.url, target.token)):
                    pass
            return caught.value
        finally:
            await host.stop()

    return asyncio.run(run())


def test_a_wrong_token_and_none_are_told_apart() -> None:
    wrong = refused(ScriptedHost(), Target("", "wrong"))
    assert (wrong.status, "the token is wrong" in str(wrong)) == (401, True)
    missing = refused(ScriptedHost(), Target("", None))
    assert (missing.status, "wants a token" in str(missing)) == (401, True)


def test_what_is_no_inspector_is_told() -> None:
    host = ScriptedHost()
    host.raw_greeting = b"\x00"
    error = refused(host, host.target)
    assert "no inspector that we know" in str(error)
    assert error.status is None


def test_a_greeting_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_TIMEOUT", 0.2)

    async def mute(websocket: ServerConnection) -> None:
        await websocket.wait_closed()

    async def run() -> None:
        select: Any = lambda connection, offered: "inspector.cbor.v1"  # noqa: E731 - shorter than a function
        async with serve(mute, "127.0.0.1", 0, select_subprotocol=select) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(CannotAttach, match="does not greet"):
                async with dial(Target(f"http://127.0.0.1:{port}", "t")):
                    pass

    asyncio.run(run())


def test_a_host_that_closes_at_once_is_told() -> None:
    async def shut(websocket: ServerConnection) -> None:
        await websocket.close(1013, "try \x1b[31mlater")

    async def run() -> None:
        select: Any = lambda connection, offered: "inspector.cbor.v1"  # noqa: E731 - shorter than a function
        async with serve(shut, "127.0.0.1", 0, select_subprotocol=select) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(CannotAttach, match="closed with 1013: try ␛") as caught:
                async with dial(Target(f"http://127.0.0.1:{port}", "t")):
                    pass
            assert str(caught.value).isprintable()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [(403, "", "foreign \x1b[31mHost"), (500, "", ""), (302, "Location: http://127.0.0.1:1/\r\n", "")],
)
def test_other_refusals_and_redirects_are_told_and_not_followed(status: int, headers: str, body: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = f"HTTP/1.1 {status} No\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        writer.write(text.encode())
        await writer.drain()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(CannotAttach) as caught:
                async with dial(Target(f"http://127.0.0.1:{port}", "t")):
                    pass
            assert caught.value.status == status
            assert str(caught.value).isprintable()

    asyncio.run(run())


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_what_speaks_something_else_is_told(reply: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for scheme in ("http", "https"):
                with pytest.raises(CannotAttach) as caught:
                    async with dial(Target(f"{scheme}://127.0.0.1:{port}", "t")):
                        pass
                assert caught.value.status is None

    asyncio.run(run())


def test_nobody_there() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(CannotAttach, match="nobody listens there"):
            async with dial(Target(f"http://127.0.0.1:{port}", "t")):
                pass

    asyncio.run(run())


def test_an_unknown_message_of_a_newer_host_does_no_harm() -> None:
    async def test(host: ScriptedHost, connection: Connection) -> None:
        [client] = host.clients
        await client.send(dump_value({"type": "Fortune", "text": "you will travel"}))
        await client.send(dump_value({"type": "ActorsUpdated", "sub": 99, "changed": [], "removed": []}))
        await client.send(dump_value({"type": "Error", "rid": None, "group": "a", "code": "b", "message": "c"}))
        assert (await connection.request(ActorsRequest(id=0), ActorsResponse)).total == 3
        assert time.time() > 0

    attached(test)
