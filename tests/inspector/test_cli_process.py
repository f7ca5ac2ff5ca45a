"""``inspector-host`` as supervisors run it: a process with signals, streams and exit codes."""

from __future__ import annotations

import errno
import http.client
import json
import os
import pty
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from protocol.dialects.cbor import CBOR
from protocol.messages import Init, LogsSubscribe
from tests.inspector.host_process import APP, HostProcess, connect_to, get

__all__ = ()

Start = Callable[..., HostProcess]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a module of actors, and one for runtime files."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "hosts").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Give a function that starts hosts; none outlives the test."""
    hosts: list[HostProcess] = []

    def start(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> HostProcess:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("INSPECTOR_")}
        clean |= {"XDG_RUNTIME_DIR": str(folder / "hosts"), **(env or {})}
        hosts.append(HostProcess(*arguments, cwd=folder, env=clean, **options))
        return hosts[-1]

    yield start
    for host in hosts:
        with host.process:
            host.process.kill()


# ---- serving ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_from_its_first_record_to_its_last(start: Start, number: signal.Signals) -> None:
    host = start("demo", "--port", "0", "--log-format", "json")
    first = host.record()
    assert first["fields"]["message"] == "inspector listening"
    url = first["fields"]["url"]
    runtime = host.runtime()
    assert runtime["url"] == url
    (file,) = host.folder.glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert get(url, "/health") == (200, {"status": "ok"})
    assert get(url, "/metadata")[0] == 401
    status, metadata = get(url, "/metadata", runtime["token"])
    assert (status, metadata["host"]["name"]) == (200, "demo")
    code, out, err = host.end(number)
    assert (code, err) == (0, b"")
    records = [json.loads(line) for line in out.splitlines()]
    said = [record["fields"].get("message") for record in records]
    assert said[0] == "inspector listening"
    assert "inspector draining" in said
    assert said[-1] == "inspector stopped"
    assert runtime["token"].encode() not in out
    assert not list(host.folder.glob("*"))


@pytest.mark.parametrize("target", ["app:registry", "app:made", "app:inner.registry"])
def test_a_registry_beside_the_one_who_calls(start: Start, target: str) -> None:
    host = start(target, "--port", "0", "--log-spans", "--drain-timeout", "5")
    url = host.until("inspector listening")["fields"]["url"]
    assert get(url, "/metadata", host.runtime()["token"])[1]["host"]["name"] == "app"
    hello = host.until("hello")
    assert hello["fields"]["amount"] == 1
    assert [span["name"] for span in hello["spans"]] == ["actor"]
    assert host.end()[0] == 0


def test_options_from_the_environment(start: Start) -> None:
    env = {
        "INSPECTOR_PORT": "0",
        "INSPECTOR_HOST": "localhost",
        "INSPECTOR_TOKEN": "from-env",
        "INSPECTOR_LOG": "off,inspector.host=info",
        "INSPECTOR_LOG_FORMAT": "logfmt",
        "INSPECTOR_RECORD": "off",
    }
    host = start("app:registry", env=env)
    assert host.process.stdout is not None
    line = host.process.stdout.readline()
    assert b"inspector listening" in line
    assert not line.startswith(b"{")
    url = host.runtime()["url"]
    assert get(url, "/metadata", "from-env")[0] == 200
    code, out, _ = host.end()
    assert code == 0
    assert b"hello" not in out


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [(("app:quiet",), False), (("app:quiet", "--record", "debug"), True), (("app:registry",), True)],
)
def test_the_ring_keeps_what_the_registry_says_unless_told_otherwise(
    start: Start, arguments: tuple[str, ...], kept: bool
) -> None:
    host = start(*arguments, "--port", "0", "--log", "off")
    runtime = host.runtime()
    with connect(
        runtime["url"].replace("http", "ws") + "/inspector/connect",
        subprotocols=[Subprotocol(CBOR.subprotocol)],
        additional_headers={"Authorization": f"Bearer {runtime['token']}"},
        proxy=None,
    ) as websocket:
        init = CBOR.decode_to_client(websocket.recv(decode=False))
    assert isinstance(init, Init)
    assert (init.log.next_seq > 1) is kept
    assert host.end()[0] == 0


def test_pretty_is_for_terminals_and_the_line_that_attaches_too(start: Start) -> None:
    master, slave = pty.openpty()
    try:
        host = start("app:registry", "--port", "0", stdout=slave, stderr=slave)
        shown = b""
        while b"attach with: inspector-tui http://127.0.0.1:" not in shown or b"inspector listening" not in shown:
            shown += os.read(master, 4096)
        assert b'"message"' not in shown
        token = host.runtime()["token"]
        assert host.end()[0] == 0
        assert token.encode() not in shown
    finally:
        os.close(slave)
        os.close(master)


