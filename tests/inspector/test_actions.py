"""Actions: what can be called from outside, and which arguments are taken."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
import pytest

from inspector.actors.actions import DEFAULT_TIMEOUT, ActionSpec, action, actions_of
from protocol.errors import InspectorError


class Point(msgspec.Struct):
    """Nested."""

    x: int
    y: int = 0


class Tree(msgspec.Struct):
    """Of any depth."""

    children: list[Tree]


class Foreign:
    """A type that no schema knows."""


class Case:
    """Actions of every kind; an actor class adds nothing to what is tested here."""

    @action
    def plain(self) -> None:
        """Do nothing.

        At all.
        """

    @action
    def both(self, amount: int, label: str = "x") -> str:
        return f"{amount}{label}"

    @action
    def nested(self, point: Point, table: dict[str, int], kinds: list[Literal["a", "b"]] = []) -> Point:  # noqa: B006 - the default is only described
        return point

    @action
    def named(self, *, first: int, second: int = 2) -> int:
        return first + second

    @action
    def mixed(self, amount: int, *, loud: bool = False) -> str:
        return f"{amount}{loud}"

    @action
    def bounded(self, share: Annotated[float, msgspec.Meta(ge=0, le=1)]) -> float:
        return share

    @action
    def anything(self, value, extra: Any = None):  # type: ignore[no-untyped-def]  # an annotation is not required
        return value

    @action
    def foreign(self, thing: Foreign, other: Foreign | None = None) -> None: ...

    @action(concurrent=True, timeout=1.5)
    async def slow(self) -> None: ...

    @action(timeout=None)
    async def endless(self) -> None: ...


def spec(name: str) -> ActionSpec:
    return actions_of(Case)[name]


def call(name: str, args: list[Any] | dict[str, Any]) -> Any:
    bound, named = spec(name).bind(args)
    return spec(name).function(Case(), *bound, **named)


def refusal(name: str, *args: Any, **kwargs: Any) -> InspectorError:
    with pytest.raises(InspectorError) as caught:
        spec(name).bind_call(args, kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("plain", [], None),
        ("plain", {}, None),
        ("both", [1], "1x"),
        ("both", [1, "y"], "1y"),
        ("both", {"amount": 1}, "1x"),
        ("both", {"label": "y", "amount": 1}, "1y"),
        ("nested", [{"x": 1}, {"k": 2}], Point(1)),
        ("nested", {"point": {"x": 1, "y": 3}, "table": {}, "kinds": ["a"]}, Point(1, 3)),
        ("named", {"first": 1}, 3),
        ("named", {"first": 1, "second": 1}, 2),
        ("mixed", [1], "1False"),
        ("mixed", {"amount": 1, "loud": True}, "1True"),
        ("anything", [{"k": [1]}], {"k": [1]}),
    ],
)
def test_arguments_are_converted_to_what_the_annotations_say(
    name: str, args: list[Any] | dict[str, Any], expected: Any
) -> None:
    assert call(name, args) == expected


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [((1,), {}, "1x"), ((1, "y"), {}, "1y"), ((1,), {"label": "y"}, "1y"), ((), {"amount": 1}, "1x")],
)
def test_a_call_as_in_python(args: tuple[Any, ...], kwargs: dict[str, Any], expected: str) -> None:
    bound, named = spec("both").bind_call(args, kwargs)
    assert spec("both").function(Case(), *bound, **named) == expected


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        ("both", ["one"], "amount"),
        ("both", [1, 2], "label"),
        ("both", [], "amount"),
        ("both", [1, "y", 3], "2"),
        ("plain", [1], "0"),
        ("nested", [{"x": 1}], "table"),
        ("nested", [{"y": 1}, {}], "point"),
        ("nested", [{"x": "1"}, {}], "point"),
        ("nested", [{"x": 1}, {"k": "v"}], "table"),
        ("nested", [{"x": 1}, {2: 3}], "table"),
        ("nested", [{"x": 1}, {}, ["c"]], "kinds"),
        ("both", {"amount": "one"}, "amount"),
        ("both", {"amount": 1, "label": 2}, "label"),
        ("both", {"label": "y"}, "amount"),
        ("both", {"amount": 1, "wrong": 1}, "wrong"),
        ("nested", {"point": {"x": 1}, "table": {3: 4}}, "table"),
        ("named", {}, "first"),
        ("named", [], "first"),
        ("named", [1], "first"),
        ("mixed", [1, True], "1"),
        ("bounded", [2], "share"),
        ("foreign", [1], "thing"),
        ("foreign", {"thing": "x"}, "thing"),
    ],
)
def test_a_refusal_names_the_argument(name: str, args: list[Any] | dict[str, Any], argument: str) -> None:
    with pytest.raises(InspectorError) as caught:
        spec(name).bind(args)
    error = caught.value
    assert (error.name, error.metadata) == ("actor.invalid_arguments", {"argument": argument})
    assert error.message.startswith(f"{name}({argument}): ")


def test_a_refusal_of_a_call_as_in_python() -> None:
    assert refusal("both", 1, amount=2).metadata == {"argument": "amount"}
    assert refusal("both", 1, "y", 3, label="z").metadata == {"argument": "2"}
    assert refusal("both", 1, wrong=2).metadata == {"argument": "wrong"}
    assert refusal("both", "x", label="z").metadata == {"argument": "amount"}
    assert refusal("named", 1).metadata == {"argument": "first"}


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(InspectorError) as caught:
        spec("both").bind({1: 2})  # type: ignore[dict-item]  # as CBOR may hold it
    assert (caught.value.name, caught.value.metadata) == ("actor.invalid_arguments", {})
    assert caught.value.message.startswith("both: ")


def test_an_endless_argument_is_refused() -> None:
    tree: dict[str, Any] = {}
    tree["children"] = [tree]

    class Plant:
        @action
        def grow(self, tree: Tree) -> None: ...

    with pytest.raises(InspectorError, match="nested too deeply"):
        actions_of(Plant)["grow"].bind([tree])


def test_what_was_not_given_is_left_to_the_default() -> None:
    assert spec("both").bind([1]) == ((1,), {})
    assert spec("both").bind({"amount": 1}) == ((), {"amount": 1})


def test_instances_pass_that_no_wire_could_bring() -> None:
    thing = Foreign()
    assert spec("foreign").bind_call((thing,), {}) == ((thing,), {})
    assert spec("foreign").bind_call((thing,), {"other": thing}) == ((), {"thing": thing, "other": thing})
    point = Point(1, 2)
    assert spec("nested").bind([point, {}]) == ((point, {}), {})


def test_a_schema_describes_the_arguments() -> None:
    rpc = spec("nested").rpc
    assert rpc.args == {
        "title": "nested",
        "type": "object",
        "properties": {
            "point": {"$ref": "#/$defs/Point"},
            "table": {"type": "object", "additionalProperties": {"type": "integer"}},
            "kinds": {"type": "array", "items": {"enum": ["a", "b"]}, "default": []},
        },
        "required": ["point", "table"],
        "additionalProperties": False,
        "$defs": {
            "Point": {
                "title": "Point",
                "description": "Nested.",
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
            }
        },
    }
    assert rpc.returns == {"$ref": "#/$defs/Point", "$defs": rpc.args["$defs"]}
    assert spec("both").rpc.args["properties"]["label"] == {"type": "string", "default": "x"}
    assert spec("foreign").rpc.args["properties"]["thing"] == {"description": "Foreign"}
    assert "returns" not in msgspec.to_builtins(spec("anything").rpc)


def test_a_default_that_no_schema_can_say_is_left_out() -> None:
    class Odd:
        @action
        def go(self, thing: Foreign = Foreign()) -> None: ...  # noqa: B008 - such a default is what is tested

    assert actions_of(Odd)["go"].rpc.args["properties"]["thing"] == {"description": "Foreign"}
    assert actions_of(Odd)["go"].bind([]) == ((), {})


def test_the_docstring_is_the_help_and_the_options_are_told() -> None:
    assert spec("plain").rpc.doc == "Do nothing.\n\nAt all."
    assert spec("plain").rpc.timeout_ms == DEFAULT_TIMEOUT * 1000
    assert (spec("slow").rpc.concurrent, spec("slow").rpc.timeout_ms, spec("slow").is_async) == (True, 1500, True)
    assert (spec("endless").rpc.concurrent, spec("endless").rpc.timeout_ms, spec("endless").timeout) == (
        False,
        None,
        None,
    )

    class Patient:
        @action(timeout=math.inf)
        def wait(self) -> None: ...

    assert actions_of(Patient)["wait"].rpc.timeout_ms is None


class Simple:
    """Actions whose arguments are of types that need no conversion."""

    @action
    def five(self, a: int, b: str, c: float, d: bytes, e: bool = False) -> None:
        """Take one of each."""

    @action
    def none(self) -> None:
        """Take none."""


@pytest.mark.parametrize("of", [tuple, list])
def test_values_of_just_the_types_asked_for_are_taken_as_they_are(of: type[tuple[Any, ...] | list[Any]]) -> None:
    spec = actions_of(Simple)["five"]
    values = (2**70, "\ud800", math.inf, b"x", True)
    for given in (values, values[:4]):
        bound, named = spec.bind(of(given))
        assert (bound, named) == (given, {})
        assert all(one is other for one, other in zip(bound, given, strict=True))
    assert actions_of(Simple)["none"].bind(of()) == ((), {})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, "b", 3, b"d"), (1, "b", 3.0, b"d")),
        ((True, "b", 3.0, b"d"), "a"),
        ((1, b"b", 3.0, b"d"), "b"),
        ((1, "b", 3.0, b"d", 1), "e"),
        ((1, "b", 3.0, b"d", True, 6), "5"),
        ((1, "b", 3.0), "d"),
        ((), "a"),
    ],
)
def test_values_of_almost_the_types_asked_for(values: tuple[Any, ...], expected: tuple[Any, ...] | str) -> None:
    spec = actions_of(Simple)["five"]
    if isinstance(expected, tuple):
        assert spec.bind(values) == (expected, {})
        assert type(spec.bind(values)[0][2]) is float
    else:
        with pytest.raises(InspectorError) as caught:
            spec.bind(values)
        assert caught.value.metadata == {"argument": expected}


@pytest.mark.parametrize("timeout", [0, -1, math.nan])
def test_a_timeout_is_more_than_nothing(timeout: float) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        action(timeout=timeout)


def test_actions_are_inherited_in_order_and_can_be_taken_back() -> None:
    class Base:
        @action
        def one(self) -> None: ...
        @action
        def two(self) -> None: ...
        @action
        def three(self) -> None: ...

    class Derived(Base):
        @action
        def four(self) -> None: ...
        def two(self) -> None: ...
        @action(timeout=3)
        def one(self) -> None: ...

    assert list(actions_of(Derived)) == ["one", "three", "four"]
    assert actions_of(Derived)["one"].timeout == 3
    assert list(actions_of(Base)) == ["one", "two", "three"]


def test_definitions_that_are_refused() -> None:
    class Stars:
        @action
        def go(self, *many: int) -> None: ...

    class Names:
        @action
        def go(self, **many: int) -> None: ...

    class Slash:
        @action
        def go(self, one: int, /) -> None: ...

    class Unknown:
        @action
        def go(self, one: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - no such type is the case

    class Missing:
        @action
        def go(self, one: msgspec.nowhere) -> None: ...  # type: ignore[name-defined]  # no such attribute is the case

    class Union:
        @action
        def go(self, one: int | Foreign) -> None: ...

    class Generator:
        @action
        async def go(self) -> Any:
            yield 1

    class Static:
        @action
        @staticmethod
        def go() -> None: ...

    for refused in (Stars, Names, Slash, Unknown, Missing, Union, Generator, Static):
        with pytest.raises(TypeError, match=rf"{refused.__name__}\.go: "):
            actions_of(refused)
