"""Playing the disk to one who follows: batches join, holes are told, and the ring goes on where the disk ends."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from inspector.store import Passage, Playback, Store, open_store, store_of
from inspector.tracing import Log
from protocol.filters import parse_filter
from tests.inspector.store.kept import ToldFolder, kept_log, say, told_store

__all__ = ()

SMALL = 40_000


def play(
    log: Log, host: str, after_seq: int, filter: str = "trace", actor: str | None = None
) -> tuple[Playback, list[Passage]]:
    """Play to the end, and check that passages join."""
    store = store_of(log)
    assert isinstance(store, Store)
    playback = Playback(log, store, host, after_seq, parse_filter(filter), actor)
    begin, found = (playback.next_seq, [])
    while playback.seq is None:
        passage = playback.read()
        if passage is not None:
            found.append(passage)
    last = playback.unspoken()
    if last is not None:
        found.append(last)
    for passage in found:
        if found[0] is passage or passage.host == found[found.index(passage) - 1].host:
            assert passage.first_seq == begin
        else:
            assert passage.first_seq == 1
        begin = passage.next_seq
        assert all(passage.first_seq <= seq < passage.next_seq for seq in numbers([passage]))
    return playback, found


def numbers(found: list[Passage]) -> list[int]:
    """Return the numbers of records."""
    return [orjson.loads(line)["seq"] for passage in found if passage.lines for line in passage.lines.split(b"\n")]


def filled(path: Path, rounds: int = 20) -> tuple[Log, ToldFolder]:
    """Return a log whose ring has turned over, and whose records are all on the disk."""
    log, folder = kept_log(path, record_size=SMALL)
    for _ in range(rounds):
        say(log, 10)
        folder.wait_for(log.next_seq)
    return log, folder


def test_what_the_ring_has_lost_is_played_and_the_ring_goes_on(tmp_path: Path) -> None:
    log, _ = filled(tmp_path / "d")
    playback, found = play(log, log.host_id, 100)
    assert playback.missed == 0
    assert playback.next_seq == 101
    assert playback.seq is not None
    assert numbers(found) == list(range(101, playback.seq))
    assert log.first_seq <= playback.seq <= log.next_seq
    assert found[-1].next_seq == playback.seq
    assert {(passage.host, passage.dropped) for passage in found} == {(log.host_id, 0)}
    log.close()


def test_nothing_that_matches_is_told_once(tmp_path: Path) -> None:
    log, _ = filled(tmp_path / "d")
    playback, found = play(log, log.host_id, 0, "error")
    assert found == [Passage(log.host_id, 1, playback.seq or 0, 0, b"")]
    _, found = play(log, log.host_id, 0, actor="cart/8")
    assert numbers(found) == []
    log.close()


def test_passages_are_bounded_and_go_on_in_the_midst_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.store.query.MAX_PAGE", 1000)
    log, _ = filled(tmp_path / "d")
    playback, found = play(log, log.host_id, 0)
    assert numbers(found) == list(range(1, playback.seq or 0))
    assert max(len(passage.lines) for passage in found) <= 1000
    monkeypatch.setattr("inspector.store.playback.BUDGET", 1)
    playback, found = play(log, log.host_id, 0)
    assert numbers(found) == list(range(1, playback.seq or 0))
    log.close()


def test_an_earlier_run_goes_on_with_the_later_ones(tmp_path: Path) -> None:
    runs = []
    for count in (4, 0, 3):
        log, folder = kept_log(tmp_path / "d")
        say(log, count)
        folder.wait_for(log.next_seq)
        runs.append((log.host_id, log.next_seq))
        if count != 3:
            log.close()
            runs[-1] = (log.host_id, log.next_seq)
    playback, found = play(log, runs[0][0], 3)
    assert [passage.host for passage in found][:2] == [runs[0][0], runs[1][0]]
    assert numbers(found[:1]) == list(range(4, runs[0][1]))
    assert numbers(found[1:2]) == list(range(1, runs[1][1]))
    assert playback.missed == 0
    # All of this run is in the ring.
    assert playback.seq == 1
    assert len(found) == 2
    # From its very end: the next one begins.
    playback, found = play(log, runs[0][0], runs[0][1] - 1)
    assert (playback.next_seq, playback.missed) == (1, 0)
    assert [passage.host for passage in found] == [runs[1][0]]
    # From the last one's end: this one begins.
    playback, found = play(log, runs[1][0], runs[1][1] + 5)
    assert (playback.next_seq, playback.seq, found) == (1, 1, [])
    log.close()


def test_of_an_unknown_run_everything_that_is_kept_came_after(tmp_path: Path) -> None:
    log, _ = kept_log(tmp_path / "d")
    say(log, 2)
    log.close()
    first, end = log.host_id, log.next_seq
    log, _ = kept_log(tmp_path / "d")
    playback, found = play(log, "nobody", 77)
    assert (playback.next_seq, playback.missed) == (1, 0)
    assert [(passage.host, passage.next_seq) for passage in found] == [(first, end)]
    log.close()


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    log, folder = filled(tmp_path / "d", 6)
    log.close()
    earlier = log.host_id
    segment = folder.segments[0]
    heads = segment.read_heads()
    assert len(heads) > 3
    # The second block is broken.
    data = bytearray(segment.path.read_bytes())
    data[heads[1].offset + heads[1].size - 1] ^= 1
    segment.path.write_bytes(data)
    log, folder = kept_log(tmp_path / "d")
    _, found = play(log, earlier, 5)
    lost = heads[1].next_seq - heads[1].first_seq
    assert sum(passage.dropped for passage in found) == lost
    assert numbers(found) == [
        number for number in range(6, segment.next_seq) if not heads[1].first_seq <= number < heads[1].next_seq
    ]
    # The whole file.
    data[-100] ^= 1
    segment.path.write_bytes(data)
    _, found = play(log, earlier, 5)
    assert (sum(passage.dropped for passage in found), numbers(found)) == (segment.next_seq - 6, [])
    log.close()


def test_what_was_removed_is_missed(tmp_path: Path) -> None:
    log, folder = filled(tmp_path / "d", 6)
    folder_path = folder.path
    log.close()
    first = log.host_id
    # As if the first file had had its time: the run's second one begins later.
    log, folder = kept_log(folder_path)
    log.close()
    path = folder.segments[0].path
    later = Log(host_name="h", host_id="x")
    say(later, 30)
    path.unlink()
    store = open_store(folder_path)
    assert [segment.host for segment in store.segments] == [log.host_id]
    later.add_sink(store)
    playback = Playback(later, store, log.host_id, 0, parse_filter("trace"), None)
    assert (playback.next_seq, playback.missed) == (1, 0)
    playback = Playback(later, store, first, 10, parse_filter("trace"), None)
    assert (playback.next_seq, playback.missed) == (1, 0)
    later.close()


def test_a_number_that_was_never_given_out_begins_at_the_end(tmp_path: Path) -> None:
    log, _ = filled(tmp_path / "d", 2)
    playback, found = play(log, log.host_id, 10**9)
    assert (playback.next_seq, playback.seq, found) == (log.next_seq, log.next_seq, [])
    log.close()


def test_what_this_run_lost_is_missed(tmp_path: Path) -> None:
    log = Log(host_name="h", record_size=SMALL)
    say(log, 200)
    kept = log.first_seq
    assert kept > 300
    store, folder = told_store(tmp_path / "d")
    log.add_sink(store)
    folder.wait_for(log.next_seq)
    playback, _ = play(log, log.host_id, 9)
    assert (playback.missed, playback.next_seq) == (kept - 10, kept)
    log.close()
