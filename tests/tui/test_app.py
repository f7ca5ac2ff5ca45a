"""The app as somebody uses it, over a real socket: from attaching to a reply, and through everything that
goes wrong.
"""

from __future__ import annotations

import pytest
from textual.widgets import TextArea

from protocol.dialects.cbor import dump_value
from protocol.errors import InspectorError
from protocol.messages import (
    ActionCancel,
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    Cause,
    LogsSubscribe,
    PatchOp,
    Request,
    StateRequest,
    Unsubscribe,
)
from tests.tui.driving import Driver, drive
from tests.tui.host import Client, ScriptedHost, actor, record


def test_attach_see_actors_and_log_fire_an_action_and_see_the_reply() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("counter/default", "orders/1042", "message 5")
        await driver.host.say("card accepted", amount=12)
        await driver.sees("card accepted", "amount=12")
        await driver.press("3")
        await driver.sees("increment", "Count up.", "how much")
        await driver.press("enter", "ctrl+u", "4", "enter")
        await driver.sees("ok in 1.50 ms")
        [request] = driver.host.asked_for(ActionRequest)
        assert (request.actor, request.name, request.args) == ("counter/default", "increment", {"amount": 4})
        await driver.press("escape", "2")
        await driver.sees("count: 7")

    drive(test)


# ---- actors ----


def test_actors_change_before_ones_eyes() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("Actors 3")
        await driver.host.change(actor("mail/out", "failed", errors=1234), removed=["ticker"])
        await driver.sees("✖ mail/out", "failed", "1,234")
        await driver.sees_no_more("ticker")
        await driver.host.change(actor("counter/default", "running", actions=103, mailbox=4, running=1))
        await driver.sees("/s", " 5 ")

    drive(test)


def test_the_list_comes_by_pages() -> None:
    def prepare(host: ScriptedHost) -> None:
        host.actors = [actor(f"a/{number:04}") for number in range(1_200)]

    async def test(driver: Driver) -> None:
        await driver.sees("Actors 1,200")
        requests = driver.host.asked_for(ActorsRequest)
        assert [request.cursor for request in requests[1:]] == ["a/0500", "a/1000"]
        await driver.press("tab", "G")
        await driver.sees("a/1199")

    drive(test, prepare=prepare)


def test_a_page_that_is_refused_leaves_the_list_short_and_says_so() -> None:
    def prepare(host: ScriptedHost) -> None:
        host.actors = [actor(f"a/{number:04}") for number in range(700)]

        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActorsRequest) and isinstance(request.cursor, str):
                await client.send(client.session.refuse(request.id, InspectorError("inspector.bad_cursor", "old")))
                return True
            return False

        host.interfere = interfere

    async def test(driver: Driver) -> None:
        await driver.sees("Actors 500…")

    drive(test, prepare=prepare)


def test_actors_are_found_by_the_beginning_of_their_address() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("Actors 3")
        await driver.press("tab", "slash")
        await driver.type("ord")
        await driver.press("enter")
        await driver.sees("Actors 1 of 3", "orders/1042")
        await driver.sees_no_more("ticker")
        await driver.press("slash", "x", "enter")
        await driver.sees("no address begins with x")
        await driver.press("slash", "escape", "escape")
        await driver.sees("Actors 3", "ticker")

    drive(test)


def test_the_mark_stays_on_its_actor_when_others_come() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("Actors 3")
        await driver.press("tab", "j")
        assert driver.main.actors.address == "orders/1042"
        await driver.host.change(actor("aaa"), actor("bbb"))
        await driver.sees("Actors 5")
        assert driver.main.actors.address == "orders/1042"

    drive(test)


# ---- the log ----


