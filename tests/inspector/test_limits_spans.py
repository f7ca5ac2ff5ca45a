"""Ten thousand spans open at once, beside the actors' own: seen over a socket, and bounded."""

from __future__ import annotations

import gc
import tracemalloc

import orjson
import pytest
import trio

from inspector.service.connection import MAX_FRAME
from inspector.tracing import Log, Span
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    SpansRequest,
    SpansResponse,
    TasksRequest,
    TasksResponse,
)
from tests.inspector.service.support import Client, attached, hosted, name_of
from tests.inspector.tracing.records import make_log

pytestmark = pytest.mark.trio

MANY = 10_000


def open_many(log: Log, text: str = "x" * 100) -> list[Span]:
    return [log.start_span("open", {"n": number, "text": text}, target="t") for number in range(MANY)]


def turn_over(log: Log) -> None:
    end = log.next_seq
    while log.first_seq < end:
        log.logger("noise").info("noise", text="x" * 1000)


async def found(client: Client, spans: list[Span]) -> list[int]:
    """Ask for spans, as many at a time as may be asked for; return their numbers."""
    numbers: list[int] = []
    for at in range(0, len(spans), 1000):
        asked = [span.span_id for span in spans[at : at + 1000]]
        answer = await client.ask(SpansRequest(id=1, spans=asked), SpansResponse)
        assert len(answer.lines) < MAX_FRAME
        numbers += [orjson.loads(line)["span"]["n"] for line in answer.lines.split(b"\n")]
    return numbers


@pytest.mark.parametrize("where", ["in the ring", "beyond it"])
async def test_they_are_found_and_others_go_on(where: str) -> None:
    async with hosted() as host, attached(host) as client:
        log = host.registry.log
        own = set(log.open_spans.entries)
        spans = open_many(log)
        if where == "beyond it":
            turn_over(log)
        assert await found(client, spans) == [*range(MANY)]
        assert (await client.ask(TasksRequest(id=2, stacks=True), TasksResponse)).tasks
        answer = await client.ask(ActionRequest(id=3, actor="box/a", name="add"), ActionResponse)
        # The action's own span, and that of its actor, are found beside them.
        assert (await client.ask(SpansRequest(id=4, spans=[answer.span_id]), SpansResponse)).lines
        for span in spans:
            span.end()
        assert len(log.open_spans.entries) <= len(own) + 10


async def test_a_tree_of_them() -> None:
    async with hosted() as host, attached(host) as client:
        log = host.registry.log
        spans = [log.start_span("open", {"n": 0}, target="t")]
        for number in range(1, MANY):
            spans.append(log.start_span("open", {"n": number}, target="t", parent=spans[-1]))
        # Of the deepest one as many as are above it in its part of the chain.
        numbers = await found(client, spans[-1:])
        assert numbers == [*range(numbers[0], MANY)]
        assert 1 < len(numbers) <= 128
        assert set(await found(client, spans)) == {*range(MANY)}


async def test_an_answer_that_fits_into_no_frame_is_refused_alone() -> None:
    async with hosted() as host, attached(host) as client:
        spans = open_many(host.registry.log, "\0" * 5000)[:1000]
        error = await client.refused(SpansRequest(id=1, spans=[span.span_id for span in spans]))
        assert name_of(error) == "actor.result_too_large"
        assert isinstance(error.metadata, dict)
        assert error.metadata["size"] > error.metadata["limit"]
        answer = await client.ask(SpansRequest(id=2, spans=[span.span_id for span in spans[:50]]), SpansResponse)
        assert len(answer.lines.split(b"\n")) == 50
        assert (await client.ask(ActorsRequest(id=3), ActorsResponse)).actors


async def test_what_the_log_keeps_of_them_is_bounded() -> None:
    texts = [{"text": "x" * 8000} for _ in range(1000)]
    log = make_log(record_size=2**20)
    # What sites and loggers take once.
    turn_over(log)
    gc.collect()
    tracemalloc.start()
    try:
        spans = [log.start_span("open", fields, target="t") for fields in texts for _ in range(10)]
        turn_over(log)
        await trio.lowlevel.checkpoint()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Each a span of some 400 bytes and its entry, not the eight thousand of its text once more.
    assert len(spans) == MANY
    assert taken < MANY * 1000 + 2**20
