"""The watch rules in the app: the list, its keys, what a firing shows and runs, and the file that keeps them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from protocol.messages import Failure
from tests.tui.driving import Driver, at_once
from tests.tui.host import ScriptedHost, actor, record, running_host
from tui.app import InspectorApp
from tui.screens.rules import RulesScreen
from tui.screens.trace import TraceScreen
from tui.widgets.status_line import StatusLine

__all__ = ()


@asynccontextmanager
async def driving(host: ScriptedHost, rules: Path | None) -> AsyncIterator[Driver]:
    app = InspectorApp(lambda: host.target, host.target.place, delays=at_once, rules=rules)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        driver = Driver(app, host, pilot)
        await driver.sees("live")
        yield driver


def drive(test: Callable[[Driver], Awaitable[None]], rules: Path | None = None) -> None:
    async def run() -> None:
        async with running_host() as host, driving(host, rules) as driver:
            await test(driver)

    asyncio.run(run())


async def add(driver: Driver, rule: str) -> None:
    """Type a rule into the open screen."""
    count = len(driver.app.rules.alarms)
    await driver.press("a")
    await driver.type(rule)
    await driver.press("enter")
    await driver.until(lambda: len(driver.app.rules.alarms) == count + 1, rule)


def test_a_rule_is_added_fires_and_shows_it() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("A")
        await driver.sees("no rules yet")
        await add(driver, "bad: log error -> flash,bell")
        await driver.sees("○ waiting", "bad: log error", "has not fired")
        await driver.until(lambda: len(driver.host.clients[0].log_subs) == 2, "the host was asked")
        await driver.host.log(record(6, "declined\x1b[31m", "ERROR", code=51))
        await driver.sees("1 of 1 on, fired 1 times", "ERROR shop.cart declined␛[31m code=51", "fired at")
        status = driver.main.query_one(StatusLine)
        assert status.has_class("-fired")
        assert not any("\x1b" in line for line in driver.lines())
        # The toast says so on any screen.
        await driver.until(lambda: [note.title for note in driver.app._notifications] == ["bad"], "a toast")
        await driver.until(lambda: not status.has_class("-fired"), "the status line is itself again")
        await driver.press("t")
        await driver.until(lambda: isinstance(driver.app.screen, TraceScreen), "the trace")

    drive(test)


def test_a_mistake_is_pointed_at_and_can_be_mended() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("A", "a")
        await driver.type("actor pay/eu falied")
        await driver.press("enter")
        await driver.sees("neither a status nor a number", "did you mean 'failed'?")
        assert driver.app.rules.alarms == []
        await driver.press("escape")
        await driver.sees_no_more("neither a status")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.main, "back")
        # The palette leads here too.
        await driver.press("ctrl+p")
        await driver.type("watch rules")
        await driver.sees("What to wait for")
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, RulesScreen), "the screen")
        # With no rule there is nothing to edit, remove, turn off, or to follow.
        await driver.press("e", "d", "space", "t")
        assert isinstance(driver.app.screen, RulesScreen)

    drive(test)


def test_rules_are_kept_changed_turned_off_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "there" / "rules"
    path.parent.mkdir()
    path.write_text("# mine\nlag > 1h\noff  x:  link   lost\nnonsense\n")

    async def test(driver: Driver) -> None:
        await driver.until(lambda: "nonsense" in driver.text(), "what is wrong is told")
        await driver.press("A")
        await driver.sees("1 of 2 on", "□ off", "lag > 1h")
        await driver.press("e")
        await driver.press(*["backspace"] * 2)
        await driver.type("2h")
        await driver.press("enter")
        await driver.sees("lag > 2h")
        assert path.read_text() == "# mine\nlag > 2h\noff  x:  link   lost\nnonsense\n"
        await driver.press("j", "space")
        await driver.sees("2 of 2 on")
        assert path.read_text() == "# mine\nlag > 2h\nx: link lost\nnonsense\n"
        await add(driver, "actor * dead")
        assert path.read_text() == "# mine\nlag > 2h\nx: link lost\nnonsense\nactor * dead\n"
        await driver.press("k", "d")
        await driver.sees("Remove this rule?")
        await driver.press("n")
        await driver.until(lambda: isinstance(driver.app.screen, RulesScreen), "not removed")
        await driver.press("d", "y")
        await driver.until(lambda: len(driver.app.rules.alarms) == 2, "removed")
        assert path.read_text() == "# mine\nlag > 2h\nnonsense\nactor * dead\n"
        await driver.press("space")
        await driver.sees("1 of 2 on")

    drive(test, path)
    assert path.read_text() == "# mine\nlag > 2h\nnonsense\noff actor * dead\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_bytes(b"\xff\xfe")

    async def test(driver: Driver) -> None:
        await driver.until(lambda: "can't read" in driver.text(), "told")
        await driver.press("A")
        await add(driver, "link lost")
        await driver.until(lambda: "left as it is" in driver.text(), "told again")

    drive(test, path)
    assert path.read_bytes() == b"\xff\xfe"


def test_a_command_gets_the_firing_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    rules, told = tmp_path / "rules", tmp_path / "told"
    rules.write_text(
        f'actor evil/* failed -> run "cat > {told}; printf %s \\"$INSPECTOR_WHAT\\" > {told}.what; exit 3"\n'
    )
    address = "evil/$(touch owned);`touch owned`"

    async def test(driver: Driver) -> None:
        await driver.press("A")
        await driver.sees("waiting")
        row = actor(address, "failed", failure=Failure(type="E", message="\"; touch owned; '\x00\x1b", at=1))
        await driver.host.change(row)
        await driver.sees("its command: exit 3", "● holds")

    drive(test, rules)
    firing = json.loads(told.read_text())
    assert (firing["subject"], firing["value"], firing["number"]) == (address, "failed", 1)
    assert (tmp_path / "told.what").read_text() == firing["what"]
    assert "touch owned" in firing["what"]
    assert not list(tmp_path.rglob("owned"))
    assert not Path("owned").exists()


def test_what_a_host_refuses_is_told_as_a_rules_state() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("A")
        await add(driver, "state nobody/here .x > 1")
        await driver.sees("✖ broken", "actor.not_found")
        await add(driver, "state ticker .x > 1")
        await driver.sees("actor.state_disabled")

    drive(test)
