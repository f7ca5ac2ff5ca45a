"""Actions: which methods of an actor can be called from outside, with arguments checked from their annotations."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

import msgspec
from msgspec import UNSET, UnsetType

from protocol.errors import InspectorError
from protocol.messages import Rpc

__all__ = ("DEFAULT_TIMEOUT", "ActionSpec", "accept_instance", "action", "actions_of")

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds that an action has, waiting in the mailbox included, unless it says otherwise."""

_MARK: Final = "__inspector_action__"
_EXACT: Final = frozenset((bool, int, float, str, bytes))
_F = TypeVar("_F", bound=Callable[..., Any])


class _Options(msgspec.Struct, frozen=True):
    concurrent: bool
    timeout: float | None


@overload
def action(method: _F, /) -> _F: ...
@overload
def action(*, concurrent: bool = False, timeout: float | None = DEFAULT_TIMEOUT) -> Callable[[_F], _F]: ...
def action(
    method: Callable[..., Any] | None = None,
    /,
    *,
    concurrent: bool = False,
    timeout: float | None = DEFAULT_TIMEOUT,
) -> Any:
    """Let a method of an actor be called from outside, by its name.

    The method may be sync or async. Its parameters are checked from their annotations, its docstring is its help.

    Args:
        method: the method, where the decorator stands without parentheses.
        concurrent: may run beside other actions of the same actor; otherwise one at a time.
        timeout: seconds that it has, waiting in the mailbox included; None for no deadline.
    """
    if timeout is not None and not timeout > 0:
        raise ValueError(f"an action's timeout is more than 0 seconds, not {timeout}")
    options = _Options(concurrent, None if timeout is None or math.isinf(timeout) else timeout)

    def mark(function: _F) -> _F:
        setattr(function, _MARK, options)
        return function

    return mark if method is None else mark(method)


