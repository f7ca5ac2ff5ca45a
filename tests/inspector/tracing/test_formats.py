"""How a sink writes a record."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from inspector.tracing import Span
from inspector.tracing.sinks.formats import json_line, logfmt_line, make_format, pretty_line, visible
from tests.inspector.tracing.records import all_lines, follow, make_log

HOSTILE = "a\x1b[31m\x9b2J\x07\r\n\u202eb\u2028"


def written(**fields: Any) -> tuple[bytes, Span]:
    log = make_log()
    reader = follow(log)
    with log.start_span("action", {"actor": "cart/7"}, target="shop") as span:
        log.logger("shop.cart").warn("card refused", **fields)
    return all_lines(reader)[1], span


def test_json_is_the_rings_own_line() -> None:
    line, span = written(amount=12)
    assert json_line(line, span, False) is line
    assert make_format("json")(line, span) is line


def test_span_list() -> None:
    log = make_log()
    reader = follow(log)
    root = log.start_span("root", {"n": 1}, target="t")
    middle = log.start_span("middle", {}, target="t", parent=root)
    leaf = log.start_span("leaf", {}, target="t", parent=middle)
    line = all_lines(reader)[-1]
    record = orjson.loads(make_format("json", span_list=True)(line, leaf))
    assert record.pop("spans") == [{"name": "root", "n": 1}, {"name": "middle"}]
    assert record == orjson.loads(line)
    assert orjson.loads(json_line(line, root, True))["spans"] == []


def test_a_span_list_is_bounded() -> None:
    log = make_log()
    reader = follow(log)
    span = log.start_span("s0", {"pad": "x" * 1000}, target="t")
    for number in range(1, 100):
        span = log.start_span(f"s{number}", {"pad": "x" * 1000}, target="t", parent=span)
    line = json_line(all_lines(reader)[-1], span, True)
    assert len(line) < 20_000
    spans = orjson.loads(line)["spans"]
    assert spans[-1]["name"] == "s98"
    assert spans[0] == {"name": "…", "cut": 99 - len(spans) + 1}


def test_logfmt() -> None:
    line, span = written(amount=12, who="Ada L.", none=None, nested={"a": [1]}, quote='"', empty="", ts=1)
    text = make_format("logfmt")(line, span).decode()
    assert text.startswith(
        'ts=2025-11-23T20:47:33.139606Z level=warn target=shop.cart msg="card refused" fields.amount=12 '
        'fields.who="Ada L." fields.none=null fields.nested="{\\"a\\":[1]}" fields.quote="\\"" fields.empty="" '
        "fields.ts=1 span=action span.actor=cart/7 trace_id="
    )
    assert text.endswith(f" span_id={span.span_id} seq=2")


def test_logfmt_of_the_end_of_a_span() -> None:
    log = make_log()
    reader = follow(log)
    log.start_span("action", {"a b=": 1}, target="shop").end("error", ValueError("bad"))
    text = logfmt_line(all_lines(reader)[1]).decode()
    assert (
        'level=debug target=shop kind=span_end span=action span.a_b_=1 duration_ns=0 status=error exception="{' in text
    )


def test_pretty() -> None:
    line, span = written(amount=12, who="Ada L.")
    text = make_format("pretty")(line, span).decode()
    assert text == "20:47:33.139 WARN  shop.cart card refused amount=12 who=Ada L. in action actor=cart/7"
    coloured = pretty_line(line, True).decode()
    assert "\x1b[33mWARN \x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text


def test_pretty_of_spans_and_exceptions() -> None:
    log = make_log()
    reader = follow(log)
    root = log.start_span("root", {}, target="t")
    span = log.start_span("action", {"rid": 1}, target="t", parent=root)
    error = ExceptionGroup("group", [ValueError("a")])
    error.__cause__ = KeyError("cause")
    try:
        raise error
    except ExceptionGroup as raised:
        span.end(exception=raised)
    texts = [pretty_line(json_line(line, span, True), False).decode() for line in all_lines(reader)]
    assert texts[1] == "20:47:33.139 DEBUG t → action rid=1 below root"
    lines = texts[2].split("\n")
    assert lines[0] == "20:47:33.139 DEBUG t ← action 0.000 ms error rid=1 below root"
    assert lines[1] == "    ExceptionGroup: group (1 sub-exception)"
    assert re.fullmatch(rf"      {re.escape(__file__)}:\d+ in test_pretty_of_spans_and_exceptions", lines[2])
    assert lines[3:] == ["      cause", "        KeyError: 'cause'", "        ValueError: a"]


@pytest.mark.parametrize(("name", "colour"), [("json", False), ("logfmt", False), ("pretty", False), ("pretty", True)])
def test_nothing_that_a_terminal_obeys_comes_out(name: str, colour: bool) -> None:
    log = make_log()
    reader = follow(log)
    with log.start_span(HOSTILE, {HOSTILE: HOSTILE}, target=HOSTILE) as span:
        log.logger(HOSTILE).warn(HOSTILE, **{HOSTILE: HOSTILE, "list": [HOSTILE]})
        log.logger("t").exception(HOSTILE, ValueError(HOSTILE))
    style = make_format(name, span_list=True, colour=colour, terminal=True)
    for line in all_lines(reader):
        text = style(line, span).decode()
        text = re.sub(r"\x1b\[\d+m", "", text) if colour else text
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text)
        # Only an exception takes more lines than one.
        assert "\n" not in text or (name == "pretty" and "exception" in line.decode())
        if name == "json":
            assert orjson.loads(text) == orjson.loads(json_line(line, span, True))


def test_visible() -> None:
    assert visible("a\x1b\x9b\u202e") == r"a\x1b\x9b\u202e"
    assert visible("a\x1b", escape=True) == r"a\u001b"


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="json, logfmt, pretty"):
        make_format("xml")
