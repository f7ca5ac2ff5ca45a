"""The demo: a small shop, a chat, a worker pool, a counter to play with and a ticker.

Nothing here is special: it is what a program that embeds the host looks like, written so that every view of an
inspector has something to show. All chance comes from the seed, so that a seed does the same again.
"""

from __future__ import annotations

from typing import Any

from inspector.actors.actor import Actor
from inspector.demo.chat import ROOMS, Guests, Room
from inspector.demo.counter import Counter, Ticker
from inspector.demo.pool import WORKERS, Fuse, Pool, Worker
from inspector.demo.shop import Customers, Mail, Order, Payments, Stock
from inspector.registry import Registry

__all__ = ("demo_registry",)


def demo_registry(rate: float = 1.0, seed: int = 0, record: str = "debug", record_size: int = 16 * 2**20) -> Registry:
    """Make the demo's registry with its actors in it.

    Args:
        rate: orders a second; chat and jobs keep step with it, as far as people could read them.
        seed: of all chance.
        record: what the ring records.
        record_size: bytes that the ring may have.
    """
    customers, guests, pool = (
        type(cls.__name__, (cls,), {"rate": rate, "seed": seed, "__module__": cls.__module__})
        for cls in (Customers, Guests, Pool)
    )
    actors: list[type[Actor[Any]]] = [Counter, Stock, Payments, Mail, Order, customers, Ticker, Room, guests, Worker]
    registry = Registry([*actors, pool, Fuse], name="demo", record=record, record_size=record_size)
    registry.get_or_create(Counter, "default")
    for region in ("eu", "us"):
        registry.get_or_create(Stock, region)
        registry.get_or_create(Payments, region)
    registry.get_or_create(Mail, "out")
    for room in ROOMS:
        registry.get_or_create(Room, room)
    for number in range(WORKERS):
        registry.get_or_create(Worker, str(number + 1))
    registry.get_or_create(Fuse)
    for cls in (customers, guests, pool, Ticker):
        registry.get_or_create(cls)
    return registry