def test_the_log_narrows_to_the_chosen_actor_and_back() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5", "all actors")
        await driver.press("tab", "j", "enter")
        await driver.sees("only orders/1042")
        last = driver.host.asked_for(LogsSubscribe)[-1]
        assert (last.actor, last.filter) == ("orders/1042", "info")
        await driver.press("a")
        await driver.sees("all actors")
        await driver.host.wait_asked(Unsubscribe, 2)
        [client] = driver.host.clients
        assert len(client.log_subs) == 1
        await driver.press("a")
        await driver.sees("only orders/1042")
        # Another actor is chosen: a log that is narrowed goes along.
        await driver.press("tab", "k")
        await driver.sees("only counter/default")

    drive(test)


def test_a_filter_that_is_refused_is_mended_where_it_stands_and_the_log_goes_on() -> None:
    def prepare(host: ScriptedHost) -> None:
        host.filters_refused["info,warning"] = 5

    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.press("f", "ctrl+u")
        await driver.type("info,warning")
        await driver.press("enter")
        await driver.sees("is no level; perhaps warn", "inspector.bad_filter")
        lines = driver.lines()
        [field] = [line for line in lines if "filter info,warning" in line]
        [caret] = [line for line in lines if line.rstrip(" │").endswith("   ^")]
        assert field.index("info,warning") + 5 == caret.index("^")
        await driver.host.say("still here")
        await driver.sees("still here")
        await driver.press("end", "ctrl+u")
        await driver.type("debug")
        await driver.press("enter")
        await driver.sees(" debug  all actors")
        await driver.sees_no_more("perhaps warn")

    drive(test, prepare=prepare)


def test_the_same_filter_again_asks_nothing() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        before = len(driver.host.asked_for(LogsSubscribe))
        await driver.press("f", "enter")
        await driver.press("f", "escape")
        await driver.sees("space pause")
        assert len(driver.host.asked_for(LogsSubscribe)) == before

    drive(test)


def test_search_and_pause() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.press("slash")
        await driver.type("message 2")
        await driver.press("enter")
        await driver.until(lambda: not driver.main.log_pane.view.follow, "a hit is stayed at")
        await driver.host.say(*(f"unseen {number}" for number in range(60)))
        await driver.sees("new ↓", "paused")
        await driver.press("G")
        await driver.sees("following")

    drive(test)


def test_a_record_opens_with_the_spans_around_it() -> None:
    async def test(driver: Driver) -> None:
        await driver.host.say("a very long value", text="x" * 3000)
        await driver.sees("a very long value")
        await driver.press("k", "enter")
        await driver.sees("message 5", 'trace_id: "0123456789abcdef', "inside these spans", "the ancestor")
        await driver.press("tab", "enter")
        await driver.sees("the ancestor")
        await driver.press("escape", "G", "enter")
        await driver.sees("a very long value", "text:")
        await driver.press("G", *["k"] * 20)
        view = driver.app.screen.query_one("#record-value")
        view.cursor = next(i for i in range(99) if "text: " in "".join(t for t, _ in view.cells(i, 200)))  # type: ignore[attr-defined]  # by its id
        await driver.press("enter")
        await driver.sees("fields.text", "3,000 characters")
        await driver.press("j", "k", "y")
        assert driver.app.clipboard == "x" * 3000
        await driver.press("escape", "Y")
        assert driver.app.clipboard.startswith('{"seq":6')
        await driver.press("y", "escape")
        await driver.sees("Actors 3")

    drive(test)


def test_a_line_that_is_no_record_opens_all_the_same() -> None:
    async def test(driver: Driver) -> None:
        await driver.host.log(b"no json at all", b'{"kind":"event","fields":{}}')
        await driver.sees("no json at all")
        await driver.press("G", "k", "enter")
        await driver.sees('"no json at all"', "this line belongs to no span")
        await driver.press("t", "escape", "t")
        assert driver.app.screen is driver.main

    drive(test)


def test_spans_that_the_host_does_not_tell_are_no_reason_to_fail() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        driver.host.spans = b""
        await driver.press("k", "enter")
        await driver.sees("the host no longer keeps them")
        await driver.press("escape")
        await driver.host.stop()
        await driver.sees("not connected")
        await driver.press("enter")
        await driver.sees('"message 4"', "not connected")

    drive(test)


