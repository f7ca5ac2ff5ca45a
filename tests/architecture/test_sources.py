"""Rooms that can be read at a sitting, and no check turned off without a word why."""

import pytest

from tests.architecture.sources import Source, packages, scripts, unexplained

LONGEST = 400


@pytest.mark.parametrize("source", packages(), ids=lambda source: source.name)
def test_a_file_is_short_enough(source: Source) -> None:
    assert source.lines <= LONGEST


@pytest.mark.parametrize("source", [*packages(), *scripts()], ids=lambda source: source.name)
def test_whoever_turns_a_check_off_says_why(source: Source) -> None:
    assert [f"{line}: {fault}" for line, comment in source.comments if (fault := unexplained(comment))] == []


@pytest.mark.parametrize(
    ("comment", "fault"),
    [
        ("# type: ignore[arg-type]  # the stub says str, the code takes bytes too", None),
        ("# noqa: B008 - click reads the default at import", None),
        ("# pragma: no cover - only on Windows", None),
        ("# an ordinary comment", None),
        ("# type: ignore", "type: ignore names no rule"),
        ("# type: ignore[arg-type]", "type: ignore gives no reason"),
        ("# noqa", "noqa names no rule"),
        ("# noqa: B008, SIM105", "noqa gives no reason"),
        ("# pragma: no branch", "pragma: no gives no reason"),
        ("# ruff: noqa: E501 long lines here", "turns a tool off for the whole file"),
    ],
)
def test_a_silent_ignore_is_found(comment: str, fault: str | None) -> None:
    assert fault == unexplained(comment)


def test_comments_are_told_from_strings() -> None:
    assert Source("p.a", 'a = "# noqa"\nb = 1  # noqa\n').comments == [(2, "# noqa")]
