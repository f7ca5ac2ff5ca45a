"""The demo: a host as a child that never outlives us, and what is shown of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.messages import ActionRequest, ActionResponse
from tui import demo_host
from tui.connection import dial
from tui.demo_host import DemoFailed, DemoHost
from tui.exits import OK

CLI = [sys.executable, "-c", "from tui.cli import main; main()"]

# Prints its own process id, then waits to be ended; says so when that is done in good order.
PATIENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("ended", flush=True), sys.exit(7)))
print(os.getpid(), signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
while True: signal.pause()
"""
STUBBORN = PATIENT.replace('lambda *_: (print("ended", flush=True), sys.exit(7))', "signal.SIG_IGN")


@pytest.fixture(autouse=True)
def _own_runtime_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def leash(code: str, grace: float | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tui.leash", sys.executable, "-c", code]
    if grace is not None:
        main = f"import sys; from tui import leash; leash.GRACE = {grace}; sys.exit(leash.main(sys.argv[1:]))"
        command = [sys.executable, "-c", main, sys.executable, "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_who_lets_go_of_the_leash_ends_the_program_in_good_order() -> None:
    process = leash(PATIENT)
    assert process.stdout is not None
    assert process.stdout.readline().split()[1] == b"True"
    # A Ctrl+C is not meant for it.
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (7, b"ended\n")


def test_a_signal_for_the_leash_is_passed_on() -> None:
    process = leash(PATIENT)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 7
    process.communicate()


def test_a_program_that_does_not_end_is_killed() -> None:
    process = leash(STUBBORN, grace=0.05)
    assert process.stdout is not None
    process.stdout.readline()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL


def test_a_demo_host_lives_as_long_as_its_block() -> None:
    with DemoHost(rate=20, seed=1) as demo:
        target = demo.target

        async def call() -> object:
            async with dial(target) as connection:
                request = ActionRequest(id=0, actor="counter/default", name="increment", args=[5])
                return (await connection.request(request, ActionResponse)).output

        assert asyncio.run(call()) == 5
        assert demo.running
    assert not demo.running
    demo.stop()


def test_a_demo_host_that_does_not_start_says_why() -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]
    with DemoHost(command=failing) as demo, pytest.raises(DemoFailed, match="no such thing"):
        _ = demo.target
    with DemoHost(command=[sys.executable, "-c", ""]) as demo, pytest.raises(DemoFailed, match="said nothing"):
        _ = demo.target


@pytest.mark.parametrize(
    "line",
    ['"inspector listening"', '{"fields": {"message": "inspector listening", "url": 5}}', '{"inspector listening": 1'],
)
def test_a_first_record_that_makes_no_sense(line: str) -> None:
    with DemoHost(command=[sys.executable, "-c", f"print({line!r})"]) as demo, pytest.raises(DemoFailed):
        _ = demo.target


def test_a_demo_host_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_host, "_END", 0.05)
    demo = DemoHost(command=[sys.executable, "-c", STUBBORN])
    with demo:
        pass
    assert not demo.running


def test_without_a_terminal_the_log_is_printed_until_interrupted() -> None:
    process = subprocess.Popen(
        [*CLI, "demo", "--rate", "20", "--seed", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    records = [json.loads(process.stdout.readline()) for _ in range(20)]
    assert all(isinstance(record["seq"], int) for record in records)
    [listening] = [record for record in records if record["fields"].get("message") == "inspector listening"]
    host = listening["fields"]["pid"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (OK, b"")
    with pytest.raises(ProcessLookupError):
        os.kill(host, 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, "pipe"])
def test_other_ways_to_end_a_demo(how: signal.Signals | str) -> None:
    process = subprocess.Popen([*CLI, "demo", "--rate", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    if isinstance(how, signal.Signals):
        process.send_signal(how)
    else:
        process.stdout.close()
    assert process.wait(60) == OK
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.stdout.close()


def test_a_demo_that_cannot_start_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    # A rate that the host refuses; this side does not know its bounds.
    done = subprocess.run([*CLI, "demo", "--rate", "1e9"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("demo_failed: the demo host did not start: ")
