"""Install a built wheel where nothing else is, and use both of its programs as a newcomer would.

Usage: python .ci/smoke.py WHEEL. Needs the standard library alone. Prints a line a step; exits with 1 at
the first step that fails, the output of the program concerned on stderr.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("inspector", "protocol", "tui")

# Seconds. Guards against a program that hangs; nothing here is a measurement.
HANG = 90.0

Record = dict[str, Any]


def expect(condition: bool, message: str) -> None:
    """End the run unless a condition holds.

    Raises:
        SystemExit: with the message, which goes to stderr; the exit status is then 1.
    """
    if not condition:
        raise SystemExit(f"smoke: FAILED: {message}")


def step(text: str) -> None:
    print(f"smoke: {text}", flush=True)


class Program:
    """One of the installed programs, its output read all the time so that it never blocks on a full pipe."""

    def __init__(self, command: list[str], *, cwd: Path, env: dict[str, str]) -> None:
        self.name = " ".join([Path(command[0]).name, *command[1:]])
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - lives as long as the program
        # A session of its own: what is left of it after its end can be found, and a Ctrl+C goes to all of it.
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def stderr(self) -> str:
        self.errors.seek(0)
        return self.errors.read()

    def fail(self, message: str) -> NoReturn:
        sys.stderr.write("".join(self.seen[-40:]) + self.stderr())
        raise SystemExit(f"smoke: FAILED: {self.name}: {message}")

    def record(self, wanted: Callable[[Record], bool]) -> Record:
        """Read JSON lines up to the first that is wanted."""
        end = time.monotonic() + HANG
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                self.fail("its output ended before the record that was waited for")
            self.seen.append(line)
            try:
                record = json.loads(line)
            except ValueError:
                self.fail(f"a line of its output is not JSON: {line!r}")
            if isinstance(record, dict) and wanted(record):
                return record
        self.fail(f"no such record within {HANG:.0f} s")

    def ends(self, *, by: signal.Signals | None = None, group: bool = False) -> int:
        """Wait for the end, after a signal when one is given. Returns the exit status."""
        if by is not None and group:
            os.killpg(self.process.pid, by)
        elif by is not None:
            self.process.send_signal(by)
        try:
            return self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            self.fail(f"still runs after {HANG:.0f} s")

    def leaves_nothing_behind(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self) -> None:
        if not self.leaves_nothing_behind():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.errors.close()


class Installation:
    """A wheel in an environment of its own, and a home where nothing was before."""

    def __init__(self, base: Path) -> None:
        self.venv = base / "venv"
        self.work = base / "work"
        self.runtime = base / "runtime"
        self.work.mkdir()
        self.runtime.mkdir(mode=0o700)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("INSPECTOR_", "PYTHON", "COV"))
        }
        self.env = kept | {"XDG_RUNTIME_DIR": str(self.runtime), "TERM": "xterm-256color"}

    def bin(self, name: str) -> str:
        return str(self.venv / "bin" / name)

    def runtime_files(self) -> list[str]:
        return [str(path) for path in self.runtime.rglob("*") if path.is_file()]

    def pip(self, *arguments: str) -> None:
        python = self.bin("python")
        command = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
        done = subprocess.run(
            command, cwd=self.work, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            sys.stderr.write(done.stdout + done.stderr)
        expect(done.returncode == 0, f"pip {arguments[0]} ends with {done.returncode}")

    def install(self, wheel: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True, stdin=subprocess.DEVNULL)
        self.pip("install", "--quiet", "--require-hashes", "--requirement", str(ROOT / "requirements.lock"))
        self.pip("install", "--quiet", "--no-deps", "--no-index", str(wheel))
        self.pip("check")

    @contextmanager
    def program(self, name: str, *arguments: str) -> Iterator[Program]:
        program = Program([self.bin(name), *arguments], cwd=self.work, env=self.env)
        try:
            yield program
        finally:
            program.kill()

    def output(self, name: str, *arguments: str) -> str:
        """Run a program to its end, which must be a good one. Returns what it printed."""
        done = subprocess.run(
            [self.bin(name), *arguments],
            cwd=self.work,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        if done.returncode:
            sys.stderr.write(done.stdout + done.stderr)
        expect(done.returncode == 0, f"{name} {' '.join(arguments)} ends with {done.returncode}")
        return done.stdout


def check_contents(wheel: Path) -> None:
    """Look into the wheel: the three packages with their type markers, the licence, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    metadata = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    expect({name.split("/")[0] for name in names} == {*PACKAGES, metadata}, f"the wheel holds {sorted(names)}")
    for package in PACKAGES:
        expect(f"{package}/py.typed" in names, f"{package}/py.typed is not in the wheel")
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
        packed = {name for name in names if name.startswith(f"{package}/") and name.endswith(".py")}
        expect(here == packed, f"wheel and tree differ: {sorted(here ^ packed)}")
    expect(f"{metadata}/licenses/LICENSE" in names, "the licence is not in the wheel")


