"""The demo: it does what its help says, and its log keeps the log's promises."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from inspector.demo import PRICES, Counter, Customers, Mail, Order, Payments, Stock, Ticker, demo_registry
from inspector.registry import Registry
from protocol.records import Record
from tests.inspector.reading import events, raises, read, spans

pytestmark = pytest.mark.trio


def state(registry: Registry, address: str) -> Any:
    actor = registry.get(address).actor
    assert actor is not None
    return actor.state


async def test_the_counter(autojump_clock: trio.testing.MockClock) -> None:
    async with demo_registry().running() as registry:
        counter = registry.get_or_create(Counter, "default")
        assert await counter.call(Counter.increment) == 1
        assert await counter.call(Counter.increment, 4) == 5
        assert await counter.call(Counter.increment, amount=-2) == 3
        assert (state(registry, "counter/default").count, state(registry, "counter/default").last_amount) == (3, -2)
        await counter.call(Counter.reset)
        assert state(registry, "counter/default").count == 0
        with raises("actor.failed") as caught:
            await counter.call(Counter.fail)
        assert "this action always fails" in caught.value.message
        began = trio.current_time()
        assert await counter.call(Counter.sleep, 2.5) == 2.5
        assert trio.current_time() - began == pytest.approx(2.5, abs=0.01)
        with raises("actor.invalid_arguments") as caught:
            await registry.call(counter, "increment", "one")
        assert caught.value.metadata == {"argument": "amount"}
    rpc = registry.get("counter/default").find("increment").rpc
    assert isinstance(rpc.doc, str)
    assert rpc.doc.startswith("Add to the count and return what it is then.")
    assert rpc.args["properties"] == {"amount": {"type": "integer", "default": 1}}


async def test_an_order_goes_through_the_shop(autojump_clock: trio.testing.MockClock) -> None:
    registry = demo_registry(rate=0.001)
    async with registry.running():
        order = registry.get_or_create(Order, "7")
        assert await order.call(Order.track) == "new"
        assert await order.call(Order.checkout, "lamp", 2, "1234567", "us") == "r-7"
        assert await order.call(Order.track) == "sent"
        assert state(registry, "orders/7").amount == 2 * PRICES["lamp"]
        assert state(registry, "pay/us").takings == 2 * PRICES["lamp"]
        assert await registry.get_or_create(Stock, "us").call(Stock.level, "lamp") == 38
        await trio.sleep(1)
        assert state(registry, "mail/out").sent == 1
        declined = registry.get_or_create(Order, "8")
        with raises("actor.failed"):
            await declined.call(Order.checkout, "desk", 1, "123451")
        assert await declined.call(Order.track) == "declined"
        assert state(registry, "pay/eu").declined == 1
        for _ in range(15):
            await registry.get_or_create(Stock, "eu").call(Stock.reserve, "clock", 3)
        assert state(registry, "stock/eu").refills == 1
        with raises("actor.invalid_arguments") as caught:
            await order.call(Order.checkout, "sofa", 1, "1")  # type: ignore[call-overload]  # there is no such thing
        assert caught.value.metadata == {"argument": "sku"}
    # One trace goes through all four.
    (root,) = [span for span in spans(registry.log, "action", "span_start") if span.span.get("actor") == "orders/7"][
        1:2
    ]
    chain = [
        span.span["actor"] for span in spans(registry.log, "action", "span_start") if span.trace_id == root.trace_id
    ]
    assert chain == ["orders/7", "stock/us", "pay/us", "mail/out"]


async def test_a_bad_address_crashes_the_post_room(autojump_clock: trio.testing.MockClock) -> None:
    registry = demo_registry(rate=0.001)
    async with registry.running():
        mail = registry.get_or_create(Mail, "out")
        await mail.call(Mail.send, "!nobody")
        await trio.sleep(0.6)
        row = registry.get("mail/out").info()
        assert row.status == "restarting"
        await trio.sleep(1)
        assert registry.get("mail/out").info().restarts == 1
        assert await mail.call(Mail.send, "somebody") == 1


async def shop(seed: int, seconds: float, rate: float = 5.0) -> Registry:
    registry = demo_registry(rate=rate, seed=seed, record="trace")
    async with registry.running():
        await trio.sleep(seconds)
        with raises("actor.failed"):
            await registry.call("counter/default", "fail")
    return registry


def bought(registry: Registry) -> list[tuple[int, int]]:
    return [(record.fields["order"], record.fields["amount"]) for record in events(registry.log, "card accepted")]


async def test_a_seed_makes_the_same_orders_again(autojump_clock: trio.testing.MockClock) -> None:
    first, again, other = await shop(1, 30), await shop(1, 30), await shop(2, 30)
    assert sorted(bought(first)) == sorted(bought(again))
    assert len(bought(first)) > 100
    assert sorted(bought(first)) != sorted(bought(other))


async def test_traffic_is_steady_and_old_orders_go(autojump_clock: trio.testing.MockClock) -> None:
    registry = demo_registry(rate=2)
    async with registry.running():
        await trio.sleep(120)
        traffic = state(registry, "customers")
        assert 200 <= traffic.orders <= 280
        assert 0 < traffic.failed < traffic.orders / 4
        assert len(registry) < 40
        customers = registry.get_or_create("customers")
        assert await customers.call(Customers.set_rate, 20) == 20
        for rate in (0, -1, 5001):
            with raises("actor.failed"):
                await customers.call(Customers.set_rate, rate)
        before = traffic.orders
        await trio.sleep(20)
        assert traffic.orders - before == pytest.approx(400, rel=0.15)
        ticker = state(registry, "ticker")
        assert ticker.ticks in (140, 141)
        assert len(ticker.last) == 5
        assert registry.get("customers").restarts == 0


async def test_no_record_inside_an_actor_repeats_its_id(autojump_clock: trio.testing.MockClock) -> None:
    registry = await shop(3, 100)
    records = read(registry.log)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(records) > 5000
    starts: dict[str, Record] = {record.span_id: record for record in records if record.kind == "span_start"}
    inside = 0
    for record in records:
        assert "actor_id" not in record.fields
        if record.span["name"] in ("host", "inspector"):
            continue
        inside += 1
        # Its span, or an ancestor that belongs to the same actor, says whose it is; each span says it once.
        span = starts[record.span_id]
        while "actor_id" not in span.span:
            assert span.span["name"] in ("start", "stop", "run", "task")
            assert span.parent_id is not None
            span = starts[span.parent_id]
        assert span.span["name"] in ("actor", "action")
        assert isinstance(span.span["actor"], str)
        # What the span says, the event does not say again.
        own = {key for key in record.fields if key in record.span and record.fields[key] == record.span[key]}
        assert own <= {"message", "actor"}
    assert inside > 5000
    assert {span.span["name"] for span in starts.values()} == {"actor", "action", "start", "stop", "run", "task"}
    ends = [record.span_id for record in records if record.kind == "span_end"]
    assert sorted(ends) == sorted(starts)
    assert {record.status for record in records if record.kind == "span_end"} == {"ok", "error", "cancelled"}


async def test_an_order_costs_few_lines_at_the_default_level(autojump_clock: trio.testing.MockClock) -> None:
    registry = await shop(4, 60)
    lines: dict[str, list[str]] = {}
    for record in read(registry.log, "info"):
        if record.span["name"] == "action":
            lines.setdefault(record.span_id, []).append(record.message)
    actions = {record.span_id for record in spans(registry.log, "action")}
    assert len(actions) > 1000
    assert set(lines) <= actions
    # The shop itself says at most two things of an action, a retry and how it came out; the host one, and only where
    # the action failed.
    assert max(map(len, lines.values())) <= 2
    hosts = [message for said in lines.values() for message in said if message.startswith("action ")]
    failed = [record for record in spans(registry.log, "action") if record.status in ("error", "cancelled")]
    assert len(hosts) == len(failed) > 10
    assert sum(map(len, lines.values())) < len(actions)


async def test_every_class_is_there() -> None:
    registry = demo_registry(rate=7, seed=9)
    assert {cell.kind.actor for cell in registry.page("", "", 99)[0]} >= {Counter, Stock, Payments, Mail, Ticker}
    assert [cell.address for cell in registry.page("", "", 99)[0]] == [
        "counter/default",
        "customers",
        "fuse",
        "guests",
        "mail/out",
        "pay/eu",
        "pay/us",
        "pool",
        "room/garden",
        "room/lobby",
        "stock/eu",
        "stock/us",
        "ticker",
        "worker/1",
        "worker/2",
        "worker/3",
    ]
    assert state(registry, "customers").rate == 7
    assert registry.log.host_name == "demo"
