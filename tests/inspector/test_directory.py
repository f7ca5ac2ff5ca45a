"""The order of addresses, beside what sorting all of them anew says."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from inspector.actors.actor import Actor
from inspector.directory import Directory, SortedNames
from inspector.registry import Registry


class Leaf(Actor[None]):
    """Nothing."""


texts = st.text("abé~/0", min_size=1, max_size=4)


@given(st.sets(texts), st.lists(st.tuples(texts, st.booleans())), texts, st.integers(0, 30), st.integers(0, 30))
def test_names_stay_in_order(begin: set[str], steps: list[tuple[str, bool]], asked: str, start: int, end: int) -> None:
    names, model = SortedNames(begin), set(begin)
    for name, wanted in steps:
        if wanted and name not in model:
            names.add(name)
            model.add(name)
        elif not wanted and name in model:
            names.remove(name)
            model.remove(name)
    expected = sorted(model)
    assert names.slice(0, len(expected)) == expected
    assert names.slice(start, end) == expected[start:end]
    assert names.rank(asked) == bisect_left(expected, asked)


def test_blocks_are_divided_and_go() -> None:
    expected = [f"{number:05}" for number in range(5000)]
    names = SortedNames(())
    # All into the last block, then all into the first.
    for name in expected[2500:]:
        names.add(name)
    for name in expected[2499::-1]:
        names.add(name)
    assert names.slice(0, 5000) == expected
    assert [names.rank(name) for name in expected] == list(range(5000))
    for name in expected[:4999]:
        names.remove(name)
    assert names.slice(0, 9) == ["04999"]
    names.remove("04999")
    assert (names.slice(0, 9), names.rank("x")) == ([], 0)
    names.add("again")
    assert names.slice(0, 9) == ["again"]


def addresses(directory: Directory, prefix: str = "", limit: int = 10**6) -> list[str]:
    cells, total, more = directory.page(prefix, "", limit)
    assert more == (total > len(cells))
    return [cell.address for cell in cells]


def test_pages_while_actors_come_and_go() -> None:
    registry = Registry([Leaf])
    cells = {}
    for number in range(6000):
        address = registry.get_or_create(Leaf, f"{number * 7919 % 6000:04}").address
        cells[address] = registry.get(address)
    directory, model = Directory(), set()
    # Few changes are put in one by one, many are sorted anew; somebody pages after each kind.
    for count, (address, cell) in enumerate(cells.items(), 1):
        directory.add(cell)
        model.add(address)
        if count % 700 == 0 or 3000 < count < 3020:
            assert addresses(directory) == sorted(model)
    for count, (address, cell) in enumerate(cells.items(), 1):
        assert directory.remove(cell)
        assert not directory.remove(cell)
        model.remove(address)
        if count % 5 == 0:
            directory.add(cell)
            model.add(address)
        if count % 900 == 0:
            assert addresses(directory, "leaf/0") == sorted(name for name in model if name.startswith("leaf/0"))
    walked: list[str] = []
    after, more = "", True
    while more:
        page, total, more = directory.page("leaf/", after, 171)
        assert total == len(model)
        walked += [cell.address for cell in page]
        after = walked[-1]
    assert walked == sorted(model)


def test_very_many_changes_are_sorted_anew_and_none_is_kept_meanwhile() -> None:
    registry = Registry([Leaf])
    names = [f"{number * 7919 % 6000:04}" for number in range(6000)]
    cells = [registry.get(registry.get_or_create(Leaf, name).address) for name in names]
    directory = Directory()
    assert addresses(directory) == []
    for cell in cells:
        directory.add(cell)
    # Nobody has asked for the order since, so there is none to keep.
    assert (directory._names, len(directory._added)) == (None, 0)
    assert addresses(directory) == sorted(cell.address for cell in cells)
    for cell in cells[:4000]:
        directory.remove(cell)
    assert (directory._names, len(directory._removed)) == (None, 0)
    assert addresses(directory) == sorted(cell.address for cell in cells[4000:])
