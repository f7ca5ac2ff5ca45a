"""The ring keeps what came, in the bytes it came in, until it is full, and no row ever changes its number."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.logs.store import Block, LogStore, Records, marker_line

line_bytes = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" "))


def _fill(store: LogStore, count: int, size: int = 20) -> None:
    for number in range(count):
        store.append_batch(b"%0*d" % (size, number), number + 1, number + 2)


@given(
    st.lists(st.lists(line_bytes, min_size=1, max_size=12), max_size=30),
    st.integers(64, 6_000),
    st.integers(1, 600),
)
@settings(max_examples=150)
def test_it_is_a_list_that_forgets_its_beginning(batches: list[list[bytes]], room: int, segment: int) -> None:
    store = LogStore(room, segment)
    every: list[bytes] = []
    for batch in batches:
        lines = b"\n".join(batch)
        # A batch of one empty line is no batch, and a newline at the very end is the end of a line.
        if not lines:
            assert store.append_batch(lines, 0, 0) == 0
            continue
        kept = lines.removesuffix(b"\n").split(b"\n")
        assert store.append_batch(lines, 0, 0) == len(kept)
        every += kept
        assert store.end_row == len(every)
        assert len(store) == store.end_row - store.first_row > 0
        first = store.first_row
        assert store.rows(0, len(every) + 5) == every[first:]
        assert [store.row(row) for row in range(first, len(every))] == every[first:]
    blocks = list(store.blocks())
    assert b"\n".join(block.data for block in blocks).split(b"\n")[: len(store)] == every[store.first_row :]
    assert [block.first_row for block in blocks[1:]] == [block.end_row for block in blocks[:-1]]
    # The newest segment always stays; beside it the ring keeps to its bound.
    assert store.size <= room or len(blocks) == 1


def test_rows_keep_their_numbers_while_the_ring_turns_over() -> None:
    store = LogStore(40_000, 4_000)
    _fill(store, 1_000)
    row = store.end_row - 100
    line = store.row(row)
    _fill(store, 1_000)
    assert store.first_row > 0
    assert store.row(row) == line


def test_whole_segments_are_dropped() -> None:
    store = LogStore(40_000, 4_000)
    starts: set[int] = set()
    for number in range(5_000):
        store.append_batch(b"x" * 20, number, number + 1)
        starts.add(store.first_row)
    assert 10 < len(starts) < 100
    assert store.size <= 40_000


def test_a_row_that_is_not_kept_is_an_error() -> None:
    store = LogStore()
    with pytest.raises(IndexError):
        store.row(0)
    _fill(store, 3)
    for row in (-1, 3):
        with pytest.raises(IndexError):
            store.row(row)
        assert store.block_at(row) is None


def test_a_huge_record_is_kept_until_the_next_one() -> None:
    store = LogStore(10_000)
    _fill(store, 5)
    store.append_batch(b"y" * 1_000_000, 6, 7)
    assert len(store) == 1
    assert store.row(5) == b"y" * 1_000_000
    store.append_batch(b"z", 7, 8)
    assert store.rows(0, 10) == [b"z"]


def test_a_batch_larger_than_a_segment_is_cut_at_lines() -> None:
    store = LogStore(1 << 20, 1_000)
    lines = [b"%06d" % number for number in range(5_000)]
    store.append_batch(b"\n".join(lines), 1, 5_001)
    assert store.rows(0, 5_000) == lines
    blocks = list(store.blocks())
    assert len(blocks) > 30
    assert max(len(block.data) for block in blocks) <= 1_000


def test_what_was_lost_is_a_row_before_its_records() -> None:
    store = LogStore()
    assert store.append_batch(b"a\nb", 1, 13, dropped=1) == 3
    marker = json.loads(store.row(0))
    assert (marker["kind"], marker["after_seq"], marker["fields"]["lost"]) == ("gap", 0, 1)
    assert "1 record lost" in marker["fields"]["message"]
    assert store.rows(1, 3) == [b"a", b"b"]
    assert store.append_batch(b"", 13, 2_013, dropped=2_000) == 1
    assert "2,000 records lost" in json.loads(store.row(3))["fields"]["message"]
    assert store.lost == 2_001


def test_a_hole_between_batches_is_shown_too() -> None:
    store = LogStore()
    store.append_batch(b"a", 1, 5)
    store.append_batch(b"b", 9, 10)
    assert json.loads(store.row(1))["fields"]["lost"] == 4
    assert json.loads(store.row(1))["after_seq"] == 4
    # Asking for what is known already is no hole.
    assert store.append_batch(b"c", 3, 12) == 1
    assert store.next_seq == 12


def test_after_a_seam_no_sequence_number_is_compared() -> None:
    store = LogStore()
    assert store.next_seq is None
    store.append_batch(b"a", 1, 5)
    row = store.append_seam("another host")
    assert store.next_seq is None
    assert json.loads(store.row(row)) == {
        "kind": "gap",
        "level": "WARN",
        "fields": {"message": "another host", "lost": 0},
    }
    assert store.append_batch(b"b", 900, 901) == 1


def test_clearing_drops_all_but_the_count() -> None:
    store = LogStore()
    _fill(store, 5)
    store.append_marker("missed", 3)
    store.clear()
    assert (len(store), store.first_row, store.end_row, store.size, store.lost) == (0, 6, 6, 0, 0)
    assert list(store.blocks()) == []
    # What comes now may begin anywhere.
    assert store.append_batch(b"a", 900, 901) == 1
    assert store.row(6) == b"a"


def test_a_walk_through_blocks_survives_the_ring_turning_over() -> None:
    store = LogStore(20_000, 2_000)
    _fill(store, 800)
    walk = store.blocks(store.first_row)
    seen = [next(walk)]
    _fill(store, 800)
    seen += walk
    assert [block.end_row <= later.first_row for block, later in pairwise(seen)].count(False) == 0
    assert seen[-1].end_row == store.end_row


def test_a_marker_is_a_record_of_kind_gap() -> None:
    assert json.loads(marker_line("12 records lost", lost=12, after_seq=4)) == {
        "kind": "gap",
        "level": "WARN",
        "fields": {"message": "12 records lost", "lost": 12},
        "after_seq": 4,
    }


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0)])
def test_a_store_without_room_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="room"):
        LogStore(*sizes)


def test_it_is_one_kind_of_records() -> None:
    records: Records = LogStore()
    assert (len(records), records.first_row, records.end_row, records.rows(0, 9)) == (0, 0, 0, [])
    assert Block(3, 2, b"a\nb").end_row == 5
