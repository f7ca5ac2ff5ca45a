"""The host: started, served and ended as one."""

from __future__ import annotations

import logging
import os
import socket
import stat
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import trio
import trio.abc
import trio.testing

import inspector
from inspector import Host, Registry, open_host, serve
from protocol.errors import InspectorError
from tests.inspector.reading import events, read, settle, spans
from tests.inspector.served import Steady, health, listens, runtime_files, steady

pytestmark = pytest.mark.trio


async def test_a_host_serves_until_it_is_shut_down(runtime_directory: Path) -> None:
    cls = steady()
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
        assert await registry.get_or_create(cls).call(Steady.quick) == "done"
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
    cls = steady()
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
    cls = steady()
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
    cls = steady()
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


async def test_a_shutdown_before_the_start_and_one_of_an_idle_registry() -> None:
    shutdown = trio.Event()
    shutdown.set()
    cls = steady()
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
    cls = steady()
    registry = Registry([cls])
    outcomes: list[str] = []

    async def call() -> None:
        try:
            await registry.get_or_create(cls).call(Steady.hold)
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
    cls = steady()
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
