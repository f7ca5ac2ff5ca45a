"""The error table, the types that carry its rows, and the pages written from it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from docs.error_pages import main, pages
from protocol.errors import (
    TABLE,
    AddressError,
    BadMessage,
    ErrorInfo,
    InspectorError,
    LocalProtocolError,
    RemoteProtocolError,
)

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_a_row_is_found_by_its_name() -> None:
    assert all(row.name == name == f"{row.group}.{row.code}" for name, row in TABLE.items())


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_a_row_says_what_it_means_in_whole_sentences(row: ErrorInfo) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", row.name)
    assert row.meaning.endswith(".")
    assert row.remedy.endswith(".")
    assert all(re.fullmatch(r"[a-z_]+", key) for key in row.metadata)


def test_an_error_carries_its_name_apart() -> None:
    error = InspectorError("actor.not_found", "no actor a", {"actor": "a"})
    assert (error.group, error.code, error.name) == ("actor", "not_found", "actor.not_found")
    assert (error.message, error.metadata, str(error)) == ("no actor a", {"actor": "a"}, "actor.not_found: no actor a")
    assert InspectorError("actor.not_found", "").metadata == {}


def test_an_error_of_a_newer_host_need_not_be_in_the_table() -> None:
    error = InspectorError("engine.far.away", "?")
    assert (error.group, error.code, error.name) == ("engine", "far.away", "engine.far.away")


def test_a_bad_message_knows_its_request_and_whether_it_counts() -> None:
    plain = BadMessage("no map")
    assert (plain.name, plain.rid, plain.malformed, plain.metadata) == ("inspector.bad_message", None, True, {})
    field = BadMessage("wrong", rid=3, malformed=False, field="args")
    assert (field.rid, field.malformed, field.metadata) == (3, False, {"field": "args"})


def test_who_is_to_blame_shows_in_the_type() -> None:
    assert not issubclass(LocalProtocolError, (InspectorError, RemoteProtocolError))
    assert not issubclass(RemoteProtocolError, (InspectorError, LocalProtocolError))
    assert issubclass(AddressError, ValueError)


def test_every_error_that_the_packages_name_is_in_the_table() -> None:
    named = set()
    for package in ("protocol", "inspector"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "InspectorError":
                    match node.args:
                        case [ast.Constant(value=str(name)), *_]:
                            named.add(name)
    assert "actor.unserializable" in named
    assert named <= set(TABLE)


def test_the_written_pages_are_those_of_the_table_and_no_other() -> None:
    written = {path: path.read_text(encoding="utf-8") for path in [DOCS / "errors.md", *(DOCS / "errors").iterdir()]}
    assert written == {DOCS / name: text for name, text in pages().items()}


def test_a_page_says_all_of_its_row() -> None:
    row = TABLE["inspector.bad_filter"]
    assert json.loads((DOCS / "errors" / "inspector.bad_filter.json").read_text(encoding="utf-8")) == {
        "group": "inspector",
        "code": "bad_filter",
        "meaning": row.meaning,
        "blame": "caller",
        "remedy": row.remedy,
        "metadata": row.metadata,
    }
    whole = (DOCS / "errors.md").read_text(encoding="utf-8")
    for row in TABLE.values():
        section = whole.partition(f"\n## {row.name}\n")[2].partition("\n## ")[0]
        assert row.meaning in section
        assert row.remedy in section
        assert all(f"`{key}`: {text}" in section for key, text in row.metadata.items())


def test_writing_takes_away_what_is_left_over(tmp_path: Path) -> None:
    (tmp_path / "errors").mkdir()
    (tmp_path / "errors" / "actor.gone.json").write_text("{}")
    (tmp_path / "errors.md").write_text("old")
    main(tmp_path)
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8") for path in found} == pages()
