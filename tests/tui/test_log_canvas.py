"""The rows of a log are drawn rarely, in the right columns and colours, and whatever a host sends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from tests.tui.log_probe import Batch, Probe, batch, fill, numbers, play, record, screen, searched
from tui.widgets.log_view import LogView


def test_batches_cause_few_updates() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await pilot.pause()
        asked: list[int] = []
        refresh = view.refresh

        def counting(*args: Any, **more: Any) -> LogView:
            asked.append(1)
            return refresh(*args, **more)

        view.refresh = counting  # type: ignore[method-assign]  # counts, and does what it did
        for start in range(0, 20_000, 20):
            view.append(batch(start, 20))
        # One at once, and one that waits: nothing else can happen before the loop comes round.
        assert len(asked) <= 1
        assert len(view.store) == 20_000

    play(act)


def test_on_hold_only_the_badge_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 1_000)
        await pilot.press("space")
        drawn: list[int] = []
        render_line = view.render_line

        def noting(y: int) -> Strip:
            drawn.append(y)
            return render_line(y)

        monkeypatch.setattr(view, "render_line", noting)
        # Past the clock: an update comes at once here, and may come once more.
        view.store.append_batch(record(1_000), 1_000, 1_001)
        view._update()
        await pilot.pause()
        assert set(drawn) == {11}
        assert "1 new ↓" in screen(view)[-1]
        drawn.clear()
        # So much has come that the thumb of the scroll bar moves.
        view.store.append_batch(batch(1_001, 5_000).lines, 1_001, 6_001)
        view._update()
        await pilot.pause()
        assert set(drawn) == set(range(12))

    play(act)


def test_drawn_rows_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.widgets._log_canvas._STRIPS_KEPT", 30)

    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 500)
        await pilot.press("g")
        for _ in range(20):
            await pilot.press("pagedown")
            assert len(view._strips) <= 30
        assert numbers(view)[0] == view._plan[0].row

    play(act)


def test_a_resize_keeps_the_choice_on_the_screen() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 1_000)
        await pilot.press("g", "pagedown", "pagedown")
        chosen = view.cursor
        for size in [(60, 15), (400, 100), (20, 3), (80, 24), (1, 1), (200, 50)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert view.cursor == chosen
            assert all(strip.cell_length == size[0] for strip in view.render_lines(view.size.region))
        assert chosen in numbers(view)

    play(act)


def test_columns_come_with_the_width() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view, 3)
        assert screen(view)[1].startswith(" 20:00:01.139 INFO  card accepted  number=1 ")
        await pilot.resize_terminal(160, 12)
        await pilot.pause()
        assert re.match(r" 20:00:01\.139 INFO  shop\.cart +cart/7 checkout +card accepted", screen(view)[1])
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert screen(view)[1].startswith(" 20:00:01 INFO  card accepted")

    play(act)


def test_a_date_is_said_once() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        lines = [record(number) for number in range(3)]
        lines.append(record(3, timestamp="2026-11-24T00:00:01.000000Z"))
        lines.append(record(4, timestamp="2026-11-24T00:00:02.000000Z"))
        view.append(Batch(b"\n".join(lines), 0, 5))
        await pilot.pause()
        dated = ["2026-11-2" in line for line in screen(view)[:5]]
        assert dated == [True, False, False, True, False]

    play(act)


HOSTILE = [
    record(1, "\x1b[2J\x1b]0;title\x07\x9b31m\r\n"),
    record(2, "[bold red]markup[/] [link=file:///x]y[/link]"),
    record(3, "a\u202eb\u200bc\ufeff"),
    record(4, "x" * 1_000_000),
    record(5, "日本語" * 100, "\x1b[31mERROR"),
    b"\x1b[31mnot json \xff\xfe",
    b'{"fields": ' + b"[" * 100_000,
    b"",
    record(6, "e" + "\u0301" * 1_000),
    record(7, "👩‍👩‍👧‍👦 🏳️‍🌈", target="日本.🎉" * 20),
]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_a_hostile_host_sends_is_shown_and_does_nothing(width: int) -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(Batch(b"\n".join(HOSTILE), 1, len(HOSTILE) + 1))
        view.search("b")
        await searched(pilot, view)
        for wrap in (True, False):
            view.wrap = wrap
            await pilot.press("g")
            lines = screen(view)
            assert all(line.isprintable() for line in lines)
            assert all(strip.cell_length == width for strip in view.render_lines(view.size.region))
        assert any(" raw " in line for line in lines)

    play(act, size=(width, 40))


def test_the_chosen_row_is_plainer_when_the_keys_go_elsewhere() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        await fill(pilot, view)
        await pilot.press("g")
        focused = view.render_lines(view.size.region)[0]
        view.screen.set_focus(None)
        await pilot.pause()
        blurred = view.render_lines(view.size.region)[0]
        assert blurred.text == focused.text
        assert blurred.text.startswith("▌")
        assert [segment.style for segment in blurred] != [segment.style for segment in focused]

    play(act)


def test_colours_follow_the_theme() -> None:
    async def act(pilot: Pilot[None], view: LogView) -> None:
        view.append(Batch(record(1, level="ERROR") + b"\n" + record(2), 1, 3))
        await pilot.pause()
        seen = set()
        for theme in ("textual-dark", "textual-light", "ansi-dark"):
            pilot.app.theme = theme
            await pilot.pause()
            level = [segment for segment in view.render_lines(view.size.region)[0] if segment.text == "ERROR"]
            assert level[0].style is not None
            seen.add(level[0].style.color)
            assert level[0].style.bold
        assert len(seen) == 3
        await pilot.press("g")
        chosen = [segment for segment in view.render_lines(view.size.region)[1] if "INFO" in segment.text]
        assert not chosen[0].style or not chosen[0].style.reverse
        chosen = [segment for segment in view.render_lines(view.size.region)[0] if "card" in segment.text]
        assert chosen[0].style
        assert chosen[0].style.reverse

    play(act)


async def _picture(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(LogView)
    lines = [record(number) for number in range(60)]
    lines.append(record(60, "retry", "WARN", kind="event"))
    lines.append(record(61, "declined", "ERROR", exception={"type": "CardDeclined", "message": "code 51"}))
    lines.append(record(62, "checkout", kind="span_start", fields={}))
    lines.append(record(63, "trace", "TRACE"))
    lines.append(record(64, kind="span_end", level="DEBUG", fields={}, status="error", duration_ns=3_100_000))
    view.append(Batch(b"\n".join(lines), 0, 65))
    view.append(Batch(record(77, "日本語 \x1b[31m"), 65, 78, dropped=12))
    view.seam("another host: demo")
    view.append(batch(0, 3))
    await pilot.press("k", "k", "k", "k")
    view.search("declined")
    await searched(pilot, view)
    view.append(batch(3, 1_234))
    view.refresh()


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_a_picture(snap_compare: Callable[..., bool], theme: str, size: tuple[int, int]) -> None:
    app = Probe()
    app.theme = theme
    assert snap_compare(app, terminal_size=size, run_before=_picture)
