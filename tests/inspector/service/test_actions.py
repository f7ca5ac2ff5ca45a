"""Actions over the wire, what refuses them, and what a bug of the host itself does to a connection."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from websockets.exceptions import ConnectionClosed

import inspector
from inspector import Actor, Registry, action
from inspector.service import requests
from protocol.messages import (
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    Error,
    RpcsListRequest,
    RpcsListResponse,
    StateRequest,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.server import ServerSession
from tests.inspector.service.support import (
    Box,
    Worker,
    attached,
    connection_tasks,
    hosted,
    name_of,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio


def worker(registry: Registry) -> Worker:
    """Return the worker itself."""
    actor = registry.get("worker/w").actor
    assert isinstance(actor, Worker)
    return actor


# ---- actions ----


async def test_rpcs() -> None:
    async with hosted() as host, attached(host) as client:
        answer = await client.ask(RpcsListRequest(id=1, actor="box/a"), RpcsListResponse)
        rpc = answer.rpcs[0]
        assert (rpc.name, rpc.doc, rpc.concurrent, rpc.timeout_ms) == ("add", "Add to the count.", False, 60_000)
        assert rpc.args["properties"]["amount"] == {"type": "integer", "default": 1}
        assert rpc.returns == {"type": "integer"}


async def test_action_by_position_by_name_and_without_arguments() -> None:
    async with hosted() as host, attached(host) as client:
        cases: list[tuple[int, Any, int]] = [(1, [2], 2), (2, {"amount": 3}, 5), (3, {}, 6), (4, [], 7)]
        for rid, args, output in cases:
            request = ActionRequest(id=rid, actor="box/a", name="add", args=args)
            answer = await client.ask(request, ActionResponse)
            assert answer.output == output
            assert answer.duration_ns > 0
        answer = await client.ask(ActionRequest(id=5, actor="box/a", name="add_async"), ActionResponse)
        assert answer.output == 8


async def test_action_under_the_callers_trace() -> None:
    trace, span = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
    async with hosted() as host, attached(host) as client:
        request = ActionRequest(id=1, actor="box/a", name="add", traceparent=f"00-{trace}-{span}-01")
        answer = await client.ask(request, ActionResponse)
        assert answer.trace_id == trace
        assert answer.span_id != span
        (record,) = host.registry.log.span_records([answer.span_id])
        assert f'"parent_id":"{span}"'.encode() in record
        assert b'"rid":1' in record
        # A malformed one begins a new trace.
        request = ActionRequest(id=2, actor="box/a", name="add", traceparent="00-0-0-0")
        assert (await client.ask(request, ActionResponse)).trace_id not in (trace, "0" * 32)


class Forwarder(Actor[None]):
    """Says what it would tell whom it calls."""

    @action
    def headers(self) -> tuple[str | None, str | None]:
        return inspector.traceparent(), inspector.tracestate()

    @action
    async def later(self) -> tuple[str | None, str | None]:
        await trio.lowlevel.checkpoint()
        return self.headers()


async def test_what_came_with_a_trace_goes_on_with_it() -> None:
    trace, span = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
    async with hosted(Forwarder) as host, attached(host) as client:
        host.registry.get_or_create(Forwarder)
        for rid, name, state in [(1, "headers", "vendor=1"), (2, "later", "vendor=1"), (3, "headers", "no state")]:
            traceparent = f"00-{trace}-{span}-01"
            request = ActionRequest(id=rid, actor="forwarder", name=name, traceparent=traceparent, tracestate=state)
            answer = await client.ask(request, ActionResponse)
            assert answer.output == [f"00-{trace}-{answer.span_id}-01", state if "=" in state else None]
        answer = await client.ask(ActionRequest(id=4, actor="forwarder", name="headers"), ActionResponse)
        assert answer.output == [f"00-{answer.trace_id}-{answer.span_id}-01", None]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ActionRequest(id=9, actor="nobody", name="x"), "actor.not_found"),
        (ActionRequest(id=9, actor="box//", name="x"), "actor.not_found"),
        (ActionRequest(id=9, actor="x" * 100_000, name="x"), "actor.not_found"),
        (ActionRequest(id=9, actor="box/a", name="x" * 1000), "actor.action_not_found"),
        (ActionRequest(id=9, actor="box/a", name="__init__"), "actor.action_not_found"),
        (ActionRequest(id=9, actor="box/a", name="add", args=["a"]), "actor.invalid_arguments"),
        (ActionRequest(id=9, actor="box/a", name="add", args=[1, 2]), "actor.invalid_arguments"),
        (ActionRequest(id=9, actor="box/a", name="add", args={"count": 1}), "actor.invalid_arguments"),
        (ActionRequest(id=9, actor="box/a", name="fail"), "actor.failed"),
        (ActionRequest(id=9, actor="box/a", name="unserialisable"), "actor.unserializable"),
        (ActionRequest(id=9, actor="box/a", name="big", args=[50 * 10**6]), "actor.result_too_large"),
        (ActionRequest(id=9, actor="worker/w", name="work", timeout_ms=10), "actor.action_timed_out"),
        (ActionRequest(id=9, actor="worker/w", name="work", timeout_ms=0), "actor.action_timed_out"),
        (StateRequest(id=9, actor="nobody", subscribe=True), "actor.not_found"),
        (RpcsListRequest(id=9, actor="nobody"), "actor.not_found"),
        (Unsubscribe(id=9, sub=9), "inspector.unknown_subscription"),
        (Unsubscribe(id=9, sub=2**64 - 1), "inspector.unknown_subscription"),
    ],
)
async def test_typed_refusals_and_the_connection_goes_on(request_: Any, code: str) -> None:
    async with hosted() as host, attached(host) as client:
        error = await client.refused(request_)
        assert (error.rid, name_of(error)) == (9, code)
        assert len(error.message) < 1000
        # The id is free again.
        await client.ask(ActorsRequest(id=9), ActorsResponse)
        assert await client.call(10, "add") == 1


async def test_what_an_action_raised_is_told_without_its_traceback() -> None:
    async with hosted() as host, attached(host) as client:
        error = await client.refused(ActionRequest(id=1, actor="box/a", name="fail"))
        assert error.message == "RuntimeError: as asked"
        assert error.metadata
        assert error.metadata["type"] == "RuntimeError"
        assert "Traceback" not in str(error)


async def test_requests_of_one_connection_run_side_by_side() -> None:
    async with hosted() as host, attached(host) as client:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["first"]))
        await client.send(ActionRequest(id=2, actor="worker/w", name="beside"))
        assert await client.call(3, "add") == 1
        await client.call(4, "open", actor="worker/w")
        assert (await client.answer(1, ActionResponse)).output == "first"
        assert (await client.answer(2, ActionResponse)).output == "beside"


async def test_an_id_in_use() -> None:
    async with hosted() as host, attached(host) as client:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["first"]))
        await client.send(ActorsRequest(id=1))
        # Two answers carry this id: the refusal is told first, the request itself still waits.
        assert name_of(await client.answer(1, Error)) == "inspector.id_in_use"
        await client.call(2, "open", actor="worker/w")
        assert (await client.answer(1, ActionResponse)).output == "first"
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        assert name_of(await client.refused(ActorsRequest(id=1))) == "inspector.id_in_use"
        await client.ask(Unsubscribe(id=3, sub=1), UnsubscribeResponse)
        await client.ask(ActorsRequest(id=1), ActorsResponse)


async def test_unsubscribe_twice() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        await client.ask(Unsubscribe(id=2, sub=1), UnsubscribeResponse)
        assert not host.registry.watchers
        assert name_of(await client.refused(Unsubscribe(id=3, sub=1))) == "inspector.unknown_subscription"


async def test_cancel_running_waiting_and_done() -> None:
    async with hosted() as host, attached(host) as client:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["first"]))
        await client.send(ActionRequest(id=2, actor="worker/w", name="work", args=["second"]))
        await client.send(ActionRequest(id=3, actor="worker/w", name="work", args=["third"]))
        assert (await client.ask(ActionCancel(id=4, action=2), ActionCancelResponse)).cancelled
        assert name_of(await client.answer(2, Error)) == "actor.action_cancelled"
        assert (await client.ask(ActionCancel(id=5, action=1), ActionCancelResponse)).cancelled
        assert name_of(await client.answer(1, Error)) == "actor.action_cancelled"
        await client.call(6, "open", actor="worker/w")
        assert (await client.answer(3, ActionResponse)).output == "third"
        for rid, gone in enumerate((1, 2, 3, 6, 999), 10):
            assert not (await client.ask(ActionCancel(id=rid, action=gone), ActionCancelResponse)).cancelled
        assert worker(host.registry).done == ["third"]


async def test_nobody_cancels_anothers_action() -> None:
    async with hosted() as host, attached(host) as client, attached(host) as other:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work"))
        await until(lambda: host.registry.get("worker/w").running)
        assert not (await other.ask(ActionCancel(id=1, action=1), ActionCancelResponse)).cancelled
        worker(host.registry).gate.set()
        await client.answer(1, ActionResponse)


async def test_a_client_that_vanishes_stops_nothing() -> None:
    async with hosted() as host:
        async with attached(host) as client:
            await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["on"]))
            await until(lambda: host.registry.get("worker/w").running)
            await trio.aclose_forcefully(client.websocket.stream)
        await until(lambda: not service_tasks())
        worker(host.registry).gate.set()
        await until(lambda: worker(host.registry).done == ["on"])


# ---- bugs of the host itself ----


async def test_a_bug_in_a_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: object, request: object) -> None:
        raise ZeroDivisionError("a secret of the host")

    handlers: dict[Any, Any] = requests.HANDLERS
    monkeypatch.setitem(handlers, RpcsListRequest, broken)
    async with hosted() as host, attached(host) as client:
        error = await client.refused(RpcsListRequest(id=1, actor="box/a"))
        assert name_of(error) == "inspector.internal_error"
        assert "secret" not in str(error)
        await client.ask(ActorsRequest(id=1), ActorsResponse)
        recorder = host.registry.log.recorder
        (line,) = [e[0] for _, run in recorder.entries(0, recorder.next_seq) for e in run if b'"level":"ERROR"' in e[0]]
        assert b"ZeroDivisionError" in line
        assert b"request failed" in line


async def test_a_bug_while_a_worker_tells_what_came_of_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: object) -> None:
        raise ZeroDivisionError

    async with hosted() as host, attached(host) as client:
        with monkeypatch.context() as patch:
            patch.setattr("inspector.service.connection.call_response", broken)
            error = await client.refused(ActionRequest(id=1, actor="box/a", name="add_async"))
            assert name_of(error) == "inspector.internal_error"
        assert await client.call(2, "add_async") == 2


async def test_a_bug_in_a_subscription() -> None:
    class Broken(Registry):
        def holds(self, cell: Any) -> bool:
            raise ZeroDivisionError

    async with hosted(registry=Broken([Box, Worker])) as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        host.registry.get("box/a").touch()
        assert name_of(await client.answer(1, Error)) == "inspector.internal_error"
        assert not host.registry.watchers
        await client.ask(ActorsRequest(id=1), ActorsResponse)


async def test_a_bug_in_a_connection_stays_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosted() as host, attached(host) as client:

        class Broken(ServerSession):
            def announce(self, message: Any) -> Any:
                raise ZeroDivisionError

        monkeypatch.setattr("inspector.service.connection.ServerSession", Broken)
        with pytest.raises(ConnectionClosed):
            async with attached(host):
                raise AssertionError
        await client.ask(ActorsRequest(id=1), ActorsResponse)
        recorder = host.registry.log.recorder
        kept = [entry[0] for _, run in recorder.entries(0, recorder.next_seq) for entry in run]
        assert [line for line in kept if b"connection failed" in line and b"ZeroDivisionError" in line]
        await until(lambda: connection_tasks() == 1)


async def test_work_that_comes_while_draining_is_refused() -> None:
    async with hosted(drain_timeout=30) as host, attached(host) as client:
        await client.send(ActionRequest(id=1, actor="worker/w", name="work", args=["last"]))
        await until(lambda: host.registry.get("worker/w").running)
        host.shutdown()
        assert name_of(await client.refused(ActionRequest(id=2, actor="box/a", name="add"))) == "registry.shut_down"
        # Looking is no work.
        await client.ask(ActorsRequest(id=3), ActorsResponse)
        worker(host.registry).gate.set()
        assert (await client.answer(1, ActionResponse)).output == "last"
        close = await client.closed()
        assert close
        assert close.code == 1001
