"""The grammar of watch rules: what is read, what is refused and where, and that a rule is spelled as it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.filters import FilterError
from tui.model.rule_grammar import MAX_LENGTH, parse_rule
from tui.model.rules import (
    COUNTERS,
    METRICS,
    STATUSES,
    Action,
    ActorCondition,
    Bound,
    Condition,
    CountCondition,
    LagCondition,
    LatencyCondition,
    LinkCondition,
    LogCondition,
    Rate,
    Rule,
    RuleError,
    StateCondition,
    matches,
    spell_duration,
)

__all__ = ()

KINDS = {"log", "latency", "actor", "state", "lag", "link", *COUNTERS}
PRINTABLE = st.characters(exclude_categories=("C", "Z")) | st.just(" ")
TIMES = st.integers(1, 10**6).map(lambda ms: ms * 0.001) | st.floats(1e-6, 1e9)
NUMBERS = st.floats(-1e9, 1e9) | st.integers(-1000, 1000).map(float)
BOUNDS = st.builds(Bound, st.sampled_from(("<", "<=", "=", "!=", ">=", ">")), NUMBERS)
TIME_BOUNDS = st.builds(Bound, st.sampled_from(("<", "<=", "=", "!=", ">=", ">")), TIMES)
HELD = st.just(0.0) | TIMES
ADDRESSES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1).filter(lambda text: text[:2] != "->")
FILTERS = st.sampled_from(
    (
        "info",
        "warn,shop.pay=debug",
        "rate",
        'off , [poll{n>1,text="a for b -> c"}] = debug',
        "[ { a = x } ]",
    )
)
CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(LogCondition, FILTERS),
    st.builds(LogCondition, FILTERS, st.builds(Rate, BOUNDS, st.sampled_from(("s", "m", "h"))), HELD),
    st.builds(
        LatencyCondition,
        TIME_BOUNDS,
        st.lists(
            st.tuples(st.sampled_from(("", "action", "actor", "name")), st.text(PRINTABLE, min_size=1)), max_size=3
        ).map(tuple),
    ),
    st.builds(
        LatencyCondition,
        TIME_BOUNDS,
        st.lists(st.tuples(st.just("actor"), st.text(PRINTABLE, min_size=1)), max_size=2).map(tuple),
        st.sampled_from((50.0, 99.9, 100.0, 1.0)),
        TIMES,
    ),
    st.builds(ActorCondition, ADDRESSES, st.sampled_from(STATUSES), held=HELD),
    st.builds(ActorCondition, ADDRESSES, st.just(""), st.sampled_from(METRICS), BOUNDS, HELD),
    st.builds(
        CountCondition, st.sampled_from(COUNTERS), BOUNDS, TIMES, ADDRESSES.filter(lambda text: text[0] not in "<>=!")
    ),
    st.builds(
        StateCondition,
        ADDRESSES,
        st.lists(st.text(PRINTABLE), max_size=3).map(tuple),
        st.sampled_from(("=", "!=", "<", "<=", ">", ">=")),
        st.text(PRINTABLE),
        HELD,
    ),
    st.builds(
        StateCondition, ADDRESSES, st.lists(st.text("ab1_-", min_size=1), max_size=3).map(tuple), st.just("changes")
    ),
    st.builds(StateCondition, ADDRESSES, st.just(("a",)), st.just("exists"), st.just(""), HELD),
    st.builds(LagCondition, TIME_BOUNDS, HELD),
    st.builds(LinkCondition, HELD),
)
DOES = st.sampled_from((Action("flash"), Action("bell"))) | st.builds(
    Action, st.just("run"), st.text(PRINTABLE, min_size=1).filter(lambda text: text.strip() != "")
)
RULES = st.builds(
    Rule,
    CONDITIONS,
    st.just("") | st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,9}", fullmatch=True).filter(lambda n: n not in KINDS),
    st.lists(DOES, min_size=1, max_size=3, unique=True).map(tuple),
    TIMES,
)


@given(RULES)
def test_a_rule_is_spelled_as_it_is_read(rule: Rule) -> None:
    assert parse_rule(str(rule)) == rule


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(sorted(KINDS) + list('<>=!~"\\-.,:*/[{}] ')), max_size=20).map("".join)
)
def test_anything_else_is_refused_with_its_place(text: str) -> None:
    error = refusal(text)
    if error is None:
        rule = parse_rule(text)
        assert parse_rule(str(rule)) == rule
    else:
        assert 0 <= error.position <= len(text)
        assert error.pointed(text).endswith("^")


def refusal(text: str) -> RuleError | None:
    try:
        parse_rule(text)
    except RuleError as error:
        return error
    return None


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_matches_what_a_slow_matcher_says(pattern: str, text: str) -> None:
    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return slow(pattern[1:], text) or (text != "" and slow(pattern, text[1:]))
        return text[:1] == pattern[0] and slow(pattern[1:], text[1:])

    assert matches(pattern, text) == slow(pattern, text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("log error,shop.pay=warn", Rule(LogCondition("error,shop.pay=warn"))),
        ("log info rate > 10/s for 5s", Rule(LogCondition("info", Rate(Bound(">", 10), "s"), 5))),
        (
            "slow: latency action=charge p95 > 200ms over 1m",
            Rule(LatencyCondition(Bound(">", 0.2), (("action", "charge"),), 95.0, 60), "slow"),
        ),
        ("latency charge>1s", Rule(LatencyCondition(Bound(">", 1), (("", "charge"),)))),
        ("actor mail/out failed", Rule(ActorCondition("mail/out", "failed"))),
        (
            "actor pay/* mailbox > 50 for 10s -> bell",
            Rule(ActorCondition("pay/*", "", "mailbox", Bound(">", 50), 10), actions=(Action("bell"),)),
        ),
        ("restarts > 3 in 1m", Rule(CountCondition("restarts", Bound(">", 3), 60))),
        ("errors pay/* > 0 in 1m", Rule(CountCondition("errors", Bound(">", 0), 60, "pay/*"))),
        ("state counter/default .count > 100", Rule(StateCondition("counter/default", ("count",), ">", "100"))),
        ("state a/b /x~1y/0 changes", Rule(StateCondition("a/b", ("x/y", "0"), "changes"))),
        ("state a/b .list[0] exists", Rule(StateCondition("a/b", ("list", "0"), "exists"))),
        ("state a/b changes", Rule(StateCondition("a/b", (), "changes"))),
        ("lag > 2s every 30s", Rule(LagCondition(Bound(">", 2)), every=30)),
        (
            'link lost -> flash, run "say \\"gone\\"" every 1m',
            Rule(LinkCondition(), "", (Action("flash"), Action("run", 'say "gone"')), 60),
        ),
    ],
)
def test_what_a_rule_says(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "position", "proposal", "said"),
    [
        ("", 0, None, "a condition is missing"),
        ("error", 0, "log error", "begins no condition"),
        ("actr a failed", 0, "actor", "begins no condition"),
        ("log: error", 3, "log", "no colon"),
        ("log warning", 4, "warn", "is not a level"),
        ("log", 3, None, "a filter is missing"),
        ("log error for 5s", 10, "rate > 10/s for", "takes no time"),
        ("log error rate > 10", 19, "/s", "/m or /h"),
        ("log error rate > 10/min", 20, "m", "no unit"),
        ("log error rate 10/s", 15, ">", "comparison is missing"),
        ("latency x => 1s", 10, ">=", "no comparison"),
        ("latency x > 1s over 1m", 15, None, "wants a percentile"),
        ("latency p95 x > 1s", 12, ">", "follows the percentile"),
        ("latency p0 > 1s", 8, "p50", "above 0"),
        ("latency x > 200", 12, "200s", "a time is"),
        ("actor a/b falied", 10, "failed", "neither a status nor"),
        ("actor a/b mailbox > x", 20, None, "a number is missing"),
        ("restarts > 3", 12, None, "'in' and a time"),
        ("restarts > 3 for 1m", 13, "in 1m", "taken in a time"),
        ("state a/b .n chnges", 13, "changes", "no comparison"),
        ("state a/b .n..m > 1", 10, None, "empty step"),
        ('state a/b "n" > 1', 10, ".n", "a dot or a slash"),
        ("state a/b .n ~ (", 15, None, "regular expression"),
        ("state a/b .n >", 14, None, "a value is missing"),
        ("state a/b .n = =", 15, None, "unexpected"),
        ("state a/b .n changes for 1s", 21, None, "a change takes no time"),
        ("link broken", 5, "lost", "a link is lost"),
        ("link lost -> rnu", 13, "run", "no action"),
        ("link lost -> run x", 17, '"', "double quotes"),
        ('link lost -> run " "', 17, None, "empty"),
        ('link lost -> run "x', 19, '"', "has no end"),
        ("link lost -> bell -> flash", 18, ",", "twice"),
        ("link lost every 1s every 2s", 19, None, "twice"),
        ("link lost bell", 10, "-> bell", "unexpected"),
        ("link lost evry 5s", 10, "every", "unexpected"),
        ("link\nlost", 4, None, "one line"),
        ("lag > 1s " + " " * MAX_LENGTH, MAX_LENGTH, None, "at most"),
        ("restarts > " + "9" * 400 + " in 1m", 11, None, "as large"),
    ],
)
def test_what_is_refused(text: str, position: int, proposal: str | None, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert isinstance(caught.value, FilterError)
    assert (caught.value.position, caught.value.proposal) == (position, proposal)
    assert said in caught.value.message


def test_how_a_rule_is_called() -> None:
    assert parse_rule("x: lag > 1500ms").title == "x"
    assert parse_rule("  lag>1.5s   -> flash").title == "lag > 1500ms"
    assert parse_rule("lag > 1s -> bell every 90s").rest == "-> bell every 90s"


@pytest.mark.parametrize(("seconds", "text"), [(86400, "1d"), (90, "90s"), (0.25, "250ms"), (0.0001, "0.0001s")])
def test_times_are_spelled_as_short_as_they_can(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text
