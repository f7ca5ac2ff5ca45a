"""A cell: one actor's place in the registry. It holds the mailbox, takes the turns, and keeps the actor's row.

An idle actor is this object and the actor itself; mailbox, span and watch are made when first needed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio
from msgspec import UNSET

from inspector.actors.actor import Actor
from inspector.actors.calls import Call, current_call
from inspector.actors.life import Life
from inspector.actors.notes import begin_life, failure, note
from inspector.actors.supervision import Crashes
from inspector.actors.workers import enter
from inspector.tracing import DEBUG, TRACE, WARN, Span, caller_parent, current_span
from protocol.addresses import decode_address
from protocol.errors import InspectorError
from protocol.messages import ActorInfo, ActorStatus, Failure

if TYPE_CHECKING:
    from inspector.actors.actions import ActionSpec
    from inspector.actors.kind import Kind
    from inspector.actors.watch import StateWatch
    from inspector.registry import Registry

__all__ = ("Cell",)

_TARGET = "inspector.actors.action"


class Cell:
    """One actor.

    Args:
        registry: where it lives.
        kind: its class.
        address: its class's name and its key, as people write them.
        id: opaque, given by the registry.
    """

    __slots__ = (
        "actions",
        "active_at",
        "actor",
        "address",
        "crashes",
        "current",
        "errors",
        "failure",
        "generation",
        "id",
        "kind",
        "life",
        "mailbox",
        "phase",
        "registry",
        "restarts",
        "running",
        "span",
        "watch",
    )

    def __init__(self, registry: Registry, kind: Kind, address: str, id: str) -> None:
        self.registry = registry
        self.kind = kind
        self.address = address
        self.id = id
        self.phase: ActorStatus = "idle"
        """`idle` until its first life has begun and again when nothing runs; see `status`."""
        self.generation = 0
        self.actions = 0
        self.errors = 0
        self.restarts = 0
        self.crashes: Crashes | None = None
        self.active_at: int | None = None
        self.failure: Failure | None = None
        self.current: Call | None = None
        """The call whose turn it is; concurrent ones take no turn."""
        self.running: set[Call] | None = None
        """Calls under way that have had to wait for something, the current one included."""
        self.mailbox: deque[Call] | None = None
        self.life: Life | None = None
        self.span: Span | None = None
        self.watch: StateWatch | None = None
        self.actor: Actor[Any] | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Its key, by segments: read from the address, for of 100,000 actors few are ever asked."""
        return decode_address(self.address)[1]

    @property
    def started_at(self) -> int | None:
        """When its present life began, in milliseconds since 1970; of one that has ended, that one."""
        return None if self.span is None else self.span.start_ns // 1_000_000

    @property
    def status(self) -> ActorStatus:
        """The status as the protocol spells it."""
        if self.phase == "idle" and (self.current is not None or self.running or self.life is not None):
            return "running"
        return self.phase

    def info(self) -> ActorInfo:
        """Make the actor's row."""
        running = len(self.running) if self.running else 0
        if self.current is not None and (not self.running or self.current not in self.running):
            running += 1
        return ActorInfo(
            actor=self.address,
            id=self.id,
            name=self.kind.name,
            key=list(self.key),
            status=self.status,
            generation=self.generation,
            mailbox=len(self.mailbox) if self.mailbox else 0,
            running=running,
            actions=self.actions,
            errors=self.errors,
            restarts=self.restarts,
            started_at=self.started_at,
            active_at=self.active_at,
            failure=UNSET if self.failure is None else self.failure,
        )

    # ---- calls come in ----

    def find(self, action: str) -> ActionSpec:
        """Find an action by its name.

        Raises:
            InspectorError: ``actor.action_not_found``.
        """
        spec = self.kind.actions.get(action)
        if spec is None:
            raise self.kind.not_found(self.address, action)
        return spec

    async def call(self, action: str, args: tuple[Any, ...], kwargs: dict[str, Any], seconds: float | None) -> Any:
        """Run an action for a caller in this process; see `ActorHandle.call`.

        Raises:
            RuntimeError: the registry does not run yet.
        """
        if self.registry.lifecycle.state == "idle":
            raise RuntimeError("the registry does not run yet: await nursery.start(inspector.serve, registry)")
        await trio.lowlevel.checkpoint_if_cancelled()
        spec = self.find(action)
        bound_args, bound_kwargs = spec.bind_call(args, kwargs)
        caller = current_call.get()
        timeout = spec.timeout if seconds is None else seconds
        parent = caller_parent(self.registry.log) if caller is None else current_span.get() if caller.spans() else None
        call = Call(self, spec, bound_args, bound_kwargs, timeout, parent, caller, None)
        self.deliver(call)
        if call.finished:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await call.wait()
        if call.error is not None:
            raise call.error
        return call.value

    def deliver(self, call: Call) -> None:
        """Take a call in: run it at once where that needs no waiting, else give it to a worker or the mailbox."""
        caller = call.caller
        if not self._ready(call):
            return
        spec = call.spec
        if (
            caller is not None
            # Between two lives and while it starts, not even what runs concurrently can begin.
            and (not spec.concurrent or self.phase in ("starting", "restarting"))
            and caller.waits_for(self)
        ):
            call.reject(caller.circle(self.address))
        elif self.phase != "idle" or (not spec.concurrent and (self.current is not None or self.mailbox)):
            self._enqueue(call)
        elif spec.is_async:
            if not spec.concurrent:
                self.current = call
            self._wait_for(call)
            self.registry.run_call(call)
        else:
            self._run_here(call)

    def _ready(self, call: Call) -> bool:
        """Begin the first life where there was none; reject the call if there will be none any more."""
        registry = self.registry
        if not registry.admits(call.caller):
            call.reject(registry.shut_down_error())
            return False
        if self.span is None and self.phase == "idle":
            self.begin()
        elif self.phase in ("stopping", "stopped", "failed"):
            call.reject(self.stopped_error())
            return False
        return True

    def _run_here(self, call: Call) -> None:
        # A sync action never waits, so it can run in whoever's task this is: it can't be cancelled there, nor leave
        # anything behind in the task's context.
        if not call.spec.concurrent:
            self.current = call
        try:
            value = self.registry.context.copy().run(enter, call)
        except Exception as exc:
            self.failed(call, exc)
        except BaseException as exc:
            self.failed(call, exc)
            raise
        else:
            self.succeeded(call, value)
        finally:
            following = self.next_call(call)
            if following is not None:
                self.registry.run_call(following)

    def _enqueue(self, call: Call) -> None:
        mailbox = self.mailbox
        if mailbox is None:
            mailbox = self.mailbox = deque()
        if len(mailbox) >= self.kind.mailbox_size:
            self.errors += 1
            text = f"{self.address}: {len(mailbox)} messages wait already"
            call.reject(InspectorError("actor.overloaded", text, {"mailbox": len(mailbox)}))
            return
        call.start_clock()
        self._wait_for(call)
        mailbox.append(call)
        if self.registry.log.wants(TRACE, _TARGET):
            self.registry.action_log.trace("queued", actor=self.address, action=call.spec.name, depth=len(mailbox))
        if self.phase != "idle" or (self.current is not None and self.running and self.current in self.running):
            self.registry.deadlines.add(call)
        self.touch()

    def _wait_for(self, call: Call) -> None:
        call.pending = True
        self.registry.begun()

    def withdraw(self, call: Call, reason: InspectorError) -> None:
        """Take a waiting call out of the mailbox and reject it."""
        if self.mailbox and call in self.mailbox:
            self.mailbox.remove(call)
            self.errors += 1
            self.touch()
        else:
            # Somebody has it already and is about to begin.
            call.reason = reason
        call.reject(reason)

    # ---- turns ----

    def open_action_span(self, call: Call) -> Span:
        """Begin the span of a call's action."""
        fields: dict[str, Any] = {"actor": self.address, "actor_id": self.id, "action": call.spec.name}
        if call.rid is not None:
            fields["rid"] = call.rid
        return self.registry.log.start_span("action", fields, target=_TARGET, level=DEBUG, parent=call.parent)

    def stalled(self, call: Call) -> None:
        """A call's action waits for something: from now on deadlines of those behind it have to be watched."""
        if self.running is None:
            self.running = set()
        self.running.add(call)
        if self.mailbox and call is self.current:
            for waiting in self.mailbox:
                self.registry.deadlines.add(waiting)
        self.touch()

    def succeeded(self, call: Call, value: Any) -> None:
        """An action returned."""
        assert call.span is not None
        call.span.end("ok")
        call.resolve(value)

    def failed(self, call: Call, exc: BaseException) -> None:
        """An action raised: that is its reply, and one record."""
        self.errors += 1
        assert call.span is not None
        note(self.kind.log, WARN, call.span, "action failed", exc)
        call.span.end("error")
        call.reject(failure(call.span, exc))

    def interrupted(self, call: Call, reason: InspectorError, rest: BaseException | None = None) -> None:
        """An action was cancelled; `rest` is what it raised besides."""
        self.errors += 1
        if call.span is not None:
            message = f"action {reason.code.removeprefix('action_').replace('_', ' ')}"
            note(self.kind.log, WARN, call.span, message, rest)
            call.span.end("cancelled")
        call.reject(reason)

    def next_call(self, call: Call) -> Call | None:
        """A call is over: count it, and take the next out of the mailbox where it was this one's turn."""
        self.actions += 1
        self.active_at = time.time_ns() // 1_000_000
        if self.running:
            self.running.discard(call)
            if not self.running:
                self.running = None
        if self.watch is not None:
            self.watch.touch(call)
        following: Call | None = None
        if call is self.current:
            self.current = following = self._take()
        if self.phase != "idle":
            self.registry.stops.turn_over()
        self.touch()
        return following

    def resume(self) -> None:
        """The actor can take turns (again): begin with what waits."""
        if self.current is None and self.phase == "idle":
            self.current = self._take()
            if self.current is not None:
                self.registry.run_call(self.current)

    def _take(self) -> Call | None:
        while self.mailbox and self.phase == "idle":
            call = self.mailbox.popleft()
            if not call.spec.concurrent:
                return call
            self.registry.run_call(call)
        if not self.mailbox:
            self.mailbox = None
        return None

    # ---- lives ----

    def begin(self) -> None:
        """Begin a life: at once where nothing has to be started, else in a task."""
        if self.kind.lives:
            self.phase = "starting"
            self.life = Life(self)
            self.registry.start_life(self.life)
        else:
            self.open_span()
        self.touch()

    def make_actor(self) -> None:
        """Make the actor and its state anew."""
        cls = self.kind.actor
        actor = cls.__new__(cls)
        actor._cell = self
        actor.state = actor.initial_state()
        actor.__init__()  # type: ignore[misc]  # a life begins with the constructor, after state and cell are there
        self.actor = actor

    def open_span(self) -> Span:
        """Begin the span of a new life, and say so."""
        self.generation += 1
        self.span = begin_life(self)
        return self.span

    def spawn(self, task: Callable[..., Awaitable[object]], args: tuple[Any, ...], name: str | None) -> None:
        """Start a task in the actor's nursery; see `Actor.spawn`."""
        if self.phase in ("stopping", "stopped", "failed", "restarting"):
            raise self.stopped_error()
        if self.span is None and self.phase == "idle":
            self.begin()
        if self.life is None:
            self.life = Life(self, started=True)
            self.registry.start_life(self.life)
        self.life.spawn(task, args, name or str(getattr(task, "__name__", "task")))
        self.changed()

    def interrupt(self, reason: InspectorError) -> None:
        """Cancel every call that is under way."""
        for call in (*(self.running or ()), *(() if self.current is None else (self.current,))):
            call.cancel(reason)

    def clear(self, reason: InspectorError) -> None:
        """Reject every call that waits in the mailbox."""
        while self.mailbox:
            self.mailbox.popleft().reject(reason)
        self.touch()

    def stopped_error(self) -> InspectorError:
        """Make the error of a call that this actor can't answer any more."""
        return InspectorError("actor.stopped", f"{self.address} ended before it could answer", {"actor": self.address})

    def changed(self) -> None:
        """Tell those who watch the state that something other than a turn may have changed it, and `touch`."""
        if self.watch is not None:
            self.watch.touch(None)
        self.touch()

    def touch(self) -> None:
        """Tell those who watch the list of actors that this row has changed."""
        if self.registry.watchers:
            self.registry.touched(self)
