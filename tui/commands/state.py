"""`inspector-tui state`: an actor's state, once or whenever it changes; and changes of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from protocol.errors import InspectorError
from protocol.messages import (
    Cause,
    PatchOp,
    PatchStateRequest,
    PatchStateResponse,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tui.commands.output import write_line
from tui.commands.session import complain, host_options, json_option, run
from tui.connection import Connection, LinkLost
from tui.exits import ANSWERED_ERROR, EXIT_HELP
from tui.model.edit import read_json
from tui.model.form import FieldError
from tui.model.replica import Replica
from tui.model.values import to_json

__all__ = ("command",)

_WAITING = 256


@click.command("state", epilog=EXIT_HELP, short_help="Print an actor's state, or change it.")
@click.argument("address")
@click.option("--watch", is_flag=True, help="Print each new version too, until interrupted.")
@click.option("--patch", metavar="JSON|@FILE|-", help="Change it by a JSON Patch (RFC 6902).")
@click.option("--replace", metavar="JSON|@FILE|-", help="Change it to this as a whole.")
@click.option("--if-version", type=click.IntRange(0), help="Change it only if it has this version.")
@json_option
@host_options
def command(
    address: str,
    watch: bool,
    patch: str | None,
    replace: str | None,
    if_version: int | None,
    as_json: bool,
    url: str | None,
    token_file: Path | None,
) -> None:
    """Print the state of the actor with ADDRESS, or change it.

    As JSON lines each is an object with version, state and, where known, cause; on a terminal it is the state
    alone, indented. After a change it is the new version. What a change is comes as JSON, from a file after @,
    or from stdin for -; bytes are {"$bytes": base64}.
    """
    request = _edit(address, patch, replace, if_version)
    if request is None and if_version is not None:
        raise click.UsageError("--if-version goes with --patch or --replace")
    if request is not None and watch:
        raise click.UsageError("--watch does not go with a change")

    async def work(connection: Connection, as_json: bool) -> int:
        if request is not None:
            done = await connection.request(request, PatchStateResponse)
            write_line(to_json({"version": done.version}) if as_json else f"version {done.version}")
            return 0
        if watch:
            return await _watch(connection, address, as_json)
        response = await connection.request(StateRequest(id=0, actor=address), StateResponse)
        if not response.enabled:
            return _disabled(address)
        _print(response.state, response.version, None, as_json)
        return 0

    run(work, url, token_file, as_json)


def _edit(address: str, patch: str | None, replace: str | None, version: int | None) -> PatchStateRequest | None:
    """Make the request for a change, if one is wanted.

    Raises:
        click.UsageError: it can't be read, or makes no sense.
    """
    if patch is not None and replace is not None:
        raise click.UsageError("either --patch or --replace")
    if replace is not None:
        request = PatchStateRequest(id=0, actor=address, state=_read("--replace", replace))
    elif patch is not None:
        try:
            request = PatchStateRequest(
                id=0, actor=address, patch=msgspec.convert(_read("--patch", patch), list[PatchOp])
            )
        except msgspec.ValidationError as exc:
            raise click.UsageError(f"--patch is no JSON Patch: {exc}") from None
    else:
        return None
    if version is not None:
        request.version = version
    return request


def _read(option: str, text: str) -> Any:
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        return read_json(text)
    except FieldError as exc:
        raise click.UsageError(f"{option}: {exc}") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"{option}: can't read it: {getattr(exc, 'strerror', None) or exc}") from None


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
