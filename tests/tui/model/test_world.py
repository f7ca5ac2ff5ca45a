"""The rows of actors, as the host's messages make them."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import ActorStatus
from tests.tui.host import actor
from tui.model.world import STATUS_SIGNS, World


def test_every_status_has_a_sign_of_its_own() -> None:
    assert set(get_args(ActorStatus)) == set(STATUS_SIGNS)
    assert len(set(STATUS_SIGNS.values())) == len(STATUS_SIGNS)


def test_a_list_replaces_what_was_known() -> None:
    world = World()
    world.begin([actor("a"), actor("b")], 0.0)
    kept, gone = world.get("a"), world.get("b")
    assert kept is not None
    assert gone is not None
    world.begin([actor("c"), actor("a")], 1.0)
    assert world.addresses() == ["a", "c"]
    assert world.get("a") is kept
    assert gone.gone
    assert not kept.gone


def test_an_actor_of_the_same_address_with_another_id_is_another_row() -> None:
    world = World()
    world.begin([actor("a", actions=1000)], 0.0)
    before = world.get("a")
    world.begin([actor("a", id="new", actions=1)], 1.0)
    after = world.get("a")
    assert after is not before
    assert after is not None
    assert after.rate(1.0) == 0.0


def test_pages_add_up_and_say_when_they_are_all() -> None:
    world = World()
    world.begin([actor("a")], 0.0, complete=False)
    assert not world.complete
    world.add([actor("b")], 0.0, complete=True)
    assert world.complete
    assert world.addresses() == ["a", "b"]
    assert len(world) == 2


def test_changes_come_and_go() -> None:
    world = World()
    world.begin([actor("a"), actor("b")], 0.0)
    world.change([actor("c"), actor("a", mailbox=4)], ["b", "never there"], 1.0)
    assert world.addresses() == ["a", "c"]
    row = world.get("a")
    assert row is not None
    assert row.info.mailbox == 4
    assert "b" not in world


def test_rates_come_from_totals() -> None:
    world = World()
    world.begin([actor("a", actions=100, errors=1)], 10.0)
    world.change([actor("a", actions=150, errors=3)], [], 11.0)
    row = world.get("a")
    assert row is not None
    assert row.rate(11.0) > row.error_rate(11.0) > 0
    assert row.rate(100.0) == 0.0


def test_totals_that_step_back_are_no_rate() -> None:
    world = World()
    world.begin([actor("a", actions=100)], 10.0)
    world.change([actor("a", actions=2)], [], 11.0)
    row = world.get("a")
    assert row is not None
    assert row.rate(11.0) == row.error_rate(11.0) == 0.0


def test_addresses_are_found_by_their_beginning() -> None:
    world = World()
    world.begin([actor("pay/eu"), actor("pay/us"), actor("mail")], 0.0)
    assert world.addresses("pay/") == ["pay/eu", "pay/us"]
    assert world.addresses("pay/") is world.addresses("pay/")
    world.change([actor("pay/asia")], [], 0.0)
    assert world.addresses("pay/") == ["pay/asia", "pay/eu", "pay/us"]
    assert world.addresses("x") == []


def test_where_an_address_stands() -> None:
    world = World()
    world.begin([actor("b/1"), actor("a"), actor("b/2"), actor("c")], 0.0)
    assert [world.place(address) for address in ("a", "b/1", "b/2", "c")] == [0, 1, 2, 3]
    assert [world.place(address, "b/") for address in ("a", "b/1", "b/2", "c", "b/", "b/3")] == [
        None,
        0,
        1,
        None,
        None,
        None,
    ]


names = st.text("ab/\U0010ffff", min_size=1, max_size=3)


@given(st.lists(st.tuples(st.sets(names, max_size=40), st.sets(names, max_size=40))), names)
def test_the_order_is_that_of_sorting_anew(steps: list[tuple[set[str], set[str]]], prefix: str) -> None:
    world, model = World(), set[str]()
    for number, (come, gone) in enumerate(steps):
        world.change([actor(address) for address in come], gone, 0.0)
        model = (model | come) - gone
        # Not after each step: what comes and goes in between is settled together.
        if number % 2:
            assert world.addresses() == sorted(model)
    assert world.addresses() == sorted(model)
    assert world.addresses(prefix) == sorted(address for address in model if address.startswith(prefix))
    assert all(world.place(address) == at for at, address in enumerate(sorted(model)))
