"""The filter grammar: what it takes, what it refuses and where, and what a filter decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.filters import MAX_LENGTH, Directive, FieldTest, Filter, FilterError, Rule, Scope, parse_filter
from protocol.records import DEBUG, ERROR, INFO, OFF, TRACE, WARN


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        # directive := level, in any case, or its digit
        ("info", "info"),
        ("INFO", "info"),
        ("  Warn  ", "warn"),
        ("off", "off"),
        ("0", "off"),
        ("1", "error"),
        ("2", "warn"),
        ("3", "info"),
        ("4", "debug"),
        ("5", "trace"),
        # directive := selector ["=" level]; without a level it opens to trace
        ("shop", "shop=trace"),
        ("shop.cart=debug", "shop.cart=debug"),
        ("[poll]", "[poll]=trace"),
        ("[poll]=OFF", "[poll]=off"),
        ("shop.cart[poll]=3", "shop.cart[poll]=info"),
        # filter := directive ("," directive)*; blanks around anything
        (" info ,\tshop.cart = debug ", "info,shop.cart=debug"),
        (" shop [ poll { n = 1 , m } ] = off ", "shop[poll{m,n=1}]=off"),
        ("shop=1,warn", "warn,shop=error"),
        ("info,debug", "debug"),
        ("shop=info,shop=debug", "shop=debug"),
        # scope := "[" [span] ["{" test ("," test)* "}"] "]"
        ("[poll{n}]", "[poll{n}]=trace"),
        ("[{n}]", "[{n}]=trace"),
        ("[]", "trace"),
        ("[]=warn,info", "info"),
        ("shop[]=warn", "shop=warn"),
        ("[GET-x.y_1]", "[GET-x.y_1]=trace"),
        ("[{b,a,b}]", "[{a,b}]=trace"),
        # test := field [operator value]
        ("[{n=1}]", "[{n=1}]=trace"),
        ("[{n!=1}]", "[{n!=1}]=trace"),
        ("[{n<1}]", "[{n<1}]=trace"),
        ("[{n<=1}]", "[{n<=1}]=trace"),
        ("[{n>1}]", "[{n>1}]=trace"),
        ("[{n>=1}]", "[{n>=1}]=trace"),
        ("[{n~1}]", "[{n~1}]=trace"),
        ("[{n=-1.5e3}]", "[{n=-1.5e3}]=trace"),
        # value := bare word | quoted; a comma inside {} or "" belongs to it
        ("[{actor=cart/7}]", "[{actor=cart/7}]=trace"),
        ("[{key=a=b}]", "[{key=a=b}]=trace"),
        ('[{n="1"}]', "[{n=1}]=trace"),
        ('[{n=""}]', '[{n=""}]=trace'),
        ('[{n="a,b"}],warn', 'warn,[{n="a,b"}]=trace'),
        ('[{n="a b",m=1}]', '[{m=1,n="a b"}]=trace'),
        ('[{n="}]"}]', '[{n="}]"}]=trace'),
        (r'[{n="say \"hi\""}]', r'[{n="say \"hi\""}]=trace'),
        (r'[{n="a\\b"}]', r"[{n=a\b}]=trace"),
        (r'[{n~"\d \\d"}]', r'[{n~"\\d \\d"}]=trace'),
        (r"[{n~^\d+$}]", r"[{n~^\d+$}]=trace"),
        ("[{n=it's}]", "[{n=it's}]=trace"),
        ('[{n="\'x"}]', '[{n="\'x"}]=trace'),
        # target, span, field := letters, digits, _ . -
        ("a-b_c.d9", "a-b_c.d9=trace"),
        ("größe=warn", "größe=warn"),
        ("[größe{ßa.b-c=1}]", "[größe{ßa.b-c=1}]=trace"),
        # words that look like levels, where it is clear that none was meant
        ("info=debug", "info=debug"),
        ("warning=debug", "warning=debug"),
        ("warning[poll]=debug", "warning[poll]=debug"),
        ("[info]=debug", "[info]=debug"),
        ("[warning]", "[warning]=trace"),
        ("[{level=warning}]=debug", "[{level=warning}]=debug"),
        # of equal selectors the last counts; equally specific ones keep their order
        ("[a]=off,[b]=info,[a]=warn", "[b]=info,[a]=warn"),
        ("[{n=1,m=2}]=off,[{m=2,n=1}]=warn", "[{m=2,n=1}]=warn"),
        ("[{n=1}]=off,[a]=info,[a{n=1}]=warn,debug,t=info", "debug,[{n=1}]=off,[a]=info,[a{n=1}]=warn,t=info"),
    ],
)
def test_parses(text: str, canonical: str) -> None:
    parsed = parse_filter(text)
    assert str(parsed) == canonical
    assert parse_filter(canonical) == parsed
    assert hash(parse_filter(canonical)) == hash(parsed)


@pytest.mark.parametrize(
    ("text", "position", "proposal"),
    [
        ("", 0, None),
        ("   ", 3, None),
        (",info", 0, None),
        ("info,", 5, None),
        ("info,,warn", 5, None),
        ("info, ,warn", 6, None),
        # levels of other systems, and slips
        ("warning", 0, "warn"),
        ("info,WARNING", 5, "warn"),
        ("shop=warning", 5, "warn"),
        ("shop= warning", 6, "warn"),
        ("[poll]=warning", 7, "warn"),
        ("critical", 0, "error"),
        ("err", 0, "error"),
        ("verbose", 0, "trace"),
        ("none", 0, "off"),
        ("inof", 0, "info"),
        ("infos", 0, "info"),
        ("debg", 0, "debug"),
        ("debugg", 0, "debug"),
        ("tracw", 0, "trace"),
        ("of", 0, "off"),
        ("offf", 0, "off"),
        ("6", 0, "5"),
        ("42", 0, "5"),
        ("shop=9", 5, "5"),
        ("shop=", 5, None),
        ("shop= ,info", 6, None),
        ("shop==info", 5, None),
        ("shop=loud", 5, None),
        ("=info", 0, None),
        ("debug=shop", 6, "shop=debug"),
        # a word that looks like a level, and a scope
        ("info[poll]=off", 4, ",["),
        ("3[poll]", 1, ",["),
        ("warning[poll]", 0, "warn"),
        ("info,debgu [{n}]", 5, "debug"),
        # targets
        ("shop::cart", 4, "."),
        ("shop cart", 5, None),
        ("shop=info debug", 10, None),
        ("shop/cart", 4, None),
        ("shop;info", 4, None),
        ("shop..cart", 5, "shop.cart"),
        ("shop..cart[x]", 5, "shop.cart"),
        (".shop=info", 0, "shop"),
        ("info,shop.", 9, "shop"),
        ("...", 0, None),
        ("shop=[x]", 5, None),
        ("info]", 4, None),
        ('"info"', 0, None),
        # brackets
        ("[poll", 5, "]"),
        ("[", 1, "]"),
        ("[poll=off", 5, "]"),
        ("[poll,info", 5, "]"),
        ("[poll{n=1", 9, "}"),
        ("[poll{n=1]=off", 9, "}"),
        ("[poll{n=1}=off", 10, "]"),
        ("[poll{n=1}", 10, "]"),
        ("[poll]off", 6, "="),
        ("[a b]", 3, None),
        ("[a/b]", 2, None),
        ("[a][b]", 3, None),
        ("shop{n=1}", 4, "[{"),
        ("{n=1}", 0, "[{"),
        # tests
        ("[{}]", 2, None),
        ("[{n=1,}]", 6, None),
        ("[{,n}]", 2, None),
        ("[{=1}]", 2, None),
        ('[{"n"=1}]', 2, None),
        ("[{n m}]", 4, None),
        ("[{n==1}]", 3, "="),
        ("[{n===1}]", 3, "="),
        ("[{n!==1}]", 3, "!="),
        ("[{n=~a}]", 3, "~"),
        ("[{n~=a}]", 3, "~"),
        ("[{n=>1}]", 3, ">="),
        ("[{n=<1}]", 3, "<="),
        ("[{n<>1}]", 3, "!="),
        ("[{n!~a}]", 3, None),
        ("[{n!1}]", 3, "!="),
        ("[{n: 1}]", 3, "="),
        # values
        ("[{n=}]", 4, None),
        ("[{n=,m}]", 4, None),
        ("[{n=", 4, None),
        ("[{n>>1}]", 4, None),
        ("[{n='a'}]", 4, '"'),
        ('[{n="a}]', 8, '"'),
        (r'[{n="a\"}]', 10, '"'),
        ("[{n=1 m=2}]", 6, ","),
        ('[{n="a"b}]', 7, ","),
        ('[{n="a" "b"}]', 8, ","),
        ('[{n=a"b"}]', 5, '"'),
        ("[{n=a{2}}]", 5, '"'),
        ("[{n~x[a-z]}]", 5, '"'),
        # regular expressions
        ("[{n~(a}]", 6, None),
        ("[{n~a)}]", 5, None),
        (r'[{n~"\"\\1"}]', 7, None),
        ('[{n~"(?=a)"}]', 5, None),
        ('[{n~"a{2000}"}]', 6, None),
        ("[{n~(" + "a?" * 300 + ")}]", 4, None),
        ('[{a~"x{400}"}],[{b~"y{400}",c~"z{400}"}]=off', 31, None),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, None),
    ],
)
def test_refuses_where_it_stands(text: str, position: int, proposal: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert (caught.value.position, caught.value.proposal) == (position, proposal)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("info,shop=warning", "'warning' is not a level (at character 10); did you mean 'warn'?"),
        ("info;", "unexpected ';' (at character 4)"),
        (
            "warning[poll]",
            "'warning' is not a level (for a target of that name write warning[poll]=trace) (at character 0);"
            " did you mean 'warn'?",
        ),
        ("info[poll]", "'info' is a level, and a comma is missing behind it (at character 4); did you mean ',['?"),
        ("[poll{n=1", "a '}' is missing here (at character 9); did you mean '}'?"),
        ("[{n==1}]", "'==' is no comparison (at character 3); did you mean '='?"),
        ("[{n~a**}]", "a bound stands behind another (in a regular expression) (at character 6)"),
    ],
)
def test_error_says_where_and_what_was_meant(text: str, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "pointed"),
    [
        ("info,warning", "info,warning\n     ^"),
        ("[poll", "[poll\n     ^"),
        # What takes two columns, or breaks the line, would move the place away from the mark.
        ("info,\tgröße\n;", "info, größe ;\n            ^"),
        ("鍵;", "鍵;\n  ^"),
    ],
)
def test_error_points_at_the_character(text: str, pointed: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert caught.value.pointed(text) == pointed


@pytest.mark.parametrize(
    ("text", "target", "level"),
    [
        ("info", "shop.cart", INFO),
        ("shop=debug", "shop", DEBUG),
        ("shop=debug", "shop.cart", DEBUG),
        # Whole dotted segments.
        ("shop=debug", "shopping", OFF),
        ("shop=debug", "my.shop", OFF),
        ("shop=debug", "Shop", OFF),
        # The longest target, both ways.
        ("info,shop=debug,shop.cart=error", "shop.cart.items", ERROR),
        ("info,shop=debug,shop.cart=error", "shop.till", DEBUG),
        ("info,shop=debug,shop.cart=error", "bank", INFO),
        ("shop.cart=trace,shop=off,warn", "shop.cart", TRACE),
        ("shop.cart=trace,shop=off,warn", "shop.x", OFF),
        ("off", "shop", OFF),
        ("warn", "", WARN),
        # Scopes that change nothing, or come behind a longer target.
        ("info,[poll]=info", "shop", INFO),
        ("shop=info,[poll]=trace", "shop", INFO),
    ],
)
def test_most_specific_target_decides(text: str, target: str, level: int) -> None:
    parsed = parse_filter(text)
    for _ in range(2):
        assert [parsed.decide(each, target) for each in range(OFF)] == [each >= level for each in range(OFF)]
    assert [parsed.enabled(each, target) for each in range(OFF)] == [each >= level for each in range(OFF)]


HOST = {"name": "host", "host_id": "h"}
ACTION = {"name": "action", "actor": "cart/7", "action": "checkout", "rid": 12, "vip": True, "note": None}
POLL = {"name": "poll", "n": 3, "ids": [1, 2]}
STEP = {"name": "step", "n": 4}
INSIDE = (HOST, ACTION, POLL, STEP)
EVENT = {"message": "card accepted", "amount": 12, "rate": 1.5, "size": "9"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        # A span directive opens up and silences, whatever stands in front of it.
        ("off,[poll]=debug", True),
        ("[poll]=debug,off", True),
        ("[poll]", True),
        ("trace,[poll]=off", False),
        ("[poll]=off,trace", False),
        ("trace,[poll]=info", False),
        # What that span or any inside it says; of no other name.
        ("[step]", True),
        ("[action]", True),
        ("[host]", True),
        ("[stop]", False),
        ("[pol]", False),
        # Longest target, then span name, then most tests.
        ("shop.cart=off,[poll{n=3}]=trace", False),
        ("shop.cart=trace,shop[poll{n=3}]=off", True),
        ("shop.cart[poll]=trace,shop[poll{n=3}]=off", True),
        ("[poll]=trace,[{n=3,rid=12,message}]=off", True),
        ("[poll]=off,[{n=3,rid=12,message}]=trace", False),
        ("[poll]=off,[poll{n=3}]=trace", True),
        ("[poll{n=3}]=off,[poll{n=3,rid=12}]=trace", True),
        ("[poll{n=3,rid=12}]=trace,[poll{n=3}]=off", True),
        # A more specific one that does not hold is passed over.
        ("[poll]=trace,[poll{n=5}]=off", True),
        ("shop.cart[stop]=off,shop[poll]=trace", True),
        ("bank[poll]=trace,off", False),
        # Equally specific: the last.
        ("[poll]=trace,[step]=off", False),
        ("[step]=off,[poll]=trace", True),
        ("[poll]=off,[poll]=trace", True),
        # Tests look at the fields of the span, its ancestors and the event: not of spans inside it.
        ("[step{n=4}]", True),
        ("[step{n=3}]", True),
        ("[poll{n=4}]", False),
        ("[poll{rid=12}]", True),
        ("[action{n=3}]", False),
        ("[action{amount=12}]", True),
        ("[{n=4}]", True),
        ("[{rid=12,n=3,amount=12}]", True),
        ("[{rid=12,n=3,amount=13}]", False),
        ("[{message~accepted}]", True),
        ("[{name=action}]", True),
        ("[{vip}]", True),
        ("[{nothing}]", False),
        ("[{nothing!=1}]", False),
        # Values: numbers as numbers, all else as text.
        ("[{amount=12.0}]", True),
        ("[{amount=1.2e1}]", True),
        ("[{amount=012}]", True),
        ('[{amount="12"}]', True),
        ("[{amount!=12.0}]", False),
        ("[{amount!=13}]", True),
        ("[{amount>9}]", True),
        ("[{amount>=12}]", True),
        ("[{amount>12}]", False),
        ("[{amount<100}]", True),
        ("[{amount<=11.5}]", False),
        ("[{rate>1.4}]", True),
        ("[{rate=1.5}]", True),
        ("[{amount>abc}]", False),
        ("[{amount<abc}]", False),
        ("[{amount~^1}]", True),
        ("[{size=9}]", True),
        ("[{size=9.0}]", False),
        ("[{size<10}]", True),
        ("[{size>10}]", False),
        ("[{action<d}]", True),
        ("[{action>d}]", False),
        ("[{action>5}]", False),
        ("[{action=checkout}]", True),
        ("[{action=Checkout}]", False),
        ("[{action~^check}]", True),
        ("[{action~(?i)CHECK}]", True),
        ("[{action~^out}]", False),
        ("[{vip=true}]", True),
        ("[{vip=1}]", False),
        ("[{vip>0}]", False),
        ("[{note=null}]", True),
        ('[{ids="[1,2]"}]', True),
        ("[{ids>0}]", False),
        ("[{amount<" + "9" * 500 + "}]", False),
        ("[{amount<" + "9" * 300 + "}]", True),
    ],
)
def test_what_passes_inside_spans(text: str, passes: bool) -> None:
    assert parse_filter(text).passes(DEBUG, "shop.cart", EVENT, INSIDE) is passes
    assert parse_filter(text).enabled(DEBUG, "shop.cart") or not passes


def test_outside_a_scope_the_others_decide() -> None:
    parsed = parse_filter("info,[poll]=off,[poll{vip=true}]=trace")
    assert parsed.passes(INFO, "t", {}, (HOST,))
    assert not parsed.passes(DEBUG, "t", {}, (HOST,))
    assert not parsed.passes(ERROR, "t", {}, (HOST, POLL))
    assert parsed.passes(TRACE, "t", {}, INSIDE)
    assert not parse_filter("[{n=1}]").passes(INFO, "t", {"n": 1}, ())
    assert parse_filter("info").passes(INFO, "t", {}, ())


def test_of_nested_spans_of_one_name_the_outer_counts_too() -> None:
    chain = ({"name": "poll", "n": 1}, {"name": "poll", "m": 2})
    assert parse_filter("[poll{n=1,m=2}]").passes(INFO, "t", {}, chain)
    assert parse_filter("[poll{n=1}]").passes(INFO, "t", {}, (*chain, {"name": "step"}))


def test_a_rule_is_no_longer_than_it_must_be() -> None:
    parsed = parse_filter("info,[a]=off,[b{n}]=debug,t[c]=trace,t=info")
    assert [str(scope) for scope in parsed.scopes] == ["[a]", "[b{n}]", "[c]"]
    assert parsed.decide(TRACE, "x") is False
    assert parsed.decide(DEBUG, "x") == Rule(((1, True),), False)
    assert parsed.decide(INFO, "x") == Rule(((1, True), (0, False)), True)
    assert parsed.decide(INFO, "t.u") is True
    assert parsed.decide(DEBUG, "t.u") == Rule(((2, True),), False)


def test_remembers_a_bounded_number_of_decisions() -> None:
    parsed = parse_filter("info,t1=debug")
    for number in range(10_000):
        parsed.decide(DEBUG, f"t{number}")
    assert parsed.decide(DEBUG, "t1") is True
    assert len(parsed._cache) <= 4096


def test_compares_by_what_it_says() -> None:
    assert parse_filter("warn,shop=1") == Filter((Directive("shop", ERROR), Directive("", WARN)))
    assert parse_filter("[a{n>1}]") == Filter([Directive("", TRACE, Scope("a", (FieldTest("n", ">", "1"),)))])
    assert parse_filter("warn") != parse_filter("info")
    assert parse_filter("[a]=off,[b]=info") != parse_filter("[b]=info,[a]=off")
    assert parse_filter("warn") != "warn"
    assert repr(parse_filter("WARN")) == "<Filter warn>"


def parsed_or_refused(text: str) -> Filter | FilterError:
    try:
        return parse_filter(text)
    except FilterError as error:
        return error


LIKELY = st.lists(
    st.sampled_from([*'[]{},="~<>! .\\', "info", "warning", "poll", "shop.cart", "n", "12", "a b", "[{n=", '"}]']),
    max_size=16,
).map("".join)


@given(st.text() | LIKELY)
@example("\x00")
@example("info" + "\u00a0" + ",²")
@example('[{n="\x1f"}]')
def test_no_text_makes_anything_but_a_filter_or_its_error(text: str) -> None:
    found = parsed_or_refused(text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert found.message in str(found)
        assert found.pointed(text).count("\n") == 1
    else:
        assert parse_filter(str(found)) == found


TARGETS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4).map(".".join)
NAMES = st.sampled_from(["a", "b", "c"])
TESTS = st.builds(FieldTest, NAMES) | st.builds(
    FieldTest, NAMES, st.sampled_from(["=", "!=", "<", ">="]), st.sampled_from(["1", "2", "x", "a b", '"', "\\"])
)
SCOPES = st.builds(Scope, NAMES | st.just(""), st.lists(TESTS, max_size=3).map(tuple))
DIRECTIVES = st.builds(Directive, TARGETS | st.just(""), st.integers(TRACE, OFF), st.none() | SCOPES)


@given(st.lists(DIRECTIVES, min_size=1, max_size=8))
def test_what_a_filter_says_parses_to_it(directives: list[Directive]) -> None:
    made = Filter(directives)
    assert parse_filter(str(made)) == made


@given(st.dictionaries(TARGETS, st.integers(TRACE, OFF)), st.integers(TRACE, OFF), TARGETS)
def test_decides_as_the_longest_prefix_of_segments(levels: dict[str, int], default: int, target: str) -> None:
    parsed = Filter((Directive("", default), *(Directive(name, level) for name, level in levels.items())))
    matching = [name for name in levels if f"{target}.".startswith(f"{name}.")]
    expected = levels[max(matching, key=len)] if matching else default
    assert [parsed.decide(level, target) for level in range(OFF)] == [level >= expected for level in range(OFF)]


FIELDS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(NAMES, st.sampled_from([1, 2, "1", "x", None]), max_size=2)
CHAINS = st.lists(st.builds(lambda name, fields: {"name": name, **fields}, NAMES, FIELDS), min_size=1, max_size=4)


@given(st.lists(DIRECTIVES, max_size=6), st.integers(TRACE, ERROR), TARGETS, FIELDS, CHAINS)
def test_decides_as_the_words_of_the_grammar_say(
    directives: list[Directive], level: int, target: str, fields: dict[str, Any], chain: list[dict[str, Any]]
) -> None:
    def holds(directive: Directive) -> bool:
        if directive.target and not f"{target}.".startswith(f"{directive.target}."):
            return False
        scope = directive.scope or Scope()
        spans = [depth for depth, span in enumerate(chain) if scope.span in ("", span["name"])]
        return any(
            all(any(test.holds_in(place) for place in (fields, *chain[: depth + 1])) for test in scope.tests)
            for depth in spans
        )

    def specific(directive: Directive) -> tuple[int, bool, int]:
        scope = directive.scope or Scope()
        return len(directive.target), scope.span != "", len(scope.tests)

    holding = [directive for directive in directives if holds(directive)]
    expected = False
    if holding:
        most = max(map(specific, holding))
        expected = level >= [directive for directive in holding if specific(directive) == most][-1].level
    assert Filter(directives).passes(level, target, fields, chain) is expected
