"""Options about tasks: what they mean, and what is said of mistakes."""

from __future__ import annotations

import math
from typing import Any

import click
import pytest
from click.testing import CliRunner

from inspector.cli.tasks import TASKS, LintType, WatchdogType
from inspector.tasks import THRESHOLD, Lints

__all__ = ()


def given(*arguments: str, **environment: str) -> dict[str, Any]:
    """Return what a command gets that has these options."""
    found: dict[str, Any] = {}

    @click.command()
    @TASKS
    def command(**options: Any) -> None:
        found.update(options)

    result = CliRunner(env=environment).invoke(command, arguments)
    return found if result.exit_code == 0 else {"code": result.exit_code, "said": result.output}


def test_what_holds_unless_said() -> None:
    assert given() == {"watchdog": THRESHOLD, "task_timing": False, "lints": Lints()}


def test_what_is_said() -> None:
    found = given("--watchdog", "0.25", "--task-timing", "--lint", "long_step=0.5", "--lint", "nursery_grows=OFF")
    assert found == {
        "watchdog": 0.25,
        "task_timing": True,
        "lints": Lints(long_step=0.5, nursery_grows=math.inf),
    }
    assert given("--watchdog", "Off")["watchdog"] is None


def test_the_environment() -> None:
    found = given(
        INSPECTOR_WATCHDOG="off", INSPECTOR_TASK_TIMING="1", INSPECTOR_LINT="long_step=2 wakes_for_nothing=50"
    )
    assert found == {"watchdog": None, "task_timing": True, "lints": Lints(long_step=2, wakes_for_nothing=50)}
    assert given("--watchdog", "3", INSPECTOR_WATCHDOG="off")["watchdog"] == 3


@pytest.mark.parametrize("text", ["0", "-1", "never", "nan", ""])
def test_no_watchdog_like_that(text: str) -> None:
    found = given("--watchdog", text)
    assert found["code"] == 2
    assert "neither a positive number of seconds nor off" in found["said"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("long_steps=1", "there is no lint 'long_steps'; there are long_step, no_checkpoint"),
        ("long_step", "neither a positive number nor off"),
        ("long_step=soon", "neither a positive number nor off"),
        ("long_step=0", "neither a positive number nor off"),
        ("long_step=nan", "neither a positive number nor off"),
    ],
)
def test_no_lint_like_that(text: str, said: str) -> None:
    found = given("--lint", text)
    assert found["code"] == 2
    assert said in " ".join(found["said"].split())


def test_values_that_are_values_already() -> None:
    assert WatchdogType().convert(2.5, None, None) == 2.5
    assert LintType().convert(("long_step", 1.0), None, None) == ("long_step", 1.0)
