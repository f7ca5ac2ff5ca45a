"""Files are read in whole lines, whatever the blocks and the packing."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.logs.files import reading
from tui.logs.files.reading import PlainFile, cut_blocks, is_gzip, unpacked


def portions(data: bytes, size: int) -> Callable[[], bytes]:
    stream = io.BytesIO(data)
    return lambda: stream.read(size)


TEXTS = st.lists(st.sampled_from([b"", b"a", b"bb" * 7, b"\xff" * 40]), max_size=20).map(b"\n".join)


@given(TEXTS, st.integers(1, 30))
def test_blocks_of_a_stream_are_its_lines(data: bytes, size: int) -> None:
    blocks = list(cut_blocks(portions(data, size)))
    assert b"\n".join(blocks) == data.removesuffix(b"\n")


@given(TEXTS, st.integers(1, 30))
def test_a_packed_stream_is_unpacked_in_any_portions(data: bytes, size: int) -> None:
    packed = gzip.compress(data[:50]) + gzip.compress(data[50:]) + b"\0" * 10
    assert is_gzip(packed)
    read = unpacked(portions(packed, size))
    assert b"".join(iter(read, b"")) == data


def test_a_packed_stream_gives_no_more_than_a_block_at_once() -> None:
    data = bytes(range(256)) * 8_000
    parts = list(iter(unpacked(portions(gzip.compress(data), 1 << 20)), b""))
    assert b"".join(parts) == data
    assert max(map(len, parts)) <= reading.BLOCK


def test_packed_data_that_ends_too_early_is_told_after_what_was_there() -> None:
    read = unpacked(portions(gzip.compress(b"x" * 1000)[:-4], 7))
    with pytest.raises(EOFError, match="too early"):
        list(iter(read, b""))


def test_a_line_that_is_too_long_comes_in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "MAX_LINE", 64)
    monkeypatch.setattr(reading, "BLOCK", 16)
    assert [len(each) for each in cut_blocks(portions(b"x" * 100 + b"\ny", 16))] == [64, 36, 1]
    (tmp_path / "log").write_bytes(b"x" * 100 + b"\ny\n")
    with closing(PlainFile(tmp_path / "log")) as file:
        piece, offset = file.lines_at(0)
        assert (piece, offset) == (b"x" * 64, 64)
        assert file.lines_at(offset) == (b"x" * 36 + b"\ny", 103)
        assert file.lines_at(103) == (b"", 103)


def test_a_file_is_read_at_any_place(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\nthr")
    with closing(PlainFile(tmp_path / "log")) as file:
        assert (file.size, file.regular) == (11, True)
        assert file.lines_at(0) == (b"one\ntwo", 8)
        assert file.lines_at(0, 4) == (b"one", 4)
        assert file.lines_at(8) == (b"", 8)
        assert [file.line_start(offset) for offset in (-1, 0, 1, 4, 5, 9, 11)] == [0, 0, 4, 4, 8, 11, 11]
        assert [file.last_start(end) for end in (0, 3, 4, 5, 11)] == [0, 0, 4, 4, 8]
        assert file.read_on() == b"one\ntwo\nthr"
        assert file.read_on() == b""


def test_the_last_line_is_found_past_any_length(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\n" + b"x" * (2 * reading.BLOCK))
    with closing(PlainFile(tmp_path / "log")) as file:
        assert file.last_start(file.size) == 4
        assert file.line_start(5) == file.size
