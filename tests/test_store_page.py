"""What docs/store.md says to type is typed here, and its figures are those of the code."""

from __future__ import annotations

from pathlib import Path

from inspector.store import STORE_AGE, STORE_SIZE
from inspector.store.folder import MAX_SEGMENTS
from inspector.store.reading import BUDGET
from inspector.store.store import FLUSH, Store
from tests.readme.blocks import ROOT, Command, blocks, commands
from tests.readme.session import Session

PAGE = "docs/store.md"
PROSE = " ".join((ROOT / PAGE).read_text(encoding="utf-8").split())


def test_the_command_does_what_is_shown(tmp_path: Path) -> None:
    session = Session(tmp_path)
    [block] = [block for block in blocks(PAGE) if block.language == "console"]
    for command in commands(block):
        line = command.line.replace("inspector-host demo", "inspector-host demo --port 0")
        session.play(Command(command.place, line, command.output))
    [kept] = (tmp_path / "records").glob("*.records")
    assert kept.read_bytes().startswith(b'inspector-records 1 {"host":"')


def test_the_program_keeps_what_it_says(tmp_path: Path) -> None:
    [program] = [block for block in blocks(PAGE) if block.language == "python"]
    session = Session(tmp_path)
    (tmp_path / "program.py").write_text(program.text, encoding="utf-8")
    assert session.run("python program.py") == (0, [])
    assert [path.name for path in (tmp_path / "records").glob("*.records")] == ["00000001.records"]


def test_its_bounds_are_those_of_the_code() -> None:
    assert f"{STORE_SIZE // 2**20} MiB and {STORE_AGE / 86400:g} days unless set, at most {MAX_SEGMENTS} files" in PROSE
    assert FLUSH == 1
    assert "loses one second at most" in PROSE
    assert f"of {Store.portion_size // 2**20} MiB where very many come" in PROSE
    assert f"A page reads {BUDGET // 2**20} MiB of blocks at most" in PROSE
