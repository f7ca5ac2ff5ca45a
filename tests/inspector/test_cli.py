"""``inspector-host`` as people type it: options, the environment, and what is said of mistakes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from inspector import cli
from inspector.cli.reach import choose_token
from tests.inspector.host_process import APP

__all__ = ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a module of actors, and one for runtime files."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "hosts").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Give a function that runs a command line that fails before anything is served."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in list(os.environ):
        if name.startswith("INSPECTOR_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner(env=env).invoke(cli.main, arguments, prog_name="inspector-host")

    return run


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere:registry", "No module named 'nowhere'"),
        ("app:nothing", "no attribute 'nothing'"),
        ("app:registry.nothing", "no attribute 'nothing'"),
        ("app:number", "app:number is no Registry but a int"),
        ("app", "MODULE:REGISTRY"),
        ("app:", "MODULE:REGISTRY"),
        (":registry", "MODULE:REGISTRY"),
        ("", "MODULE:REGISTRY"),
    ],
)
def test_targets_that_can_not_be_had(run: Callable[..., Result], target: str, said: str) -> None:
    sys.modules.pop("app", None)
    result = run(target)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("option", "text", "position"),
    [("--log", "info,warning", 5), ("--record", "shop=loud", 5), ("--log", "", 0), ("--log", "a b", 2)],
)
def test_a_bad_filter_is_pointed_at(run: Callable[..., Result], option: str, text: str, position: int) -> None:
    result = run("demo", option, text)
    assert result.exit_code == 2
    lines = result.output.splitlines()
    at = lines.index(f"  {text}")
    assert lines[at + 1] == "  " + " " * position + "^"
    assert option in result.output


def test_a_bad_filter_in_the_environment(run: Callable[..., Result]) -> None:
    result = run("demo", env={"INSPECTOR_LOG": "info,warning"})
    assert result.exit_code == 2
    assert "INSPECTOR_LOG" in result.output
    assert "warn" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--token", "b@d secret"),
        ("demo", "--token", ""),
        ("demo", "--log-format", "xml"),
        ("demo", "--rate", "0"),
    ],
)
def test_usage_errors(run: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "secret" not in result.output


@pytest.mark.parametrize("content", [b"", b"b@d secret", b"two\nsecret", b"\xff\xfesecret", None])
def test_token_files_that_hold_none(run: Callable[..., Result], folder: Path, content: bytes | None) -> None:
    path = folder / "token"
    if content is not None:
        path.write_bytes(content)
    result = run("demo", "--token-file", str(path))
    assert result.exit_code == 2
    assert "--token-file" in result.output
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("arguments", "env", "expected"),
    [
        (("--token", "given"), {}, "given"),
        (("--token-file", "file"), {}, "from-file"),
        ((), {"INSPECTOR_TOKEN": "from-env"}, "from-env"),
        ((), {"INSPECTOR_TOKEN_FILE": "file"}, "from-file"),
        (("--token", "given"), {"INSPECTOR_TOKEN_FILE": "file"}, "given"),
        (("--token-file", "file"), {"INSPECTOR_TOKEN": "from-env"}, "from-file"),
        ((), {}, None),
    ],
)
def test_where_the_token_comes_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], env: dict[str, str], expected: str | None
) -> None:
    (folder / "file").write_text("from-file\n")
    monkeypatch.chdir(folder)
    for name in ("INSPECTOR_TOKEN", "INSPECTOR_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    context = cli.main.make_context("inspector-host", ["demo", *arguments])
    assert choose_token(context, context.params["token"], context.params["token_file"]) == expected


def test_two_tokens_of_the_same_standing(run: Callable[..., Result], folder: Path) -> None:
    (folder / "file").write_text("from-file\n")
    assert run("demo", "--token", "a", "--token-file", "file").exit_code == 2
    result = run("demo", env={"INSPECTOR_TOKEN": "a", "INSPECTOR_TOKEN_FILE": "file"})
    assert result.exit_code == 2
    assert "exclude each other" in result.output


def test_version_and_help(run: Callable[..., Result]) -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output.startswith("inspector-host, version ")
    result = run("--help")
    assert result.exit_code == 0
    for code in ("0 ", "1 ", "2 ", "3 ", "130, 143 "):
        assert f"\n    {code}" in result.output
    for name in ("host", "port", "token", "token-file", "log", "log-format", "log-spans", "record", "drain-timeout"):
        assert f"--{name}" in result.output


def test_each_option_is_in_the_environment_too() -> None:
    for parameter in cli.main.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("version", "help", "rate", "seed"):
            assert parameter.envvar == "INSPECTOR_" + parameter.opts[0].removeprefix("--").replace("-", "_").upper()
