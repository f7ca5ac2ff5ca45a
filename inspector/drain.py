"""The drain: what runs may end, then every actor of a registry is stopped, all within one deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

import trio

from inspector.actors.stops import Stops, retire

if TYPE_CHECKING:
    from inspector.actors.cell import Cell

__all__ = ("drain",)


async def drain(
    cells: Callable[[], Collection[Cell]], stops: Stops, wait_quiet: Callable[[], Awaitable[None]], seconds: float
) -> bool:
    """Let what runs end, then stop every actor. The lifecycle must say `draining`.

    Args:
        cells: lists the actors; there may come more meanwhile.
        stops: ends their lives.
        wait_quiet: waits until no call is under way.
        seconds: for all of it. What still runs after three quarters of them is cancelled, and has half of the
            rest to end; stop hooks have what is left then, and one that takes longer is cancelled too.

    Returns:
        Whether the time was enough for everybody's end.
    """
    began = trio.current_time()
    with trio.move_on_at(began + seconds * 0.75) as actions:
        await wait_quiet()
    if actions.cancelled_caught:
        for cell in list(cells()):
            cell.clear(cell.stopped_error())
            cell.interrupt(cell.stopped_error())
        with trio.move_on_at(began + seconds * 0.875):
            await wait_quiet()
    deadline = began + seconds
    stops.hurry(deadline)
    in_time = True
    # A hook may call actors that have none: those end last. It may also make some that have one.
    while in_time and (hooked := [cell for cell in cells() if cell in stops or _has_stop_hook(cell)]):
        in_time = await stops.all(hooked, deadline)
    in_time &= await stops.all([cell for cell in cells() if cell.life is not None], deadline)
    for cell in cells():
        if cell.phase != "stopped":
            retire(cell)
    return in_time


def _has_stop_hook(cell: Cell) -> bool:
    return cell.kind.has_on_stop and cell.span is not None and cell.phase != "stopped"
