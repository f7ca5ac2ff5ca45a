"""Lines of files by time: parts that need no look, several files merged, whatever their kind."""

from __future__ import annotations

import gzip
import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from protocol.filters import parse_filter
from tui.logs.files.criteria import EveryLine, FilterLines
from tui.logs.files.inputs import Damage, LogInput, count_lines, found_lines, merged_lines
from tui.logs.files.period import Clock, Part, Period, clock_at, parts_of
from tui.logs.files.reading import PlainFile
from tui.logs.times import parse_time, show_epoch

BEGIN = parse_time("2026-11-23T20:00:00Z") or 0
SECOND = 10**9
EVERY = EveryLine()


def line(second: float, text: str = "", *, level: str = "INFO") -> bytes:
    date, time = show_epoch(BEGIN + round(second * SECOND))
    return f'{{"timestamp":"{date}T{time}Z","level":"{level}","kind":"event","fields":{{"message":"{text}"}}}}'.encode()


def file_of(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


def found(path: Path, period: Period, criterion: EveryLine | FilterLines = EVERY) -> list[bytes]:
    with closing(LogInput(path)) as file:
        lines = list(found_lines(file.chunks(period), criterion, period))
    with closing(LogInput(path)) as file:
        assert count_lines(file.chunks(period), criterion, period) == len(lines)
    return lines


def period(since: float | None, until: float | None) -> Period:
    def at(second: float | None) -> int | None:
        return None if second is None else BEGIN + round(second * SECOND)

    return Period(at(since), at(until))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[float, bytes]]]:
    """Some blocks of lines, each up to two seconds out of order, every tenth with a line behind it that has no time."""
    rng = random.Random(1)
    timed: list[tuple[float, bytes]] = []
    for number in range(12_000):
        second = number / 4 + rng.uniform(-1, 1)
        timed.append((second, line(second, "x" * rng.randrange(120))))
        if number % 10 == 0:
            timed.append((second, b"  File code.py"))
    path = tmp_path_factory.mktemp("long") / "log"
    return file_of(path, *(text for _, text in timed)), timed


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (None, None),
        (0, 10),
        (1000, None),
        (None, 100),
        (1500, 1500.5),
        (999, 2000),
        (-50, -40),
        (9e4, None),
        (2999, 3e3),
    ],
)
def test_a_period_has_the_lines_written_in_it(
    long: tuple[Path, list[tuple[float, bytes]]], since: float | None, until: float | None
) -> None:
    path, timed = long
    expected = [
        text
        for second, text in timed
        if (since is None or round(second, 3) >= since) and (until is None or round(second, 3) < until)
    ]
    assert found(path, period(since, until)) == expected


@pytest.mark.parametrize(("since", "until"), [(None, None), (500, 2500), (1500, 1501)])
@pytest.mark.parametrize("shares", [1, 2, 3, 7])
def test_shares_of_a_file_are_its_lines(
    long: tuple[Path, list[tuple[float, bytes]]], since: float | None, until: float | None, shares: int
) -> None:
    asked = period(since, until)
    whole = found(long[0], asked)
    with closing(LogInput(long[0])) as file:
        assert file.size == long[0].stat().st_size
        parts = [list(found_lines(file.chunks(asked, share=(n, shares)), EVERY, asked)) for n in range(shares)]
    assert [text for part in parts for text in part] == whole


