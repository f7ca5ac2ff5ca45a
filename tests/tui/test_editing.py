"""Changing a state in the app: typed in place, shown as a difference, sent, and refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import InspectorError
from protocol.messages import PatchOp, PatchStateRequest, Request, StateRequest
from tests.tui.driving import Driver, drive
from tests.tui.host import Client, ScriptedHost
from tui.app import InspectorApp
from tui.model.edit import Change
from tui.screens.edit import ChangeList, EditScreen
from tui.widgets.prompt import Prompt
from tui.widgets.value_view import ValueView


def typed(schema: dict[str, Any] | None = None) -> Any:
    """Prepare a host whose counter has a schema."""

    def prepare(host: ScriptedHost) -> None:
        if schema is not None:
            host.schemas["counter/default"] = {"type": "object", "properties": schema}

    return prepare


async def at_count(driver: Driver) -> None:
    """Go to the counter's count in the State tab."""
    await driver.press("2")
    await driver.sees("count: 3")
    await driver.press("j")


def asked(driver: Driver) -> list[PatchStateRequest]:
    return driver.host.asked_for(PatchStateRequest)


def test_a_value_is_typed_shown_and_sent() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e")
        await driver.sees("integer: how many there are")
        await driver.press("ctrl+u", "x", "enter")
        await driver.sees("a whole number is wanted")
        await driver.press("ctrl+u", "8", "enter")
        await driver.sees("counter/default  version 1  1 change", "- /count  3", "+ /count  8", "enter send")
        assert asked(driver) == []
        await driver.press("enter")
        await driver.sees("count: 8", "version 2")
        [request] = asked(driver)
        assert (request.actor, request.version) == ("counter/default", 1)
        assert request.patch == [PatchOp(op="replace", path="/count", value=8)]
        assert not driver.main.query_one("#state-prompt", Prompt).is_open
        assert isinstance(driver.main.focused, ValueView)

    drive(test, prepare=typed({"count": {"type": "integer", "description": "how many there are"}}))


def test_nothing_is_sent_of_what_is_left_or_changes_nothing() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e")
        await driver.sees("whole number")
        await driver.press("enter")
        await driver.sees_no_more("whole number")
        await driver.press("e", "end", "9", "escape")
        await driver.until(lambda: isinstance(driver.main.focused, ValueView), "back in the tree")
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.press("escape")
        await driver.until(lambda: isinstance(driver.main.focused, ValueView), "back in the tree")
        assert asked(driver) == []

    drive(test)


def test_what_was_typed_can_be_gone_on_with() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.press("e", "end", "0", "enter")
        await driver.sees("+ /count  390")

    drive(test)


def test_an_edit_goes_on_by_itself_where_its_place_is_as_it_was() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.host.set_state("counter/default", {"count": 3, "names": ["another"]})
        await driver.press("enter")
        await driver.sees("count: 39", "version 3", '"another"')
        assert [request.version for request in asked(driver)] == [1, 2]

    drive(test)


def test_a_conflict_shows_what_the_edit_would_do_now() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.press("v")
        await driver.host.set_state("counter/default", {"count": 5})
        await driver.press("enter")
        await driver.sees("actor.state_conflict", "this is what it would do now", "- /count  5", "version 2  1 change")
        await driver.sees("enter send again", "v on any version")
        # The key before there was a conflict did nothing.
        assert [request.version for request in asked(driver)] == [1]
        await driver.press("enter")
        await driver.sees("count: 39", "version 3")

    drive(test)


def test_an_edit_of_what_never_rests_can_be_sent_for_any_version() -> None:
    async def test(driver: Driver) -> None:
        counted = 5

        async def interfere(client: Client, request: Request) -> bool:
            nonlocal counted
            if isinstance(request, PatchStateRequest) and isinstance(request.version, int):
                counted += 1
                await driver.host.set_state("counter/default", {"count": counted})
            return False

        await at_count(driver)
        driver.host.interfere = interfere
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.press("enter")
        await driver.sees("actor.state_conflict")
        await driver.press("v")
        await driver.sees("count: 39")
        assert isinstance(asked(driver)[0].version, int)
        assert not isinstance(asked(driver)[-1].version, int)

    drive(test)


