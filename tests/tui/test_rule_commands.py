"""The commands of watch rules: what they are told, one at a time, and how they are ended."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tui.model.alarm_kinds import make_alarm
from tui.model.alarms import Alarm, Firing, Hit
from tui.model.rule_grammar import parse_rule
from tui.rule_commands import Commands, environment

__all__ = ()


def firing(command: str, hit: Hit | None = None) -> tuple[Alarm, Firing]:
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    rule = parse_rule(f'x: link lost -> run "{quoted}"')
    return make_alarm(rule, lambda alarm, firing: None), Firing(rule, hit or Hit("gone"), 0.0, 1)


def run(command: str, hit: Hit | None = None, *, limit: float = 60.0) -> list[str]:
    ended: list[str] = []

    async def work() -> None:
        commands = Commands(lambda alarm, how: ended.append(how), limit=limit)
        commands.run(*firing(command, hit))
        await commands.drain()

    asyncio.run(work())
    return ended


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("exit 0", "exit 0"),
        ("cat > /dev/null; exit 3", "exit 3"),
        ("kill -TERM $$", "ended by signal 15"),
        ("/nowhere/at/all", "exit 127"),
    ],
)
def test_how_it_has_ended(command: str, how: str) -> None:
    assert run(command) == [how]


def test_it_is_told_all_on_stdin_and_the_most_in_its_environment(tmp_path: Path) -> None:
    hit = Hit("a\ud800 $(exit 9)", "pay/\0eu", {"n": [1]}, b'{"seq":5}')
    script = f"cat > {tmp_path}/stdin; env > {tmp_path}/env"
    assert run(script, hit) == ["exit 0"]
    told = json.loads((tmp_path / "stdin").read_text())
    assert (told["what"], told["subject"], told["value"], told["record"]) == (
        "a\ud800 $(exit 9)",
        "pay/\0eu",
        {"n": [1]},
        {"seq": 5},
    )
    shown = (tmp_path / "env").read_text()
    for line in ("INSPECTOR_WHAT=a? $(exit 9)", "INSPECTOR_SUBJECT=pay/eu", 'INSPECTOR_VALUE={"n":[1]}'):
        assert line in shown.splitlines()
    assert all(len(text) < 5_000 for text in environment(firing("x", Hit("y" * 10**6))[1]).values())


def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    # Whoever has the pipe open for writing lives: reading it ends when nobody does any more.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    alive = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert run(f"cat > /dev/null; (exec sleep 1000 > {fifo}) & wait", limit=0.5) == ["killed after 0.5 s"]
    os.set_blocking(alive, True)
    assert os.read(alive, 1) == b""
    os.close(alive)


def test_one_at_a_time_for_each_rule(tmp_path: Path) -> None:
    async def work() -> None:
        ended: list[str] = []
        commands = Commands(lambda alarm, how: ended.append(how))
        first = firing(f"cat > /dev/null; read line < {tmp_path}/gate; exit 7")
        os.mkfifo(tmp_path / "gate")
        commands.run(*first)
        commands.run(*first)
        assert commands.skipped == 1
        commands.run(*firing("exit 1"))
        gate = await asyncio.to_thread((tmp_path / "gate").open, "w")
        gate.write("go\n")
        gate.close()
        await commands.drain()
        assert sorted(ended) == ["exit 1", "exit 7"]
        commands.run(*first)
        assert commands.skipped == 1
        await commands.close()
        assert len(ended) == 2

    asyncio.run(work())


def test_a_rule_without_a_command_runs_none() -> None:
    async def work() -> None:
        commands = Commands()
        rule = parse_rule("link lost")
        alarm = make_alarm(rule, lambda alarm, firing: None)
        commands.run(alarm, Firing(rule, Hit("gone"), 0.0, 1))
        await commands.drain()

    asyncio.run(work())


def test_a_system_that_starts_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*args: object, **options: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    assert run("exit 0") == ["can't run: Resource temporarily unavailable"]
