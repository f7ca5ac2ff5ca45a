"""An inspector in a program that has no actors."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from inspector import Host, get_logger, instrument, open_inspector
from inspector.host import DEFAULT_PORT
from protocol.messages import (
    ActorsRequest,
    ActorsResponse,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    TasksRequest,
    TasksResponse,
)
from tests.inspector.reading import events, read
from tests.inspector.served import listens, runtime_files
from tests.inspector.service.support import TOKEN, attached, lines_of

logger = get_logger("tests.opened")


@pytest.mark.trio
async def test_a_program_without_actors(runtime_directory: Path) -> None:
    async def job() -> None:
        with logger.span("job", n=1):
            logger.info("working")
            await trio.sleep_forever()

    async with open_inspector(port=0, token=TOKEN, name="shop") as host, trio.open_nursery() as nursery:
        nursery.start_soon(job, name="the job")
        assert (host.token, host.registry.log.host_name) == (TOKEN, "shop")
        assert len(runtime_files(runtime_directory)) == 1
        async with attached(host) as client:
            assert client.init.host.name == "shop"
            actors = await client.ask(ActorsRequest(id=1), ActorsResponse)
            assert actors.actors == []
            tasks = await client.ask(TasksRequest(id=2, stacks=True), TasksResponse)
            (task,) = (task for task in tasks.tasks if task.name == "the job")
            assert task.span_name == "job"
            await client.ask(LogsSubscribe(id=3, filter="info", backlog=10), LogsSubscribeResponse)
            lines = lines_of(await client.pushed(LogBatch))
            assert [line["fields"]["message"] for line in lines] == ["inspector listening", "working"]
            assert lines[1]["span"] == {"name": "job", "n": 1}
            assert task.trace_id == lines[1]["trace_id"]
        nursery.cancel_scope.cancel()
    assert host.state == "stopped"
    assert runtime_files(runtime_directory) == []
    assert not host.registry.log.is_open
    assert [record.message for record in read(host.registry.log) if record.kind == "event"][-1] == "inspector stopped"


@pytest.mark.trio
async def test_nothing_need_be_given() -> None:
    taken = await trio.open_tcp_listeners(DEFAULT_PORT, host="127.0.0.1") if not listens(DEFAULT_PORT) else []
    try:
        async with open_inspector() as host:
            assert urlsplit(host.url).port != DEFAULT_PORT
            assert len(host.token) >= 32
    finally:
        for listener in taken:
            await listener.aclose()


@pytest.mark.trio
async def test_the_usual_port_where_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    free = found.socket.getsockname()[1]
    await found.aclose()
    monkeypatch.setattr("inspector.host.DEFAULT_PORT", free)
    async with open_inspector() as host:
        assert urlsplit(host.url).port == free
        with pytest.raises(OSError, match="in use"):
            async with open_inspector(port=free):
                raise AssertionError("never comes here")
        # What the inner one has switched on, it has switched off.
        logger.info("heard once")
    assert len(events(host.registry.log, "heard once")) == 1


@pytest.mark.trio
async def test_another_failure_to_listen_is_told() -> None:
    with pytest.raises(OSError, match=r"assign|available"):
        async with open_inspector(host="192.0.2.1", insecure_bind=True):
            raise AssertionError("never comes here")


def test_again_in_a_second_run() -> None:
    async def main() -> Host:
        async with open_inspector(port=0) as host:
            logger.info("hello")
        return host

    first, second = trio.run(main), trio.run(main)
    assert first.registry.log is not second.registry.log
    for host in (first, second):
        assert len(events(host.registry.log, "hello")) == 1


def test_two_at_once_are_two_doors_to_one_log() -> None:
    inside, leave = threading.Barrier(2), threading.Barrier(2)
    hosts: list[Host] = []

    async def main(number: int) -> None:
        async with open_inspector(port=0, token=TOKEN) as host:
            hosts.append(host)
            await trio.to_thread.run_sync(inside.wait)
            logger.info("hello", number=number)
            async with attached(host) as client:
                assert client.init.host.id == host.registry.log.host_id
            await trio.to_thread.run_sync(leave.wait)

    threads = [threading.Thread(target=trio.run, args=(main, number)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = hosts
    assert one.registry.log is other.registry.log
    assert one.url != other.url
    found = events(one.registry.log, "hello")
    assert {record.fields["number"] for record in found} == {0, 1}
    assert not one.registry.log.is_open


def test_in_a_program_that_is_instrumented() -> None:
    async def main() -> Host:
        async with open_inspector(port=0) as host:
            logger.info("while served")
        logger.info("afterwards")
        return host

    with instrument() as on:
        host = trio.run(main)
        again = trio.run(main)
        assert host.registry.log is again.registry.log is on.log
        assert host.token == again.token == on.token
        assert on.log.is_open
    assert len(events(on.log, "while served")) == len(events(on.log, "afterwards")) == 2


@pytest.mark.trio
async def test_who_is_attached_sees_what_ends_the_program() -> None:
    async with trio.open_nursery() as nursery:
        received: list[str] = []

        async def follow(host: Host, task_status: trio.TaskStatus[None]) -> None:
            async with attached(host) as client:
                await client.ask(LogsSubscribe(id=1, filter="error"), LogsSubscribeResponse)
                task_status.started()
                received.extend(line["fields"]["message"] for line in lines_of(await client.pushed(LogBatch)))
                await client.closed()

        async def fail() -> None:
            async with open_inspector(port=0, token=TOKEN, bridges=[]) as host:
                await nursery.start(follow, host)
                raise ValueError("bang")

        with pytest.raises(ValueError, match="bang"):
            await fail()
    assert received == ["the program failed"]


@pytest.mark.trio
async def test_serves_options_are_taken() -> None:
    async with open_inspector(port=0, runtime_file=False, allow_hosts=["shop.example"], drain_timeout=1):
        pass
    with pytest.raises(TypeError, match="prot"):
        async with open_inspector(prot=0):
            raise AssertionError("never comes here")
    assert logger.find() is None
