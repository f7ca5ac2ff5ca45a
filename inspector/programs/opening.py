"""An inspector for any trio program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import trio

from inspector.host import Host, open_host
from inspector.programs.instrumentation import Bridge, instrument
from inspector.registry import Registry
from inspector.tracing import Sink
from protocol.filters import Filter

__all__ = ("open_inspector",)


@asynccontextmanager
async def open_inspector(
    *,
    port: int | None = None,
    token: str | None = None,
    name: str | None = None,
    log: str | Filter | None = None,
    log_format: str | None = None,
    log_spans: bool | None = None,
    sinks: Iterable[str | Sink] | None = None,
    record: str | Filter | None = None,
    record_size: int | None = None,
    bridges: Iterable[Bridge] | None = None,
    **serving: Any,
) -> AsyncIterator[Host]:
    """Serve the log, the spans and the tasks of this program to `inspector-tui`, inside a block.

    It needs no actors. At the block's end inspectors are sent home in good order, and the log is written out. Several
    at once are several doors to one log, unless they differ in what they say of the log.

    Args:
        port: where to listen; 7351 unless given, or where that is taken any that is free.
        token: what inspectors need; one is made unless given. This user's `inspector-tui` finds both by itself.
        name: as `instrument`, and so all up to `bridges`.
        log: see there.
        log_format: see there.
        log_spans: see there.
        sinks: see there.
        record: see there.
        record_size: see there.
        bridges: see there.
        serving: further arguments of `inspector.serve`.

    Raises:
        OSError: the port that was asked for is taken.
        ValueError: see `inspector.serve` and `instrument`.
    """
    on = instrument(
        name=name,
        log=log,
        log_format=log_format,
        log_spans=log_spans,
        sinks=sinks,
        record=record,
        record_size=record_size,
        bridges=bridges,
    )
    try:
        registry = Registry(log=on.log)
        async with open_host(registry, port=port, token=on.token if token is None else token, **serving) as host:
            try:
                yield host
            except BaseException as exc:
                # Before the drain, so that who is attached sees it.
                on.tell(exc)
                raise
    finally:
        # The sinks write from threads of their own; waiting for them here would block the loop.
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(on.close)
