"""The directory: which actor an address belongs to, and all of them in the order of their addresses."""

from __future__ import annotations

import contextlib
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from protocol.addresses import decode_address, encode_address
from protocol.errors import AddressError, InspectorError

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("Directory", "SortedNames")

_BLOCK: Final = 512
"""Names of a block when it is made; one of twice as many is divided."""
_FEW: Final = 1000
_SHARE: Final = 8
"""Changes beyond `_FEW` and so large a part of all names are not put in one by one: to sort anew costs less."""
_LAST: Final = "\U0010ffff"


class SortedNames:
    """Names in order, in blocks: one that comes or goes moves some hundred others, not all of 100,000.

    Args:
        names: each once, in any order.
    """

    def __init__(self, names: Iterable[str]) -> None:
        ordered = sorted(names)
        self._blocks = [ordered[at : at + _BLOCK] for at in range(0, len(ordered), _BLOCK)] or [[]]
        self._firsts = [block[0] for block in self._blocks if block]

    def add(self, name: str) -> None:
        """Put in a name that is not there."""
        at = self._at(name)
        block = self._blocks[at]
        insort(block, name)
        if len(block) > 2 * _BLOCK:
            self._blocks[at : at + 1] = [block[:_BLOCK], block[_BLOCK:]]
            self._firsts[at : at + 1] = [block[0], block[_BLOCK]]
        else:
            self._firsts[at : at + 1] = [block[0]]

    def remove(self, name: str) -> None:
        """Take out a name that is there."""
        at = self._at(name)
        block = self._blocks[at]
        del block[bisect_left(block, name)]
        if block:
            self._firsts[at] = block[0]
        else:
            del self._firsts[at]
            if len(self._blocks) > 1:
                del self._blocks[at]

    def rank(self, name: str) -> int:
        """Count the names before `name`."""
        at = self._at(name)
        return sum(map(len, self._blocks[:at])) + bisect_left(self._blocks[at], name)

    def slice(self, start: int, end: int) -> list[str]:
        """List the names from one place to another, the last not included."""
        found: list[str] = []
        for block in self._blocks:
            if end <= 0:
                break
            if start < len(block):
                found += block[max(0, start) : end]
            start, end = start - len(block), end - len(block)
        return found

    def _at(self, name: str) -> int:
        # The last block whose first name is not behind this one.
        at = bisect_left(self._firsts, name)
        return at if at < len(self._firsts) and self._firsts[at] == name else max(0, at - 1)


class Directory:
    """The actors of a registry by their addresses.

    They are sorted when somebody first asks for an order; what comes and goes from then on is put in its place when
    somebody asks again.
    """

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}
        self._names: SortedNames | None = None
        self._added: set[str] = set()
        self._removed: set[str] = set()

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
        """Take an actor in whose address is not taken."""
        self._cells[cell.address] = cell
        self._changed(cell.address, self._removed, self._added)

    def remove(self, cell: Cell) -> bool:
        """Take an actor out; False if its address is not or no longer its own."""
        if self._cells.get(cell.address) is not cell:
            return False
        del self._cells[cell.address]
        self._changed(cell.address, self._added, self._removed)
        return True

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[Cell], int, bool]:
        """List actors in the order of their addresses; see `Registry.page`."""
        names = self._order()
        first = names.rank(prefix) if prefix else 0
        last = names.rank(prefix + _LAST) if prefix else len(self._cells)
        start = max(first, names.rank(after + "\0")) if after else first
        end = min(last, start + limit)
        return [self._cells[name] for name in names.slice(start, end)], last - first, end < last

    def _changed(self, name: str, undone: set[str], done: set[str]) -> None:
        if self._names is None:
            return
        if name in undone:
            undone.remove(name)
            return
        done.add(name)
        if len(done) > _FEW + len(self._cells) // _SHARE:
            # Also so that a host whose actors come and go keeps no list of them for somebody who has left.
            self._forget_order()

    def _forget_order(self) -> None:
        self._names = None
        self._added.clear()
        self._removed.clear()

    def _order(self) -> SortedNames:
        names = self._names
        if names is None:
            names = self._names = SortedNames(self._cells)
        for name in self._removed:
            names.remove(name)
        for name in self._added:
            names.add(name)
        self._added.clear()
        self._removed.clear()
        return names
