"""`inspector-tui script`: what it prints and how it ends, beside a host and without one."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from protocol.script import parse_script
from tests.scripts.host import TOKEN, served
from tui.cli import main

__all__ = ()

GREETING = 'connect /inspector/connect\n<- {"type": "Init", ...}\n'


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str, host: bool = True) -> Result:
    """Run `inspector-tui script`, beside a host or without one."""
    monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)

    async def run() -> Result:
        async with served() if host else nullcontext() as found:
            url = found.url if found else "http://127.0.0.1:1"
            words = ["script", *arguments, "--url", url]
            return await trio.to_thread.run_sync(lambda: CliRunner().invoke(main, words))

    return trio.run(run)


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good, bad, wrong = tmp_path / "good.cbs", tmp_path / "bad.cbs", tmp_path / "wrong.cbs"
    good.write_text(GREETING)
    bad.write_text('connect /inspector/connect\n\n<- {"type": "Later"}\n')
    wrong.write_text('connect /x\n-> {"a": }\n')
    for dialect in ("cbor", "json"):
        done = command(monkeypatch, str(good), "--dialect", dialect)
        assert (done.exit_code, done.stdout, done.stderr) == (0, f"{good}: passed, 2 statements\n", "")
    done = command(monkeypatch, str(bad), str(good))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"{bad}:3: the next message does not fit\n")
    assert '\n-   "type": "Later"\n+   "type": "Init"\n' in done.stderr
    assert done.stdout == f"{good}: passed, 2 statements\n"
    # Nothing is played when something can't be read.
    done = command(monkeypatch, str(good), str(wrong), str(tmp_path / "none.cbs"))
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{wrong}:2:10: a value is wanted")
    assert second.startswith(f"{tmp_path / 'none.cbs'}: can't be read")
    done = command(monkeypatch, str(good), host=False)
    assert done.exit_code == 3
    assert done.stderr.startswith("cannot_attach: 127.0.0.1:1: ")


def test_the_command_that_tells_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "a.cbs"
    values = "[\"\\u001b\\n\", h'00', 1.0]"
    call = f'{{"type": "ActionRequest", "id": 1, "actor": "rig/a", "name": "echo", "args": [{values}]}}'
    end = '->> "]"\n' * 32 + "close 1008\n"
    refused = "connect /elsewhere expect 404\n"
    script.write_text(f'{refused}{GREETING}-> {call}\n<- {{"rid": 1, ...}}\ndisconnect\n{GREETING}{end}')
    for dialect in ("cbor", "json"):
        done = command(monkeypatch, str(script), "--dialect", dialect, "--verbose")
        assert (done.exit_code, done.stdout) == (0, f"{script}: passed, 41 statements\n")
        lines = done.stderr.splitlines()
        assert lines[0].startswith("connect /elsewhere expect 404 # ")
        assert lines[1] == f"connect /inspector/connect # inspector.{dialect}.v1"
        assert lines[2].startswith('<- {"type": "Init", "host": {"id": "')
        assert lines[3] == f"-> {call}"
        assert lines[4].startswith(f'<- {{"type": "ActionResponse", "rid": 1, "output": {values}, ')
        assert lines[5] == "disconnect"
        assert lines.count('->> "]"') == 32
        assert lines[-1] == "close 1008 # too many malformed frames"
        # What is told is a script again.
        assert len(parse_script("told", "\n".join(lines)).statements) == len(lines)


def test_what_is_told_at_length_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "a.cbs"
    ask = '-> {"type": "ActionRequest", "id": 1, "actor": "rig/a", "name": "big", "args": [9000]}\n<- _\n'
    script.write_text(GREETING + ask + "->> h'ff'\n<- {}\n")
    done = command(monkeypatch, str(script), "--verbose")
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert lines[3].startswith('<- {"type": "ActionResponse", "rid": 1, "output": h\'0000')
    assert re.search(r"00… # 18\d{3} characters\Z", lines[3])
    assert len(lines[3]) < 4100
    assert lines[4] == "->> h'ff'"
    # Also what the script then finds wrong has been told.
    assert lines[5].startswith('<- {"type": "Error", "rid": null, ')
    assert lines[6].startswith(f"{script}:6: the next message does not fit")


def test_the_command_without_a_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "a.cbs").write_text(GREETING)
    done = CliRunner().invoke(main, ["script", str(tmp_path / "a.cbs")])
    assert done.exit_code == 3
    assert done.stderr.startswith("no_host: ")
    monkeypatch.setattr("tui.commands.script.play_script", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    done = CliRunner().invoke(
        main,
        [
            "script",
            str(tmp_path / "a.cbs"),
            "--url",
            "localhost",
        ],
        env={"INSPECTOR_TOKEN": "x"},
    )
    assert done.exit_code == 130
