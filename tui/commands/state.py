"""`inspector-tui state`: an actor's state, once or whenever it changes; and changes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from protocol.errors import InspectorError
from protocol.messages import Cause, StateRequest, StateResponse, StateUpdated
from tui.commands.output import write_line
from tui.commands.session import complain, host_options, json_option, run
from tui.connection import Connection, LinkLost
from tui.exits import ANSWERED_ERROR, EXIT_HELP
from tui.model.replica import Replica
from tui.model.values import to_json

__all__ = ("command",)

_WAITING = 256


@click.command("state", epilog=EXIT_HELP, short_help="Print an actor's state.")
@click.argument("address")
@click.option("--watch", is_flag=True, help="Print each new version too, until interrupted.")
@json_option
@host_options
def command(address: str, watch: bool, as_json: bool, url: str | None, token_file: Path | None) -> None:
    """Print the state of the actor with ADDRESS.

    As JSON lines each is an object with version, state and, where known, cause; on a terminal it is the state
    alone, indented.
    """

    async def work(connection: Connection, as_json: bool) -> int:
        if watch:
            return await _watch(connection, address, as_json)
        response = await connection.request(StateRequest(id=0, actor=address), StateResponse)
        if not response.enabled:
            return _disabled(address)
        _print(response.state, response.version, None, as_json)
        return 0

    run(work, url, token_file, as_json)


def _disabled(address: str) -> int:
    complain("state_disabled", f"the actor {address} has no state")
    return ANSWERED_ERROR


def _print(state: Any, version: object, cause: object, as_json: bool) -> None:
    if not as_json:
        write_line(to_json(state, indent=2))
        return
    shown: dict[str, Any] = {}
    if isinstance(version, int):
        shown["version"] = version
    shown["state"] = state
    if isinstance(cause, Cause):
        names = ("action", "trace_id", "span_id")
        shown["cause"] = {name: said for name in names if isinstance(said := getattr(cause, name), str)}
    write_line(to_json(shown))


class _Watch:
    """Passes on what comes; of a state that changes faster than it is printed, the newest versions.

    `queue` brings state, version and cause; None when it has to begin anew, and what ends it.
    """

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[Any, int | None, object] | StateResponse | InspectorError | None] = (
            asyncio.Queue()
        )
        self._replica = Replica()
        self._lost = False

    def opened(self, response: StateResponse) -> None:
        self._replica.begin(response)
        self._lost = False
        self.queue.put_nowait(
            (self._replica.state, self._replica.version, None) if response.enabled else response,
        )

    def pushed(self, push: StateUpdated) -> None:
        if self._lost:
            return
        if not self._replica.follow(push):
            self._lost = True
            self.queue.put_nowait(None)
            return
        # Bounded: versions have numbers, so that what was left out can be seen. A None is the last that there is.
        if self.queue.qsize() >= _WAITING:
            self.queue.get_nowait()
        self.queue.put_nowait((self._replica.state, self._replica.version, push.cause))

    def ended(self, error: InspectorError) -> None:
        self.queue.put_nowait(error)


async def _watch(connection: Connection, address: str, as_json: bool) -> int:
    watch = _Watch()
    sub = await connection.subscribe(StateRequest(id=0, actor=address, subscribe=True), watch)
    closed = asyncio.shield(connection.closed)
    while True:
        come = asyncio.ensure_future(watch.queue.get())
        await asyncio.wait((come, closed), return_when=asyncio.FIRST_COMPLETED)
        if not come.done():
            come.cancel()
            raise LinkLost(connection.closed.result())
        said = come.result()
        if isinstance(said, InspectorError):
            raise said
        if isinstance(said, StateResponse):
            return _disabled(address)
        if said is None:
            await connection.unsubscribe(sub)
            sub = await connection.subscribe(StateRequest(id=0, actor=address, subscribe=True), watch)
        else:
            _print(*said, as_json)
