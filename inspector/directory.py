"""The directory: which actor an address belongs to, and all of them in the order of their addresses."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Collection
from typing import TYPE_CHECKING

from protocol.addresses import decode_address, encode_address
from protocol.errors import AddressError, InspectorError

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("Directory",)


class Directory:
    """The actors of a registry by their addresses. They are sorted when somebody asks for an order."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}
        self._sorted: list[str] | None = None

    def __len__(self) -> int:
        return len(self._cells)

    def all(self) -> Collection[Cell]:
        """Give a view of all actors."""
        return self._cells.values()

    def at(self, address: str) -> Cell | None:
        """Return the actor of an address in the host's own spelling, or None."""
        return self._cells.get(address)

    def find(self, address: str) -> Cell:
        """Find an actor by its address, as people may spell it.

        Raises:
            InspectorError: ``actor.not_found``.
        """
        cell = self._cells.get(address)
        if cell is None:
            with contextlib.suppress(AddressError):
                cell = self._cells.get(encode_address(*decode_address(address)))
            if cell is None:
                raise InspectorError("actor.not_found", f"no actor {address[:256]!r}", {"actor": address[:256]})
        return cell

    def add(self, cell: Cell) -> None:
        """Take an actor in."""
        self._cells[cell.address] = cell
        self._sorted = None

    def remove(self, cell: Cell) -> bool:
        """Take an actor out; False if its address is not or no longer its own."""
        if self._cells.get(cell.address) is not cell:
            return False
        del self._cells[cell.address]
        self._sorted = None
        return True

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[Cell], int, bool]:
        """List actors in the order of their addresses; see `Registry.page`."""
        if self._sorted is None:
            self._sorted = sorted(self._cells)
        names = self._sorted
        first = bisect_left(names, prefix)
        last = bisect_left(names, prefix + "\U0010ffff") if prefix else len(names)
        start = max(first, bisect_left(names, after + "\0")) if after else first
        end = min(last, start + limit)
        return [self._cells[name] for name in names[start:end]], last - first, end < last
