"""What docs/demo.md says to type is typed here, and what it lists is all that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from protocol.errors import TABLE
from protocol.messages import ActorStatus
from tests.readme.blocks import ROOT, blocks, commands
from tests.readme.session import Session

PAGE = "docs/demo.md"


def listed(head: str) -> list[str]:
    text = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"## {head}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE)


def test_the_commands_do_what_is_shown(tmp_path: Path) -> None:
    session = Session(tmp_path)
    with session.demo():
        for block in blocks(PAGE):
            for command in commands(block):
                session.play(command)


def test_each_status_has_a_row() -> None:
    assert sorted(listed("To see each status")) == sorted(get_args(ActorStatus))


def test_each_error_of_an_actor_has_a_row() -> None:
    names = {f"{info.group}.{info.code}" for info in TABLE.values()}
    rows = listed("To see each error")
    assert len(set(rows)) == len(rows)
    assert set(rows) <= names
    assert {name for name in names if not name.startswith("inspector.")} <= set(rows)
