"""docs/tasks.md lists the lints as they are, and shows records with the fields that they have."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from inspector.tasks import THRESHOLD, Lints
from inspector.tasks.linter import LOOKS
from inspector.tasks.lints import TARGET
from inspector.tasks.roster import MAX_ENDED

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_every_lint_is_listed_with_its_threshold() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE)
    assert [(name, float(number)) for name, number in listed] == [
        (field.name, float(getattr(Lints(), field.name))) for field in fields(Lints)
    ]
    assert LOOKS == 5
    assert "five looks" in PAGE


def test_the_numbers_in_the_text() -> None:
    assert f"the last {MAX_ENDED} are kept" in " ".join(PAGE.split())
    assert THRESHOLD == 1.0
    assert "after one second" in PAGE


def test_the_record_that_is_shown() -> None:
    (text,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    record = json.loads(text)
    assert record["target"] == TARGET
    source = (ROOT / "inspector" / "tasks" / "watchdog.py").read_text(encoding="utf-8")
    for word in (record["fields"]["message"], *record["fields"]):
        assert f'"{word}"' in source or f"{word}=" in source or word == "message"


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
