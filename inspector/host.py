"""The host: a registry, an inspector service and its listeners, started and ended as one."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

import trio

from inspector.actors.supervision import EscalationError
from inspector.lifecycle import DRAIN_TIMEOUT, State
from inspector.registry import Registry
from inspector.runtime_file import RuntimeFile
from inspector.service.service import MAX_CONNECTIONS, Service
from inspector.service.tls import open_context
from inspector.store import STORE_AGE, STORE_SIZE, open_store, store_of
from inspector.tasks import THRESHOLD, Lints, Monitor, check_threshold
from protocol.dialects import DIALECTS
from protocol.handshake import Door, check_token
from protocol.messages import HostInfo

__all__ = ("DEFAULT_PORT", "Host", "open_host", "serve")

DEFAULT_PORT = 7351
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Host:
    """A registry that is served. Made by `serve` and `open_host`.

    Attributes:
        registry: its actors.
        url: where inspectors connect, ``http://HOST:PORT``, with TLS ``https://HOST:PORT``.
        token: what they need.
        announced: whether the log says that it listens; one that was shut down before that never did.
    """

    def __init__(self, registry: Registry, url: str, token: str) -> None:
        self.registry = registry
        self.url = url
        self.token = token
        self.announced = False

    @property
    def state(self) -> State:
        """idle, starting, serving, draining or stopped."""
        return self.registry.state

    def shutdown(self) -> None:
        """Begin to shut down: refuse new work, let what runs end. Once is enough, more does no harm."""
        self.registry.lifecycle.apply("shutdown")

    async def wait_stopped(self) -> None:
        """Wait until the host has stopped; at once if it has."""
        await self.registry.lifecycle.wait_stopped()

    async def shutdown_and_wait(self) -> None:
        """Shut down, and wait until that is done."""
        self.shutdown()
        await self.wait_stopped()


async def serve(
    registry: Registry,
    *,
    shutdown: trio.Event | None = None,
    host: str = "127.0.0.1",
    port: int | None = 0,
    token: str | None = None,
    drain_timeout: float = DRAIN_TIMEOUT,
    allow_hosts: Iterable[str] = (),
    allow_origins: Iterable[str] = (),
    tls: ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    insecure_bind: bool = False,
    record_to: str | os.PathLike[str] | None = None,
    record_to_size: int = STORE_SIZE,
    record_to_age: float | None = STORE_AGE,
    max_connections: int = MAX_CONNECTIONS,
    runtime_file: bool = True,
    watchdog: float | None = THRESHOLD,
    task_timing: bool = False,
    lints: Lints | None = None,
    task_status: trio.TaskStatus[Host] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a registry's actors and serve its inspectors, until it has stopped.

    Args:
        registry: runs once; afterwards it is stopped for good.
        shutdown: when set, the host drains.
        host: the address or name to listen on.
        port: 0 for any that is free; None for 7351, or where that is taken any that is free.
        token: what inspectors need, of ``A-Z a-z 0-9 . _ ~ -``; one is made where none is given.
        drain_timeout: seconds that a drain may take.
        allow_hosts: names that the Host header may have besides loopback's and `host`.
        allow_origins: origins of pages in browsers that may connect; none unless given.
        tls: a server's context, or the PEM files of a certificate and its key; without it nothing is encrypted.
        insecure_bind: allow a `host` that is not this machine alone, without TLS.
        record_to: a directory to keep there too what the ring keeps; made for its owner alone where it does not exist.
        record_to_size: bytes that it may take; the oldest records go first.
        record_to_age: seconds that records stay there; None for any time.
        max_connections: inspectors attached at once; fewer where the process has no file descriptors for so many.
        runtime_file: let this user's `inspector-tui` find the host, see `inspector.runtime_file`.
        watchdog: seconds after which the log says what blocks the loop; None for never.
        task_timing: time every step of every task, and not only while an inspector asks for it.
        lints: from where on the times look wrong; looked for while tasks are timed.
        task_status: gets the `Host` once it serves.

    Raises:
        OSError: the port is taken, or the address is not this machine's.
        EscalationError: an actor whose class says `escalate` has crashed, and the host has drained.
        RuntimeError: the registry has run already.
        KeyboardInterrupt: as it is, not in a group.
        ValueError: `watchdog` is not positive, the token has another character, `tls` can't be used, or `host` is
            reachable from outside without TLS and `insecure_bind` is not set.
        StoreError: a ValueError; `record_to` can't be used, for another host has it, or it has files of another format.
    """
    token = secrets.token_urlsafe(24) if token is None else check_token(token)
    context = _server_context(tls)
    _check_bind(host, insecure_bind or context is not None)
    check_threshold(watchdog)
    names = _LOOPBACK | {host.lower()} | {name.lower() for name in allow_hosts}
    door = Door(token=token, subprotocols=tuple(DIALECTS), hosts=frozenset(names), origins=frozenset(allow_origins))
    info = _host_info(registry)
    log = registry.log
    store = None
    if record_to is not None and store_of(log) is None:
        store = open_store(record_to, size=record_to_size, age=record_to_age)
    try:
        registry.lifecycle.apply("start")
    except RuntimeError:
        if store is not None:
            store.close(0)
        raise
    if store is not None:
        log.add_sink(store)
    if shutdown is not None and shutdown.is_set():
        registry.lifecycle.apply("shutdown")
    log.add_secret(token)
    # Whoever opened it closes it: a program's log outlives its hosts.
    theirs = log.is_open
    log.open()
    listeners: list[trio.SocketListener] = []
    problem: BaseException | None = None
    served: Host | None = None
    try:
        async with trio.open_nursery() as nursery:
            if shutdown is not None:
                nursery.start_soon(_follow, shutdown, registry)
            try:
                listeners = await _listen(host, port)
            except Exception as exc:
                # A taken port is an OSError to the caller, not a group that holds one.
                problem = exc
            else:
                url = _url(host, listeners, "http" if context is None else "https")
                served = Host(registry, url, token)
                with (
                    Monitor(registry, timing=task_timing, lints=lints, watchdog=watchdog) as tasks,
                    RuntimeFile(url, token, info)
                    if runtime_file and info.pid == os.getpid()
                    else contextlib.nullcontext(),
                ):
                    service = Service(registry, door, info, tasks, max_connections=max_connections, tls=context)
                    service.sockets.listen(listeners)
                    nursery.start_soon(tasks.work)
                    await _run(registry, service, listeners, served, drain_timeout, task_status)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        problem = _alone(group)
    finally:
        for listener in listeners:
            # Whatever kept the acceptor from closing it: nothing listens for a host that is no more.
            listener.socket.close()
        registry.end()
        if served is not None and served.announced:
            log.logger("inspector.host").info("inspector stopped")
        if not theirs:
            # Sinks write from threads of their own; waiting for them here would block the loop of whoever embeds us.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(log.close)
    problem = problem or registry.escalation
    if problem is not None:
        # Not in the handler above: there the group would be shown as what it came from.
        raise problem