def test_a_record_leads_to_its_trace() -> None:
    async def test(driver: Driver) -> None:
        other = record(6, "of another trace").replace(b"0123456789abcdef0123456789abcdef", b"f" * 32)
        await driver.host.log(other)
        await driver.sees("of another trace")
        await driver.press("k", "k", "t")
        await driver.sees("trace 0123456789abcdef0123456789abcdef", "message 1", "message 5")
        assert "of another trace" not in driver.text()
        await driver.host.say("of the same trace")
        await driver.sees("of the same trace")
        await driver.press("slash", "3", "enter", "slash", "escape", "escape", "k", "y")
        assert "message" in driver.app.clipboard
        await driver.press("enter")
        await driver.sees("inside these spans")
        await driver.press("t")
        await driver.sees("message 1")
        await driver.press("escape", "escape", "escape")
        await driver.sees("Actors 3")
        await driver.host.wait_asked(Unsubscribe, 2)

    drive(test)


# ---- state ----


def test_state_shows_what_changed_and_by_what() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("version 1", "as it was found", "count: 3", '0: "a"')
        await driver.host.set_state("counter/default", {"count": 3, "names": ["a", "x", "y"], "more": None})
        await driver.sees("version 2", "3 changed", "~", "+", "more: null")
        await driver.host.set_state("counter/default", {"count": 3})
        await driver.sees("gone: ")
        await driver.press("h")
        await driver.sees("▸")
        await driver.press("l", "j", "y", "enter")
        assert driver.app.clipboard == "3"
        await driver.sees("count  1 characters")

    drive(test)


def test_no_state_and_no_actor_are_said() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("count: 3")
        await driver.press("tab", "j")
        await driver.sees("This actor has no state.")
        await driver.host.change(actor("orders/9"))
        await driver.sees("orders/9")
        driver.host.actors = [row for row in driver.host.actors if row.actor != "orders/9"]
        await driver.press("j")
        await driver.sees("actor.not_found")

    drive(test)


def test_a_state_that_nobody_looks_at_is_not_asked_for() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        assert driver.host.asked_for(StateRequest) == []
        await driver.press("2")
        await driver.sees("count: 3")
        await driver.press("1")
        await driver.host.wait_asked(Unsubscribe)
        [client] = driver.host.clients
        assert client.state_subs == {}

    drive(test)


def test_a_state_that_comes_as_a_patch_is_patched_here() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("count: 3")
        patch = [PatchOp(op="replace", path="/count", value=99), PatchOp(op="add", path="/names/0", value="new")]
        await driver.host.patch_state("counter/default", *patch, cause=Cause(action="increment"))
        await driver.sees("count: 99", '0: "new"', "version 2", "by increment")
        assert len(driver.host.asked_for(StateRequest)) == 1

    drive(test)


def test_a_patch_that_does_not_fit_begins_the_subscription_anew() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("count: 3")
        driver.host.states["counter/default"] = {"total": 7}
        misfit = PatchOp(op="remove", path="/nowhere")
        await driver.host.patch_state("counter/default", misfit)
        await driver.sees("total: 7", "version 2")
        [first, second] = driver.host.asked_for(StateRequest)
        assert first.id != second.id
        assert [request.sub for request in driver.host.asked_for(Unsubscribe)][-1] == first.id
        # What follows fits the new beginning.
        await driver.host.patch_state("counter/default", PatchOp(op="replace", path="/total", value=8))
        await driver.sees("total: 8", "version 3")

    drive(test)


# ---- actions ----


def test_an_error_of_an_argument_is_shown_at_its_field() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("enter", "ctrl+u", "x", "enter")
        await driver.sees("✖ a whole number is wanted")
        assert driver.host.asked_for(ActionRequest) == []
        # JSON can say what the field can't, and the host has the last word.
        await driver.press("ctrl+u", "1", "ctrl+r")
        await driver.until(lambda: driver.app.focused is not None and driver.app.focused.id == "form-raw")
        area = driver.main.query_one("#form-raw", TextArea)
        assert area.text == '{\n  "amount": 1\n}'
        area.text = ""
        await driver.type('{"amount": "many"')
        await driver.press("ctrl+j")
        await driver.sees("no JSON")
        await driver.type("}")
        await driver.press("ctrl+j")
        await driver.sees("amount: an int is wanted", "actor.invalid_arguments")

    drive(test)


