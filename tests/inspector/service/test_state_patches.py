"""Large states that change by patches: what a client makes of them is what the host has."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from websockets.typing import Subprotocol

from inspector import Registry
from inspector.actors.watch import watch_of
from inspector.service.subscriptions import PATCH_FROM, StateSubscription
from protocol.dialects import CBOR, DIALECTS
from protocol.messages import PatchStateRequest, PatchStateResponse, StateRequest, StateResponse, StateUpdated
from protocol.patch import apply_patch
from tests.inspector.service.support import Box, attached, hosted

__all__ = ()

FILLER = "x" * PATCH_FROM
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.datetimes(timezones=st.just(datetime.UTC))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=4)
        | st.dictionaries(st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=15,
)


def watched() -> tuple[Box, StateSubscription]:
    """Make a box that does not run, and watch its state."""
    registry = Registry([Box])
    registry.get_or_create(Box, "a")
    cell = registry.get("box/a")
    assert isinstance(cell.actor, Box)
    return cell.actor, StateSubscription(1, cell, watch_of(cell), lambda: None)


def spelt(value: Any) -> str:
    """Write a value down, whose maps have no order."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {spelt(item)}' for key, item in value.items()))}}}"
    return f"[{', '.join(map(spelt, value))}]" if isinstance(value, list) else repr(value)


def taken(state: Any, update: StateUpdated) -> Any:
    """Do what a client does with an update: it has come as one frame."""
    sent = CBOR.decode_to_client(CBOR.encode(update))
    assert isinstance(sent, StateUpdated)
    return sent.state if sent.patch is UNSET else apply_patch(state, sent.patch)


@given(st.lists(st.tuples(VALUES, st.sampled_from(["", FILLER, FILLER + "y"])), min_size=1, max_size=5))
def test_a_client_that_applies_what_comes_has_what_the_host_has(states: list[tuple[Any, str]]) -> None:
    box, subscription = watched()
    snapshot = subscription.first()
    state, version = snapshot.value, snapshot.version
    for odd, text in states:
        box.state.odd, box.state.text = odd, text
        update = subscription.collect()
        if update is not None:
            assert update.version == version + 1
            state, version = taken(state, update), update.version
        fresh = subscription.first()
        assert (spelt(state), version) == (spelt(fresh.value), fresh.version)


def test_a_small_state_is_told_whole() -> None:
    box, subscription = watched()
    subscription.first()
    box.state.count += 1
    update = subscription.collect()
    assert update is not None
    assert (update.patch, update.state) == (UNSET, {"count": 1, "text": "", "odd": None})


def test_a_patch_that_is_no_much_smaller_than_the_whole_is_not_sent() -> None:
    box, subscription = watched()
    box.state.text = FILLER
    subscription.first()
    box.state.text = FILLER + "y"
    update = subscription.collect()
    assert update is not None
    assert update.patch is UNSET
    assert update.state["text"] == FILLER + "y"


@pytest.mark.trio
@pytest.mark.parametrize("subprotocol", DIALECTS)
async def test_a_large_state_changes_by_patches(subprotocol: str) -> None:
    async with hosted() as host, attached(host, subprotocols=[Subprotocol(subprotocol)]) as client:
        await client.call(1, "write", 900_000)
        first = await client.ask(StateRequest(id=2, actor="box/a", subscribe=True), StateResponse)
        state: Any = first.state
        await client.call(3, "add", 5)
        for odd in ({"a/b": [1, 2]}, {"a/b": [1, {"~": b"\xff"}, 2]}, 3):
            edit = PatchStateRequest(id=4, actor="box/a", state={**state, "count": 5, "odd": odd})
            version = (await client.ask(edit, PatchStateResponse)).version
            update = None
            while update is None or update.version < version:
                update = await client.pushed(StateUpdated)
                assert update.patch is not UNSET
                assert len(client.dialect.encode(update)) < 500
                state = apply_patch(state, update.patch)
            assert state == {"count": 5, "text": "x" * 900_000, "odd": odd}
