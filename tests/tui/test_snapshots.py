"""Pictures of each view: the real app, attached to a scripted host over a real socket, at one instant.

All that differs from run to run is fixed where it comes from: the clocks that the app is given, the place that a
target shows, the zone of local times, and how long a ping took. After a change that is meant, look at what
`pytest tests/tui/test_snapshots.py --snapshot-update` writes before it is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from pytest_textual_snapshot import SVGImageExtension, normalize_svg
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from protocol.handshake import CONNECT_PATH
from protocol.messages import Cause
from tests.tui import shop
from tests.tui.driving import Driver
from tests.tui.host import TRACE, ScriptedHost, running_host
from tests.tui.shop import NOW, PAY, nothing, said
from tui.app import InspectorApp
from tui.discovery import HostFile, NoHost, Target
from tui.widgets.span_pane import TraceList

PLACE: Final = "127.0.0.1:7351"
PATIENCE: Final = 15.0
"""Seconds in which a picture has to become what it should be; only one that is wrong takes so long."""
STILL: Final = 1.0
"""Seconds after which a picture that is taken anew changes no more: several of the screen's own ticks."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        """Give seconds of a clock that began some time."""
        return 1_000.0 + self.passed

    def wall(self) -> float:
        """Give seconds since 1970."""
        return NOW + self.passed


class Shown(Target):
    """A target that is shown at the same place whatever port it got."""

    __slots__ = ()

    @property
    def place(self) -> str:
        return PLACE

    @property
    def connect_url(self) -> str:
        return f"ws://{urlsplit(self.url).netloc}{CONNECT_PATH}"


class Scene(Driver):
    """A running app, its host, somebody at the keys, and the clock that all of them go by."""

    def __init__(self, app: InspectorApp, host: ScriptedHost, pilot: Pilot[None], clock: Clock) -> None:
        super().__init__(app, host, pilot)
        self.clock = clock


Look = Callable[[Scene], Awaitable[None]]


# ---- views ----


async def logs(scene: Scene) -> None:
    """All actors, and the log as it comes."""
    await scene.host.log(*(said(32 + n, 0.012, PAY, "INFO", "paid", amount=10 * n) for n in range(4)))
    await scene.sees("amount=30", "lag 12 ms", "4 rec/s")


async def held(scene: Scene) -> None:
    """The log, searched, stays put while more comes."""
    await scene.press("slash", *"declined", "enter")
    await scene.until(lambda: not scene.main.log_pane.view.follow, "the hit")
    await scene.host.log(*(said(32 + n, 0.2, PAY, "INFO", f"later {n}") for n in range(60)), dropped=7)
    await scene.sees("new ↓", "paused", "dropped 7", "60 rec/s")


async def refused(scene: Scene) -> None:
    """A filter that the host does not take is mended where it stands."""
    scene.host.filters_refused["info,warning"] = 5
    await scene.press("f", "ctrl+u", *"info,warning", "enter")
    await scene.sees("perhaps warn")


async def choose_counter(scene: Scene) -> None:
    """Mark the counter among the actors, and go to the tab."""
    await scene.press("tab", "j", "j")
    await scene.until(lambda: scene.main.actors.address == "counter/default", "the counter marked")
    await scene.press("tab")
    await scene.sees("counter/default")


async def state(scene: Scene) -> None:
    """A state of which some has changed, by an action."""
    await choose_counter(scene)
    await scene.press("2")
    await scene.sees("count: 3")
    changed = dict(scene.host.states["counter/default"], count=4, names=["a", "c", "d"])
    del changed["open"]
    await scene.host.set_state("counter/default", changed, Cause(action="increment"))
    await scene.sees("version 2", "count: 4", "by increment")
    await scene.press("j")


async def form(scene: Scene) -> None:
    """The form of an action's arguments, one of which is wrong."""
    await choose_counter(scene)
    await scene.press("3")
    await scene.sees("amount  integer")
    await scene.press("G", "enter")
    await scene.sees("card  string")
    await scene.press("tab", "ctrl+u", "x", "enter")
    await scene.sees("✖")


async def fired(scene: Scene) -> None:
    """What was fired: answered, refused, and not over yet."""
    await choose_counter(scene)
    await scene.press("3")
    await scene.sees("amount  integer")
    await scene.press("enter", "enter")
    await scene.sees("1.50 ms")
    await scene.press("escape", "j")
    await scene.sees("No arguments.")
    await scene.press("enter")
    await scene.sees("RuntimeError: boom")
    await scene.press("j")
    await scene.sees("seconds")
    await scene.press("enter", "6", "0", "enter")
    await scene.sees("pending")
    scene.clock.passed += 2.5
    await scene.sees("pending for 2.5")


