"""The registry: all actors of a host, and the way in to them. It owns no listener."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from typing import Any, TypeVar, overload

import trio

from inspector.actors.actor import Actor, ActorHandle, Key
from inspector.actors.calls import Call, current_call
from inspector.actors.cell import Cell
from inspector.actors.deadlines import Deadlines
from inspector.actors.kind import Kind
from inspector.actors.life import Life
from inspector.actors.stops import RESTART, Stops, retire
from inspector.actors.supervision import EscalationError
from inspector.actors.workers import Workers
from inspector.directory import Directory
from inspector.drain import drain
from inspector.lifecycle import DRAIN_TIMEOUT, Lifecycle, State
from inspector.tracing import Log, current_span
from protocol.addresses import encode_address
from protocol.errors import InspectorError

__all__ = ("Registry",)

A = TypeVar("A", bound=Actor[Any])


class Registry:
    """All actors of a host.

    Args:
        actors: the actor classes that it knows.
        log: where its spans and records go; one of its own unless given.
        name: the host's name, the machine's unless given. Not used beside `log`.
        record: what the ring records, a filter. Not used beside `log`.
        record_size: bytes that the ring may have. Not used beside `log`.

    Raises:
        TypeError: an actor class can't be used, or two have one name.
        FilterError: `record` does not parse.
    """

    def __init__(
        self,
        actors: Iterable[type[Actor[Any]]] = (),
        *,
        log: Log | None = None,
        name: str | None = None,
        record: str = "debug",
        record_size: int = 16 * 2**20,
    ) -> None:
        self.log = log or Log(host_name=name, record=record, record_size=record_size)
        self.life_log = self.log.logger("inspector.actors.life")
        self.action_log = self.log.logger("inspector.actors.action")
        self.lifecycle = Lifecycle()
        self.deadlines = Deadlines()
        self.context: Context = copy_context()
        self.watchers: dict[Callable[[], object], tuple[str, set[Cell]]] = {}
        """Those who watch the list: what to call when rows change, of which prefix, and which did since they looked."""
        self.workers: Workers
        self._nursery: trio.Nursery | None = None
        self._kinds: dict[str, Kind] = {}
        self._classes: dict[type[Actor[Any]], Kind] = {}
        self._cells = Directory()
        self._made = 0
        self._pending = 0
        self._quiet = trio.Event()
        self._block = trio.CancelScope()
        self.escalation: EscalationError | None = None
        """Why the host ends, where an actor's crash is the reason."""
        self._waiting_lives: list[Life] = []
        self._waiting_calls: list[Call] = []
        self.stops = Stops(self._start, self._remove)
        for actor in actors:
            self.add(actor)

    def add(self, actor: type[Actor[Any]]) -> None:
        """Learn of an actor class.

        Raises:
            TypeError: it can't be used, or its name is taken.
        """
        kind = Kind(actor, self.log.logger(actor.__module__))
        if kind.name in self._kinds:
            raise TypeError(f"two actor classes are called {kind.name!r}")
        self._kinds[kind.name] = self._classes[actor] = kind

    # ---- finding and making actors ----

    @overload
    def get_or_create(self, actor: type[A], key: Key = ()) -> ActorHandle[A]: ...
    @overload
    def get_or_create(self, actor: str, key: Key = ()) -> ActorHandle[Any]: ...
    def get_or_create(self, actor: type[Actor[Any]] | str, key: Key = ()) -> ActorHandle[Any]:
        """Get a handle on an actor, which is made where it does not exist.

        Args:
            actor: its class, or the class's name.
            key: its key.

        Raises:
            LookupError: no class of that name was added.
            AddressError: a segment of the key can't be part of an address.
            InspectorError: ``registry.shut_down``, and the actor does not exist.
        """
        kind = self._kinds.get(actor) if isinstance(actor, str) else self._classes.get(actor)
        if kind is None:
            raise LookupError(f"this registry has no actor class {actor!r}")
        segments = (key,) if isinstance(key, str) else tuple(key)
        address = encode_address(kind.name, segments)
        cell = self._cells.at(address)
        if cell is None:
            if not self.admits(current_call.get()):
                raise self.shut_down_error()
            self._made += 1
            cell = Cell(self, kind, address, f"{self.log.host_id[:8]}{self._made:08x}")
            cell.make_actor()
            self._cells.add(cell)
            if kind.lives and cell.life is None and not self.lifecycle.over:
                cell.begin()
            cell.touch()
        return ActorHandle(cell)

    def get(self, address: str) -> Cell:
        """Find an actor by its address. Looking never creates one.

        Raises:
            InspectorError: ``actor.not_found``.
        """
        return self._cells.find(address)

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[Cell], int, bool]:
        """List actors in the order of their addresses.

        Args:
            prefix: of the addresses.
            after: the address to go on behind.
            limit: actors at most.

        Returns:
            The actors, how many have the prefix, and whether there are more behind these.
        """
        return self._cells.page(prefix, after, limit)

    def holds(self, cell: Cell) -> bool:
        """Tell whether this is still the actor of its address."""
        return self._cells.at(cell.address) is cell

    def __len__(self) -> int:
        return len(self._cells)

    def __bool__(self) -> bool:
        # One without actors is a registry all the same: `registry or Registry()` must not replace it.
        return True

    # ---- calls ----

    async def call(self, target: str | ActorHandle[Any], action: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and wait for what it returns; see `ActorHandle.call`.

        Args:
            target: an address or a handle.
            action: the action's name.
            args: by position.
            kwargs: by name.

        Raises:
            InspectorError: ``actor.not_found`` and what `ActorHandle.call` raises.
        """
        address = target if isinstance(target, str) else target.address
        return await self.get(address).call(action, args, kwargs, None)

    def run_call(self, call: Call) -> None:
        """Have a worker run a call."""
        if self._nursery is not None:
            self.workers.run(call)
        elif self.lifecycle.state == "stopped":
            call.reject(self.shut_down_error())
        else:
            call.start_clock()  # It starts, and will be there in a moment.
            self._waiting_calls.append(call)

    def admits(self, caller: Call | None) -> bool:
        """Tell whether a call is taken in: all while serving; while draining what admitted work sends."""
        state = self.lifecycle.state
        if state == "draining":
            return caller is not None
        return state != "stopped"

    def shut_down_error(self) -> InspectorError:
        """Make the error of work that comes too late."""
        return InspectorError("registry.shut_down", f"the host {self.log.host_name} is shutting down")

    @property
    def state(self) -> State:
        """Where it stands: idle, starting, serving, draining or stopped."""
        return self.lifecycle.state

    @property
    def draining(self) -> bool:
        """Whether no new work is taken in any more."""
        return self.lifecycle.over

    def driven(self, task: trio.lowlevel.Task) -> Coroutine[Any, Any, Any] | None:
        """Return the action that a task waits in, where it is a worker of this registry that drives it by hand."""
        return self.workers.driven.get(task) if self._nursery is not None else None

    # ---- for its cells ----

    def begun(self) -> None:
        """A call has come that will have to wait."""
        self._pending += 1

    def ended(self) -> None:
        """Such a call is over."""
        self._pending -= 1
        if not self._pending:
            self._quiet.set()

    def start_life(self, life: Life) -> None:
        """Start an actor's task, as soon as the registry runs."""
        if self._nursery is None:
            self._waiting_lives.append(life)
        else:
            self._start(life.work)

    def touched(self, cell: Cell) -> None:
        """Tell the watchers that a row has changed; those who have not looked since the last one know already."""
        for wake, (prefix, cells) in self.watchers.items():
            if cell.address.startswith(prefix):
                cells.add(cell)
                if len(cells) == 1:
                    wake()

    # ---- running ----

    async def stop(self, target: str | ActorHandle[Any]) -> None:
        """Stop an actor in good order and remove it: what waits is rejected, what runs may end first.

        Raises:
            InspectorError: ``actor.not_found``.
            RuntimeError: an action of that actor waits for this.
        """
        cell = self._target(target)
        if self._nursery is None:
            cell.clear(cell.stopped_error())
            cell.interrupt(cell.stopped_error())
            retire(cell)
            await trio.lowlevel.checkpoint()
        else:
            await self.stops.begin(cell, last_turn=True).over.wait()
        self._remove(cell)

    def _target(self, target: str | ActorHandle[Any]) -> Cell:
        cell = self.get(target if isinstance(target, str) else target.address)
        caller = current_call.get()
        if caller is not None and caller.waits_for(cell):
            raise RuntimeError(f"{cell.address} can't wait for its own end: spawn a task that does")
        return cell

    async def restart(self, target: str | ActorHandle[Any]) -> int:
        """End an actor's life in good order and begin the next, also where it was given up; return the new generation.

        What runs is cancelled and gets ``actor.stopped``, what waits in the mailbox waits on. The last turn and the
        stop hook have `inspector.actors.stops.RESTART_GRACE` seconds.

        Raises:
            InspectorError: ``actor.not_found``; ``actor.stopped``, somebody stops it; ``registry.shut_down``.
            RuntimeError: an action of that actor waits for this, or the registry does not run yet.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        call = Call(self._target(target), RESTART, (), {}, None, None, None, None)
        self.restart_for(call)
        if not call.finished:
            await call.wait()
        if call.error is not None:
            raise call.error
        return int(call.value)

    def restart_for(self, call: Call) -> None:
        """Restart the actor that a call is for, and finish the call with the new generation or with an error."""
        if self.lifecycle.over:
            call.reject(self.shut_down_error())
        elif self._nursery is None:
            raise RuntimeError("the registry does not run yet")
        else:
            self.stops.restart(call)

    def escalate(self, error: EscalationError) -> None:
        """Shut down because of a crash; who serves this registry raises the first such error in the end."""
        if self.escalation is None:
            self.escalation = error
        self.lifecycle.apply("shutdown")
        self._block.cancel()

    def _remove(self, cell: Cell) -> None:
        if self._cells.remove(cell):
            cell.touch()

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        # An actor's life and end are not part of what caused them.
        nursery = self._nursery
        assert nursery is not None
        self.context.copy().run(lambda: nursery.start_soon(work))

    @asynccontextmanager
    async def running(self, *, drain_timeout: float = DRAIN_TIMEOUT) -> AsyncIterator[Registry]:
        """Run without a host: actors live inside the block, and are drained at its end.

        Raises:
            EscalationError: an actor's crash has cancelled the block.
        """
        self.lifecycle.apply("start")
        # What is raised inside the block is raised as it is: the nursery would wrap it into a group.
        error: BaseException | None = None
        try:
            async with self.open():
                self.lifecycle.apply("ready")
                try:
                    with self._block:
                        yield self
                except Exception as exc:
                    error = exc
                except (KeyboardInterrupt, SystemExit) as exc:
                    # Somebody who wants the program to end does not want to wait for a drain.
                    error = exc
                    drain_timeout = 0.0
                finally:
                    self.lifecycle.apply("shutdown")
                await self.drain(drain_timeout)
        finally:
            self.end()
        if (error := self.escalation or error) is not None:
            raise error

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Give actors a nursery to live in; at the block's end it is cancelled. The host calls `drain` before."""
        # Actions begin with what the program has set, but in no span and in nobody's turn.
        self.context = copy_context()
        self.context.run(current_span.set, None)
        self.context.run(current_call.set, None)
        async with trio.open_nursery() as nursery:
            self.workers = Workers(nursery, self.context)
            self._nursery = nursery
            nursery.start_soon(self.deadlines.watch)
            lives, self._waiting_lives = self._waiting_lives, []
            for life in lives:
                if life.wanted:
                    self._start(life.work)
            calls, self._waiting_calls = self._waiting_calls, []
            for call in calls:
                self.workers.run(call)
            try:
                yield
            finally:
                self._nursery = None
                self._abandon()
                nursery.cancel_scope.cancel()

    def end(self) -> None:
        """Note that it has run, or could not start: whoever still waits is told."""
        self.lifecycle.apply("end")
        calls, self._waiting_calls = self._waiting_calls, []
        for call in calls:
            call.reject(self.shut_down_error())
        self._waiting_lives.clear()
        self._abandon()

    async def drain(self, seconds: float) -> None:
        """Let what runs end, then stop every actor, within so many seconds. The lifecycle must say `draining`."""
        if not await drain(self._cells.all, self.stops, self._wait_quiet, seconds):
            self.life_log.warn("drain timed out", timeout_ms=round(seconds * 1000))

    async def _wait_quiet(self) -> None:
        while self._pending:
            self._quiet = trio.Event()
            await self._quiet.wait()

    def _abandon(self) -> None:
        """Answer what nobody will work on any more."""
        for cell in self._cells.all():
            # Also of one that has ended: its stop may have been cut off before this, with calls still there.
            if cell.mailbox:
                cell.clear(cell.stopped_error())
            if cell.current is not None and cell.current.worker is None:
                cell.current.reject(cell.stopped_error())
            if cell.phase == "stopped":
                continue
            cell.phase = "stopped"
            if cell.span is not None:
                cell.span.end("cancelled")
            cell.touch()
