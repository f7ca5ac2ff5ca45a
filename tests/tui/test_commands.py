"""The headless commands, against a host in another thread, and as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protocol.errors import InspectorError
from protocol.messages import ActionRequest, ActorRestart, Failure, PatchOp, Request
from tests.tui.host import TOKEN, Client, ScriptedHost, actor, inspector, record
from tui import cli
from tui.commands.connections import print_connections
from tui.commands.logs import readable
from tui.commands.output import print_table
from tui.exits import ANSWERED_ERROR, NO_HOST, OK, USAGE


class HostThread:
    """A scripted host in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.host = ScriptedHost()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self.host.start()
        self._ready.set()
        await self._end.wait()
        await self.host.stop()

    def __enter__(self) -> HostThread:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def do(self, work: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HostThread]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("INSPECTOR_TOKEN", raising=False)
    monkeypatch.delenv("INSPECTOR_URL", raising=False)
    with HostThread() as thread:
        monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)
        monkeypatch.setenv("INSPECTOR_URL", thread.host.url)
        yield thread


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli.main, list(words))


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_ps(there: HostThread) -> None:
    there.host.actors = [actor(f"a/{n:04}") for n in range(600)] + [actor("b", "failed")]
    there.host.actors[-1].failure = Failure(type="E", message="\x1b[31mred", at=1)
    result = invoke("ps")
    assert result.exit_code == OK
    rows = lines(result)
    assert [row["actor"] for row in rows] == sorted(row.actor for row in there.host.actors)
    assert rows[-1]["failure"] == {"type": "E", "message": "\x1b[31mred", "at": 1}
    assert "\x1b" not in result.stdout


def test_call(there: HostThread) -> None:
    assert lines(invoke("call", "counter/default", "increment")) == [4]
    assert lines(invoke("call", "counter/default", "increment", "5")) == [9]
    assert lines(invoke("call", "counter/default", "increment", "amount=1", "--timeout", "2.5")) == [10]
    request = there.host.asked_for(ActionRequest)[-1]
    assert (request.args, request.timeout_ms) == ({"amount": 1}, 2500)
    assert lines(invoke("call", "counter/default", "increment", "--", "-3")) == [7]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("call", "counter/default", "fail"), ANSWERED_ERROR, "actor.failed: RuntimeError: boom\n"),
        (("call", "counter/default", "increment", "x"), ANSWERED_ERROR, "actor.invalid_arguments: amount: "),
        (("call", "counter/default", "increment", "1", "a=2"), USAGE, "not both"),
        (("state", "nobody"), ANSWERED_ERROR, "actor.not_found: no nobody\n"),
        (("state", "ticker"), ANSWERED_ERROR, "state_disabled: the actor ticker has no state\n"),
        (("state", "ticker", "--watch"), ANSWERED_ERROR, "state_disabled"),
        (("state", "nobody", "--watch"), ANSWERED_ERROR, "actor.not_found"),
        (("logs", "--filter", "warning"), ANSWERED_ERROR, "inspector.bad_filter"),
        (("ps", "--url", "http://127.0.0.1:1"), NO_HOST, "cannot_attach: 127.0.0.1:1: nobody listens there\n"),
        (("ps", "--url", "ftp://x"), USAGE, "begins with http"),
        (("ps", "--token-file", "/nowhere/at/all"), USAGE, "can't read"),
        (("state", "ticker", "--replace", "1"), ANSWERED_ERROR, "actor.state_disabled: "),
        (("state", "counter/default", "--replace", "1", "--if-version", "7"), ANSWERED_ERROR, "actor.state_conflict: "),
        (
            ("state", "counter/default", "--patch", '[{"op":"remove","path":"/x"}]'),
            ANSWERED_ERROR,
            "actor.invalid_patch",
        ),
        (("state", "counter/default", "--patch", "{}"), USAGE, "no JSON Patch: Expected `array`"),
        (("state", "counter/default", "--patch", '[{"op":"put","path":"/x"}]'), USAGE, "no JSON Patch: Invalid enum"),
        (("state", "counter/default", "--patch", "[,]"), USAGE, "--patch: no JSON: Expecting value, line 1 column 2"),
        (
            ("state", "counter/default", "--replace", "@/nowhere/at/all"),
            USAGE,
            "--replace: can't read it: No such file",
        ),
        (("state", "counter/default", "--replace", "1", "--patch", "[]"), USAGE, "either --patch or --replace"),
        (("state", "counter/default", "--replace", "1", "--watch"), USAGE, "--watch does not go with"),
        (("state", "counter/default", "--if-version", "1"), USAGE, "--if-version goes with"),
        (("restart", "nobody"), ANSWERED_ERROR, "actor.not_found: no nobody\n"),
        (("pss",), USAGE, "No such command"),
        (("localhost", "--url", "http://x:1"), USAGE, "given once"),
        (("localhost:1",), USAGE, "no_terminal: "),
        (("--url", "localhost:1"), USAGE, "no_terminal: "),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    there: HostThread, words: tuple[str, ...], code: int, said: str
) -> None:
    result = invoke(*words)
    assert (result.exit_code, said in result.stderr, result.stdout) == (code, True, ""), result.stderr