async def _run(
    registry: Registry,
    service: Service,
    listeners: list[trio.SocketListener],
    host: Host,
    drain_timeout: float,
    task_status: trio.TaskStatus[Host],
) -> None:
    log = registry.log.logger("inspector.host")
    async with registry.open(), trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(_accept, service, listeners, connections)
            if registry.lifecycle.apply("ready") == "serving":
                log.info("inspector listening", url=host.url, pid=os.getpid())
                host.announced = True
            task_status.started(host)
            await registry.lifecycle.wait_draining()
            accepting.cancel_scope.cancel()
        if host.announced:
            log.info("inspector draining", timeout_ms=round(drain_timeout * 1000))
        await registry.drain(drain_timeout)
        await service.close()
        connections.cancel_scope.cancel()


@asynccontextmanager
async def open_host(registry: Registry, **options: Any) -> AsyncIterator[Host]:
    """Serve a registry inside a block, and drain it at the block's end.

    Args:
        registry: runs once.
        options: those of `serve`.

    Raises:
        OSError: see `serve`.
        EscalationError: see `serve`; the block is cancelled once the host has stopped.
        RuntimeError: see `serve`.
        ValueError: see `serve`.
    """
    # What is raised before or inside the block is raised as it is: a nursery would wrap it into a group.
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                host: Host = await nursery.start(partial(serve, registry, **options))
            except Exception as exc:
                error = exc
            else:
                try:
                    yield host
                except Exception as exc:
                    error = exc
                except (KeyboardInterrupt, SystemExit) as exc:
                    # Somebody who wants the program to end does not want to wait for a drain.
                    error = exc
                    nursery.cancel_scope.cancel()
                await host.shutdown_and_wait()
    except BaseExceptionGroup as group:
        error = _alone(group)
    if error is not None:
        raise error


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ends a program on purpose, where a group holds nothing else, however deep; else the group."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found if isinstance(found, (KeyboardInterrupt, SystemExit, EscalationError)) else group


async def _listen(host: str, port: int | None) -> list[trio.SocketListener]:
    if port is not None:
        return await trio.open_tcp_listeners(port, host=host)
    try:
        return await trio.open_tcp_listeners(DEFAULT_PORT, host=host)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
    return await trio.open_tcp_listeners(0, host=host)


@trio.lowlevel.enable_ki_protection
async def _accept(service: Service, listeners: list[trio.SocketListener], connections: trio.Nursery) -> None:
    await trio.serve_listeners(service.handle, listeners, handler_nursery=connections)


@trio.lowlevel.enable_ki_protection
async def _follow(shutdown: trio.Event, registry: Registry) -> None:
    await shutdown.wait()
    registry.lifecycle.apply("shutdown")


def _server_context(
    tls: ssl.SSLContext | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None,
) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = tls if isinstance(tls, ssl.SSLContext) else open_context(*tls)
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    except ssl.SSLError as exc:
        # At the first connection it would be too late to say so.
        raise ValueError("tls is no server's context") from exc
    return context


def _check_bind(host: str, allowed: bool) -> None:
    if allowed or host.lower() == "localhost":
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    raise ValueError(f"{host} can be reached from other machines: without TLS that needs insecure_bind")


def _url(host: str, listeners: list[trio.SocketListener], scheme: str) -> str:
    port = listeners[0].socket.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _host_info(registry: Registry) -> HostInfo:
    return HostInfo(
        id=registry.log.host_id,
        name=registry.log.host_name,
        version=version("inspector-tui"),
        pid=os.getpid(),
        started_at=time.time_ns() // 1_000_000,
    )
