"""What the monitor joins: looks that those who watch share, and timing for as long as somebody wants it."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from msgspec import UNSET

from inspector import Registry
from inspector.tasks import Monitor
from inspector.tasks.monitor import INTERVAL
from inspector.tasks.tree import MAX_TASKS
from tests.inspector.reading import settle


@pytest.mark.trio
async def test_those_who_watch_share_a_look(autojump_clock: trio.testing.MockClock) -> None:
    with Monitor(Registry(), watchdog=None) as monitor:
        first = monitor.recent(stacks=False)
        assert monitor.recent(stacks=False) is first
        with_stacks = monitor.recent(stacks=True)
        assert with_stacks is not first
        assert with_stacks.rows[0].stack is not UNSET
        await trio.sleep(INTERVAL / 2)
        assert monitor.recent(stacks=False) is first
        # However long that look took.
        await trio.sleep(3600)
        assert monitor.recent(stacks=False) is not first
        assert monitor.recent(stacks=True) is not with_stacks
        # Who asks for the tree as it is now gets that.
        assert monitor.look(stacks=False) is not monitor.look(stacks=False)


@pytest.mark.trio
async def test_a_tree_that_is_too_large_is_told_from_the_outside() -> None:
    with Monitor(Registry(), watchdog=None) as monitor:
        async with trio.open_nursery() as nursery:

            async def parent() -> None:
                async with trio.open_nursery() as own:
                    for _ in range(MAX_TASKS):
                        own.start_soon(trio.sleep_forever, name="inside")

            nursery.start_soon(parent, name="parent")
            await settle()
            nursery.start_soon(trio.sleep_forever, name="younger, and further out")
            look = monitor.look(stacks=False)
            assert len(look.rows) == MAX_TASKS < look.total
            names = [row.name for row in look.rows]
            assert names.index("younger, and further out") < names.index("inside")
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_timing_ends_with_the_monitor() -> None:
    registry = Registry()
    with Monitor(registry, timing=True) as monitor:
        assert monitor.timing
        assert registry.log.busy is not None
        # Somebody who asks for it, and leaves, does not end what is on anyway.
        monitor.hold_timing()
        monitor.release_timing()
        assert monitor.timing
        assert monitor.look(stacks=False).rows[0].steps is not UNSET
    assert registry.log.busy is None
    await trio.lowlevel.checkpoint()
