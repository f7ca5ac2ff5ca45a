"""Each message's round trip, and each typed refusal."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from websockets.exceptions import ConnectionClosed

from inspector import Actor, Registry
from inspector.service import requests
from inspector.service.connection import MAX_FRAME
from protocol.addresses import encode_address
from protocol.messages import (
    TO_HOST,
    ActionCancel,
    ActionCancelResponse,
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Error,
    Failure,
    RpcsListRequest,
    RpcsListResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.server import ServerSession
from tests.inspector.service.support import (
    Box,
    BoxState,
    Worker,
    attached,
    connection_tasks,
    hosted,
    service_tasks,
    until,
)

__all__ = ()

pytestmark = pytest.mark.trio


def name_of(error: Error) -> str:
    """Return an error's group and code."""
    return f"{error.group}.{error.code}"


class Plain(Actor[None]):
    """Without state."""


class Clock(Actor[BoxState]):
    """Changes its state in a task of its own."""

    tick: trio.Event

    def __init__(self) -> None:
        self.tick = trio.Event()

    async def run(self) -> None:
        """Count each time that it is told to."""
        while True:
            await self.tick.wait()
            self.tick = trio.Event()
            self.state.count += 1


def clock(registry: Registry) -> Clock:
    """Return the clock itself."""
    actor = registry.get("clock").actor
    assert isinstance(actor, Clock)
    return actor


def worker(registry: Registry) -> Worker:
    """Return the worker itself."""
    actor = registry.get("worker/w").actor
    assert isinstance(actor, Worker)
    return actor


# ---- Init ----


async def test_init_comes_first_and_says_who_it_is() -> None:
    async with hosted() as host, attached(host) as client:
        init, log = client.init, host.registry.log
        assert init.host.id == log.host_id
        assert init.host.name == "test"
        assert init.limits.max_frame == MAX_FRAME
        assert init.limits.max_batch == 256 * 1024
        assert init.log.first_seq == 1 < init.log.next_seq <= log.next_seq
        assert init.features == ["actors", "state", "actions", "logs", "spans"]


# ---- actors ----


async def test_actors_by_pages() -> None:
    registry = Registry([Box, Worker])
    keys = ["", "~", "a/b", "a b", "é", "ß/ü", "z", "%2F", "日本"]
    for key in keys:
        registry.get_or_create(Box, key)
    expected = sorted({encode_address("box", [key]) for key in [*keys, "a"]} | {"worker/w"})
    async with hosted(registry=registry) as host, attached(host) as client:
        found: list[str] = []
        cursor: Any = None
        for rid in range(1, 100):
            request = ActorsRequest(id=rid, limit=3)
            if cursor:
                request.cursor = cursor
            answer = await client.ask(request, ActorsResponse)
            assert answer.total == len(expected)
            found += [row.actor for row in answer.actors]
            cursor = answer.cursor
            if not cursor:
                break
            assert len(answer.actors) == 3
        assert found == expected
        whole = await client.ask(ActorsRequest(id=100), ActorsResponse)
        assert not whole.cursor
        assert {tuple(row.key) for row in whole.actors if row.name == "box"} == {(key,) for key in [*keys, "a"]}


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("box/", ["a", "é", "éa", "a/b"]),
        ("box/é", ["é", "éa"]),
        ("box/%C3%A9", ["é", "éa"]),
        ("box/a%2", ["a/b"]),
        ("x", []),
    ],
)
async def test_prefix_as_people_type_it(prefix: str, keys: list[str]) -> None:
    registry = Registry([Box, Worker])
    for key in ("é", "éa", "a/b"):
        registry.get_or_create(Box, key)
    async with hosted(registry=registry) as host, attached(host) as client:
        answer = await client.ask(ActorsRequest(id=1, prefix=prefix, limit=0), ActorsResponse)
        assert answer.total == len(keys)
        assert len(answer.actors) == min(1, len(keys))
        answer = await client.ask(ActorsRequest(id=2, prefix=prefix), ActorsResponse)
        assert sorted(row.key[0] for row in answer.actors) == sorted(keys)
        gone = await client.ask(ActorsRequest(id=3, prefix=prefix, cursor="zzz"), ActorsResponse)
        assert (gone.actors, gone.total) == ([], len(keys))