def test_an_action_that_raises_leads_to_its_trace() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("j")
        await driver.sees("No arguments.")
        await driver.press("enter")
        await driver.sees("actor.failed: RuntimeError: boom", 'type: "RuntimeError"')
        await driver.press("t")
        await driver.sees("trace 0123456789abcdef0123456789abcdef", "message 1")

    drive(test)


def test_a_running_action_is_cancelled() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("G")
        await driver.sees("seconds")
        await driver.press("enter", "6", "0", "enter")
        await driver.sees("pending for", "ctrl+x cancels")
        await driver.host.wait_asked(ActionRequest)
        await driver.press("ctrl+x")
        await driver.sees("actor.action_cancelled")
        assert len(driver.host.asked_for(ActionCancel)) == 1

    drive(test)


def test_cancelling_too_late_or_never_is_said() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActionCancel):
                await client.send(client.session.refuse(request.id, InspectorError("inspector.internal_error", "no")))
                return True
            return False

        await driver.press("3")
        await driver.sees("how much")
        await driver.press("ctrl+x", "t", "R")
        await driver.press("G", "enter", "6", "enter")
        await driver.host.wait_asked(ActionRequest)
        driver.host.interfere = interfere
        await driver.press("ctrl+x")
        await driver.sees("Not cancelled")
        driver.host.interfere = None
        [client] = driver.host.clients
        client.hanging.clear()
        await driver.press("ctrl+x")
        await driver.sees("too late to cancel")

    drive(test)


def test_history_fills_the_form_and_fires_again() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("enter", "ctrl+u", "4", "enter")
        await driver.sees("{amount: 4}")
        await driver.press("ctrl+u", "5", "enter")
        await driver.sees("{amount: 5}")
        await driver.press("escape")
        driver.main.query_one("#fired-list").focus()
        await driver.press("j", "enter")
        await driver.until(lambda: driver.main.query_one("ActionForm Input").value == "4", "filled in")  # type: ignore[attr-defined]  # an Input
        await driver.press("R")
        await driver.until(lambda: len(driver.main.inspection.history) == 3, "fired again")
        assert [request.args for request in driver.host.asked_for(ActionRequest)][-1] == {"amount": 4}

    drive(test)


def test_an_answer_that_never_comes_because_the_host_died() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("G", "enter", "6", "enter")
        await driver.host.wait_asked(ActionRequest)
        driver.host.vanish()
        await driver.sees("no answer", "whether it ran is")
        await driver.host.stop()
        await driver.sees("not connected")
        await driver.press("enter")
        await driver.until(lambda: len(driver.main.inspection.history) == 2, "fired")
        await driver.sees("no answer: not connected")

    drive(test)


def test_a_host_that_answers_an_action_with_something_else_is_dropped() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActionRequest):
                client.session.refuse(request.id, InspectorError("a.b", ""))
                answer = ActionResponse(rid=request.id, output=1, trace_id="", span_id="", duration_ns=1)
                await client.send(dump_value(answer).replace(b"ActionResponse", b"ActionResponsf"))
                await client.websocket.close(1011)
                return True
            return False

        driver.host.interfere = interfere
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("enter", "enter")
        await driver.sees("the host closed with 1011")

    drive(test)


# ---- the link ----


def test_a_lost_connection_leaves_everything_in_sight_and_comes_back() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.host.stop()
        await driver.sees("lost", "not connected", "reconnecting, try", "message 5", "counter/default")
        await driver.press("r")
        await driver.host.start()
        await driver.sees("live")
        await driver.sees_no_more("reconnecting")
        await driver.host.say("after the gap")
        await driver.sees("after the gap")
        resumed = driver.host.asked_for(LogsSubscribe)[-1]
        assert resumed.after_seq == 5
        # Nothing came twice.
        assert driver.text().count("message 5") == 1

    drive(test)


