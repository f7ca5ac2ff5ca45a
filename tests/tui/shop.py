"""A shop at work at one instant, for pictures: actors, a request through four of them, tasks, and those who look on."""

from __future__ import annotations

import datetime
import json
from typing import Any, Final

from protocol.messages import EndedTask, Rpc, StackFrame, TaskError, TaskLint
from tests.tui.host import FAIL, INCREMENT, SLEEP, TRACE, ScriptedHost, actor, inspector, span_id, task

__all__ = (
    "BANK",
    "CART",
    "CHECKOUT",
    "NOW",
    "PAY",
    "STOCK",
    "checkout",
    "jobs",
    "line",
    "nothing",
    "said",
    "shop",
    "stamp",
    "tasks",
)

NOW: Final = datetime.datetime(2026, 11, 23, 20, 27, 33, 200_000, datetime.UTC).timestamp()
"""Seconds since 1970 at which all this is."""


def stamp(ago: float) -> str:
    """Write the time so many seconds ago."""
    moment = datetime.datetime.fromtimestamp(NOW - ago, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def line(seq: int, ago: float, span: str, kind: str = "event", *, level: str = "DEBUG", **more: Any) -> bytes:
    """Make a record as a host writes it, `ago` seconds old; `span` is an actor and its action."""
    name, action = span.rsplit(" ", 1)
    whole: dict[str, Any] = {
        "seq": seq,
        "timestamp": stamp(ago),
        "level": level,
        "kind": kind,
        "target": "shop." + name.partition("/")[0],
        "fields": more.pop("fields", {}),
        "span": {"name": "action", "actor": name, "action": action},
        "trace_id": TRACE,
        "span_id": span_id(span),
    }
    if kind != "event":
        del whole["fields"]
    return json.dumps(whole | more, ensure_ascii=False, separators=(",", ":")).encode()


def said(seq: int, ago: float, span: str, level: str, message: str, **fields: Any) -> bytes:
    """Make the record of a message."""
    return line(seq, ago, span, level=level, fields={"message": message, **fields})


CART, STOCK, PAY, BANK = "cart/7 checkout", "stock/eu reserve", "pay/eu charge", "bank/visa authorize"


def checkout() -> list[bytes]:
    """One request through four actors, of which one fails and one is still at it."""
    return [
        line(21, 3.20, CART, "span_start"),
        said(22, 3.19, CART, "INFO", "checkout begins", items=3, total="49.90"),
        line(23, 3.18, STOCK, "span_start", parent_id=span_id(CART)),
        said(24, 3.10, STOCK, "WARN", "short of stock", sku="A-113", left=1),
        line(25, 2.95, STOCK, "span_end", parent_id=span_id(CART), duration_ns=230_000_000, status="ok"),
        line(26, 2.90, PAY, "span_start", parent_id=span_id(CART)),
        line(27, 2.80, BANK, "span_start", parent_id=span_id(PAY)),
        said(
            28,
            2.40,
            BANK,
            "ERROR",
            "card declined",
            code=51,
            card="…4242",
            # Wide characters, and what must not reach a terminal.
            shopper="日本 太郎\x1b[31m",
        ),
        line(29, 2.38, BANK, "span_end", parent_id=span_id(PAY), duration_ns=420_000_000, status="error"),
        said(30, 2.30, PAY, "INFO", "another try", attempt=2),
    ]


def jobs() -> list[bytes]:
    """Make a trace that was cancelled."""
    other = {"trace_id": "e" * 32}
    return [
        line(11, 9.0, "mail/out send", "span_start", **other),
        line(12, 4.0, "mail/out send", "span_end", duration_ns=5_000_000_000, status="cancelled", **other),
    ]


CHECKOUT: Final = Rpc(
    name="checkout",
    args={
        "type": "object",
        "properties": {
            "card": {"type": "string", "description": "number of the card"},
            "amount": {"type": "integer", "default": 1, "minimum": 1},
            "currency": {"enum": ["EUR", "USD"], "default": "EUR"},
            "gift": {"type": "boolean", "default": False},
            "items": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["card"],
    },
    concurrent=True,
    timeout_ms=60_000,
    doc="Pay for what is in the cart.",
    returns={"type": "object"},
)


def shop(host: ScriptedHost) -> None:
    """Fill a host with a shop at work."""
    host.actors = [
        actor("bank/visa", "running", running=1, actions=40, errors=3),
        actor("cart/7", "running", running=1, mailbox=4, actions=12),
        actor("counter/default", actions=3),
        actor("mail/out", "restarting", restarts=3, errors=11),
        actor("pay/eu", "running", running=1, mailbox=12, actions=1_204, errors=9),
        actor("stock/eu", "stopping", actions=7),
        actor("ticker", "starting"),
        actor("warehouse/a very long key that no column holds/第二", "failed", errors=1, restarts=10),
    ]
    host.rpcs = {"counter/default": [INCREMENT, FAIL, SLEEP, CHECKOUT]}
    host.states = {
        "counter/default": {
            "count": 3,
            "names": ["a", "b"],
            "limits": {"most": 1_000, "step": 0.5},
            "note": "a text that goes on and on " * 8,
            "open": True,
            "owner": None,
        }
    }
    host.ring = [
        said(n, 60 - n, CART, "INFO", f"item {n} added", sku=f"A-{100 + n}", price=n * 3) for n in range(1, 11)
    ]
    host.ring += jobs()
    host.ring += [said(n, 6.0 - n / 10, PAY, "INFO", "the rates are new", of="ECB") for n in range(13, 21)]
    host.ring += checkout()
    host.ring.append(line(31, 1.25, "ticker tick", "span_start", trace_id="f" * 32))
    since = int(NOW * 1000) - 3_600_000
    host.connections = [
        inspector("1", you=True, since=since),
        inspector("2", "10.0.0.7:9", protocol="inspector.json.v1", since=since, sent=5_000_000, dropped=1_234),
        inspector("3", "[2001:db8::7]:61000", since=since - 86_400_000 * 30, subscriptions=128, sent=0),
    ]
    host.spans = b"\n".join(
        [line(1, 90, CART, "span_start"), line(2, 89, PAY, "span_start"), line(3, 88, BANK, "span_start")]
    )


def tasks(host: ScriptedHost) -> None:
    """Give the host tasks: a tree, one that is late, one that held the loop."""
    now = int(NOW * 1000)
    lint = TaskLint(
        name="long_step",
        message="held the loop for 300 ms",
        since=now - 2_000,
        at=StackFrame("/home/me/shop/rates.py", 7, "parse"),
    )
    host.tasks = [
        task(1, "main", state="running", children=1, started_at=now - 3_600_000),
        task(2, "shop.serve", 1, children=4, started_at=now - 3_599_000),
        task(
            3,
            "shop.Cart.run",
            2,
            actor="cart/7",
            span=span_id(CART),
            trace_id=TRACE,
            span_name="run",
            started_at=now - 60_000,
            deadline=now + 4_200,
        ),
        task(4, "shop.rates", 2, state="runnable", lints=[lint], started_at=now - 90_000),
        task(5, "shop.late", 2, cancelled=True, deadline=now - 5_000, started_at=now - 700),
    ]
    host.ended = [
        EndedTask(
            task=6,
            parent=2,
            name="shop.once",
            actor="mail/out",
            started_at=now - 9_000,
            ended_at=now - 4_000,
            outcome="error",
            exception=TaskError("ConnectionError", "nobody listens"),
        ),
        EndedTask(
            task=7, parent=2, name="shop.tick", actor=None, started_at=now - 3_000, ended_at=now - 1_500, outcome="ok"
        ),
    ]


def nothing(host: ScriptedHost) -> None:
    """Leave a host nothing to show."""
    host.actors, host.states, host.rpcs, host.ring, host.connections = [], {}, {}, [], []
