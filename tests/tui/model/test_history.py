"""What was fired, and what came of it."""

from __future__ import annotations

from protocol.errors import InspectorError
from protocol.messages import ActionResponse
from tui.model.history import Fired, History


def fired(action: str = "increment", at: float = 1.0) -> Fired:
    return Fired("counter/default", action, {"amount": 1}, at)


def test_an_answer_ends_it() -> None:
    one = fired()
    one.request = 7  # under way
    assert one.seconds(3.5) == 2.5
    one.answered(ActionResponse(rid=7, output=8, trace_id="t", span_id="s", duration_ns=9), 2.0)
    assert (one.outcome, one.output, one.trace_id, one.duration_ns) == ("ok", 8, "t", 9)
    assert one.request is None
    assert one.seconds(100.0) == 1.0


def test_an_error_ends_it_and_leads_to_its_trace() -> None:
    one = fired()
    one.refused(InspectorError("actor.failed", "boom", {"trace_id": "t"}), 2.0)
    assert (one.outcome, one.trace_id) == ("error", "t")
    one = fired()
    one.refused(InspectorError("actor.action_cancelled", "stopped", {"trace_id": 5}), 2.0)
    assert (one.outcome, one.trace_id) == ("cancelled", "")


def test_losing_the_link_leaves_it_unknown() -> None:
    one = fired()
    one.lost("the connection broke", 2.0)
    assert (one.outcome, one.reason) == ("unknown", "the connection broke")


def test_the_history_is_bounded_and_the_newest_comes_first() -> None:
    history = History(limit=3)
    for number in range(5):
        one = fired(str(number))
        one.lost("", 2.0)
        history.add(one)
    assert [one.action for one in history] == ["4", "3", "2"]
    assert history[0].action == "4"


def test_what_is_pending_is_never_forgotten() -> None:
    history = History(limit=1)
    pending = [fired(str(number)) for number in range(3)]
    for one in pending:
        history.add(one)
    assert history.pending() == pending[::-1]
    ended = fired("ended")
    ended.lost("", 2.0)
    history.add(ended)
    assert history.pending() == pending[::-1]
    assert ended not in list(history)


def test_the_last_of_an_action_is_found() -> None:
    history = History()
    first, second, other = fired("a"), fired("a"), fired("b")
    for one in (first, second, other):
        history.add(one)
    assert history.last("counter/default", "a") is second
    assert history.last("counter/default", "c") is None
