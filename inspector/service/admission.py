"""Who gets a socket of the host's: room for those whom it knows, and some apart for those whom it does not know yet."""

from __future__ import annotations

import ipaddress
import resource
from collections.abc import Hashable
from typing import Final

from inspector.service.wire import SocketWire

__all__ = ("DESCRIPTORS_KEPT", "MAX_STRANGERS", "Strangers", "capacity")

MAX_STRANGERS: Final = 128
"""Sockets open at once without a websocket on them; one more, and the one that has had most time is cut."""
DESCRIPTORS_KEPT: Final = 128
"""File descriptors that inspectors leave to the rest of the program."""


def capacity(connections: int, descriptors: int) -> tuple[int, int]:
    """Return how many websockets, and how many strangers beside them, a process has file descriptors for.

    One that has none left can't even refuse a connection, nor open a file of its own.

    Args:
        connections: websockets that are wanted.
        descriptors: what the process may have.
    """
    if descriptors == resource.RLIM_INFINITY:
        return connections, MAX_STRANGERS
    room = max(2, descriptors - DESCRIPTORS_KEPT)
    strangers = min(MAX_STRANGERS, max(1, room // 4))
    return min(connections, room - strangers), strangers


class Strangers:
    """Sockets of peers that have not shown a token yet, or that were refused and have not gone.

    Where there are too many, the oldest goes and the newest stays: whoever means it needs milliseconds, and one who
    opens sockets and says nothing can't keep the door shut, as he would if newcomers were refused. The one to go is of
    the address that has most, so that a flood from one machine costs the peers of another nothing.

    Args:
        limit: how many.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wires: dict[Hashable, dict[SocketWire, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, wire: SocketWire, address: str) -> SocketWire | None:
        """Take one in; return the one that was cut to make room."""
        victim = None
        if self._count >= self._limit:
            crowd = max(self._wires, key=lambda key: len(self._wires[key]))
            victim = next(iter(self._wires[crowd]))
            self._strike(crowd, victim)
            victim.evicted = True
            victim.close()
        self._wires.setdefault(_neighbourhood(address), {})[wire] = None
        self._count += 1
        return victim

    def leave(self, wire: SocketWire, address: str) -> None:
        """Strike one off; no harm is done where it was cut before."""
        neighbourhood = _neighbourhood(address)
        if wire in self._wires.get(neighbourhood, ()):
            self._strike(neighbourhood, wire)

    def _strike(self, neighbourhood: Hashable, wire: SocketWire) -> None:
        wires = self._wires[neighbourhood]
        del wires[wire]
        self._count -= 1
        if not wires:
            del self._wires[neighbourhood]


def _neighbourhood(address: str) -> Hashable:
    """Return what one machine can't easily have many of: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed.ipv4_mapped or int(parsed) >> 64
    return parsed