async def test_a_page_fits_into_a_frame() -> None:
    registry = Registry([Box, Worker])
    for number in range(600):
        cell = registry.get(registry.get_or_create(Box, f"{number:04}").address)
        cell.failure = Failure(type="X", message="é" * 1000, at=1)
    async with hosted(registry=registry) as host, attached(host) as client:
        first = await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        assert first.total == 602
        assert 100 < len(first.actors) < 600
        second = await client.ask(ActorsRequest(id=2, cursor=first.cursor), ActorsResponse)
        third = await client.ask(ActorsRequest(id=3, cursor=second.cursor), ActorsResponse)
        assert not third.cursor
        assert len(first.actors) + len(second.actors) + len(third.actors) == 602
        for number in range(600):
            registry.get(f"box/{number:04}").touch()
        seen: list[str] = []
        while len(seen) < 600:
            seen += [row.actor for row in (await client.pushed(ActorsUpdated)).changed if row.failure]
        assert len(set(seen)) == len(seen) == 600


async def test_actors_updated_with_what_changed_and_what_is_gone() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True, prefix="box/"), ActorsResponse)
        host.registry.get_or_create(Worker, "unseen")
        host.registry.get_or_create(Box, "new")
        update = await client.pushed(ActorsUpdated)
        assert (update.sub, [row.actor for row in update.changed], update.removed) == (1, ["box/new"], [])
        await client.call(2, "add", actor="box/new")
        await client.refused(ActionRequest(id=3, actor="box/new", name="fail"))
        while not update.changed or update.changed[0].actions < 2:
            update = await client.pushed(ActorsUpdated)
        row = update.changed[0]
        assert (row.actor, row.actions, row.errors, row.status, row.running) == ("box/new", 2, 1, "idle", 0)
        await host.registry.stop("box/new")
        while not update.removed:
            update = await client.pushed(ActorsUpdated)
        assert (update.changed, update.removed) == ([], ["box/new"])


async def test_an_actor_made_again_in_one_interval_is_not_removed() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        await host.registry.stop("box/a")
        host.registry.get_or_create(Box, "a")
        update = await client.pushed(ActorsUpdated)
        assert ([row.actor for row in update.changed], update.removed) == (["box/a"], [])


async def test_one_connection_watches_the_list_twice() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(ActorsRequest(id=1, subscribe=True), ActorsResponse)
        await client.ask(ActorsRequest(id=2, subscribe=True), ActorsResponse)
        host.registry.get("box/a").touch()
        assert {(await client.pushed(ActorsUpdated)).sub for _ in range(2)} == {1, 2}
        await client.ask(Unsubscribe(id=3, sub=1), UnsubscribeResponse)
        host.registry.get("box/a").touch()
        assert (await client.pushed(ActorsUpdated)).sub == 2
    await until(lambda: not host.registry.watchers)


# ---- state ----


async def test_state_read_and_watched() -> None:
    async with hosted() as host, attached(host) as client:
        answer = await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        assert (answer.actor, answer.enabled, answer.version) == ("box/a", True, 1)
        assert answer.state == {"count": 0, "text": "", "odd": None}
        assert isinstance(answer.schema, dict)
        assert "BoxState" in str(answer.schema)
        action = await client.ask(ActionRequest(id=2, actor="box/a", name="add", args=[3]), ActionResponse)
        update = await client.pushed(StateUpdated)
        assert (update.sub, update.actor, update.version, update.state["count"]) == (1, "box/a", 2, 3)
        assert update.cause
        assert (update.cause.action, update.cause.span_id, update.cause.trace_id) == (
            "add",
            action.span_id,
            action.trace_id,
        )
        unwatched = await client.ask(StateRequest(id=3, actor="box/a"), StateResponse)
        assert unwatched.version == 2