def test_a_conflict_with_what_is_gone_can_not_be_sent() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.host.set_state("counter/default", {"total": 5})
        await driver.press("enter")
        await driver.sees("it does not fit any more")
        await driver.press("enter")
        assert len(asked(driver)) == 1
        assert "send" not in driver.lines()[-1]
        await driver.press("escape")
        await driver.sees("total: 5")

    drive(test)


@pytest.mark.parametrize(
    ("error", "can_again"),
    [
        (InspectorError("actor.invalid_patch", "Expected `str`", {"index": 0, "path": "/count"}), False),
        (InspectorError("actor.state_disabled", "no state \x1b[2J"), False),
        (InspectorError("actor.overloaded", "too much"), True),
    ],
    ids=lambda value: value.name if isinstance(value, InspectorError) else "",
)
def test_a_refusal_stands_beside_what_was_refused(error: InspectorError, can_again: bool) -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, PatchStateRequest):
                await client.send(client.session.refuse(request.id, error))
                return True
            return False

        driver.host.interfere = interfere
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.press("enter")
        await driver.sees(error.name, "e edit on")
        assert ("✖ /count" in driver.text()) == ("index" in error.metadata)
        assert ("enter send again" in driver.text()) == can_again
        assert "\x1b" not in driver.text()
        await driver.press("enter")
        await driver.pilot.pause()
        driver.host.interfere = None
        await driver.press("e")
        await driver.until(lambda: driver.main.query_one("#state-prompt", Prompt).is_open, "typing goes on")

    drive(test)


def test_a_lost_connection_leaves_it_open_whether_it_was_done() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")

        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, PatchStateRequest):
                driver.host.vanish()
            return isinstance(request, PatchStateRequest)

        driver.host.interfere = interfere
        await driver.press("enter")
        await driver.sees("whether the host has it is not known")
        driver.host.interfere = None
        await driver.until(lambda: driver.main.inspection.link.connection, "connected again")
        await driver.press("enter")
        await driver.sees("count: 39")

    drive(test)


def test_a_conflict_whose_state_can_not_be_read_says_so_alone() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e", "end", "9", "enter")
        await driver.sees("+ /count  39")
        await driver.host.set_state("counter/default", {"count": 4})

        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, StateRequest):
                await client.send(client.session.refuse(request.id, InspectorError("actor.not_found", "gone")))
            return isinstance(request, StateRequest)

        driver.host.interfere = interfere
        await driver.press("enter")
        await driver.sees("actor.not_found: gone")

    drive(test)


def test_an_operation_that_has_neither_an_old_nor_a_new_value_has_a_line() -> None:
    changes = [Change(">", "/b", "", ""), Change("+", "/c", "", "1")]
    listed = ChangeList()
    listed.show(changes, wrong=1)
    assert listed.count() == 2
    assert "".join(text for text, _ in listed.cells(0, 40)) == "> /b  "
    assert "".join(text for text, _ in listed.cells(1, 40)) == "+ ✖ /c  1"


def test_what_can_not_be_edited_is_said() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("names")
        await driver.press("j", "e")
        await driver.sees("line ends or other control")
        assert not driver.main.query_one("#state-prompt", Prompt).is_open
        await driver.press("tab", "j", "j")
        await driver.sees("This actor has no state.")
        await driver.press("tab", "E")
        await driver.sees("there is no state here that could be edited")

    def prepare(host: ScriptedHost) -> None:
        host.states["counter/default"] = {"names": "a\nb"}

    drive(test, prepare=prepare)


# ---- in an editor ----


