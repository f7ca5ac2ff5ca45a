"""Spans that actors make: their parents and fields, and how they follow the work from actor to actor."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.calls import Call
from inspector.registry import Registry
from inspector.tracing import current_span, parse_traceparent
from protocol.records import Record
from tests.inspector.reading import events, raises, read, settle, spans

pytestmark = pytest.mark.trio


class Leaf(Actor[None]):
    """At the end of each call."""

    @action
    def note(self, text: str) -> str:
        self.log.info("noted", text=text)
        return text

    @action
    async def note_async(self, text: str) -> str:
        await trio.lowlevel.checkpoint()
        self.log.info("noted", text=text)
        return text

    @action
    def silent(self) -> None: ...

    @action
    def fail(self) -> None:
        raise ValueError("no")


class Stem(Actor[None]):
    """Has every stage, and calls others."""

    async def on_start(self) -> None:
        self.log.info("in start")
        await self.get(Leaf, "of start").call(Leaf.note, "from start")

    async def on_stop(self) -> None:
        self.log.info("in stop")
        await self.get(Leaf, "of stop").call(Leaf.note, "from stop")

    async def run(self) -> None:
        self.log.info("in run")
        await self.get(Leaf, "of run").call(Leaf.note, "from run")
        await trio.sleep_forever()

    @action
    async def call(self, way: str) -> str:
        leaf = self.get(Leaf, "called")
        if way == "nursery":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leaf.call, Leaf.note, way)
        elif way == "span":
            with self.log.span("inner", step=1):
                await leaf.call(Leaf.note, way)
        elif way == "async":
            await leaf.call(Leaf.note_async, way)
        else:
            await leaf.call(Leaf.note, way)
        return way

    @action
    async def threaded(self) -> None:
        def work() -> None:
            span = current_span.get()
            assert span is not None
            self.log.info("in a thread", span_id_seen=span.span_id)
            trio.from_thread.run(self.get(Leaf, "threaded").call, Leaf.note, "from a thread")

        await trio.to_thread.run_sync(work)

    @action
    async def nested(self) -> None:
        async def child() -> None:
            self.log.info("in a child")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    @action
    def spawn_one(self) -> None:
        self.spawn(self._task, name="errand")

    async def _task(self) -> None:
        self.log.info("in a task")
        await self.get(Leaf, "of task").call(Leaf.note, "from a task")

    @action(timeout=1)
    async def wait(self) -> None:
        await trio.sleep_forever()


def noted(registry: Registry, text: str) -> Record:
    (record,) = [record for record in events(registry.log, "noted") if record.fields["text"] == text]
    return record


def only(registry: Registry, name: str, **fields: Any) -> Record:
    """Return the one record with which a span of a name and of some fields starts."""
    (record,) = [
        record
        for record in spans(registry.log, name, "span_start")
        if all(record.span.get(key) == value for key, value in fields.items())
    ]
    return record


async def stem(registry: Registry) -> None:
    registry.get_or_create(Stem)
    await settle()


async def test_the_table_of_spans() -> None:
    registry = Registry([Stem, Leaf], name="table")
    async with registry.running():
        await stem(registry)
        cell = registry.get("stem")
        await registry.call("stem", "spawn_one")
        await settle()
    actor = only(registry, "actor", actor="stem")
    assert actor.span == {"name": "actor", "actor": "stem", "actor_id": cell.id, "generation": 1}
    assert actor.parent_id is None
    for name, task in (("start", "on_start"), ("stop", "on_stop"), ("run", "run"), ("task", "errand")):
        span = only(registry, name)
        assert span.span == {"name": name, "task": task}
        assert (span.parent_id, span.trace_id) == (actor.span_id, actor.trace_id)
        (event,) = events(registry.log, f"in {'a task' if name == 'task' else name}")
        assert event.span_id == span.span_id
        # What it calls is no part of the actor's life, but a trace of its own.
        action = only(registry, "action", actor=f"leaf/of%20{name}")
        assert action.parent_id is None
        assert action.trace_id != actor.trace_id
    spawn = only(registry, "action", action="spawn_one")
    assert spawn.span == {"name": "action", "actor": "stem", "actor_id": cell.id, "action": "spawn_one"}
    assert spawn.parent_id is None
    assert len({record.trace_id for record in spans(registry.log, "actor")}) == 5
    assert {record.level for record in read(registry.log) if record.kind != "event"} == {"DEBUG"}
    started, stopped = events(registry.log, "actor started"), events(registry.log, "actor stopped")
    assert actor.span_id in {record.span_id for record in started}
    assert actor.span_id in {record.span_id for record in stopped}


@pytest.mark.parametrize("way", ["plain", "async", "nursery", "span"])
async def test_a_trace_crosses_actors(way: str) -> None:
    registry = Registry([Stem, Leaf])
    async with registry.running():
        await stem(registry)
        await registry.call("stem", "call", way)
    root = only(registry, "action", action="call")
    leaf = only(registry, "action", actor="leaf/called")
    assert leaf.trace_id == root.trace_id
    if way == "span":
        inner = only(registry, "inner")
        assert (inner.parent_id, inner.span) == (root.span_id, {"name": "inner", "step": 1})
        assert leaf.parent_id == inner.span_id
    else:
        assert leaf.parent_id == root.span_id
    assert noted(registry, way).span_id == leaf.span_id


async def test_threads_and_nurseries_inherit() -> None:
    registry = Registry([Stem, Leaf])
    async with registry.running():
        await stem(registry)
        await registry.call("stem", "threaded")
        await registry.call("stem", "nested")
    thread = only(registry, "action", action="threaded")
    (event,) = events(registry.log, "in a thread")
    assert (event.span_id, event.fields["span_id_seen"]) == (thread.span_id, thread.span_id)
    assert only(registry, "action", actor="leaf/threaded").parent_id == thread.span_id
    (event,) = events(registry.log, "in a child")
    assert event.span_id == only(registry, "action", action="nested").span_id


async def test_a_traceparent_and_a_request_id() -> None:
    registry = Registry([Leaf])
    async with registry.running():
        registry.get_or_create(Leaf)
        cell = registry.get("leaf")
        parent = parse_traceparent(f"00-{'a' * 32}-{'b' * 16}-01")
        cell.deliver(Call(cell, cell.find("silent"), (), {}, 5, parent, None, None, 12))
    span = only(registry, "action")
    assert (span.trace_id, span.parent_id) == ("a" * 32, "b" * 16)
    assert span.span == {"name": "action", "actor": "leaf", "actor_id": cell.id, "action": "silent", "rid": 12}


async def test_how_spans_end(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Stem, Leaf])
    async with registry.running():
        await stem(registry)
        leaf = registry.get_or_create(Leaf)
        await leaf.call(Leaf.silent)
        with raises("actor.failed"):
            await leaf.call(Leaf.fail)
        with raises("actor.action_timed_out"):
            await registry.call("stem", "wait")
    ends = {
        record.span["action"]: (record.status, record.exception is None)
        for record in spans(registry.log, "action")
        if record.span["action"] in ("silent", "fail", "wait")
    }
    # The exception is written once, in the event.
    assert ends == {"silent": ("ok", True), "fail": ("error", True), "wait": ("cancelled", True)}
    assert all(record.duration_ns is not None and record.duration_ns >= 0 for record in spans(registry.log, "action"))
    (failed,) = events(registry.log, "action failed")
    assert failed.exception is not None
    assert (failed.level, failed.target, failed.exception["message"]) == ("WARN", __name__, "no")
    assert failed.exception["frames"][-1]["function"] == "Leaf.fail"
    assert failed.span["action"] == "fail"


@pytest.mark.parametrize(("name", "lines"), [("silent", 0), ("note", 1), ("fail", 1)])
async def test_an_action_writes_at_most_one_line_at_the_default_level(name: str, lines: int) -> None:
    registry = Registry([Leaf])
    async with registry.running():
        registry.get_or_create(Leaf)
        await registry.call("leaf", "silent")
        before = len(read(registry.log, "info"))
        for _ in range(3):
            if name == "fail":
                with raises("actor.failed"):
                    await registry.call("leaf", name)
            else:
                await registry.call("leaf", name, *(["x"] if name == "note" else []))
        assert len(read(registry.log, "info")) - before == 3 * lines
