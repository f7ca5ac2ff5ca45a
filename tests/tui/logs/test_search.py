"""A search finds what rows show, whatever their JSON looks like, a little at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.logs.row import parse_row
from tui.logs.search import BadQuery, Found, LevelQuery, Query, Searching, TextQuery, parse_query, search
from tui.logs.store import LogStore


def store_of(*lines: str | bytes, segment: int = 1 << 18) -> LogStore:
    store = LogStore(segment_bytes=segment)
    for number, line in enumerate(lines):
        store.append_batch(line.encode() if isinstance(line, str) else line, number, number + 1)
    return store


def event(message: str, level: str = "INFO", **fields: object) -> str:
    return json.dumps({"level": level, "kind": "event", "fields": {"message": message, **fields}})


def find(store: LogStore, query: str | Query, start: int = 0, *, forward: bool = True) -> Found | None:
    asked = parse_query(query) if isinstance(query, str) else query
    found = [step for step in search(store, asked, start, forward=forward) if isinstance(step, Found)]
    assert len(found) <= 1
    return found[0] if found else None


def row_of(found: Found | None) -> int | None:
    return None if found is None else found.row


STORE = [
    event("card accepted", amount=12),
    event("declined", "ERROR", code=51),
    event("Card sent", note="trace_id"),
    event("grüße", path="a/b"),
]


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("card", 0),
        ("Card", 2),
        ("CARD", None),
        ("amount=12", 0),
        ("accepted  amount", 0),
        ("ERROR declined", 1),
        ("51", 1),
        ("grüße", 3),
        ("GRÜSSE", None),
        ("a/b", 3),
        ("message", None),
        ("fields", None),
        ("/c[ao]rd/", 0),
        ("/C[ao]rd/", 2),
        (r"/code=\d+$/", 1),
        (r"/\Swhat/", None),
        ("/", 3),
        ("//", None),
    ],
)
def test_what_a_query_finds(query: str, row: int | None) -> None:
    assert row_of(find(store_of(*STORE), query)) == row


def test_keys_and_ids_are_in_the_bytes_but_not_on_the_screen() -> None:
    record = {"level": "INFO", "fields": {"message": "x"}, "trace_id": "abcdef", "span_id": "card"}
    assert find(store_of(json.dumps(record)), "abcdef") is None
    assert find(store_of(json.dumps(record)), "span_id") is None


def test_escapes_do_not_hide_what_they_spell() -> None:
    hidden = '{"fields":{"message":"\\u0063ard \\u00e9t\\u00e9"}}'
    assert row_of(find(store_of("x", hidden), "card été")) == 1
    assert row_of(find(store_of("x", hidden), "card")) == 1
    assert row_of(find(store_of("x", '{"level":"\\u0045RROR"}'), LevelQuery("ERROR"))) == 1


def test_what_a_row_derives_is_found_too() -> None:
    end = json.dumps({"kind": "span_end", "span": {"name": "run"}, "duration_ns": 3_100_000, "status": "ok"})
    assert row_of(find(store_of("x", end), "3.10 ms")) == 1
    assert row_of(find(store_of("x", end), "run ok")) == 1
    assert row_of(find(store_of("x", event("a\u202eb")), "⟨202E⟩")) == 1
    raw = json.dumps({"fields": {"message": "a\u202eb"}}, ensure_ascii=False)
    assert row_of(find(store_of("x", raw), "2e⟩b")) == 1


def test_a_value_that_a_row_cuts_is_found() -> None:
    assert row_of(find(store_of("x", event("m" * 5_000 + "needle")), "needle")) == 1


def test_a_regular_expression_looks_at_bounded_text() -> None:
    assert find(store_of(event("m" * 5_000 + "needle")), "/needle/") is None
    assert row_of(find(store_of(event("a" * 60_000 + "!")), "/a+!?$/")) == 0


def test_levels() -> None:
    store = store_of(*STORE, event("ERROR in the text"), event("again", "ERROR"))
    assert find(store, LevelQuery("ERROR"), 2) == Found(5, wrapped=False)
    assert find(store, LevelQuery("ERROR"), 4, forward=False) == Found(1, wrapped=False)
    assert find(store, LevelQuery("WARN")) is None


def test_coming_round_an_end_is_told() -> None:
    store = store_of(*STORE)
    assert find(store, "declined", 2) == Found(1, wrapped=True)
    assert find(store, "declined", 1) == Found(1, wrapped=False)
    assert find(store, "declined", 0, forward=False) == Found(1, wrapped=True)
    assert find(store, "declined", 3, forward=False) == Found(1, wrapped=False)
    assert find(store, "declined", 99) == Found(1, wrapped=True)
    assert find(LogStore(), "declined") is None


words = st.sampled_from(
    ["card", "Card", "é", "日本", "12", "3", "1042", "a b", "x=y", '"', "\\", "\x1b", "\u202e", "ms", "\n"]
)


@given(
    st.lists(
        st.tuples(st.lists(words, max_size=4), st.lists(words, max_size=3), st.booleans()),
        min_size=1,
        max_size=25,
    ),
    st.data(),
)
def test_it_finds_just_what_looking_at_every_row_finds(
    records: list[tuple[list[str], list[str], bool]], data: st.DataObject
) -> None:
    lines = [
        json.dumps(
            {"fields": {"message": " ".join(message)} | {f"k{i}": v for i, v in enumerate(values)}},
            ensure_ascii=escaped,
        ).encode()
        for message, values, escaped in records
    ]
    store = store_of(*lines, segment=data.draw(st.sampled_from([50, 300, 100_000])))
    text = parse_row(data.draw(st.sampled_from(lines))).text
    if not text:
        return
    low = data.draw(st.integers(0, len(text) - 1))
    high = data.draw(st.integers(low + 1, min(len(text), low + 12)))
    needle = text[low:high]
    # A part of a replaced character's code point is not looked for without a bracket of it.
    if not needle.strip() or any(code.start() < low and high < code.end() for code in re.finditer("⟨[0-9A-F]+⟩", text)):
        return
    query = parse_query(needle)
    hits = [row for row, line in enumerate(lines) if query.matches(line)]
    assert hits or query.regex
    start, forward = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.booleans())
    if forward:
        nearest = [row for row in hits if row >= start] or hits
        assert row_of(find(store, query, start)) == (nearest[0] if nearest else None)
    else:
        nearest = [row for row in hits if row <= start] or hits
        assert row_of(find(store, query, start, forward=False)) == (nearest[-1] if nearest else None)


@pytest.mark.parametrize("query", ["/zebra|quagga/", "/message zebra/"])
def test_it_works_in_steps(query: str) -> None:
    lines = [event(f"number {row} message zebr") for row in range(2_000)]
    store = store_of(*lines, segment=20_000)
    asked = parse_query(query)
    checked: list[bytes] = []

    class Counting:
        step = asked.step

        def candidates(self, data: bytes) -> Iterator[int]:
            return asked.candidates(data)

        def matches(self, line: bytes) -> bool:
            checked.append(line)
            return asked.matches(line)

    done = 0
    for step in search(store, Counting(), 0):
        assert isinstance(step, Searching)
        assert len(checked) - done <= asked.step
        done = len(checked)
    assert done == (2_000 if "|" in query else 0)


def test_a_step_checks_a_bounded_number_of_candidates() -> None:
    store = store_of(*(event(f"row {row}") for row in range(450)))
    steps = list(search(store, LevelQuery("INFO", step=100), 0))
    assert steps == [Found(0, wrapped=False)]
    # Every line has the word in its keys, none on its screen.
    steps = list(search(store, parse_query("message"), 0))
    assert [step.row for step in steps] == [199, 399, 450]


@pytest.mark.parametrize("forward", [True, False])
def test_rows_that_come_and_go_meanwhile_are_no_trouble(forward: bool) -> None:
    store = LogStore(40_000, 3_000)
    for row in range(3_000):
        store.append_batch(event(f"row {row}").encode(), row, row + 1)
    steps = search(store, parse_query("/nowhere/"), store.end_row - 5, forward=forward)
    seen = [next(steps)]
    for row in range(3_000, 8_000):
        store.append_batch(event(f"row {row}").encode(), row, row + 1)
    seen += steps
    assert not [step for step in seen if isinstance(step, Found)]


def test_hits_that_were_dropped_are_passed_over() -> None:
    store = LogStore(40_000, 3_000)
    for row in range(1_000):
        store.append_batch(event(f"row {row}").encode(), row, row + 1)
    steps = search(store, parse_query("row"), store.first_row)
    for row in range(1_000, 1_300):
        store.append_batch(event(f"row {row}").encode(), row, row + 1)
    found = next(step for step in steps if isinstance(step, Found))
    assert found.row >= store.first_row


@pytest.mark.parametrize(("text", "position"), [("", 0), ("   ", 0), ("/(/", 1), ("/ab[/", 3), ("/a{99999999999}/", 1)])
def test_a_query_that_cannot_be_read_says_where(text: str, position: int) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_query(text)
    assert caught.value.position == position
    assert caught.value.message


@given(st.text(max_size=30))
def test_any_text_is_a_query_or_a_typed_error(text: str) -> None:
    try:
        query = parse_query(text)
    except BadQuery:
        return
    assert isinstance(query, TextQuery)
    assert query.source == text


def test_case_matters_only_when_a_capital_was_typed() -> None:
    assert parse_query("card").pattern.flags & re.IGNORECASE
    assert not parse_query("Card").pattern.flags & re.IGNORECASE
    assert parse_query(r"/\Sard/").pattern.flags & re.IGNORECASE
    assert not parse_query("/[A-Z]ard/").pattern.flags & re.IGNORECASE


@pytest.mark.parametrize(
    ("query", "line", "expected"),
    [
        ("/card (no.|seven)[0-9]+ a+ccepted/", b'{"msg":"card no.77 aaccepted"}', True),
        ("/card (no.|seven)[0-9]+ a+ccepted/", b'{"msg":"card no.77 accepte"}', False),
        ("/Card/", b'{"msg":"Card"}', True),
        ("/Card/", b'{"msg":"card"}', False),
        ("/(?i)Card/", b'{"msg":"card"}', True),
        ("Card", b'{"msg":"Card"}', True),
        ("Card", b'{"msg":"card"}', False),
        ("Card", b'{"msg":"\\u0043ard"}', True),
        ("warn declined", b'{"level":40,"msg":"declined"}', True),
        ("WARN", b'{"level": 40,"msg":"declined"}', True),
        ("err", b"2026-11-23 20:27:33 CRITICAL declined", True),
        ("2026-11-23", b'{"time":1795465653139,"msg":"declined"}', True),
        ("2026-11-24", b'{"time":1795465653139,"msg":"declined"}', False),
        (r"/(?<!x)declined/", b'{"msg":"declined"}', True),
    ],
)
def test_what_a_row_shows_is_found_however_it_is_spelled(query: str, line: bytes, expected: bool) -> None:
    store = store_of(line)
    assert any(isinstance(step, Found) for step in search(store, parse_query(query), 0)) is expected


@pytest.mark.parametrize(
    "line", [b'{"level":50,"msg":"no"}', b"level=fatal msg=no", b'{"level":"\\u0065rror","msg":"no"}']
)
def test_a_level_is_found_however_it_is_spelled(line: bytes) -> None:
    store = store_of(b"level=info msg=yes", line)
    assert [step.row for step in search(store, LevelQuery("ERROR"), 0) if isinstance(step, Found)] == [1]