def check_host(installation: Installation) -> None:
    """Start a demo host, fire an action, read its log; the runtime file alone joins the two programs."""
    with installation.program("inspector-host", "demo", "--port", "0") as host:
        listening = host.record(lambda record: record["fields"].get("message") == "inspector listening")
        url = listening["fields"]["url"]
        step(f"inspector-host demo listens at {url}")

        call = ("call", "counter/default", "increment", "--json")
        first = json.loads(installation.output("inspector-tui", *call))
        second = json.loads(installation.output("inspector-tui", *call, "--url", url))
        expect(first != second, f"two increments answered alike: {first!r}")
        step(f"inspector-tui call counter/default increment answers {first!r}, then {second!r}")

        with installation.program("inspector-tui", "logs", "--json") as logs:
            record = logs.record(lambda record: True)
            missing = {
                "seq",
                "timestamp",
                "level",
                "kind",
                "target",
                "span",
                "trace_id",
                "span_id",
            } - record.keys()
            expect(not missing, f"a log record lacks {sorted(missing)}: {record}")
            status = logs.ends(by=signal.SIGINT)
            expect(status in (0, 130), f"inspector-tui logs ends with {status} after SIGINT")
        step(f"inspector-tui logs prints records: {json.dumps(record)[:100]}…")

        status = host.ends(by=signal.SIGTERM)
        if status != 0:
            host.fail(f"ends with {status} after SIGTERM")
        expect(host.leaves_nothing_behind(), "the host left a process behind")
    expect(not installation.runtime_files(), f"the host left {installation.runtime_files()} behind")
    step("inspector-host drains after SIGTERM, ends with 0, and takes its runtime file with it")


def check_demo(installation: Installation) -> None:
    """Run the demo as `make demo` does when its output is a pipe: JSON lines alone, until Ctrl+C."""
    with installation.program("inspector-tui", "demo") as demo:
        for _ in range(3):
            demo.record(lambda record: "seq" in record)
        status = demo.ends(by=signal.SIGINT, group=True)
        if status != 0:
            demo.fail(f"ends with {status} after SIGINT")
        expect(demo.leaves_nothing_behind(), "the demo left its host behind")
    expect(not installation.runtime_files(), f"the demo's host left {installation.runtime_files()} behind")
    step("inspector-tui demo prints JSON lines and ends with 0 after SIGINT, its host with it")


def main(wheel: Path) -> None:
    """Check one wheel from contents to demo."""
    version = wheel.name.split("-")[1]
    check_contents(wheel)
    step(f"{wheel.name} holds {', '.join(PACKAGES)} and nothing else")
    with tempfile.TemporaryDirectory(prefix="smoke-") as base:
        installation = Installation(Path(base))
        installation.install(wheel)
        step("installed with the locked dependencies in an environment of its own")
        for name in ("inspector-tui", "inspector-host"):
            printed = installation.output(name, "--version").strip()
            expect(version in printed.split(), f"{name} --version prints {printed!r}, the wheel is {version}")
            step(printed)
        check_host(installation)
        check_demo(installation)
    step("passed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} WHEEL")
    main(Path(sys.argv[1]).resolve())