@pytest.mark.parametrize("data", [b"", b"one", b"one\n", b"a long line with no end", b"1\n2\n3\nhalf"])
def test_shares_of_few_lines(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log").write_bytes(data)
    with closing(LogInput(tmp_path / "log")) as file:
        parts = [count_lines(file.chunks(Period(), share=(n, 5)), EVERY, Period()) for n in range(5)]
    assert sum(parts) == len(data.splitlines())


def test_most_of_a_file_in_order_needs_no_look(long: tuple[Path, list[tuple[float, bytes]]]) -> None:
    with closing(PlainFile(long[0])) as file:
        parts = parts_of(file, file.size, period(1000, 2500))
        assert [part.sure for part in parts] == [False, True, False]
        assert parts[0].start > 0
        assert parts[-1].end < file.size
        assert parts[1].end - parts[1].start > file.size // 3
        assert parts_of(file, file.size, period(None, None)) == [Part(0, file.size, sure=True)]


def test_a_file_that_is_not_in_order_is_looked_through(tmp_path: Path) -> None:
    pad = "x" * 1000
    lines = [line(number, pad) for number in range(1000)]
    path = file_of(tmp_path / "log", *lines[500:], *lines[:500])
    assert found(path, period(100, 105)) == lines[100:105]
    with closing(PlainFile(path)) as file:
        assert parts_of(file, file.size, period(100, 105)) == [Part(0, file.size, sure=False)]


def test_what_has_no_time_at_all_is_in_no_period(tmp_path: Path) -> None:
    path = file_of(tmp_path / "log", b"one", b"two")
    assert found(path, period(0, None)) == []
    assert found(path, period(None, None)) == [b"one", b"two"]


def test_a_line_without_a_time_is_as_old_as_the_one_before_it(tmp_path: Path) -> None:
    data = b"\n".join([b"first", line(1), b"a", b"b"])
    clock = Clock()
    assert clock.when(data, 0) is None
    assert clock.when(data, len(data)) == BEGIN + SECOND
    clock.leave(data)
    assert clock.when(b"c\nd", 2) == BEGIN + SECOND
    with closing(PlainFile(file_of(tmp_path / "log", line(0), line(1), b"a"))) as file:
        assert clock_at(file, 0).when(b"x", 0) is None
        assert clock_at(file, file.size).when(b"x", 0) == BEGIN + SECOND


def test_several_files_are_merged_by_time_and_keep_their_own_order(tmp_path: Path) -> None:
    one = file_of(tmp_path / "one", line(0, "a"), line(5, "b"), b"  trace", line(4, "late"), line(9, "c"))
    (tmp_path / "two.gz").write_bytes(gzip.compress(b"\n".join([b"head", line(3, "d"), line(5, "e"), line(7, "f")])))
    inputs = [LogInput(one), LogInput(tmp_path / "two.gz")]
    merged = list(merged_lines([each.chunks(Period()) for each in inputs], EVERY, Period()))
    assert merged == [
        *(b"head", line(0, "a"), line(3, "d"), line(5, "b"), b"  trace", line(4, "late"), line(5, "e"), line(7, "f")),
        line(9, "c"),
    ]
    for each in inputs:
        each.close()


def test_a_merge_takes_only_what_is_asked_for(tmp_path: Path) -> None:
    one = file_of(tmp_path / "one", line(0, "a"), line(2, "b", level="ERROR"))
    two = file_of(tmp_path / "two", line(1, "c", level="ERROR"), line(30, "d", level="ERROR"))
    inputs = [LogInput(one), LogInput(two)]
    asked = period(None, 20)
    criterion = FilterLines(parse_filter("error"))
    merged = list(merged_lines([each.chunks(asked) for each in inputs], criterion, asked))
    assert merged == [line(1, "c", level="ERROR"), line(2, "b", level="ERROR")]
    for each in inputs:
        each.close()


def test_a_file_without_its_last_newline_has_that_line_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(0) + b"\n" + line(1))
    assert found(path, Period()) == [line(0), line(1)]
    assert found(path, period(1, None)) == [line(1)]
    path.write_bytes(b"")
    assert found(path, Period()) == []


def test_a_tail_goes_on_where_the_blocks_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(0) + b"\n" + b"ha")
    for asked in (Period(), period(None, -100)):
        file = LogInput(path)
        chunks = [chunk.data for chunk in file.chunks(asked, rest=False)]
        assert chunks == ([] if asked else [line(0)])
        with closing(file.tail()) as tail:
            assert (tail.lines(), tail.rest()) == (None, b"ha")


def test_a_damaged_packed_file_is_told_after_what_it_has(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntwo\n")
    for number, data in enumerate((packed[:-3], packed + b"no gzip at all")):
        path = tmp_path / f"{number}.gz"
        path.write_bytes(data)
        with closing(LogInput(path)) as file:
            lines = found_lines(file.chunks(Period()), EVERY, Period())
            assert [next(lines), next(lines)] == [b"one", b"two"]
            with pytest.raises(Damage, match=rf"{number}\.gz: "):
                next(lines)


def test_a_file_that_is_truncated_meanwhile_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = file_of(tmp_path / "log", *[line(number, "x" * 1000) for number in range(1000)])
    with closing(LogInput(path)) as file:
        chunks = file.chunks(Period())
        next(chunks)
        assert not file.cut_short()
        os.truncate(path, 10)
        assert list(chunks) == []
        assert file.cut_short()
