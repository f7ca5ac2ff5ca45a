"""Blocks: what is written is read back, what is broken is noticed, and an index misses nothing."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import orjson
import pytest

from inspector.store.blocks import (
    HEAD_SIZE,
    BlockBuilder,
    CorruptError,
    actor_key,
    check_block,
    read_block,
    read_head,
    trace_key,
)
from tests.inspector.store.kept import block_of, portion, say
from tests.inspector.tracing.records import START, Clock, make_log

__all__ = ()

ANY = (0xFF, None, None, b"", None)


def whole(data: bytes) -> None:
    """Read a block as whoever opens a file does."""
    head = read_head(data, 0, 0)
    if head.size > len(data):
        raise CorruptError("there is no whole block")
    read_block(data[: head.size], head.index_size)


def test_what_is_written_is_read_back() -> None:
    log = make_log()
    with (
        log.start_span("outer", {"order": 7}, target="a") as outer,
        log.start_span("inner", {"actor": "cart/7"}, target="b", parent=outer),
    ):
        log.logger("shop.cart").error("no ü", text="a\nb", number=1)
    log.logger("shop").debug("alone")
    taken = portion(log)
    data = block_of(taken)
    head = read_head(data, 0, 99)
    assert (head.offset, head.size, head.first_seq, head.next_seq) == (99, len(data), 1, 7)
    assert (head.dropped, head.records, head.levels) == (0, 6, 0b10010)
    block = read_block(data, head.index_size)
    assert block.lines == [entry[0] for entry in taken.entries]
    assert [block.sites[at] for at in block.site_ids] == [(entry[1].level, entry[1].target) for entry in taken.entries]
    contexts = [block.contexts[at] for at in block.context_ids]
    assert [actor for actor, _ in contexts] == [entry[2].actor for entry in taken.entries]
    assert [ancestors for _, ancestors in contexts] == [
        orjson.loads(b"[%b]" % entry[2].ancestors()) for entry in taken.entries
    ]
    assert contexts[1] == ("cart/7", [{"name": "outer", "order": 7}])


def test_a_builder_goes_on_with_the_next_block() -> None:
    log = make_log()
    say(log, 3)
    builder = BlockBuilder()
    first, second = portion(log), None
    builder.add(first.first_seq, first.next_seq, 5, first.entries)
    assert builder.count == 9
    one = read_head(builder.encode(), 0, 0)
    assert builder.count == builder.size == 0
    say(log, 1)
    second = portion(log, 9)
    builder.add(second.first_seq, second.next_seq, 0, second.entries)
    two = read_head(builder.encode(), 0, 0)
    assert (one.first_seq, one.next_seq, one.dropped, one.records) == (1, 10, 5, 9)
    assert (two.first_seq, two.next_seq, two.dropped, two.records) == (10, 13, 0, 3)


def test_two_portions_are_one_block() -> None:
    log = make_log()
    say(log, 2)
    builder = BlockBuilder()
    first = portion(log)
    say(log, 2)
    second = portion(log, 6)
    for each in (first, second):
        builder.add(each.first_seq, each.next_seq, each.dropped, each.entries)
    data = builder.encode()
    head = read_head(data, 0, 0)
    assert (head.first_seq, head.next_seq) == (1, 13)
    assert read_block(data, head.index_size).lines == [entry[0] for each in (first, second) for entry in each.entries]


def test_a_block_of_nothing_but_losses() -> None:
    builder = BlockBuilder()
    builder.add(5, 9, 4, [])
    data = builder.encode()
    head = read_head(data, 0, 0)
    assert (head.first_seq, head.next_seq, head.dropped, head.records) == (5, 9, 4, 0)
    assert not head.may_hold(*ANY)
    assert read_block(data, head.index_size).lines == []


def test_times_are_the_least_and_the_greatest_also_where_the_clock_steps_back() -> None:
    clock = Clock(START)
    log = make_log(clock=clock)
    for step in (0, 5, -7, 3):
        clock.now = START + step * 1_000_000_000
        log.logger("a").info("tick")
    head = read_head(block_of(portion(log)), 0, 0)
    assert (head.begin, head.end) == (b"2025-11-23T20:47:26.139606Z", b"2025-11-23T20:47:38.139606Z")
    assert head.may_hold(0xFF, None, None, b"2025-11-23T20:47:38.139606Z", None)
    assert not head.may_hold(0xFF, None, None, b"2025-11-23T20:47:38.139607Z", None)
    assert head.may_hold(0xFF, None, None, b"", b"2025-11-23T20:47:26.139607Z")
    assert not head.may_hold(0xFF, None, None, b"", b"2025-11-23T20:47:26.139606Z")


def test_times_are_found_where_numbers_grow_a_digit() -> None:
    clock = Clock(START)
    log = make_log(clock=clock)
    for second in range(12):
        clock.now = START + second * 1_000_000_000
        log.logger("a").info("tick")
    head = read_head(block_of(portion(log)), 0, 0)
    assert (head.begin[17:19], head.end[17:19]) == (b"33", b"44")


def test_an_index_finds_every_trace_and_actor_and_no_level_that_is_not_there() -> None:
    log = make_log()
    traces = [trace for number in range(20) for trace in say(log, 1, actor=f"cart/{number}")]
    head = read_head(block_of(portion(log)), 0, 0)
    for number, trace in enumerate(traces):
        assert head.may_hold(0xFF, trace_key(trace), actor_key(f"cart/{number}"), b"", None)
    assert not head.may_hold(0xFF, trace_key("0" * 31 + "1"), None, b"", None)
    assert not head.may_hold(0xFF, None, actor_key("cart/20"), b"", None)
    assert not head.may_hold(0b11000, None, None, b"", None)
    # What stands across two keys is neither of them.
    across = head.traces[3:11]
    assert all(across != key for key in (trace_key(trace) for trace in traces))
    assert not head.may_hold(0xFF, across, None, b"", None)
    # What stands across two keys and is one of them as well.
    twice = bytes(range(8))
    odd = head._replace(traces=b"\xff" * 4 + twice + b"\xff" * 4 + twice)
    assert odd.may_hold(0xFF, twice, None, b"", None)


def test_every_byte_that_is_changed_is_noticed() -> None:
    log = make_log()
    say(log, 2)
    data = block_of(portion(log))
    check_block(data)
    whole(data)
    for at in range(len(data)):
        broken = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        with pytest.raises(CorruptError):
            whole(broken)


def test_what_is_cut_off_is_no_block() -> None:
    log = make_log()
    say(log, 1)
    data = block_of(portion(log))
    head = read_head(data, 0, 0)
    for end in (0, HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + head.index_size - 1):
        with pytest.raises(CorruptError):
            read_head(data[:end], 0, 0)
    with pytest.raises(CorruptError, match="checksum"):
        read_block(data[:-1], head.index_size)


def test_a_payload_that_does_not_unfold_is_noticed_though_its_checksum_fits() -> None:
    log = make_log()
    say(log, 1)
    data = block_of(portion(log))
    head = read_head(data, 0, 0)
    body = data[:-1] + bytes([data[-1] ^ 1])
    body = body[:12] + struct.pack("<I", zlib.crc32(body[16:])) + body[16:]
    with pytest.raises(CorruptError, match="incorrect data check"):
        read_block(body, head.index_size)


def test_an_actor_whose_address_has_no_utf_8_has_a_key() -> None:
    assert len(actor_key("cart/\ud800")) == 8
    keys = [actor_key(f"a/{number}") for number in range(100)]
    assert all(one != other for one, other in pairwise(sorted(keys)))
