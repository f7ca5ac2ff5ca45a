"""The host: started, served and ended as one, wherever it is cut off."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson
import pytest
import trio
import trio.abc
import trio.testing

import inspector
from inspector import Actor, Host, Registry, action, open_host, serve
from protocol.errors import InspectorError
from tests.inspector.reading import events, read, settle, spans

pytestmark = pytest.mark.trio


class Helper(Actor[None]):
    """It runs, and notes its end."""

    ends: ClassVar[list[str]] = []

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append("run")

    async def on_stop(self) -> None:
        self.ends.append("stop")

    @action
    async def hold(self) -> None:
        await trio.sleep_forever()

    @action
    async def quick(self) -> str:
        await trio.lowlevel.checkpoint()
        return "done"


def helper() -> type[Helper]:
    return type("Helper", (Helper,), {"ends": [], "__module__": __name__})


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether anything listens on a port of this machine."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError:
            return True
    return False


def runtime_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def health(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    assert parts.port is not None
    stream = await trio.open_tcp_stream(parts.hostname or "", parts.port)
    async with stream:
        await stream.send_all(f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        while data := await stream.receive_some():
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    found = orjson.loads(body)
    assert isinstance(found, dict)
    return found


# ---- a host that is well ----


async def test_a_host_serves_until_it_is_shut_down(runtime_directory: Path) -> None:
    cls = helper()
    registry = Registry([cls], name="here")
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(serve, registry)
        assert (host.state, host.registry) == ("serving", registry)
        assert await health(host.url) == {"status": "ok"}
        assert len(host.token) >= 32
        port = urlsplit(host.url).port
        assert port is not None
        (path,) = runtime_files(runtime_directory)
        assert path.name == f"{os.getpid()}-{port}.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        found = orjson.loads(path.read_bytes())
        assert (found["url"], found["token"], found["name"]) == (host.url, host.token, "here")
        assert found["host_id"] == registry.log.host_id
        assert await registry.get_or_create(cls).call(Helper.quick) == "done"
        host.shutdown()
        assert registry.draining
        host.shutdown()
        await host.wait_stopped()
        assert host.state == "stopped"
        await host.wait_stopped()
        host.shutdown()
        await host.shutdown_and_wait()
    assert cls.ends == ["run", "stop"]
    assert runtime_files(runtime_directory) == []
    assert not listens(port)


async def test_what_a_host_logs() -> None:
    registry = Registry([])
    async with open_host(registry, token="s3cret.token", drain_timeout=7) as host:
        registry.log.logger("app").info("the token is s3cret.token")
    records = [record for record in read(registry.log, "info") if record.target == "inspector.host"]
    assert [(record.level, record.fields) for record in records] == [
        ("INFO", {"message": "inspector listening", "url": host.url, "pid": os.getpid()}),
        ("INFO", {"message": "inspector draining", "timeout_ms": 7000}),
        ("INFO", {"message": "inspector stopped"}),
    ]
    assert {record.span["name"] for record in records} == {"host"}
    assert all("s3cret.token" not in str(record) for record in read(registry.log))
    assert [span.status for span in spans(registry.log, "host")] == ["ok"]


async def test_a_host_as_a_block_and_an_event_that_ends_it() -> None:
    shutdown = trio.Event()
    registry = Registry([])
    async with open_host(registry, shutdown=shutdown, runtime_file=False) as host:
        assert await health(host.url) == {"status": "ok"}
        shutdown.set()
        await host.wait_stopped()
    assert registry.state == "stopped"


async def test_several_hosts_side_by_side(runtime_directory: Path) -> None:
    async with open_host(Registry([])) as one, open_host(Registry([])) as other:
        assert one.url != other.url
        assert one.token != other.token
        assert len(runtime_files(runtime_directory)) == 2
    assert runtime_files(runtime_directory) == []


async def test_without_a_runtime_file(runtime_directory: Path) -> None:
    async with open_host(Registry([]), runtime_file=False):
        assert runtime_files(runtime_directory) == []


async def test_a_folder_that_cant_be_used_is_no_reason_not_to_serve(
    runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory / "missing"))
    async with open_host(Registry([])) as host:
        assert await health(host.url) == {"status": "ok"}


async def test_the_names_that_a_host_goes_by() -> None:
    async with open_host(Registry([]), host="localhost", allow_hosts=["Box.example"]) as host:
        assert host.url.startswith("http://localhost:")
        port = urlsplit(host.url).port
        assert await health(host.url) == {"status": "ok"}
        assert port is not None
        stream = await trio.open_tcp_stream("localhost", port)
        async with stream:
            await stream.send_all(b"GET /health HTTP/1.1\r\nHost: box.example\r\n\r\n")
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_address_of_version_6() -> None:
    try:
        async with open_host(Registry([]), host="::1") as host:
            assert host.url.startswith("http://[::1]:")
            assert await health(host.url) == {"status": "ok"}
    except OSError:
        pytest.skip("IPv6 is switched off here")


# ---- what is refused ----


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
async def test_what_others_can_reach_is_refused(host: str) -> None:
    registry = Registry([])
    with pytest.raises(ValueError, match="can be reached from other machines"):
        async with open_host(registry, host=host):
            raise AssertionError("unreachable")
    assert registry.state == "idle"


async def test_what_others_can_reach_is_opened_by_choice() -> None:
    async with open_host(Registry([]), host="0.0.0.0", insecure_bind=True) as host:
        port = urlsplit(host.url).port
        assert await health(f"http://127.0.0.1:{port}") == {"status": "ok"}


@pytest.mark.parametrize("token", ["", "two words", "ümlaut", "a/b", "a,b"])
async def test_a_token_of_other_characters_is_refused(token: str) -> None:
    registry = Registry([])
    with pytest.raises(ValueError, match="token"):
        async with open_host(registry, token=token):
            raise AssertionError("unreachable")
    assert registry.state == "idle"


@pytest.mark.parametrize("raced", [False, True])
async def test_a_port_that_is_taken(raced: bool, runtime_directory: Path) -> None:
    cls = helper()
    async with open_host(Registry([])) as host:
        registry = Registry([cls])
        registry.get_or_create(cls)
        shutdown = trio.Event()
        if raced:
            shutdown.set()
        with pytest.raises(OSError, match="in use"):
            async with open_host(registry, port=urlsplit(host.url).port, shutdown=shutdown):
                raise AssertionError("unreachable")
        assert registry.state == "stopped"
        assert await health(host.url) == {"status": "ok"}
        assert len(runtime_files(runtime_directory)) == 1
    assert cls.ends == []


async def test_a_registry_is_served_once() -> None:
    registry = Registry([])
    async with open_host(registry):
        with pytest.raises(RuntimeError, match="runs once"):
            async with open_host(registry):
                raise AssertionError("unreachable")
        assert registry.state == "serving"
    with pytest.raises(RuntimeError, match="runs once"):
        await serve(registry)


@pytest.mark.parametrize(
    "error", [ValueError("as it is"), ExceptionGroup("so", [ValueError("too")]), KeyboardInterrupt(), SystemExit(3)]
)
async def test_what_the_block_raises_is_raised_as_it_is(error: BaseException, runtime_directory: Path) -> None:
    cls = helper()
    registry = Registry([cls])

    async def live() -> None:
        async with open_host(registry):
            registry.get_or_create(cls)
            await settle()
            raise error

    with pytest.raises(type(error)) as caught:
        await live()
    assert caught.value is error
    assert registry.state == "stopped"
    # An error drains; who wants the program to end does not want to wait for hooks.
    assert cls.ends == (["run", "stop"] if isinstance(error, Exception) else ["run"])
    assert runtime_files(runtime_directory) == []


async def test_a_block_that_is_cancelled(runtime_directory: Path) -> None:
    cls = helper()
    registry = Registry([cls])
    with trio.CancelScope() as scope:
        async with open_host(registry) as host:
            registry.get_or_create(cls)
            await settle()
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert registry.state == "stopped"
    assert cls.ends == ["run"]
    assert runtime_files(runtime_directory) == []
    assert not listens(urlsplit(host.url).port or 0)


# ---- cut off, and raced, at each await ----


class AtStep(trio.abc.Instrument):
    """Does something before the n-th step of any task."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.left = step
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.left == 0:
            self._act()
        self.left -= 1


