"""Runs of every kind: one after the other in a process, two at once, and as a guest of another loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
import pytest
import trio
from websockets.asyncio.client import ClientConnection, connect

from inspector import Host, Registry, get_logger, instrument, open_host, open_inspector
from protocol.dialects.cbor import CBOR
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    Init,
    LogBatch,
    LogsSubscribe,
    LogsSubscribeResponse,
    Message,
    Request,
    TasksRequest,
    TasksResponse,
)
from tests.inspector.reading import events
from tests.inspector.service.support import SUBPROTOCOL, TOKEN, Box

R = TypeVar("R", bound=Message)
logger = get_logger("tests.limits")


class Client:
    """An inspector on asyncio, as the terminal app is."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def next(self, kind: type[R]) -> R:
        """Wait for the next message of a kind."""
        while True:
            frame = await self.websocket.recv()
            assert isinstance(frame, bytes)
            message = CBOR.decode_to_client(frame)
            if isinstance(message, kind):
                return message

    async def ask(self, request: Request, kind: type[R]) -> R:
        """Send a request and wait for its answer."""
        await self.websocket.send(CBOR.encode(request))
        return await self.next(kind)


async def inspect(url: str, work: Callable[[Client], Awaitable[None]]) -> None:
    """Attach to a host and work."""
    async with (
        asyncio.timeout(60),
        connect(
            url.replace("http", "ws") + "/inspector/connect",
            subprotocols=[SUBPROTOCOL],
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
            proxy=None,
        ) as websocket,
    ):
        client = Client(websocket)
        await client.next(Init)
        await work(client)


async def look(client: Client) -> None:
    """See the log, the tasks and the actor, and make the program end."""
    await client.ask(LogsSubscribe(id=1, filter="info", backlog=100), LogsSubscribeResponse)
    batch = await client.next(LogBatch)
    said = [orjson.loads(line)["fields"]["message"] for line in batch.lines.splitlines()]
    assert "begun" in said
    tree = await client.ask(TasksRequest(id=2, stacks=True), TasksResponse)
    names = {row.name for row in tree.tasks}
    assert any("waits_here" in name for name in names), names
    (row,) = [row for row in tree.tasks if "waits_here" in row.name]
    assert row.span_name == "waiting"
    assert row.stack
    assert any("waits_here" in frame.function for frame in row.stack)
    answer = await client.ask(ActionRequest(id=3, actor="box/a", name="add_async", args=[2]), ActionResponse)
    assert answer.output == 2


async def waits_here(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with logger.span("waiting"):
        task_status.started()
        await trio.sleep_forever()


async def program(told: Callable[[str], object], over: trio.Event) -> str:
    """Be a program with an actor and a task that waits, until it is over."""
    with instrument(name="guest", record="debug") as on:
        registry = Registry([Box], log=on.log)
        registry.get_or_create(Box, "a")
        async with (
            open_host(registry, token=TOKEN, runtime_file=False, watchdog=30.0) as host,
            trio.open_nursery() as nursery,
        ):
            logger.info("begun")
            await nursery.start(waits_here)
            told(host.url)
            await over.wait()
            nursery.cancel_scope.cancel()
        assert events(on.log, "inspector stopped")
    return "the end"


def watchdogs() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "watchdog" in thread.name.lower()]


def test_as_a_guest_of_asyncio() -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        url: asyncio.Future[str] = loop.create_future()
        outcome: asyncio.Future[Any] = loop.create_future()
        over = trio.Event()
        trio.lowlevel.start_guest_run(
            program,
            url.set_result,
            over,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=outcome.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        # The inspector is a task of the very loop that the host is a guest of.
        await inspect(await asyncio.wait_for(url, 60), look)
        over.set()
        return await outcome

    for _ in range(2):
        assert asyncio.run(main()).unwrap() == "the end"
        assert not watchdogs()
        assert logger.find() is None


def test_as_a_guest_of_a_plain_queue() -> None:
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
    urls: queue.SimpleQueue[str] = queue.SimpleQueue()
    outcomes: list[Any] = []
    over = trio.Event()
    failures: list[BaseException] = []

    def attach() -> None:
        try:
            asyncio.run(inspect(urls.get(timeout=60), look))
        except BaseException as error:
            failures.append(error)
        # By the guest's own loop, for an event of trio's is set by no other thread.
        calls.put(over.set)

    thread = threading.Thread(target=attach, daemon=True)
    thread.start()
    trio.lowlevel.start_guest_run(
        program, urls.put, over, run_sync_soon_threadsafe=calls.put, done_callback=outcomes.append
    )
    while not outcomes:
        calls.get(timeout=60)()
    thread.join(60)
    assert not failures
    assert outcomes[0].unwrap() == "the end"
    assert not watchdogs()


def run_once(work: Callable[[Client], Awaitable[None]] = look) -> str:
    """Run the program by `trio.run`, with an inspector in another thread."""
    urls: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def main() -> str:
        over = trio.Event()
        async with trio.open_nursery() as nursery:

            async def attach() -> None:
                await trio.to_thread.run_sync(lambda: asyncio.run(inspect(urls.get(timeout=60), work)))
                over.set()

            nursery.start_soon(attach)
            return await program(urls.put, over)
        raise AssertionError

    return trio.run(main)


def test_run_after_run() -> None:
    for _ in range(3):
        assert run_once() == "the end"
        assert not watchdogs()
        assert logger.find() is None


def test_a_run_after_one_that_failed() -> None:
    async def fails(client: Client) -> None:
        await client.ask(TasksRequest(id=1), TasksResponse)
        raise LookupError("as asked")

    with pytest.raises(ExceptionGroup) as caught:
        run_once(fails)
    assert caught.group_contains(LookupError, match="as asked")
    assert not watchdogs()
    assert run_once() == "the end"


def test_two_runs_at_once() -> None:
    """One log, two loops in two threads, each with a host and a tree of tasks of its own."""
    hosts: list[Host] = []
    both = threading.Barrier(2)
    seen: dict[str, set[str]] = {}

    def run(name: str) -> None:
        async def waits() -> None:
            await trio.sleep_forever()

        async def main() -> None:
            async with (
                open_inspector(token=TOKEN, port=0, runtime_file=False, watchdog=30.0) as host,
                trio.open_nursery() as nursery,
            ):
                hosts.append(host)
                nursery.start_soon(waits, name=f"waits-{name}")
                await trio.to_thread.run_sync(both.wait)

                async def names(client: Client) -> None:
                    tree = await client.ask(TasksRequest(id=1), TasksResponse)
                    seen[name] = {row.name for row in tree.tasks if row.name.startswith("waits-")}

                await trio.to_thread.run_sync(lambda: asyncio.run(inspect(host.url, names)))
                await trio.to_thread.run_sync(both.wait)
                nursery.cancel_scope.cancel()

        trio.run(main)

    with instrument(name="both"):
        threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in ("one", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
    assert seen == {"one": {"waits-one"}, "other": {"waits-other"}}
    assert hosts[0].registry.log is hosts[1].registry.log
    assert not watchdogs()
