"""What bytes tell of a line is what the line taken apart tells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.filters import parse_filter
from protocol.records import ERROR, INFO
from tui.logs.facts import passes
from tui.logs.files import criteria
from tui.logs.files.criteria import EveryLine, FilterLines, MatchingLines, level_at, line_end
from tui.logs.search import parse_query

FILTERS = ("info", "warn", "error", "trace", "off", "off,shop=warn", "info,shop.cart=off", "off,[{amount>5}]=debug")

LEVELS = ["INFO", "WARN", "error", "warning", "fatal", "odd", 10, 30, 50, None, {"level": "WARN"}]
OTHERS = ["", "{", '{"level":', "level=warn msg=x", "2026-11-23 20:27:33 ERROR no", "shop.cart", ' {"level":50}']

LINES = st.one_of(
    st.fixed_dictionaries(
        {
            "level": st.sampled_from(
                ["INFO", "WARN", "error", "warning", "fatal", "odd", 10, 30, 50, None, {"level": "WARN"}]
            )
        },
        optional={
            "target": st.sampled_from(["shop", "shop.cart", "shopping"]),
            "fields": st.fixed_dictionaries(
                {"amount": st.integers(0, 10), "level": st.sampled_from(["ERROR", "INFO"])}
            ),
            "msg": st.sampled_from(["", '"level":"ERROR"', "\\u0041", "level=warn"]),
            "kind": st.just("event"),
        },
    )
    .flatmap(lambda record: st.permutations(list(record.items())))
    .map(dict)
    .flatmap(lambda record: st.sampled_from([json.dumps(record), json.dumps(record, separators=(",", ":"))])),
    st.sampled_from(
        ["", "{", '{"level":', "level=warn msg=x", "2026-11-23 20:27:33 ERROR no", "shop.cart", ' {"level":50}']
    ),
).map(str.encode)


@given(st.lists(LINES, min_size=1, max_size=12), st.sampled_from(FILTERS))
def test_a_filter_picks_the_lines_that_it_lets_pass(lines: list[bytes], text: str) -> None:
    filter = parse_filter(text)
    data, criterion = b"\n".join(lines), FilterLines(filter)
    expected = [line for line in lines if passes(filter, line)]
    found = [data[start : line_end(data, start)] for start in criterion.starts(data)]
    assert found == expected
    assert criterion.count(data) == len(expected)
    assert [line for line in lines if criterion.meets(line)] == expected


@given(st.lists(LINES, min_size=1, max_size=12))
def test_a_search_among_what_passes(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    query, filter = parse_query("shop"), parse_filter("warn")
    criterion = MatchingLines(query, FilterLines(filter))
    expected = [line for line in lines if query.matches(line) and passes(filter, line)]
    assert [data[start : line_end(data, start)] for start in criterion.starts(data)] == expected
    assert criterion.count(data) == len(expected)
    assert [line for line in lines if criterion.meets(line)] == expected


def test_every_line() -> None:
    every = EveryLine()
    assert list(every.starts(b"a\n\nb")) == [0, 2, 3]
    assert (every.count(b"a\n\nb"), every.meets(b"")) == (3, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"seq":1,"level":"ERROR","kind":"event"}', ERROR),
        (b'{"level": 30, "msg":"x"}', INFO),
        (b'{"fields":{"level":"ERROR"},"level":"INFO"}', -1),
        (b'{"level":"\\u0045RROR"}', -1),
        (b'{"level":"ERRORS"}', -1),
        (b"level=info", -1),
    ],
)
def test_a_level_is_read_from_the_bytes_where_they_leave_no_doubt(line: bytes, expected: int) -> None:
    assert level_at(line, 0, len(line)) == expected


def test_what_was_looked_up_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(criteria, "_REMEMBERED", 4)
    for number in range(20):
        line = b'{"level":"INFO"%d}' % number
        assert level_at(line, 0, len(line)) == INFO
    assert len(criteria._levels) <= 5


def test_a_line_that_is_cut_off_counts_by_what_it_still_says() -> None:
    assert FilterLines(parse_filter("error")).count(b'{"level":"ERROR","fields":{"mess') == 1