async def spans(scene: Scene) -> None:
    """The traces."""
    await scene.press("4")
    await scene.sees("3 traces", "cart/7 checkout", "ticker tick")


async def trace(scene: Scene) -> None:
    """One trace as a waterfall, above its log."""
    await spans(scene)
    await scene.press("g", "j")
    traces = scene.main.query_one(TraceList)
    await scene.until(lambda: traces.trace is not None and traces.trace.id == TRACE, "the mark on it")
    await scene.press("enter")
    await scene.sees("4 spans", "▾ … cart/7 checkout", "another try")


async def tasks(scene: Scene) -> None:
    """The tree of tasks, and where one waits."""
    await scene.press("5")
    await scene.sees("5 tasks", "shop.rates")
    await scene.press("j", "j", "j")
    await scene.sees("held the loop")
    await scene.press("k")
    await scene.sees("deadline in")


async def lint(scene: Scene) -> None:
    """A task that held the loop, its steps timed."""
    scene.host.tasks[3].busy_ns, scene.host.tasks[3].idle_ns, scene.host.tasks[3].steps = 25, 75, 1_234
    await scene.press("5", "T")
    await scene.sees("5 tasks", "25%")
    await scene.press("j", "j", "j")
    await scene.sees("held the loop for 300 ms")


async def ended(scene: Scene) -> None:
    """How tasks ended."""
    await scene.press("5")
    await scene.sees("5 tasks")
    await scene.press("e")
    await scene.sees("2 ended", "It is over.")


async def connections(scene: Scene) -> None:
    """Who inspects the host."""
    await scene.press("6")
    await scene.sees("3 inspectors", "10.0.0.7:9")


async def record(scene: Scene) -> None:
    """A record, whole, and the spans that it happened in."""
    await scene.press("k", "k", "k", "enter")
    await scene.sees("card declined", "inside these spans", "bank/visa")


async def edit(scene: Scene) -> None:
    """What an edit would do, and why the host did not take it."""
    await choose_counter(scene)
    await scene.press("2")
    await scene.sees("count: 3")
    await scene.press("j", "e", "end", "9", "enter")
    await scene.sees("+ /count  39")
    await scene.host.set_state("counter/default", dict(scene.host.states["counter/default"], count=5))
    await scene.press("enter")
    await scene.sees("actor.state_conflict", "- /count  5")


async def typing(scene: Scene) -> None:
    """A value is typed where it stands."""
    await choose_counter(scene)
    await scene.press("2")
    await scene.sees("count: 3")
    await scene.press("j", "e", "x", "enter")
    await scene.sees("no JSON")


async def help(scene: Scene) -> None:
    """The keys that work in the log."""
    await scene.press("question_mark")
    await scene.sees("In the log")


async def palette(scene: Scene) -> None:
    """All that can be done, to be searched."""
    await scene.press("ctrl+p")
    await scene.sees("Filter the log")


async def restart(scene: Scene) -> None:
    """A restart is asked for first."""
    await scene.press("tab", "R")
    await scene.sees("Restart bank/visa?")


async def lost(scene: Scene) -> None:
    """The connection is lost; what was seen stays."""
    await scene.host.stop()
    await scene.sees("not connected", "try 1 in 5 s")


async def nobody(scene: Scene) -> None:
    """A host without actors that has said nothing."""
    await scene.sees("No record", "Actors 0")


async def stateless(scene: Scene) -> None:
    """An actor whose state is not shown."""
    await scene.press("2")
    await scene.sees("This actor has no state.")


async def no_spans(scene: Scene) -> None:
    await scene.press("4")
    await scene.sees("waiting for the host's first span")


async def no_tasks(scene: Scene) -> None:
    await scene.press("5")
    await scene.sees("0 tasks")


async def choose(scene: Scene) -> None:
    """Which of several hosts to attach to."""
    await scene.sees("3 hosts of yours run")


