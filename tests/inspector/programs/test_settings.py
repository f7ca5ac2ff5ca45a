"""What a program's log is like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inspector.programs.settings import LogSettings, program_name
from inspector.tracing import Log, open_sink
from protocol.filters import parse_filter


def made(environment: dict[str, str] | None = None, **said: Any) -> Log:
    log = LogSettings(**said).make_log({} if environment is None else environment)
    log.close()
    return log


def sinks(environment: dict[str, str] | None = None, **said: Any) -> list[tuple[str, str]]:
    log = LogSettings(**said).make_log({} if environment is None else environment)
    found = [(sink.name, str(sink.filter)) for sink in log.sinks]
    log.close()
    return found


def test_nothing_is_said() -> None:
    log = made()
    assert (log.host_name, str(log.record_filter)) == (program_name(), "debug")
    assert log.filters.log is None
    # Standard output is the program's.
    assert sinks() == []


def test_all_is_said_by_arguments(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "name": "shop",
        "log": "warn",
        "log_format": "logfmt",
        "log_spans": True,
        "record": parse_filter("trace"),
        "record_size": 2**20,
        "sinks": (f"file:{tmp_path / 'log'},filter=error", open_sink("stderr")),
    }
    log = made(**said)
    assert (log.host_name, str(log.record_filter), str(log.filters.log)) == ("shop", "trace", "warn")
    assert log.recorder.segment_size == 2**20 // 32
    said["sinks"] = ("stderr",)
    assert sinks(**said) == [("stderr", "warn"), ("stdout", "warn")]


def test_all_is_said_by_the_environment(tmp_path: Path) -> None:
    environment = {
        "INSPECTOR_NAME": "shop",
        "INSPECTOR_LOG": "warn",
        "INSPECTOR_LOG_FORMAT": "logfmt",
        "INSPECTOR_LOG_SPANS": "1",
        "INSPECTOR_RECORD": "info",
        "INSPECTOR_RECORD_SIZE": "1",
        "INSPECTOR_SINK": f"file:{tmp_path / 'log'},filter=error stderr",
    }
    log = made(environment)
    assert (log.host_name, str(log.record_filter)) == ("shop", "info")
    assert log.recorder.segment_size == 2**20 // 32
    assert [filter for _, filter in sinks(environment)] == ["error", "warn", "warn"]
    # What is said here goes before it.
    assert made(environment, name="other", record="error").host_name == "other"
    assert str(made(environment, record="error").record_filter) == "error"


def test_one_place_is_not_written_to_twice() -> None:
    assert sinks({"INSPECTOR_LOG": "info", "INSPECTOR_SINK": "stdout,filter=debug"}) == [("stdout", "debug")]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("INSPECTOR_LOG", "warning"),
        ("INSPECTOR_RECORD", "shop=loud"),
        ("INSPECTOR_RECORD_SIZE", "big"),
        ("INSPECTOR_RECORD_SIZE", "0"),
        ("INSPECTOR_LOG_FORMAT", "xml"),
        ("INSPECTOR_LOG_SPANS", "perhaps"),
        ("INSPECTOR_SINK", "nowhere"),
    ],
)
def test_a_variable_that_can_not_be_understood_is_named(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=variable):
        LogSettings().make_log({variable: text})


def test_an_empty_variable_says_nothing() -> None:
    assert str(made({"INSPECTOR_RECORD": ""}).record_filter) == "debug"


@pytest.mark.parametrize(("text", "spans"), [("yes", True), ("ON", True), ("0", False), ("false", False)])
def test_flags_are_read_as_on_the_command_line(
    text: str, spans: bool, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogSettings(log="info", log_format="json").make_log({"INSPECTOR_LOG_SPANS": text})
    with log, log.logger("t").span("outer"), log.logger("t").span("inner"):
        log.logger("t").info("x")
    assert ('"spans":[' in capfd.readouterr().out) is spans


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/srv/shop.py", "--fast"], "shop"),
        (["shop"], "shop"),
        (["/srv/lib/shop/__main__.py"], "shop"),
        (["-c"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_programs_name(arguments: list[str], name: str | None) -> None:
    assert program_name(arguments) == name