class Scenario:
    """A whole life of a host: it starts, an action hangs, one runs, it drains."""

    def __init__(self) -> None:
        self.cls = helper()
        self.registry = Registry([self.cls])
        self.registry.get_or_create(self.cls)
        self.port = free_port()
        self.shutdown = trio.Event()
        self.outcomes: list[str] = []
        self.scope = trio.CancelScope()
        self.host: Host | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as callers:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    try:
                        self.host = await nursery.start(
                            partial(serve, self.registry, port=self.port, shutdown=self.shutdown, drain_timeout=0.01)
                        )
                        callers.start_soon(self._call, "hold")
                        callers.start_soon(self._call, "quick")
                        await trio.lowlevel.checkpoint()
                    finally:
                        self.shutdown.set()
            assert self.registry.state == "stopped"

    async def _call(self, name: str) -> None:
        try:
            self.outcomes.append(await self.registry.get_or_create(self.cls, name).call(name))
        except InspectorError as exc:
            self.outcomes.append(exc.name)

    def check(self, folder: Path) -> None:
        """Nothing of it is left, and everybody has an answer."""
        assert self.registry.state == "stopped"
        assert runtime_files(folder) == []
        assert not listens(self.port)
        assert {cell.status for cell in self.registry.page("", "", 9)[0]} == {"stopped"}
        started = {span.span_id for span in spans(self.registry.log, "actor", "span_start")}
        assert started == {span.span_id for span in spans(self.registry.log, "actor")}
        began = {span.span_id for span in spans(self.registry.log, "action", "span_start")}
        assert began == {span.span_id for span in spans(self.registry.log, "action")}
        assert len(events(self.registry.log, "inspector stopped")) == 1
        assert set(self.outcomes) <= {"done", "actor.stopped", "registry.shut_down"}
        runs = len(spans(self.registry.log, "run", "span_start"))
        assert self.cls.ends.count("run") == runs