@contextmanager
def _lent(app: InspectorApp) -> Iterator[None]:
    # Textual's headless driver has no terminal to lend.
    yield


def editing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> Path:
    """Make an editor of a Python program that finds the file's name in `name` and its text in `text`."""
    seen = tmp_path / "seen"
    program = tmp_path / "editor.py"
    program.write_text(
        f"import sys; name = sys.argv[-1]; text = open(name).read()\nopen({str(seen)!r}, 'a').write(text)\n{script}\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {program}")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(InspectorApp, "suspend", _lent)
    return seen


def test_a_state_is_edited_in_an_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = editing(monkeypatch, tmp_path, "open(name, 'w').write(text.replace('3', '4').replace('\"b\"', '\"c\"'))")

    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("E")
        await driver.sees("2 changes", "- /count  3", "+ /count  4", '+ /names/1  "c"')
        assert seen.read_text() == '{\n  "count": 3,\n  "names": [\n    "a",\n    "b"\n  ]\n}\n'
        await driver.press("enter")
        await driver.sees("count: 4", "version 2")

    drive(test)


def test_what_is_no_json_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    change = "open(name, 'w').write(text.replace('3,', 'x,') if 'x,' not in text else text.replace('x,', '5,'))"
    editing(monkeypatch, tmp_path, change)

    async def test(driver: Driver) -> None:
        await _pressed(driver, "line 2 column 12; E goes on with what you wrote")
        await driver.press("E")
        await driver.sees("+ /count  5")
        # From the difference back to the editor, which finds what it had left.
        await driver.press("e")
        await driver.until(lambda: isinstance(driver.app.screen, EditScreen), "again")
        await driver.sees("+ /count  5")
        assert asked(driver) == []

    drive(test)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "nothing was changed"),
        ("sys.exit(3)", "ended with 3"),
        ("open(name, 'wb').write(b'\\xff')", "can't be read"),
        ("import os; os.unlink(name)", "can't be read"),
    ],
)
def test_an_editor_that_does_nothing_or_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    editing(monkeypatch, tmp_path, script)
    drive(lambda driver: _pressed(driver, said))


@pytest.mark.parametrize(
    ("editor", "said"),
    [(None, "EDITOR names one"), ("'", "makes no sense"), ("/nowhere/at/all", "can't be started")],
)
def test_no_editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, editor: str | None, said: str) -> None:
    editing(monkeypatch, tmp_path, "")
    if editor is None:
        monkeypatch.delenv("EDITOR")
    else:
        monkeypatch.setenv("EDITOR", editor)
    drive(lambda driver: _pressed(driver, said))


def test_a_terminal_that_can_not_be_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    drive(lambda driver: _pressed(driver, "can't step aside"))


async def _pressed(driver: Driver, said: str) -> None:
    await at_count(driver)
    await driver.press("E")
    # A toast is wrapped, with other things between its lines.
    await driver.until(lambda: any(said in toast.message for toast in driver.app._notifications), said)


def test_the_app_ends_an_editor_that_is_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = editing(monkeypatch, tmp_path, "import signal; signal.pause()")

    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("E")
        await driver.until(seen.exists, "the editor runs")
        driver.app.exit()

    drive(test)


def test_what_is_typed_is_left_when_another_actor_is_looked_at() -> None:
    async def test(driver: Driver) -> None:
        await at_count(driver)
        await driver.press("e")
        await driver.sees("whole number")
        driver.main.actors.cursor = 2
        await driver.sees("This actor has no state.")
        assert not driver.main.query_one("#state-prompt", Prompt).is_open

    drive(test)


def test_a_state_that_json_can_not_hold_is_not_edited() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("huge: 0x1")
        await driver.press("E")
        await driver.until(lambda: any("no form" in toast.message for toast in driver.app._notifications), "why not")

    def prepare(host: ScriptedHost) -> None:
        host.states["counter/default"] = {"huge": 1 << 20_000}

    drive(test, prepare=prepare)
