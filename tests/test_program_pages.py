"""The programs of docs/any-program.md and docs/bridges.md run, and the commands beside them show what they show."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import inspector.programs.settings
from tests.readme.blocks import ROOT, blocks, commands
from tests.readme.session import Session
from tui.exits import NO_HOST

PAGES = ("docs/any-program.md", "docs/bridges.md")
PROGRAMS = {block.title: block for page in PAGES for block in blocks(page) if block.language == "python"}
CONSOLES = [block for page in PAGES for block in blocks(page) if block.language == "console"]
COMMANDS = {command.line: command for block in CONSOLES for command in commands(block)}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(tmp_path)
    for block in PROGRAMS.values():
        (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    return session


def records(session: Session, program: str) -> list[dict[str, Any]]:
    status, lines = session.run(f"python {program} 2>/dev/null")
    assert status == 0
    return [json.loads(line) for line in lines]


def test_every_program_is_run_here() -> None:
    assert PROGRAMS.keys() == {"worker.py", "serving.py", "recording.py", "shop.py", "structured.py", "calling.py"}
    assert len(COMMANDS) == 4


def test_a_program_that_knows_nothing_of_us(session: Session) -> None:
    (run,) = (line for line in COMMANDS if line.startswith("inspector-host run"))
    (logs,) = (line for line in COMMANDS if line.startswith("inspector-tui logs"))
    with session.program(*run.split()) as program:
        while session.run("inspector-tui ps")[0] == NO_HOST:
            assert program.poll() is None, (session.folder / "stderr").read_text()
        line = logs.replace("--no-follow", "--follow").partition(" | ")[0]
        with session.program("bash", "-c", f"exec {line} 2>/dev/null") as follower:
            found = {json.loads(next(session.lines(follower)))["fields"]["message"] for _ in range(3)}
        assert found == set(COMMANDS[logs].output)
        program.send_signal(signal.SIGINT)
        # As without us: out of a nursery a KeyboardInterrupt comes in a group.
        assert program.wait() == 1
    assert not list((session.folder / "run").rglob("*.json"))


def test_a_program_that_serves_itself(session: Session) -> None:
    assert len(PROGRAMS["serving.py"].code_lines()) <= 10
    with session.program("python", "serving.py") as program:
        while session.run("inspector-tui ps")[0] == NO_HOST:
            assert program.poll() is None, (session.folder / "stderr").read_text()
        with session.program("inspector-tui", "logs", "--filter", "serving=info") as follower:
            record = json.loads(next(session.lines(follower)))
        assert (record["fields"]["message"], record["span"]) == ("hello", {"name": "request", "customer": 7})


def test_a_program_that_records(session: Session) -> None:
    assert len(PROGRAMS["recording.py"].code_lines()) <= 10
    session.play(COMMANDS["python recording.py"])


def test_what_is_bridged(session: Session) -> None:
    (line,) = (line for line in COMMANDS if line.startswith("python shop.py"))
    # The program ends with its exception.
    status, lines = session.run("python shop.py 2>/dev/null")
    assert status == 1
    found = [json.loads(one) for one in lines]
    shown = [json.loads(one) for one in COMMANDS[line].output]
    told = [[one["level"], one["target"], one["fields"]["message"], one["span"]["name"]] for one in found]
    assert told == shown
    assert (found[0]["fields"]["amount"], found[0]["fields"]["password"]) == (12, "[redacted]")
    assert found[2]["exception"]["message"] == "out of stock"


def test_structlog(session: Session) -> None:
    status, lines = session.run("python structured.py")
    assert status == 0
    # Two of ours, and the line that structlog has rendered.
    found = [json.loads(line) for line in lines]
    (rendered,) = (one for one in found if "seq" not in one)
    first, second = (one for one in found if "seq" in one)
    assert (first["target"], first["fields"]) == ("structured", {"message": "card accepted", "amount": 12})
    assert (second["level"], second["span"]["name"]) == ("WARN", "request")
    assert rendered == {"event": "card refused", "trace_id": second["trace_id"], "span_id": second["span_id"]}


def test_traces_go_on(session: Session) -> None:
    found = records(session, "calling.py")
    starts = {one["span"]["name"]: one for one in found if one["kind"] == "span_start"}
    assert starts["answer"]["parent_id"] == starts["call"]["span_id"]
    assert starts["answer"]["trace_id"] == starts["call"]["trace_id"] != starts["host"]["trace_id"]


def test_the_settings_are_listed() -> None:
    text = (ROOT / "docs/any-program.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_]+)` \| `?([A-Z_]*)`? *\|", text, re.MULTILINE)
    settings = inspector.programs.settings.LogSettings
    assert [name for name, _ in listed] == [*settings.__dataclass_fields__, "bridges"]
    for name, variable in listed:
        assert not variable or f"``{variable}``" in (settings.__doc__ or ""), name


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert ((ROOT / page).parent / link).exists(), link
