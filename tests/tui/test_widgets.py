"""The small widgets, each in an app of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea

from protocol.messages import Rpc
from tests.protocol.samples import INIT
from tests.tui.host import INCREMENT, actor
from tui.cells import fit
from tui.discovery import Target
from tui.link import Connected, Lost
from tui.model.world import World
from tui.widgets.action_form import ActionForm
from tui.widgets.actor_list import ActorList, write_rate
from tui.widgets.key_line import KEYS, KeyLine
from tui.widgets.status_line import StatusLine, describe_lost, write_lag
from tui.widgets.value_view import MAX_LINES, ValueView
from tui.widgets.wanted import trace_of

W = TypeVar("W", bound=Widget)


class Alone(App[None]):
    """One widget, and what it said."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_value_view_wanted(self, event: ValueView.Wanted) -> None:
        self.said.append(event)

    def on_value_view_copy_requested(self, event: ValueView.CopyRequested) -> None:
        self.said.append(event)

    def on_action_form_submitted(self, event: ActionForm.Submitted) -> None:
        self.said.append(event)

    def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        self.said.append(event)


def alone(
    widget: W, test: Callable[[W, Alone, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (60, 12)
) -> None:
    async def run() -> None:
        app = Alone(widget)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await test(widget, app, pilot)

    asyncio.run(run())


def screen(app: App[None]) -> list[str]:
    return ["".join(s.text for s in strip).rstrip() for strip in app.screen._compositor.render_strips()]


@pytest.mark.parametrize(
    ("text", "width", "right", "fitted"),
    [
        ("ab", 4, False, "ab  "),
        ("ab", 4, True, "  ab"),
        ("abcdef", 4, False, "abc…"),
        ("日本語", 4, False, "日 …"),
        ("a", 0, False, ""),
    ],
)
def test_texts_are_cut_by_cells(text: str, width: int, right: bool, fitted: str) -> None:
    assert fit(text, width, right=right) == fitted


@pytest.mark.parametrize(
    ("rate", "text"), [(0.01, ""), (0.5, "0.5/s"), (9.94, "9.9/s"), (12.3, "12/s"), (20_000, "20k/s")]
)
def test_rates(rate: float, text: str) -> None:
    assert write_rate(rate) == text


@pytest.mark.parametrize(
    ("lag", "text"), [(None, "–"), (0.0123, "12 ms"), (9.999, "9999 ms"), (75.0, "75 s"), (840.0, "14 min")]
)
def test_lags(lag: float | None, text: str) -> None:
    assert write_lag(lag) == text


def test_a_lost_link_in_words() -> None:
    assert (
        describe_lost(Lost("gone\x1b", 3, 2.0), 1.8) == "not connected: gone␛ — reconnecting, try 3 in 2 s (r: at once)"
    )
    assert describe_lost(Lost("no", 1, 0.0, refused=True), -1) == "refused: no — reconnecting, try 1 now (r: at once)"


def test_traces_of_records() -> None:
    assert trace_of(b'{"trace_id": "ab"}') == "ab"
    assert trace_of(b'{"trace_id": 5}') is trace_of(b"{}") is trace_of(b"\xff") is None


@pytest.mark.parametrize("place", KEYS)
def test_the_keys_of_every_place_fit_into_eighty_columns(place: str) -> None:
    async def test(line: KeyLine, app: Alone, pilot: Pilot[None]) -> None:
        line.show(KEYS[place])
        await pilot.pause()
        [text] = [row for row in screen(app) if row.strip()]
        assert all(f" {key} {word}" in text for key, word in KEYS[place])

    alone(KeyLine(), test, size=(80, 3))


def test_keys_are_clicked_and_those_without_room_are_left_out() -> None:
    async def test(line: KeyLine, app: Alone, pilot: Pilot[None]) -> None:
        line.show((("a", "first"), ("b", "second"), ("c", "third"), ("q", "quit")))
        await pilot.pause()
        assert screen(app)[0] == " a first     q quit"
        await pilot.click(KeyLine, offset=(2, 0))
        await pilot.click(KeyLine, offset=(10, 0))
        await pilot.click(KeyLine, offset=(15, 0))
        assert [m.key for m in app.said if isinstance(m, KeyLine.Pressed)] == ["a", "q"]

    alone(KeyLine(), test, size=(20, 3))


AT = Target("http://h:1")


def test_the_status_line_before_and_after() -> None:
    async def test(line: StatusLine, app: Alone, pilot: Pilot[None]) -> None:
        line.show(None, place="h:1", round_trip=None, rate=1234.5, lag=None, dropped=0)
        assert line.said.split() == ["h:1", "connecting", "1,234", "rec/s", "lag", "–", "dropped", "0"]
        assert len(line.said) == 60
        line.show(
            Lost("", 1, 1.0), place="a-very-long-name.example.org:7351", round_trip=1.0, rate=0, lag=9.0, dropped=99_999
        )
        assert "lost" in line.said
        assert "lag –" in line.said
        line.show(Connected(INIT, AT, new_host=True), place="h:1", round_trip=0.9, rate=0, lag=None, dropped=0)
        assert "live 900 ms" in line.said
        line.show(Connected(INIT, AT, new_host=False), place="h:1", round_trip=3.2, rate=0, lag=None, dropped=0)
        assert "late 3 s" in line.said
        assert len(line.said) <= 60

    alone(StatusLine(), test)


def test_a_tree_folds() -> None:
    value = {"a": {"b": [1, 2]}, "c": "x"}

    async def test(view: ValueView, app: Alone, pilot: Pilot[None]) -> None:
        view.show(value, {("a", "b", 1): "changed", ("d",): "removed"}, fresh=True)
        view.focus()
        await pilot.pause()
        assert [line.strip() for line in screen(app)[:6]] == [
            "▌  ▾ {2 items}",
            "▾ a: {1 item}",
            "▾ b: [2 items]",
            "0: 1",
            "~         1: 2",
            'c: "x"',
        ]
        await pilot.press("j", "j", "j", "h")
        # From inside, the container closes; closed, it tells that something in it has changed.
        assert screen(app)[2].strip() == "▌∙     ▸ b: [1, 2]"
        await pilot.press("h")
        assert screen(app)[1].strip() == "▌∙   ▸ a: {b: [1, 2]}"
        await pilot.press("h", "h", "l", "l", "j", "right", "l", "l")
        assert view.cursor == 1
        await pilot.press("g", "enter")
        assert len([line for line in screen(app) if line]) == 1
        await pilot.press("enter", "G", "enter", "y")
        assert [(m.path, m.value) for m in app.said if isinstance(m, (ValueView.Wanted, ValueView.CopyRequested))] == [
            (("c",), "x"),
            (("c",), "x"),
        ]

    alone(ValueView(), test)


def test_a_tree_of_many_comes_by_pages_and_ends_somewhere() -> None:
    async def test(view: ValueView, app: Alone, pilot: Pilot[None]) -> None:
        view.show([list(range(1000))], fresh=True)
        view.focus()
        assert view.count() == 2 + 200 + 1
        await pilot.press("G", "y", "enter")
        assert view.count() == 2 + 1000
        view.show([list(range(150))] * 100, fresh=True)
        assert view.count() == MAX_LINES + 1
        await pilot.press("G", "enter", "y")
        assert view.count() == MAX_LINES + 1
        assert app.said == []

    alone(ValueView(), test)


def test_keys_that_are_no_text_are_found_again() -> None:
    async def test(view: ValueView, app: Alone, pilot: Pilot[None]) -> None:
        view.show({1: {None: "deep"}, "s": {7}}, fresh=True)
        view.focus()
        await pilot.press("j", "j", "enter", "G", "y")
        assert [getattr(m, "value", None) for m in app.said] == ["deep", 7]

    alone(ValueView(), test)


def test_an_empty_tree_takes_any_key() -> None:
    async def test(view: ValueView, app: Alone, pilot: Pilot[None]) -> None:
        view.focus()
        await pilot.press("enter", "y", "l", "h", "j", "G", "pagedown", "ctrl+u")
        assert screen(app)[0] == " nothing here"
        await pilot.click(ValueView, offset=(3, 3))
        assert app.said == []

    alone(ValueView(empty="nothing here"), test)


def test_clicks_on_a_tree() -> None:
    async def test(view: ValueView, app: Alone, pilot: Pilot[None]) -> None:
        view.show({"a": {"b": 1}, "c": 2}, fresh=True)
        await pilot.pause()
        await pilot.click(ValueView, offset=(6, 1))
        assert view.count() == 3
        await pilot.click(ValueView, offset=(30, 2))
        assert (view.cursor, app.said) == (2, [])
        await pilot.click(ValueView, offset=(30, 2), times=2)
        assert len(app.said) == 1

    alone(ValueView(), test)


def test_long_lists_scroll_with_their_mark() -> None:
    world = World()
    world.begin([actor(f"a/{number:03}") for number in range(100)], 0.0)

    async def test(view: ActorList, app: Alone, pilot: Pilot[None]) -> None:
        view.update(0.0)
        view.focus()
        await pilot.press("pagedown", "ctrl+d")
        assert view.address == "a/016"
        await pilot.press("G")
        await pilot.pause()
        assert any("a/099" in line for line in screen(app))
        await pilot.resize_terminal(60, 5)
        await pilot.pause()
        assert any("a/099" in line for line in screen(app))
        world.change([], [f"a/{number:03}" for number in range(50, 100)], 1.0)
        view.update(1.0)
        assert view.address == "a/049"
        world.begin([], 2.0)
        view.update(2.0)
        assert view.address is None

    alone(ActorList(world), test)


SCHEMA: dict[str, Any] = {"properties": {"a": {"type": "integer", "default": 1}, "b": {}}, "required": ["b"]}


def test_a_form_and_its_json_tell_the_same() -> None:
    rpc = Rpc(name="f", args=SCHEMA, concurrent=False, timeout_ms=None)

    async def test(form: ActionForm, app: Alone, pilot: Pilot[None]) -> None:
        assert form.focus_first()
        await pilot.press("enter")
        assert "a value is wanted" in "\n".join(screen(app))
        # What does not fit is no reason not to change to JSON; it begins anew there.
        await pilot.press("ctrl+r")
        await pilot.pause()
        area = form.query_one(TextArea)
        assert area.text == "{}"
        area.text = '{"a": 5, "b": [true]}'
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert [field.value for field in form.query(Input)] == ["5", "[true]"]
        await pilot.press("ctrl+r")
        area.text = "[5"
        await pilot.press("ctrl+r")
        assert form.is_raw
        area.text = "5"
        form.action_submit()
        await pilot.pause()
        assert "a JSON object" in "\n".join(screen(app))
        area.text = "[7, 8]"
        form.action_submit()
        await pilot.pause()
        [sent] = [m for m in app.said if isinstance(m, ActionForm.Submitted)]
        assert (sent.action, sent.args) == ("f", [7, 8])
        form.refuse("too much", "z")
        await pilot.pause()
        assert "✖ z: too much" in "\n".join(screen(app))

    alone(ActionForm(rpc), test, size=(60, 24))


def test_a_form_without_fields_has_nothing_to_go_to() -> None:
    async def test(form: ActionForm, app: Alone, pilot: Pilot[None]) -> None:
        assert not form.focus_first()
        assert "No arguments." in "\n".join(screen(app))

    alone(ActionForm(Rpc(name="f", args={}, concurrent=False, timeout_ms=None)), test)


def test_a_form_that_begins_as_json() -> None:
    async def test(form: ActionForm, app: Alone, pilot: Pilot[None]) -> None:
        assert form.values() == {"unknown": 1}
        await pilot.press("ctrl+r")

    alone(ActionForm(INCREMENT, None, '{"unknown": 1}'), test)
