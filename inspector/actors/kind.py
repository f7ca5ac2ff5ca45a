"""What all actors of one class share, read from the class once."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import msgspec

from inspector.actors.actions import ActionSpec, actions_of
from inspector.actors.actor import Actor
from inspector.actors.supervision import Supervision
from protocol.errors import InspectorError

if TYPE_CHECKING:
    from inspector.tracing import Logger

__all__ = ("Kind",)


class Kind:
    """An actor class as its registry knows it.

    Args:
        actor: the class.
        log: the log of the class's module.

    Raises:
        TypeError: an action or the state's type can't be used.
    """

    __slots__ = (
        "actions",
        "actor",
        "has_on_start",
        "has_on_stop",
        "has_run",
        "log",
        "mailbox_size",
        "name",
        "schema",
        "state",
        "supervision",
    )

    def __init__(self, actor: type[Actor[Any]], log: Logger) -> None:
        cls: type[Any] = actor
        if not issubclass(cls, Actor) or cls is Actor:
            raise TypeError(f"{cls!r} is no subclass of Actor")
        self.actor = actor
        self.name = actor.name
        self.log = log
        self.mailbox_size = actor.mailbox_size
        self.supervision = actor.supervision
        if not isinstance(self.supervision, Supervision):
            raise TypeError(f"{actor.__qualname__}: supervision is restart(), stop() or escalate()")
        self.actions: dict[str, ActionSpec] = actions_of(actor)
        self.has_on_start = actor.on_start is not Actor.on_start
        self.has_on_stop = actor.on_stop is not Actor.on_stop
        self.has_run = actor.run is not Actor.run
        self.state = _state_type(actor, {})
        self.schema: dict[str, Any] | None = None
        if self.state is not None:
            try:
                self.schema = msgspec.json.schema(
                    self.state, schema_hook=lambda custom: {"description": custom.__name__}
                )
            except (TypeError, ValueError, NameError) as exc:
                raise TypeError(f"{actor.__qualname__}: the state's type has no schema: {exc}") from exc

    @property
    def lives(self) -> bool:
        """Whether an actor of this class has something to do as soon as it exists."""
        return self.has_on_start or self.has_run

    def not_found(self, address: str, action: str) -> InspectorError:
        """Make the error of an action that the class does not have."""
        names = list(self.actions)
        return InspectorError(
            "actor.action_not_found",
            f"{address} has no action {action[:64]!r}; it has {', '.join(names) or 'none'}",
            {"actor": address, "action": action[:64], "actions": names},
        )

    def make_state(self) -> Any:
        """Make an initial state; None for a class without state."""
        return None if self.state is None else self.state()


def _state_type(actor: type[Any], known: dict[Any, Any]) -> Any:
    # Generic classes may stand between: then the state's type is what a subclass put for their parameter.
    for base in vars(actor).get("__orig_bases__", actor.__bases__):
        origin = typing.get_origin(base) or base
        given = [known.get(argument, argument) for argument in typing.get_args(base)]
        if origin is Actor:
            state = given[0] if given else None
            return None if state is type(None) or isinstance(state, typing.TypeVar) else state
        if isinstance(origin, type) and issubclass(origin, Actor):
            parameters = getattr(origin, "__parameters__", ())
            return _state_type(origin, dict(zip(parameters, given, strict=False)))
    return None