class ActionSpec:
    """What is known of one action.

    Args:
        owner: the actor class.
        name: the action's name.
        function: the plain function behind the method.

    Raises:
        TypeError: a parameter that can't be given from outside, or an annotation that can't be resolved.
    """

    __slots__ = (
        "_array",
        "_by_name_only",
        "_exact",
        "_named",
        "_names",
        "_required",
        "concurrent",
        "doc",
        "function",
        "is_async",
        "name",
        "rpc",
        "timeout",
    )

    def __init__(self, owner: type, name: str, function: Callable[..., Any]) -> None:
        options: _Options = getattr(function, _MARK)
        where = f"{owner.__qualname__}.{name}"
        if not inspect.isfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{where}: an action is a plain method, sync or async")
        self.name = name
        self.function = function
        self.concurrent = options.concurrent
        self.timeout = options.timeout
        self.is_async = inspect.iscoroutinefunction(function)
        self.doc = inspect.cleandoc(function.__doc__) if function.__doc__ else None
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError) as exc:
            raise TypeError(f"{where}: an annotation can't be resolved: {exc}") from exc
        parameters = list(inspect.signature(function).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise TypeError(f"{where}: `{parameter}` can't be given from outside: name each parameter plainly")
        self._names = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        self._by_name_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        self._exact = self._exact_types(hints)
        self._required = sum(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters)
        self._array = _arguments_type(name, [p for p in parameters if p.name in self._names], hints, by_position=True)
        self._named = _arguments_type(name, parameters, hints, by_position=False)
        self.rpc = self._describe(where, parameters, hints)

    def bind(self, args: list[Any] | tuple[Any, ...] | dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Check arguments and convert them to what the annotations say.

        Returns:
            What to call the function with, by position and by name; what was not given is left to its default.

        Raises:
            InspectorError: ``actor.invalid_arguments``, naming the argument.
        """
        # What is of just the types that are asked for needs no conversion, which takes four times as long as this look.
        if (
            (exact := self._exact) is not None
            and self._required <= len(args)
            and tuple(map(type, args)) == exact[: len(args)]
            and type(args) is not dict
        ):
            return tuple(args), {}
        try:
            if type(args) is dict:
                named = _convert(args, self._named)
                return (), {name: getattr(named, name) for name in args}
            if self._by_name_only:
                missing = self._by_name_only[0]
                raise self._error(f"Object missing required field `{missing}`, which is given by name", missing)
            return msgspec.structs.astuple(_convert(args, self._array))[: len(args)], {}
        except msgspec.ValidationError as exc:
            raise self._invalid(str(exc), len(args)) from None
        except RecursionError:
            raise self._invalid("an argument is nested too deeply", len(args)) from None

    def _exact_types(self, hints: dict[str, Any]) -> tuple[type, ...] | None:
        """Return the types of the parameters by position, where values of just these need no more of a check."""
        named = [hints.get(name) for name in self._names]
        types = tuple([hint for hint in named if isinstance(hint, type) and hint in _EXACT])
        return types if len(types) == len(named) and not self._by_name_only else None

    def bind_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Check arguments given as in a Python call; see `bind`.

        Raises:
            InspectorError: ``actor.invalid_arguments``, naming the argument.
        """
        if not kwargs:
            return self.bind(args)
        if len(args) > len(self._names):
            raise self._invalid(f"takes {len(self._names)} by position, {len(args)} were given", len(args))
        by_name = dict(zip(self._names, args, strict=False))
        for name in kwargs:
            if name in by_name:
                raise self._error(f"`{name}` is given twice", name)
        return self.bind({**by_name, **kwargs})

    def _invalid(self, text: str, given: int) -> InspectorError:
        if match := re.search(r"(?:at|in) `\$(?:\[(\d+)\]|\.(\w+))", text):
            argument = self._names[int(match[1])] if match[1] is not None else match[2]
        elif match := re.search(r"field `(\w+)`", text):
            argument = match[1]
        elif given > len(self._names):
            argument, text = str(len(self._names)), f"takes {len(self._names)} by position, {given} were given"
        elif "at least length" in text:
            argument, text = self._names[given], "is missing"
        else:
            argument = ""
        return self._error(re.sub(r" - at `\$(?:\[\d+\]|\.\w+)`$", "", text)[:300], argument)

    def _error(self, text: str, argument: str) -> InspectorError:
        named = f"{self.name}({argument}): " if argument else f"{self.name}: "
        return InspectorError("actor.invalid_arguments", named + text, {"argument": argument} if argument else {})

    def _describe(self, where: str, parameters: list[inspect.Parameter], hints: dict[str, Any]) -> Rpc:
        args = _schema(where, self._named)
        for parameter in parameters:
            field = args.get("properties", {}).get(parameter.name, {})
            field.pop("default", None)
            if parameter.default is not parameter.empty:
                try:
                    field["default"] = msgspec.to_builtins(parameter.default)
                except (TypeError, ValueError):
                    continue
        rpc = Rpc(
            name=self.name,
            args=args,
            concurrent=self.concurrent,
            timeout_ms=None if self.timeout is None else round(self.timeout * 1000),
        )
        if self.doc is not None:
            rpc.doc = self.doc
        if "return" in hints:
            rpc.returns = _schema(where, hints["return"])
        return rpc


def actions_of(cls: type) -> dict[str, ActionSpec]:
    """Collect the actions of an actor class, those it inherits included, in the order of their definition.

    Raises:
        TypeError: see `ActionSpec`.
    """
    found: dict[str, ActionSpec] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if hasattr(value, _MARK):
                found[name] = ActionSpec(cls, name, value)
            else:
                found.pop(name, None)
    return found


def _arguments_type(
    name: str, parameters: list[inspect.Parameter], hints: dict[str, Any], *, by_position: bool
) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            # The default itself stays with the function: it may be anything, also what no schema can say.
            fields.append((parameter.name, typing.Union[hint, UnsetType], UNSET))  # noqa: UP007 - built at run time
    return msgspec.defstruct(
        name,
        fields,
        array_like=by_position,
        forbid_unknown_fields=True,
        kw_only=not by_position,
        module=__name__,
    )


def _convert(args: object, to: type[msgspec.Struct]) -> msgspec.Struct:
    return msgspec.convert(args, to, dec_hook=accept_instance)


def accept_instance(expected: type, value: object) -> object:
    # A type that msgspec doesn't know can't come over the wire, but another actor may pass an instance of it.
    if isinstance(value, typing.get_origin(expected) or expected):
        return value
    raise TypeError(f"Expected `{expected.__name__}`, got `{type(value).__name__}`")


def _schema(where: str, of: Any) -> dict[str, Any]:
    try:
        (schema,), components = msgspec.json.schema_components(
            [of], schema_hook=lambda custom: {"description": custom.__name__}, ref_template="#/$defs/{name}"
        )
    except (TypeError, ValueError, NameError) as exc:
        raise TypeError(f"{where}: {exc}") from exc
    reference = schema.get("$ref", "")
    if reference.startswith("#/$defs/") and isinstance(of, type) and of.__module__ == __name__:
        # The arguments themselves stand at the top, so that a form finds its fields without following a reference.
        schema = components.pop(reference.removeprefix("#/$defs/"))
    return {**schema, "$defs": components} if components else schema
