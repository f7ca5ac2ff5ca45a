"""What docs/sinks.md says to type is typed here, and its tables list all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from inspector.tracing import SinkError, open_sink
from tests.readme.blocks import ROOT, Command, blocks, commands
from tests.readme.session import Session

PAGE = "docs/sinks.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_commands_do_what_is_shown(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for block in blocks(PAGE):
        if block.language != "console":
            continue
        for command in commands(block):
            session.env.pop("INSPECTOR_SINK", None)
            line = command.line
            if (found := re.fullmatch(r"INSPECTOR_SINK='([^']*)' (.*)", line)) is not None:
                session.env["INSPECTOR_SINK"], line = found.groups()
            if "|" in line:
                # Refused before it is served.
                status, lines = session.run(line)
                assert (status, lines) == (2, list(command.output)), command.place
            else:
                line = line.replace("inspector-host demo", "inspector-host demo --port 0")
                session.play(Command(command.place, line, command.output))
    records = [orjson.loads(line) for line in (tmp_path / "flat.jsonl").read_bytes().splitlines()]
    assert {record["message"] for record in records} >= {"inspector listening", "inspector stopped"}
    assert (tmp_path / "errors.log").read_text() == ""
    for name in ("shop.jsonl", "the log.jsonl"):
        assert b"inspector listening" in (tmp_path / name).read_bytes()


def test_the_program_writes_what_it_says(tmp_path: Path) -> None:
    [program] = [block for block in blocks(PAGE) if block.language == "python"]
    session = Session(tmp_path)
    (tmp_path / "program.py").write_text(program.text, encoding="utf-8")
    assert session.run("python program.py") == (0, [])
    [record] = [orjson.loads(line) for line in (tmp_path / "shop.jsonl").read_bytes().splitlines()]
    assert record["fields"] == {"message": "card accepted", "amount": 12}


def test_each_place_and_option_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = re.findall(r"^\| `([a-z_]+)(?:=[^`]*)?` \| ([a-z, ]+) \|", TEXT, re.MULTILINE)
    places = {"stdout": "stdout", "stderr": "stderr", "file": "file:x", "otlp": "otlp"}
    assert re.findall(r"^\| `([a-z]+)(?::[A-Z]+)?` \| [^|]{12,} \|$", TEXT, re.MULTILINE) == [*places]
    for place, spelling in places.items():
        with pytest.raises(SinkError, match="there are") as refused:
            open_sink(f"{spelling},nothing")
        listed = refused.value.message.partition("there are ")[2].partition(";")[0].split(", ")
        assert sorted(name for name, of in rows if of == "all" or place in of.split(", ")) == listed
