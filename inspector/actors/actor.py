"""What a program writes: a class of actors, and the handles with which actors and programs call one another."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, overload

from inspector.actors.supervision import Supervision, restart

if TYPE_CHECKING:
    from inspector.actors.cell import Cell
    from inspector.registry import Registry
    from inspector.tracing import Logger

__all__ = ("Actor", "ActorHandle", "Key")

S = TypeVar("S")
A = TypeVar("A", bound="Actor[Any]")
B = TypeVar("B", bound="Actor[Any]")
P = ParamSpec("P")
R = TypeVar("R")
Key = str | Iterable[str]
"""What tells actors of one class apart: a segment or several; the same key in one spelling or the other is the same."""


class Actor(Generic[S]):
    """An actor: state that one action at a time works on.

    A subclass names the type of its state, a msgspec Struct or a dataclass, or None::

        class Counter(Actor[CounterState]):
            @action
            def increment(self, amount: int = 1) -> int: ...

    Class variables:
        name: what addresses call its actors; the class's name in lower-case words unless said.
        mailbox_size: messages that may wait; one more is refused with ``actor.overloaded``.
        supervision: what follows a crash: `restart` (the default), `stop` or `escalate`.
    """

    __slots__ = ("_cell", "state")

    name: ClassVar[str]
    mailbox_size: ClassVar[int] = 1000
    supervision: ClassVar[Supervision] = restart()

    _cell: Cell
    state: S
    """What the inspector sees and may edit. A restart begins with `initial_state` again."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    def initial_state(self) -> S:
        """Make the state that a life begins with: the state's type without arguments, unless overridden."""
        return self._cell.kind.make_state()  # type: ignore[no-any-return]  # the type comes from the class's own parameter

    async def on_start(self) -> None:
        """Prepare a life; no action runs before it returns. What it raises is a crash."""

    async def on_stop(self) -> None:
        """End a life in good order: the host drains, or somebody stops or restarts the actor; not after a crash."""

    async def run(self) -> None:
        """Work for as long as the actor lives, beside its actions. What it raises is a crash."""

    @property
    def address(self) -> str:
        """This actor's address."""
        return self._cell.address

    @property
    def key(self) -> tuple[str, ...]:
        """This actor's key, by segments."""
        return self._cell.key

    @property
    def registry(self) -> Registry:
        """The registry that it lives in."""
        return self._cell.registry

    @property
    def log(self) -> Logger:
        """The log of this actor's class; its records stand in the current span."""
        return self._cell.kind.log

    def get(self, actor: type[B], key: Key = ()) -> ActorHandle[B]:
        """Get a handle on another actor, which is created where it does not exist."""
        return self._cell.registry.get_or_create(actor, key)

    def spawn(self, task: Callable[..., Awaitable[object]], *args: Any, name: str | None = None) -> None:
        """Start a task in this actor's own nursery: it ends with the actor, and what it raises is a crash.

        Calls that it makes are nobody's turn: they may come back to this actor.

        Raises:
            InspectorError: ``actor.stopped``, this life is over.
        """
        self._cell.spawn(task, args, name)


class ActorHandle(Generic[A]):
    """An actor to call, typed: ``await handle.call(Counter.increment, 5)``."""

    __slots__ = ("_cell", "_timeout")

    def __init__(self, cell: Cell, timeout: float | None = None) -> None:
        self._cell = cell
        self._timeout = timeout

    @property
    def address(self) -> str:
        """The actor's address."""
        return self._cell.address

    def within(self, seconds: float) -> ActorHandle[A]:
        """Get the same handle with a deadline of its own for each call, instead of the action's."""
        return ActorHandle(self._cell, seconds)

    @overload
    async def call(
        self, method: Callable[Concatenate[A, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    async def call(self, method: Callable[Concatenate[A, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any: ...
    async def call(self, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Run an action and wait for what it returns. A caller that is cancelled stops nothing.

        Args:
            method: the action's function, or its name.
            args: by position.
            kwargs: by name.

        Raises:
            InspectorError: see the ``actor`` rows of docs/errors.md; ``actor.failed`` has what the action raised as
                its cause.
        """
        name = method if isinstance(method, str) else method.__name__
        return await self._cell.call(name, args, kwargs, self._timeout)

    def __repr__(self) -> str:
        return f"<ActorHandle {self.address}>"
