"""What is set for the process is set in time, and once."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from tui.pace import FRAMES_PER_SECOND, quicken, settle


def test_textual_draws_as_often_as_it_is_told() -> None:
    program = "from tui.pace import quicken; quicken(); from textual import constants; print(constants.MAX_FPS)"
    without = {name: value for name, value in os.environ.items() if name != "TEXTUAL_FPS"}
    for setting, fps in ((None, FRAMES_PER_SECOND), ("30", 30)):
        env = without if setting is None else without | {"TEXTUAL_FPS": setting}
        ended = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        assert ended.stdout.strip() == str(fps)


def test_a_users_own_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_FPS", "15")
    quicken()
    assert os.environ["TEXTUAL_FPS"] == "15"


def test_what_is_loaded_is_no_longer_looked_through() -> None:
    gc.unfreeze()
    try:
        gc.collect()
        before = len(gc.get_objects())
        settle()
        assert gc.get_freeze_count() >= before * 0.9
        assert len(gc.get_objects()) < before * 0.1
    finally:
        gc.unfreeze()