def test_tokens(there: HostThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
    path.write_text("wrong\n")
    result = invoke("ps", "--token-file", str(path))
    assert (result.exit_code, "the token is wrong" in result.stderr) == (NO_HOST, True)
    path.write_text(f" {TOKEN}\n")
    monkeypatch.setenv("INSPECTOR_TOKEN", "wrong")
    assert invoke("ps", "--token-file", str(path)).exit_code == OK
    path.write_text("not a token")
    result = invoke("ps", "--token-file", str(path))
    assert (result.exit_code, "not a token" in result.stderr) == (USAGE, False)


def test_runtime_files(there: HostThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSPECTOR_TOKEN")
    monkeypatch.delenv("INSPECTOR_URL")
    result = invoke("ps")
    assert (result.exit_code, "no_host: no running host" in result.stderr) == (NO_HOST, True)
    result = invoke()
    assert (result.exit_code, "no_host: no running host" in result.stderr) == (NO_HOST, True)
    folder = tmp_path / "inspector"
    folder.mkdir(mode=0o700)
    for name, url in (("1.json", there.host.url), ("2.json", "http://127.0.0.1:1")):
        path = folder / name
        path.write_text(json.dumps({"url": url, "token": TOKEN, "pid": os.getpid(), "name": name}))
        path.chmod(0o600)
    result = invoke("ps")
    assert result.exit_code == NO_HOST
    assert there.host.url in result.stderr
    assert result.stderr.count("\n") == 1
    (folder / "2.json").unlink()
    assert invoke("ps").exit_code == OK


def test_state(there: HostThread) -> None:
    assert lines(invoke("state", "counter/default")) == [{"version": 1, "state": {"count": 3, "names": ["a", "b"]}}]


def test_changing_a_state(there: HostThread, tmp_path: Path) -> None:
    patch = '[{"op": "replace", "path": "/count", "value": 8}]'
    assert lines(invoke("state", "counter/default", "--patch", patch, "--if-version", "1")) == [{"version": 2}]
    assert there.host.states["counter/default"] == {"count": 8, "names": ["a", "b"]}
    path = tmp_path / "state.json"
    path.write_text('{"raw": {"$bytes": "AAE="}}')
    assert lines(invoke("state", "counter/default", "--replace", f"@{path}")) == [{"version": 3}]
    assert there.host.states["counter/default"] == {"raw": b"\x00\x01"}
    result = CliRunner().invoke(
        cli.main, ["state", "counter/default", "--patch", "-"], input='[{"op":"remove","path":"/raw"}]'
    )
    assert lines(result) == [{"version": 4}]
    assert there.host.states["counter/default"] == {}
    # Null is a state too.
    assert lines(invoke("state", "counter/default", "--replace", "null")) == [{"version": 5}]
    assert there.host.states["counter/default"] is None


def test_connections(there: HostThread) -> None:
    there.host.connections = [inspector("1", you=True), inspector("2", "10.0.0.\x1b[2J", dropped=7)]
    result = invoke("connections")
    assert [(row["id"], row["you"], row["sent"], row["dropped"]) for row in lines(result)] == [
        ("1", True, 12_345, 0),
        ("2", False, 12_345, 7),
    ]
    assert "\x1b" not in result.stdout


def test_connections_for_people(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_connections([inspector("1", you=True), inspector("2", "10.0.0.7:9", since=1 << 62, dropped=7)])
    head, one, two = capsysbinary.readouterr().out.decode().splitlines()
    assert head.split() == ["ID", "PEER", "PROTOCOL", "SINCE", "SUBSCRIPTIONS", "SENT", "DROPPED"]
    assert one.split()[-3:] == ["12,345", "0", "you"]
    assert two.endswith("      7")


def test_restart(there: HostThread) -> None:
    assert lines(invoke("restart", "counter/default")) == [{"generation": 2}]
    [request] = there.host.asked_for(ActorRestart)
    assert request.actor == "counter/default"


def test_the_last_records(there: HostThread) -> None:
    result = invoke("logs", "--no-follow", "--backlog", "3")
    assert [row["seq"] for row in lines(result)] == [3, 4, 5]
    assert invoke("logs", "--no-follow", "--backlog", "0").stdout == ""


def test_the_last_records_where_none_at_the_end_matches(there: HostThread) -> None:
    async def interfere(client: Client, request: Request) -> bool:
        await there.host.answer(client, request)
        return True

    there.host.interfere = interfere
    # The ring goes on behind what is sent: nothing ever speaks of its end.
    there.host.beyond = 10
    assert [row["seq"] for row in lines(invoke("logs", "--no-follow"))] == [1, 2, 3, 4, 5]


def test_a_table_is_aligned_and_safe(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_table(("A", "N"), [("x\x1b[2J", "1"), ("日本", "1,000")], right=frozenset({1}))
    assert capsysbinary.readouterr().out.decode().splitlines() == ["A          N", "x␛[2J      1", "日本   1,000"]


def test_a_line_for_people() -> None:
    line = readable(record(1, "hello", "WARN", amount=5))
    assert line == "20:27:00.001000  WARN   shop.cart  cart/7 checkout  hello  amount=5"
    assert readable(b"\x1b[2Jgarbage").isprintable()


def test_textual_is_not_imported_by_what_needs_no_screen() -> None:
    code = (
        "import sys; import importlib; from tui.cli import COMMANDS\n"
        "for name, module in COMMANDS.items(): importlib.import_module(module)\n"
        "sys.exit('textual' in sys.modules or 'trio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- as processes ----


def start(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from tui.cli import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def test_following_ends_by_a_signal(there: HostThread) -> None:
    process = start("logs")
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["seq"] for _ in range(5)] == [1, 2, 3, 4, 5]
    there.do(there.host.log(record(6, "live"), dropped=3))
    assert json.loads(process.stdout.readline())["kind"] == "gap"
    assert json.loads(process.stdout.readline())["fields"]["message"] == "live"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_closed_pipe_ends_it_quietly_though_nothing_comes(there: HostThread) -> None:
    process = start("logs")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == OK
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_is_no_mishap(there: HostThread, closed: str) -> None:
    shell = f'"$0" -c "from tui.cli import main; main()" ps {closed}'
    done = subprocess.run(["sh", "-c", shell, sys.executable], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (OK, b"")
    assert (done.stdout == b"") == (">&-" in closed.split())


def test_errors_of_a_command_whose_output_was_closed_are_told(there: HostThread) -> None:
    shell = '"$0" -c "from tui.cli import main; main()" state nobody >&-'
    done = subprocess.run(["sh", "-c", shell, sys.executable], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (ANSWERED_ERROR, b"actor.not_found: no nobody\n")


def test_a_host_that_goes_ends_it(there: HostThread) -> None:
    process = start("logs")
    assert process.stdout is not None
    process.stdout.readline()
    there.do(there.host.stop())
    _, err = process.communicate(timeout=60)
    assert (process.returncode, b"link_lost: the host is going away" in err) == (NO_HOST, True)


def test_watching_a_state(there: HostThread) -> None:
    process = start("state", "counter/default", "--watch")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["version"] == 1
    there.do(there.host.set_state("counter/default", {"count": 4}))
    assert json.loads(process.stdout.readline()) == {"version": 2, "state": {"count": 4}}
    there.do(there.host.patch_state("counter/default", PatchOp(op="replace", path="/count", value=5)))
    assert json.loads(process.stdout.readline()) == {"version": 3, "state": {"count": 5}}
    # A patch that does not fit: it begins anew, and what follows fits that.
    there.host.states["counter/default"] = {"count": 99}
    there.do(there.host.patch_state("counter/default", PatchOp(op="remove", path="/nowhere")))
    assert json.loads(process.stdout.readline()) == {"version": 4, "state": {"count": 99}}
    there.do(there.host.patch_state("counter/default", PatchOp(op="replace", path="/count", value=6)))
    assert json.loads(process.stdout.readline()) == {"version": 5, "state": {"count": 6}}
    there.do(there.host.stop())
    _, err = process.communicate(timeout=60)
    assert (process.returncode, b"link_lost" in err) == (NO_HOST, True)


def test_head_is_no_error(there: HostThread) -> None:
    there.host.actors = [actor(f"a/{n:06}") for n in range(5_000)]
    process = start("ps")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == OK
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_error_of_the_host_itself(there: HostThread) -> None:
    async def interfere(client: Client, request: Request) -> bool:
        await client.send(client.session.refuse(request.id, InspectorError("inspector.internal_error", "a\x1b[2Jb")))
        return True

    there.host.interfere = interfere
    result = invoke("ps")
    assert (result.exit_code, result.stderr) == (ANSWERED_ERROR, "inspector.internal_error: a␛[2Jb\n")
