"""A newcomer at a shell: a folder, an environment with nothing of ours set, and the programs installed here."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyte

from tests.readme.blocks import ROOT, Command, fits

__all__ = ("HANG", "Session")

HANG = 60.0
"""Seconds until what hangs is ended; nothing here is measured."""

_ERROR = re.compile(r"[a-z_]+(\.[a-z_]+)?: ")


class Session:
    """Plays the commands of documents, in order, in one folder.

    Args:
        folder: an empty one, of mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        (folder / "run").mkdir(mode=0o700)
        mine = ("INSPECTOR_", "MAKE", "MFLAGS", "NO_COLOR")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        # Where `make` puts the programs, as after `. .venv/bin/activate`.
        self.bin = Path(sys.executable).parent
        self.env["PATH"] = f"{self.bin}{os.pathsep}{self.env['PATH']}"
        self.env |= {"XDG_RUNTIME_DIR": str(folder / "run"), "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}

    @contextlib.contextmanager
    def program(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        """Run a program beside; its stdout can be read. Whatever is left of it at the end is killed."""
        with (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            guard = threading.Timer(HANG, process.kill)
            guard.start()
            try:
                yield process
            finally:
                guard.cancel()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                assert process.stdout is not None
                process.stdout.close()
                process.wait()

    @contextlib.contextmanager
    def demo(self) -> Iterator[subprocess.Popen[str]]:
        """Run a demo host that `self.url` and the file host.token lead to; it gets no orders for a long while."""
        (self.folder / "host.token").write_text("a-token-of-the-tests\n")
        options = ("--port", "0", "--rate", "0.001", "--token-file", "host.token")
        with self.program("inspector-host", "demo", *options) as host:
            self.url = json.loads(next(self.lines(host)))["fields"]["url"]
            yield host
            if host.poll() is None:
                host.terminate()
                assert host.wait() == 0

    @staticmethod
    def lines(process: subprocess.Popen[str]) -> Iterator[str]:
        output: IO[str] | None = process.stdout
        assert output is not None
        for line in output:
            yield line.rstrip("\n")

    def run(self, line: str) -> tuple[int, list[str]]:
        """Run a line in a shell to its end; gives its status and what it printed, errors included."""
        script = f"set -o pipefail; {{ {line}\n}} 2>&1"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        return done.returncode, done.stdout.splitlines()

    def play(self, command: Command) -> None:
        """Do what a document says to type, and compare with what it shows."""
        line = command.line.replace("http://127.0.0.1:7351", self.url)
        words = line.split()
        if words[0] == "make":
            line = self._recipe(command, words[1])
            if words[2:] == []:
                return
            line = " ".join([line, *words[2:]])
        if words[:2] == ["inspector-host", "run"]:
            self._run_inspected(command, line)
        elif words[0] == "inspector-host":
            self._host(command, line.replace("--port 7351", "--port 0"))
        elif words[0] == "inspector-tui" and (len(words) == 1 or words[1].startswith("http")):
            self._app(command, words)
        elif "| jq" in line and shutil.which("jq") is None:
            _, lines = self.run(line.partition(" | jq")[0].replace("--watch", ""))
            assert lines, f"{command.place}: nothing for jq to read"
            assert all(isinstance(json.loads(one), dict) for one in lines), command.place
        else:
            status, lines = self.run(line)
            refused = len(command.output) == 1 and _ERROR.match(command.output[0]) is not None
            assert (int(refused), True) == (status, self._as_shown(command, lines)), f"{command.place}: {lines}"

    @staticmethod
    def _as_shown(command: Command, lines: list[str]) -> bool:
        if len(command.output) != len(lines):
            return False
        return all(fits(shown, line) for shown, line in zip(command.output, lines, strict=True))

    def _recipe(self, command: Command, target: str) -> str:
        """Give the last line of a target's recipe, to run without setting up anything."""
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=HANG
        )
        assert done.returncode == 0, f"{command.place}: {done.stderr}"
        return done.stdout.splitlines()[-1].replace(".venv/bin/", f"{self.bin}/")

    def _host(self, command: Command, line: str) -> None:
        """Run a host until it says that it listens; SIGTERM must end it well."""
        with self.program("bash", "-c", f"exec {line}") as host:
            first = next(self.lines(host), "nothing")
            fields = json.loads(first)["fields"]
            assert fields["message"] == "inspector listening", f"{command.place}: {first}"
            for shown in command.output:
                assert fits(shown, first), f"{command.place}: {first}"
            host.terminate()
            host.wait()
            assert host.returncode == 0, command.place

    def _run_inspected(self, command: Command, line: str) -> None:
        """Run a program until it says how to attach."""
        with self.program("bash", "-c", f"exec {line} 2>&1") as program:
            for shown in command.output:
                assert any(fits(shown, said) for said in self.lines(program)), command.place
            program.terminate()
            program.wait()
            runtime = next((self.folder / "run" / "inspector").glob(f"{program.pid}-*.json"))
            runtime.unlink()

    def _app(self, command: Command, words: list[str]) -> None:
        """Run the app in a terminal until it shows the demo's actors; `q` must end it."""
        screen = pyte.Screen(100, 30)
        stream = pyte.ByteStream(screen)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", screen.lines, screen.columns, 0, 0))
        app = subprocess.Popen(
            words, cwd=self.folder, env=self.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        guard = threading.Timer(HANG, app.kill)
        guard.start()
        asked = False
        try:
            while True:
                try:
                    stream.feed(os.read(master, 65536))
                except OSError:  # Linux says so when the last one has closed the other end
                    break
                if not asked and "counter/default" in "\n".join(screen.display):
                    os.write(master, b"q")
                    asked = True
            status = app.wait()
        finally:
            guard.cancel()
            app.kill()
            app.wait()
            os.close(master)
        assert (asked, status) == (True, 0), f"{command.place}:\n" + "\n".join(screen.display)
