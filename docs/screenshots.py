"""Take the pictures under docs/screenshots from the running app: a demo host, some traffic, seven views.

Run by `make screenshots`. The host, its traffic and the app are real; only the moment is chosen.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tui.app import InspectorApp
from tui.demo_host import DemoHost
from tui.widgets.action_pane import ActionPane
from tui.widgets.log_view import LogView
from tui.widgets.span_pane import TraceList
from tui.widgets.task_list import TaskList
from tui.widgets.task_pane import TaskPane
from tui.widgets.waterfall import Waterfall

__all__ = ("FOLDER", "main")

FOLDER = Path(__file__).parent / "screenshots"
SIZE = (120, 34)
TRAFFIC = 60
"""Records that the log must hold before anything is taken."""
PATIENCE = 60.0


async def _until(pilot: Pilot[None], condition: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await pilot.pause(0.1)
    print(f"screenshots: {what}", flush=True)


def _take(app: InspectorApp, name: str) -> None:
    svg = app.export_screenshot(title="inspector-tui")
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(f"screenshots: {name}.svg", flush=True)


async def _tour(demo: DemoHost) -> None:
    target = demo.target
    app = InspectorApp(lambda: target, target.place)
    async with app.run_test(size=SIZE) as pilot:
        await _until(pilot, lambda: app.main is not None and len(app.inspection.world) > 5, "attached")
        assert app.main is not None
        actors, view = app.main.actors, app.main.query_one(LogView)
        await _until(pilot, lambda: view.counts.rows > TRAFFIC, f"{TRAFFIC} records")
        await pilot.press("tab")
        pay = next(
            index for index, address in enumerate(app.inspection.world.addresses()) if address.startswith("pay/")
        )
        actors.cursor = pay
        await pilot.pause(0.5)
        await pilot.press("tab")
        await pilot.pause(0.5)
        _take(app, "main")

        await pilot.press("2")
        pane = app.main.query_one("StatePane")
        await _until(pilot, lambda: "by " in getattr(pane, "said", ""), "a state that changed")
        _take(app, "state")

        actors.cursor = app.inspection.world.addresses().index("counter/default")
        await pilot.press("3")
        await _until(pilot, lambda: app.main is not None and app.main.query("ActionForm Input"), "a form")
        for amount in ("5", "37"):
            await pilot.press("enter", "ctrl+u", *amount, "enter")
            await _until(pilot, lambda: not app.inspection.history.pending(), "an answer")
            await pilot.press("escape")
        assert app.main.query_one(ActionPane).history[0].outcome == "ok"
        await pilot.pause(0.3)
        _take(app, "actions")

        await pilot.press("1", "f", "end", "ctrl+u", *"debug", "enter")
        await _until(pilot, lambda: app.main is not None and app.main.log_pane.filter == "debug", "a wider filter")
        await _until(pilot, lambda: view.counts.rows > 100, "more records")
        view.search("card accepted")
        await _until(pilot, lambda: not view.follow, "a hit")
        await pilot.press("enter")
        await _until(pilot, lambda: getattr(app.screen.query_one("#record-spans"), "rows", None), "its spans")
        await pilot.pause(0.3)
        _take(app, "record")
        await pilot.press("escape")

        await pilot.press("4")
        traces = app.main.query_one(TraceList)
        await _until(pilot, lambda: _checkout(traces) is not None, "a checkout that is over")
        await pilot.press("tab", "tab")
        traces.cursor = _checkout(traces) or 0
        await pilot.pause(0.3)
        _take(app, "spans")
        await pilot.press("enter")
        await _until(pilot, lambda: len(app.screen.query_one(Waterfall).rows) > 2, "its waterfall")
        await pilot.pause(0.5)
        _take(app, "trace")
        await pilot.press("escape")

        await pilot.press("5", "T")
        tasks = app.main.query_one(TaskList)
        await _until(pilot, lambda: app.main is not None and app.main.query_one(TaskPane).tasks.timing, "tasks, timed")
        await pilot.pause(2)
        rows = [row.info.name for row in tasks.rows]
        tasks.cursor = rows.index("customers run")
        await pilot.pause(1)
        _take(app, "tasks")


def _checkout(traces: TraceList) -> int | None:
    """Find a checkout in several actors that is over, the last one."""
    shown = list(enumerate(traces.shown))
    fitting = (i for i, trace in reversed(shown) if len(trace.spans) > 3 and not trace.open and trace.events)
    return next(fitting, None)


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    # A directory of its own for the runtime file: other hosts of this user are none of our business.
    with tempfile.TemporaryDirectory() as runtime:
        os.environ["XDG_RUNTIME_DIR"] = runtime
        with DemoHost(rate=6, seed=7) as demo:
            asyncio.run(_tour(demo))


if __name__ == "__main__":
    main()