# ---- ending ----


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)],
)
def test_a_second_signal_ends_at_once_by_that_signal(
    start: Start, first: signal.Signals, second: signal.Signals
) -> None:
    host = start("app:stuck", "--port", "0", "--drain-timeout", "1000")
    host.until("inspector listening")
    with connect_to(host) as websocket:
        websocket.recv()
        host.send(first)
        host.until("inspector draining")
    code, _, err = host.end(second)
    assert (code, err) == (-second, b"")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells which signals are caught")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_host_whose_loop_is_blocked(start: Start, number: signal.Signals) -> None:
    host = start("app:blocker", "--port", "0")
    host.until("blocking")
    host.send(number)
    # Two that come before Python looks are one to it; what counts is that no more than one is needed after that.
    while number_is_caught(host.process.pid, number):
        assert host.process.poll() is None
    assert host.end(number)[0] == -number


def number_is_caught(pid: int, number: int) -> bool:
    """Tell whether a process has a handler for a signal."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    raise AssertionError


def test_a_drain_that_takes_too_long_is_cut_short(start: Start) -> None:
    host = start("app:stuck", "--port", "0", "--drain-timeout", "0.2")
    host.until("inspector listening")
    code, out, _ = host.end()
    assert code == 0
    assert b"inspector stopped" in out


def test_an_actor_that_ends_the_host(start: Start) -> None:
    host = start("app:vital", "--port", "0")
    code, out, err = host.wait()
    assert (code, err) == (7, b"inspector-host: vital crashed: OSError: the disk is gone\n")
    said = [json.loads(line)["fields"]["message"] for line in out.splitlines()]
    assert said[0] == "inspector listening"
    assert said[-3:] == ["inspector draining", "actor stopped", "inspector stopped"]
    assert said.index("actor crashed") + 1 == said.index("actor ends the host")


# ---- streams ----


def test_a_host_lives_on_when_its_stdout_is_closed(start: Start) -> None:
    host = start("demo", "--port", "0", "--rate", "50")
    url = host.record()["fields"]["url"]
    assert host.process.stdout is not None
    host.process.stdout.close()
    host.process.stdout = None
    with connect_to(host) as websocket:
        websocket.send(CBOR.encode(LogsSubscribe(id=1, filter="warn", backlog=10)))
        while b"log sink has ended" not in bytes(websocket.recv(decode=False)):
            pass
    assert get(url, "/health") == (200, {"status": "ok"})
    code, _, err = host.end()
    assert (code, err) == (0, b"")


def test_a_host_that_has_no_stdout_and_no_stderr_at_all(start: Start) -> None:
    # As some supervisors start programs.
    host = start("demo", "--port", "0", stdout=None, stderr=None, preexec_fn=lambda: os.closerange(1, 3))
    url = host.runtime()["url"]
    assert get(url, "/health") == (200, {"status": "ok"})
    assert host.end()[0] == 0


# ---- what can't be served ----


def test_port_taken(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = start("demo", "--port", str(port))
        code, out, err = host.wait()
    assert code == 3
    said = f"inspector-host: can't listen on 127.0.0.1, port {port}: {os.strerror(errno.EADDRINUSE)}\n"
    assert err.decode() == said
    # Neither that it listens nor that it has stopped.
    assert b"inspector.host" not in out


def test_two_hosts_on_one_port(start: Start) -> None:
    first = start("app:registry", "--port", "0")
    port = urlsplit(first.until("inspector listening")["fields"]["url"]).port
    second = start("app:registry", "--port", str(port))
    assert second.wait()[0] == 3
    assert get(first.runtime()["url"], "/health")[0] == 200
    assert first.end()[0] == 0


def test_an_address_that_others_can_reach(start: Start) -> None:
    code, _, err = start("demo", "--port", "0", "--host", "0.0.0.0").wait()
    assert code == 2
    assert err.count(b"\n") == 1
    assert b"--insecure-bind" in err
    host = start("demo", "--port", "0", "--host", "0.0.0.0", "--insecure-bind")
    assert host.record()["fields"]["message"] == "inspector listening"
    assert host.end()[0] == 0


def test_names_and_origins_that_are_allowed(start: Start) -> None:
    host = start(
        "app:registry",
        "--port",
        "0",
        "--allow-host",
        "shop.example",
        env={"INSPECTOR_ALLOW_ORIGIN": "http://a http://b"},
    )
    runtime = host.runtime()
    found = []
    for name, origin in [
        ("shop.example", "http://a"),
        ("localhost", "http://b"),
        ("x", "http://a"),
        ("localhost", "http://c"),
    ]:
        connection = http.client.HTTPConnection(urlsplit(runtime["url"]).netloc, timeout=30)
        connection.request("GET", "/health", headers={"Host": name, "Origin": origin})
        found.append(connection.getresponse().status)
        connection.close()
    assert found == [200, 200, 403, 403]
    assert host.end()[0] == 0


def test_what_the_program_itself_raises_is_shown_whole(start: Start) -> None:
    code, _, err = start("app:broken", "--port", "0").wait()
    assert code == 1
    assert b"ZeroDivisionError: the program's own" in err
