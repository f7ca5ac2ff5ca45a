"""The program in a real pseudo-terminal, its screen read by a terminal emulator."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

CLI = [sys.executable, "-c", "from tui.cli import main; main()"]
HANG = 90.0
"""Seconds. A guard against a wait for what never comes."""


class Terminal:
    """A program and the screen that it draws on."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, columns: int, lines: int) -> None:
        self.process = process
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master = master

    def read(self) -> None:
        """Draw what has come, or wait a moment for something to come."""
        ready, _, _ = select.select([self._master], [], [], 0.2)
        if ready:
            try:
                self._stream.feed(os.read(self._master, 65536))
            except OSError:
                # The other end is closed: the program has ended.
                return

    def until(self, condition: Callable[[str], object]) -> str:
        """Read until the screen is as wanted."""
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            text = "\n".join(self.screen.display)
            if condition(text):
                return text
            self.read()
        raise AssertionError("never came:\n" + "\n".join(self.screen.display))

    def keys(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def ends(self) -> int:
        """Read to the end; gives the exit code."""
        end = time.monotonic() + HANG
        while self.process.poll() is None and time.monotonic() < end:
            self.read()
        assert self.process.returncode is not None
        return self.process.returncode


@contextmanager
def terminal(*words: str, columns: int = 110, lines: int = 30, **environment: str) -> Iterator[Terminal]:
    """Run the program in a terminal for the length of a block."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [*CLI, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master, columns, lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def hosts(directory: Path) -> list[dict[str, object]]:
    """Read the runtime files."""
    return [json.loads(path.read_bytes()) for path in (directory / "inspector").glob("*.json")]


@pytest.mark.parametrize("how", ["q", "\x03", "SIGTERM", "SIGINT"])
def test_the_demo_lives_and_ends_and_its_host_with_it(how: str, tmp_path: Path) -> None:
    with terminal("demo", "--rate", "20", XDG_RUNTIME_DIR=str(tmp_path), NO_COLOR="1") as seen:
        seen.until(lambda text: "live" in text and "counter/default" in text and "card accepted" in text)
        [host] = hosts(tmp_path)
        seen.keys("3")
        seen.until(lambda text: "increment" in text)
        if how.startswith("SIG"):
            seen.process.send_signal(signal.Signals[how])
        else:
            seen.keys(how)
        assert seen.ends() == 0
        assert hosts(tmp_path) == []
        pid = host["pid"]
        assert isinstance(pid, int)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_several_hosts_give_a_list(tmp_path: Path) -> None:
    with (
        terminal("demo", XDG_RUNTIME_DIR=str(tmp_path)) as one,
        terminal("demo", XDG_RUNTIME_DIR=str(tmp_path)) as two,
    ):
        one.until(lambda text: "live" in text)
        two.until(lambda text: "live" in text)
        with terminal(XDG_RUNTIME_DIR=str(tmp_path)) as seen:
            seen.until(lambda text: "2 hosts of yours run" in text and text.count("pid ") == 2)
            seen.keys("j\r")
            text = seen.until(lambda text: "live" in text and "counter/default" in text)
            older = min(hosts(tmp_path), key=lambda host: str(host["started_at"]))
            assert str(older["url"]).removeprefix("http://") in text
            seen.keys("q")
            assert seen.ends() == 0


def test_a_table_on_a_terminal(tmp_path: Path) -> None:
    with terminal("demo", XDG_RUNTIME_DIR=str(tmp_path)) as demo:
        demo.until(lambda text: "live" in text)
        for words, wanted in (
            (("ps",), "counter/default  idle"),
            (("state", "counter/default"), '"count": 0'),
            (("call", "counter/default", "increment"), "1"),
            (("logs", "--no-follow"), "INFO"),
        ):
            with terminal(*words, XDG_RUNTIME_DIR=str(tmp_path)) as seen:
                seen.until(lambda text, wanted=wanted: wanted in text)  # type: ignore[misc]  # a default binds the loop's value
                assert seen.ends() == 0


def test_a_state_is_edited_in_a_real_editor(tmp_path: Path) -> None:
    program = tmp_path / "editor"
    program.write_text(
        "import sys\n"
        "print('what is the count?', flush=True)\n"
        "count = input()\n"
        "text = open(sys.argv[1]).read()\n"
        "open(sys.argv[1], 'w').write(text.replace('0', count))\n"
    )
    editor = f"{sys.executable} {program}"
    with terminal("demo", XDG_RUNTIME_DIR=str(tmp_path), NO_COLOR="1", VISUAL="", EDITOR=editor) as seen:
        seen.until(lambda text: "live" in text and "counter/default" in text)
        seen.keys("2")
        seen.until(lambda text: "count: 0" in text)
        seen.keys("E")
        seen.until(lambda text: "what is the count?" in text)
        # Ctrl+C in an editor reaches the app too, and is none of its business.
        seen.process.send_signal(signal.SIGINT)
        seen.keys("41\n")
        seen.until(lambda text: "+ /count  41" in text and "enter send" in text)
        seen.keys("\r")
        seen.until(lambda text: "count: 41" in text and "version 2" in text)
        seen.keys("q")
        assert seen.ends() == 0


def test_a_terminal_that_is_gone_or_takes_nothing_keeps_no_app_alive(tmp_path: Path) -> None:
    with terminal("demo", "--rate", "20", XDG_RUNTIME_DIR=str(tmp_path)) as seen:
        seen.until(lambda text: "live" in text and "card accepted" in text)
        [host] = hosts(tmp_path)
        screen = os.open(f"/proc/{seen.process.pid}/fd/1", os.O_RDWR | os.O_NOCTTY)
        try:
            # What the app writes from now on blocks, its farewell too.
            termios.tcflow(screen, termios.TCOOFF)
            seen.process.send_signal(signal.SIGHUP)
            seen.process.send_signal(signal.SIGCONT)
            assert seen.process.wait(HANG) == 128 + signal.SIGHUP
        finally:
            os.close(screen)
        # The host notices by itself that nobody holds its leash any more.
        end = time.monotonic() + HANG
        while Path(f"/proc/{host['pid']}").exists() and time.monotonic() < end:
            select.select([], [], [], 0.1)
        assert hosts(tmp_path) == []
