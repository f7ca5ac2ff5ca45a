"""A state kept up by whole versions and by patches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import PatchOp, StateResponse, StateUpdated
from protocol.patch import diff
from tui.model.replica import Replica

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def begun(state: Any) -> Replica:
    replica = Replica()
    replica.begin(StateResponse(rid=1, actor="a", enabled=True, state=state, version=1))
    return replica


@given(st.lists(_VALUES, min_size=1, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5))
def test_it_is_what_the_host_has_however_it_comes(states: list[Any], whole: list[bool]) -> None:
    replica, last = begun(states[0]), states[0]
    for version, (state, entire) in enumerate(zip(states[1:], whole, strict=False), 2):
        push = StateUpdated(
            sub=1, actor="a", version=version, **{"state": state} if entire else {"patch": diff(last, state)}
        )
        kept, before = replica.state, repr(replica.state)
        assert replica.follow(push)
        assert (replica.state, replica.version) == (state, version)
        assert repr(kept) == before
        last = state


def test_a_patch_that_does_not_fit_is_said() -> None:
    replica = begun({"a": 1})
    patch = [PatchOp(op="replace", path="/a", value=2), PatchOp(op="remove", path="/b")]
    assert not replica.follow(StateUpdated(sub=1, actor="a", version=2, patch=patch))
    assert (replica.state, replica.version) == ({"a": 1}, 1)


def test_no_state_is_none() -> None:
    replica = begun(5)
    replica.begin(StateResponse(rid=1, actor="a", enabled=False))
    assert (replica.state, replica.version) == (None, None)
