"""A file that is followed: what comes in it, and what becomes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tui.logs.files.reading import PlainFile
from tui.logs.files.tail import Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "log").write_bytes(b"one\ntwo\n")
    return tmp_path / "log"


@pytest.fixture
def tail(path: Path) -> Iterator[Tail]:
    with closing(Tail(PlainFile(path))) as tail:
        assert tail.lines() == b"one\ntwo"
        assert (tail.lines(), tail.look()) == (None, None)
        yield tail


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_whole_lines_are_given_as_they_come(path: Path, tail: Tail) -> None:
    append(path, b"three\nfo")
    assert (tail.lines(), tail.lines(), tail.look()) == (b"three", None, None)
    append(path, b"ur\n")
    assert (tail.lines(), tail.offset) == (b"four", 19)


def test_a_truncated_file_is_read_from_its_beginning(path: Path, tail: Tail) -> None:
    os.truncate(path, 0)
    assert tail.lines() is None
    assert tail.look() == (b"", "log was truncated: from here on it is read from its beginning")
    assert tail.look() is None
    append(path, b"new\n")
    assert tail.lines() == b"new"


def test_a_file_that_is_longer_but_another_one_is_noticed(path: Path, tail: Tail) -> None:
    path.write_bytes(b"a line that is longer than both\n")
    assert (tail.lines(), tail.rest()) == (None, b"")
    assert tail.look() == (b"", "log was written anew: from here on it is read from its beginning")
    assert tail.lines() == b"a line that is longer than both"


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(path: Path, tail: Tail) -> None:
    path.rename(path.with_suffix(".1"))
    assert tail.look() == (b"", "log is gone: waiting for it to come back")
    assert tail.look() is None
    append(path.with_suffix(".1"), b"late\nhalf")
    assert tail.lines() == b"late"
    path.write_bytes(b"one\n")
    assert tail.lines() is None
    assert tail.look() == (b"half", "log was replaced: from here on it is another file")
    assert tail.lines() == b"one"
    assert tail.look() is None


def test_a_file_that_goes_again_at_once_is_waited_for(path: Path, tail: Tail) -> None:
    path.unlink()
    path.mkdir()
    # There is something of its name, and it can't be read.
    assert (tail.look(), tail.lines()) == (None, None)
    path.rmdir()
    path.write_bytes(b"new\n")
    assert tail.look() == (b"", "log was replaced: from here on it is another file")
    assert tail.lines() == b"new"


def test_it_begins_where_it_is_told(path: Path) -> None:
    with closing(Tail(PlainFile(path), 4)) as tail:
        assert tail.lines() == b"two"