def test_what_was_lost_meanwhile_is_a_seam_and_is_counted() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.host.stop()
        await driver.sees("not connected")
        driver.host.first_seq, driver.host.ring = 1_006, [record(1_006, "much later")]
        await driver.host.start()
        await driver.sees("1,000 records were missed", "much later", "dropped 1,000")

    drive(test)


def test_another_run_of_the_host_is_a_seam() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.host.stop()
        await driver.sees("not connected")
        driver.host.id, driver.host.version = "run-2", "0.2.0"
        driver.host.ring = [record(1, "a new life")]
        driver.host.actors = [actor("only/one")]
        await driver.host.start()
        await driver.sees("another run of the host begins here: demo 0.2.0", "a new life", "message 5", "only/one")
        await driver.sees_no_more("orders/1042")

    drive(test)


def test_batches_that_were_dropped_are_told() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.host.log(record(6, "survivor"), dropped=41)
        await driver.sees("41 records lost", "survivor", "dropped 41")

    drive(test)


def test_a_refusal_is_told() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.host.stop()
        driver.host.target_token = "old"
        driver.host.token = "new"
        await driver.host.start()
        await driver.sees("refused: ", "the token is wrong")
        driver.host.target_token = None
        await driver.press("r")
        await driver.sees("live")

    drive(test)


# ---- keys, mouse, sizes ----


def test_help_shows_the_keys_that_work_here() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.press("question_mark")
        await driver.sees("In the log", "Next hit", "Follow / pause")
        await driver.press("j", "k", "escape", "2", "question_mark")
        await driver.sees("In a tree", "Open the container")
        await driver.press("q")
        await driver.sees_no_more("In a tree")

    drive(test, size=(110, 50))


def test_the_palette_has_what_the_keys_have() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.press("ctrl+p")
        await driver.type("State")
        await driver.sees("Show the chosen actor")
        await driver.until(lambda: "Show the chosen actor" in driver.text())
        await driver.press("enter")
        await driver.sees("count: 3")

    drive(test)


def test_the_mouse_picks_tabs_actors_and_keys() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5", "orders/1042")
        await driver.pilot.click("#tabs", offset=(11, 0))
        await driver.sees("count: 3")
        await driver.pilot.click("#actors", offset=(5, 1))
        await driver.sees("This actor has no state.")
        await driver.pilot.click("#tabs", offset=(40, 0))
        await driver.pilot.click("#keys", offset=(1, 0))
        await driver.pilot.click("#keys", offset=(driver.app.size.width - 3, 0))
        await driver.until(lambda: not driver.app.is_running or driver.app._exit, "q was clicked")

    drive(test)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (20, 5), (200, 50), (300, 100)])
def test_any_size_shows_what_it_can(size: tuple[int, int]) -> None:
    async def test(driver: Driver) -> None:
        for keys in ("1", "2", "3", "left_square_bracket", "right_square_bracket", "tab", "question_mark", "escape"):
            await driver.press(keys)
            await driver.pilot.pause()
            assert len(driver.lines()) == size[1]
        await driver.pilot.resize_terminal(110, 30)
        await driver.sees("counter/default", "Actors 3", "q quit")

    drive(test, size=size)


def test_focus_goes_round() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        await driver.press("tab")
        assert getattr(driver.app.focused, "id", None) == "actors"
        await driver.press("tab")
        assert getattr(driver.app.focused, "id", None) == "log-view"
        await driver.press("exclamation_mark")
        await driver.sees("how much")
        seen = set()
        for _ in range(8):
            await driver.press("tab")
            assert driver.app.focused is not None
            seen.add(driver.app.focused.id)
        assert {"action-list", "actors", "fired-list", "fired-value"} <= seen
        driver.main.actors.focus()
        await driver.press("escape")
        assert driver.app.focused is not driver.main.actors

    drive(test)


def test_q_quits() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("q")
        await driver.until(lambda: driver.app._exit, "the end")

    drive(test)