def living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@pytest.mark.parametrize("what", ["cancel", "shutdown"])
async def test_a_host_that_is_cut_off_at_any_step_leaves_nothing(
    what: str, runtime_directory: Path, autojump_clock: trio.testing.MockClock
) -> None:
    reached = set()
    for step in range(10_000):
        scenario = Scenario()
        before = living()

        def act(scenario: Scenario = scenario) -> None:
            reached.add(scenario.registry.state)
            (scenario.scope.cancel if what == "cancel" else scenario.shutdown.set)()

        instrument = AtStep(step, act)
        trio.lowlevel.add_instrument(instrument)
        try:
            await scenario.run()
        finally:
            trio.lowlevel.remove_instrument(instrument)
        await settle()
        scenario.check(runtime_directory)
        assert living() == before
        if instrument.left >= 0:
            break
    assert step > 15
    assert reached == {"idle", "starting", "serving", "draining", "stopped"}


async def test_a_shutdown_before_the_start_and_one_of_an_idle_registry() -> None:
    shutdown = trio.Event()
    shutdown.set()
    cls = helper()
    registry = Registry([cls])
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(partial(serve, registry, shutdown=shutdown))
        assert host.state in ("draining", "stopped")
        await host.wait_stopped()
    assert events(registry.log, "inspector listening") == []
    idle = Registry([cls])
    Host(idle, "", "").shutdown()
    assert idle.state == "stopped"
    with pytest.raises(RuntimeError, match="can't start"):
        await serve(idle)


async def test_a_drain_takes_its_time_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    cls = helper()
    registry = Registry([cls])
    outcomes: list[str] = []

    async def call() -> None:
        try:
            await registry.get_or_create(cls).call(Helper.hold)
        except InspectorError as exc:
            outcomes.append(exc.name)

    async with trio.open_nursery() as nursery, open_host(registry) as host:
        nursery.start_soon(call)
        await settle()
        began = trio.current_time()
        await host.shutdown_and_wait()
        # 20 s unless said; what hangs is cancelled after three quarters of them.
        assert trio.current_time() - began == pytest.approx(15, abs=0.5)
    assert outcomes == ["actor.stopped"]
    assert cls.ends == ["run", "stop"]


async def test_a_health_check_tells_that_it_drains() -> None:
    cls = helper()
    registry = Registry([cls])
    async with trio.open_nursery() as nursery:
        host: Host = await nursery.start(serve, registry)
        parts = urlsplit(host.url)
        assert parts.port is not None
        # Let in before the drain, answered in it.
        stream = await trio.open_tcp_stream("127.0.0.1", parts.port)
        await settle()
        host.shutdown()
        await stream.send_all(f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        try:
            while data := await stream.receive_some():
                answer += data
        except trio.BrokenResourceError:
            answer = b""
        await stream.aclose()
        assert answer == b"" or b'"draining"' in answer


async def test_the_package_says_what_it_has() -> None:
    assert {"serve", "open_host", "Registry", "Actor", "action"} <= set(inspector.__all__)
    assert logging.getLogger("inspector").handlers == []
