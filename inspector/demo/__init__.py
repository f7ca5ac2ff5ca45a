"""The demo's actors, and the registry that holds them."""

from inspector.demo.chat import KEPT_MESSAGES, Guests, NotHere, Room, Taken
from inspector.demo.counter import Counter, CounterState, Ticker, TickerState
from inspector.demo.pool import WORKERS, BreakDown, Fuse, Pool, Worker
from inspector.demo.registry import demo_registry
from inspector.demo.shop import (
    KEPT_ORDERS,
    PRICES,
    Customers,
    Declined,
    Mail,
    Order,
    Payments,
    Stock,
)

__all__ = (
    "KEPT_MESSAGES",
    "KEPT_ORDERS",
    "PRICES",
    "WORKERS",
    "BreakDown",
    "Counter",
    "CounterState",
    "Customers",
    "Declined",
    "Fuse",
    "Guests",
    "Mail",
    "NotHere",
    "Order",
    "Payments",
    "Pool",
    "Room",
    "Stock",
    "Taken",
    "Ticker",
    "TickerState",
    "Worker",
    "demo_registry",
)