async def test_state_changes_that_come_fast_are_told_once() -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        for rid in range(2, 52):
            await client.send(ActionRequest(id=rid, actor="box/a", name="add"))
        updates = [await client.pushed(StateUpdated)]
        while updates[-1].state["count"] < 50:
            updates.append(await client.pushed(StateUpdated))
        versions = [update.version for update in updates]
        assert versions == list(range(2, 2 + len(versions)))
        counts = [update.state["count"] for update in updates]
        assert counts == sorted(counts)
        assert len(updates) < 50
        # An action that changes nothing is no news.
        await client.ask(ActionRequest(id=60, actor="box/a", name="add", args=[0]), ActionResponse)
        await client.call(61, "add", 1)
        assert (await client.pushed(StateUpdated)).version == versions[-1] + 1


async def test_a_task_of_the_actor_changes_its_state() -> None:
    registry = Registry([Box, Worker, Clock])
    registry.get_or_create(Clock)
    async with hosted(registry=registry) as host, attached(host) as client:
        # Another subscription sleeps already, and knows nothing of a state that has to be asked for.
        await client.ask(ActorsRequest(id=1, subscribe=True, prefix="nothing"), ActorsResponse)
        await client.ask(StateRequest(id=2, actor="clock", subscribe=True), StateResponse)
        clock(host.registry).tick.set()
        update = await client.pushed(StateUpdated)
        assert (update.sub, update.state["count"], update.cause or None) == (2, 1, None)


async def test_an_actor_without_state() -> None:
    registry = Registry([Box, Worker, Plain])
    registry.get_or_create(Plain)
    async with hosted(registry=registry) as host, attached(host) as client:
        answer = await client.ask(StateRequest(id=1, actor="plain", subscribe=True), StateResponse)
        assert (answer.enabled, bool(answer.version), bool(answer.schema)) == (False, False, False)


async def test_state_that_can_not_be_told() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "make_odd")
        assert name_of(await client.refused(StateRequest(id=2, actor="box/a"))) == "actor.unserializable"
        assert (
            name_of(await client.refused(StateRequest(id=3, actor="box/a", subscribe=True))) == "actor.unserializable"
        )
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.ask(StateRequest(id=3, actor="worker/w"), StateResponse)


async def test_state_that_is_too_large() -> None:
    async with hosted() as host, attached(host) as client:
        await client.call(1, "write", 2 * MAX_FRAME)
        error = await client.refused(StateRequest(id=2, actor="box/a", subscribe=True))
        assert name_of(error) == "actor.result_too_large"
        assert error.metadata
        assert error.metadata["limit"] == MAX_FRAME
        assert name_of(await client.refused(Unsubscribe(id=3, sub=2))) == "inspector.unknown_subscription"
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.call(4, "write", 1)
        await client.ask(StateRequest(id=2, actor="box/a", subscribe=True), StateResponse)


@pytest.mark.parametrize(
    ("spoil", "argument", "code"),
    [("make_odd", (), "actor.unserializable"), ("write", (2 * MAX_FRAME,), "actor.result_too_large")],
)
async def test_a_watched_state_that_can_not_be_told_any_more(spoil: str, argument: tuple[int, ...], code: str) -> None:
    async with hosted() as host, attached(host) as client:
        await client.ask(StateRequest(id=1, actor="box/a", subscribe=True), StateResponse)
        await client.call(2, spoil, *argument)
        # An error with an open subscription's id ends it.
        assert name_of(await client.answer(1, Error)) == code
        assert name_of(await client.refused(Unsubscribe(id=3, sub=1))) == "inspector.unknown_subscription"
        assert not host.registry.get("box/a").watch.listeners  # type: ignore[union-attr]  # asked for, so it is there
        await client.ask(ActorsRequest(id=1), ActorsResponse)


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
            patch.setattr("inspector.service.connection.action_response", broken)
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


async def test_every_request_has_a_handler() -> None:
    assert set(requests.HANDLERS) == set(TO_HOST.values())
