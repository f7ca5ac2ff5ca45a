"""Records without any object inside, for what reads no nested ones."""

from __future__ import annotations

import traceback
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing import Span
from inspector.tracing.sinks.flat import flat_line, stack_text
from inspector.tracing.sinks.formats import make_format
from tests.inspector.tracing.records import all_lines, follow, make_log

RESERVED = ["seq", "level", "message", "span", "spans", "trace_id", "status", "exception", "fields", "exception.type"]


def written(**fields: Any) -> tuple[bytes, Span]:
    log = make_log()
    reader = follow(log)
    with log.start_span("action", {"actor": "cart/7", "deep": {"a": 1}}, target="shop") as span:
        log.logger("shop.cart").warn("card refused", **fields)
    return all_lines(reader)[1], span


def test_an_event() -> None:
    line, span = written(amount=12, ok=True, none=None, deep={"a": [1]}, items=[1, 2])
    assert orjson.loads(make_format("json", flatten=True)(line, span)) == {
        "seq": 2,
        "timestamp": "2025-11-23T20:47:33.139606Z",
        "level": "WARN",
        "kind": "event",
        "target": "shop.cart",
        "message": "card refused",
        "amount": 12,
        "ok": True,
        "none": None,
        "deep": '{"a":[1]}',
        "items": "[1,2]",
        "span": "action",
        "span.actor": "cart/7",
        "span.deep": '{"a":1}',
        "trace_id": span.trace_id,
        "span_id": span.span_id,
    }


def test_names_of_the_users_never_pass_for_others() -> None:
    line, _ = written(
        **{"level": 1, "level_": 2, "span": 3, "span.actor": 4, "span_actor": 5, "span.x": 6, "exception.type": 7}
    )
    flat = orjson.loads(flat_line(line))
    assert {name: value for name, value in flat.items() if isinstance(value, int)} == {
        "seq": 2,
        "level_": 1,
        "level__": 2,
        "span_": 3,
        "span_actor": 4,
        "span_actor_": 5,
        "span_x": 6,
        "exception.type_": 7,
    }
    assert (flat["level"], flat["span"], flat["span.actor"]) == ("WARN", "action", "cart/7")


@given(
    st.dictionaries(st.sampled_from([*RESERVED, *(f"{name}_" for name in RESERVED), "span.actor"]), st.integers(0, 9))
)
def test_no_field_is_lost(fields: dict[str, int]) -> None:
    line, _ = written(**{name: value for name, value in fields.items() if name != "message"})
    before = orjson.loads(line)
    text = flat_line(line)
    flat = orjson.loads(text)
    assert all(not isinstance(value, (dict, list)) for value in flat.values())
    # JSON with a key twice would read like one without.
    assert orjson.dumps(flat) == text
    assert len(flat) == len(before) - 2 + len(before["fields"]) + len(before["span"])
    assert all(flat[name] == before[name] for name in ("seq", "level", "trace_id", "span_id"))


def test_the_end_of_a_span_with_its_ancestors() -> None:
    log = make_log()
    reader = follow(log)
    outer = log.start_span("outer", {"n": 1}, target="t")
    inner = log.start_span("inner", {}, target="t", parent=outer)
    inner.end("error", ValueError("bad"))
    line = all_lines(reader)[-1]
    flat = orjson.loads(make_format("json", span_list=True, flatten=True)(line, inner))
    assert flat["spans"] == '[{"name":"outer","n":1}]'
    assert (flat["kind"], flat["status"], flat["duration_ns"]) == ("span_end", "error", 0)
    assert flat["parent_id"] == outer.span_id
    assert (flat["exception.type"], flat["exception.message"]) == ("ValueError", "bad")
    assert "message" not in flat


def raised(*causes: BaseException) -> BaseException:
    found: BaseException | None = None
    for cause in causes:
        try:
            if found is None:
                raise cause
            raise cause from found
        except BaseException as error:
            found = error
    assert found is not None
    return found


def stack(error: BaseException) -> str:
    log = make_log()
    reader = follow(log)
    log.logger("t").exception("x", error)
    return stack_text(orjson.loads(all_lines(reader)[0])["exception"])


def test_a_stack_reads_as_pythons() -> None:
    error = raised(OSError("first"), ValueError("second"))
    # Python quotes the source beside, and marks the place in it.
    python = [line for line in "".join(traceback.format_exception(error)).splitlines() if not line.startswith("    ")]
    assert stack(error).splitlines() == python


def test_what_was_raised_while_another_was_handled() -> None:
    def work() -> None:
        try:
            raise OSError("first")
        except OSError:
            raise ValueError("second")  # noqa: B904  # what is tested is that no cause is named

    with pytest.raises(ValueError, match="second") as caught:
        work()
    assert "During handling of the above exception, another exception occurred:\n\nTraceback" in stack(caught.value)


def test_groups_and_what_was_cut() -> None:
    group = ExceptionGroup("many", [ValueError(str(number)) for number in range(12)])
    lines = stack(group).splitlines()
    assert lines[0] == "ExceptionGroup: many (12 sub-exceptions)"
    assert lines[1] == "  | ValueError: 0"
    assert lines[-1] == "  | ... 4 exceptions more"

    def deep(number: int) -> None:
        if number:
            deep(number - 1)
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        deep(100)
    assert any(line.endswith(" frames more") for line in stack(caught.value).splitlines())
