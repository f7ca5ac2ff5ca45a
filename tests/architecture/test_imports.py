"""Imports go one way: inspector -> protocol <- tui, and down inside each of them."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.sources import PACKAGES, Source, packages

# Package -> the packages of this project that it may import.
ARROWS = {
    "protocol": {"protocol"},
    "inspector": {"inspector", "protocol"},
    "tui": {"tui", "protocol"},
}

# Part of the tree -> libraries that it must do without, whoever asks for them.
IO = {"trio", "asyncio", "anyio", "textual", "websockets", "socket", "ssl", "selectors", "select"}
WITHOUT = {
    # Sans-I/O, or the trio host and the asyncio app could not both stand on it.
    "protocol": IO | {"rich", "subprocess", "threading", "http", "socketserver"},
    "inspector": {"textual", "rich", "asyncio"},
    "tui": {"trio"},
    # Plain values: tested without an app.
    "tui.model": {"textual", "rich", "websockets"},
    "tui.logs": {"textual", "rich", "websockets"},
}

# The floors of each package, from the ground up: a part may import its own floor and what lies below, nothing above.
# What is on no floor (demos, the joints between floors) may import anything, as long as no cycle comes of it.
FLOORS = (
    (
        ("protocol.errors", "protocol.addresses", "protocol.messages", "protocol.records", "protocol.filters"),
        ("protocol.dialects",),
        ("protocol.handshake", "protocol.server", "protocol.client"),
    ),
    (
        ("inspector.tracing",),
        ("inspector.store", "inspector.bridges"),
        # An actor gets its handles to others from the registry: one floor.
        ("inspector.actors", "inspector.lifecycle", "inspector.registry"),
        ("inspector.tasks",),
        # Nothing below knows that a websocket exists.
        ("inspector.service",),
        ("inspector.host",),
        ("inspector.programs",),
        ("inspector.cli",),
    ),
    (
        ("tui.model", "tui.logs"),
        ("tui.widgets",),
        ("tui.screens",),
        ("tui.app",),
        ("tui.commands",),
        ("tui.cli",),
    ),
)


def inside(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def wrong_arrows(source: Source) -> set[str]:
    own = source.name.split(".")[0]
    return {name for name in source.imports() if (first := name.split(".")[0]) in ARROWS and first not in ARROWS[own]}


def forbidden(source: Source) -> set[str]:
    libraries = {library for part, without in WITHOUT.items() if inside(source.name, part) for library in without}
    return {name for name in source.imports() if name.split(".")[0] in libraries}


def climbs(source: Source) -> set[str]:
    """What a module imports from a floor above its own."""
    above = {
        part
        for floors in FLOORS
        for level, floor in enumerate(floors)
        if any(inside(source.name, part) for part in floor)
        for higher in floors[level + 1 :]
        for part in higher
    }
    return {name for name in source.imports() if any(inside(name, part) for part in above)}


def graph(sources: Iterable[Source]) -> dict[str, set[str]]:
    """Module -> the modules that it asks for when it runs.

    Importing `a.b` runs `a/__init__.py` first; that edge is left out, for every package has it, harmless:
    what `__init__` re-exports lies below it. A name taken from `a` itself is an edge to `a`.
    """
    modules = {source.name: source for source in sources}
    edges: dict[str, set[str]] = {name: set() for name in modules}
    for source in modules.values():
        for base, *names in source.import_statements(typing_too=False):
            asked = {name if name in modules else base for name in names} or {base}
            edges[source.name] |= asked & modules.keys() - {source.name}
    return edges


def cycle(sources: Iterable[Source]) -> list[str] | None:
    try:
        TopologicalSorter(graph(sources)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


@pytest.mark.parametrize("source", packages(), ids=lambda source: source.name)
def test_imports_follow_the_arrows(source: Source) -> None:
    assert set() == wrong_arrows(source)
    assert set() == forbidden(source)
    assert set() == climbs(source)


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycle(packages()) is None


def test_every_part_with_a_rule_exists() -> None:
    names = {source.name for source in packages()}
    assert set(PACKAGES) == set(ARROWS)
    parts = [*WITHOUT, *(part for floors in FLOORS for floor in floors for part in floor)]
    assert [part for part in parts if part not in names] == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("tui.link", "import inspector.host", {"inspector.host"}),
        ("tui.link", "def f():\n    from inspector import host", {"inspector", "inspector.host"}),
        ("inspector.cli", "from tui import app", {"tui", "tui.app"}),
        ("protocol.server", "import importlib\nimportlib.import_module('tui.app')", {"tui.app"}),
        ("protocol.server", "import inspect, tuition", set()),
        ("tui.link", "from protocol import client", set()),
    ],
)
def test_a_wrong_arrow_is_found(name: str, text: str, found: set[str]) -> None:
    assert found == wrong_arrows(Source(name, text))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "protocol.client",
            "from websockets.protocol import State",
            {"websockets.protocol", "websockets.protocol.State"},
        ),
        ("protocol.client", "if TYPE_CHECKING:\n    import trio", {"trio"}),
        ("tui.model.world", "from textual.widget import Widget", {"textual.widget", "textual.widget.Widget"}),
        ("tui.modelling", "import textual", set()),
        ("inspector.host", "import trio", set()),
    ],
)
def test_a_forbidden_library_is_found(name: str, text: str, found: set[str]) -> None:
    assert found == forbidden(Source(name, text))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("inspector.tracing.log", "from inspector import registry", {"inspector.registry"}),
        ("inspector.actors.cell", "import inspector.service.wire", {"inspector.service.wire"}),
        ("tui.logs.row", "from ..widgets.log_view import Row", {"tui.widgets.log_view", "tui.widgets.log_view.Row"}),
        ("protocol.messages", "from protocol.client import Peer", {"protocol.client", "protocol.client.Peer"}),
        ("inspector.service.wire", "from inspector import registry", set()),
        ("inspector.actors.cell", "from inspector import registry", set()),
        ("inspector.demo", "from inspector import cli", set()),
    ],
)
def test_an_import_from_above_is_found(name: str, text: str, found: set[str]) -> None:
    assert found == climbs(Source(name, text))


def test_a_cycle_is_found_through_relative_and_late_imports() -> None:
    a = Source("p.a", "def f():\n    from . import b")
    b = Source("p.b", "from .c import name")
    up = Source("p.c", "import p.a, p.z")
    free = Source("p.c", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.a")
    root = Source("p", "from .a import f", is_package=True)
    found = cycle([root, a, b, up])
    assert found is not None
    assert {"p.a", "p.b", "p.c"} == set(found)
    assert cycle([root, a, b, free]) is None


def test_a_module_that_asks_its_own_package_for_a_name_is_a_cycle() -> None:
    root = Source("p", "from .a import f", is_package=True)
    assert cycle([root, Source("p.a", "from p import g")]) is not None