VIEWS: Final[dict[Look, str]] = {
    # A word for each run of the app: its size, S is 80x24 and L is 200x50, and the themes that it is drawn in one
    # after the other, d is dark, l light, a of sixteen colours, and n of none, which is for a run to say.
    logs: "Sdl Lda Sn",
    held: "Sda",
    refused: "Sd",
    state: "Sda Ldl",
    form: "Sd",
    fired: "Sda Ld",
    spans: "Sda Ld",
    trace: "Sdla Ld Sn",
    tasks: "Sda",
    lint: "Ldl",
    ended: "Sd",
    connections: "Sd Ld",
    record: "Sda Ld",
    edit: "Sdla",
    typing: "Sd",
    help: "Sda",
    palette: "Sd",
    restart: "Sd",
    lost: "Sdla Sn",
    nobody: "Sd",
    stateless: "Sd",
    no_spans: "Sd",
    no_tasks: "Sd",
    choose: "Sda",
}
EMPTY: Final = (nobody, no_spans, no_tasks)
KEPT: Final = Path(__file__).parent / "__snapshots__" / "test_snapshots"
SIZES: Final = {"S": (80, 24), "L": (200, 50)}
THEMES: Final = {"d": "textual-dark", "l": "textual-light", "a": "ansi-dark", "n": "textual-dark"}
HOSTS: Final = (
    HostFile("http://127.0.0.1:7351", "t", "demo", 4_242, "one", 1_795_000_000_000),
    HostFile("http://127.0.0.1:40123", "t", "a name that is longer than its column", 77, "two", 1_700_000_000_000),
    HostFile("https://[::1]:9000", "t", "", 31_337, "three"),
)

# ---- taking them ----


def slowly() -> Iterator[float]:
    """Leave five seconds between two tries to connect, so that nothing changes while a picture is taken."""
    while True:
        yield 5.0


@asynccontextmanager
async def staged(look: Look, size: tuple[int, int], theme: str) -> AsyncIterator[Scene]:
    """Run the app as it is before a view's own keys are pressed."""
    clock = Clock()
    async with running_host() as host:
        host.clock = clock.wall
        (nothing if look in EMPTY else stage)(host)

        def resolve() -> Target:
            if look is choose:
                raise NoHost("several", HOSTS)
            return Shown(host.url, host.token, host.name)

        app = InspectorApp(resolve, PLACE, delays=slowly)
        app.inspection.clock, app.inspection.link.wall = clock.monotonic, clock.wall
        app.theme = theme
        async with app.run_test(size=size, notifications=True) as pilot:
            scene = Scene(app, host, pilot, clock)
            if look is not choose:
                link = app.inspection.link
                await scene.until(lambda: link.connection and link.connection.round_trip, "a pong")
                assert link.connection is not None
                link.connection.round_trip = 0.003
                await scene.sees("live 3 ms", f"Actors {len(host.actors)}")
                if host.ring:
                    await scene.sees("another try")
            yield scene


def stage(host: ScriptedHost) -> None:
    shop.shop(host)
    shop.tasks(host)


def take(scene: Scene) -> str:
    """Take a picture."""
    for field in scene.app.screen.query(Input):
        field.cursor_blink = False
    for area in scene.app.screen.query(TextArea):
        area.cursor_blink = False
    return str(normalize_svg(scene.app.export_screenshot(title="inspector-tui")))


async def pictures(look: Look, size: tuple[int, int], expected: dict[str, str | None]) -> dict[str, str]:
    """Take a view's pictures, by theme, each once it is as expected or has had the time to become so.

    Args:
        expected: the pictures that there are; None for one that is new.
    """
    taken = {}
    async with staged(look, size, THEMES[next(iter(expected))]) as scene:
        await look(scene)
        for theme, wanted in expected.items():
            scene.app.theme = THEMES[theme]
            await scene.pilot.pause(STILL if wanted is None else 0)
            patience = asyncio.get_running_loop().time() + PATIENCE
            # What waits for a timer of its own, as the list of actors does, is drawn a little later.
            while (svg := take(scene)) != wanted is not None and asyncio.get_running_loop().time() < patience:
                await scene.pilot.pause(0.02)
            taken[theme] = svg
    return taken


@pytest.fixture(autouse=True)
def _in_one_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have local times be the same everywhere, and pings come too rarely to be told twice."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("tui.connection.PING_EVERY", 3_600.0)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("look", "size", "themes"),
    [
        pytest.param(look, word[0], word[1:], id=f"{look.__name__}-{word[0]}{'n' if 'n' in word else ''}")
        for look, words in VIEWS.items()
        for word in words.split()
    ],
)
def test_a_view(
    look: Look,
    size: str,
    themes: str,
    snapshot: SnapshotAssertion,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "n" in themes:
        monkeypatch.setenv("NO_COLOR", "1")
    expected: dict[str, str | None] = {}
    for theme in themes:
        kept = KEPT / f"{request.node.name}[{theme}].svg"
        known = kept.exists() and not snapshot.update_snapshots
        expected[theme] = normalize_svg(kept.read_text(encoding="utf-8")) if known else None
    taken = asyncio.run(pictures(look, SIZES[size], expected))
    for theme in themes:
        assert taken[theme] == snapshot(name=theme, extension_class=SVGImageExtension)
