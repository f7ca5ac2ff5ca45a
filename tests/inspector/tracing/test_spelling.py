"""How sinks are spelt, and what is said of one that can't be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.tracing import FileSink, SinkError, StreamSink, open_sink, open_sinks, split_sinks
from inspector.tracing.sinks.spelling import parse_flag, parse_sink, parse_size
from protocol.filters import parse_filter


def options(text: str) -> dict[str, str]:
    return {name: value.text for name, value in parse_sink(text).options.items()}


@pytest.mark.parametrize(
    ("text", "kind", "place", "expected"),
    [
        ("stdout", "stdout", None, {}),
        (" stdout ", "stdout", None, {}),
        ("STDOUT", "stdout", None, {}),
        ("file:/var/log/x.jsonl", "file", "/var/log/x.jsonl", {}),
        ("file:x,max_size=10MB,span_list", "file", "x", {"max_size": "10MB", "span_list": ""}),
        ("file:x,span-list=no", "file", "x", {"span_list": "no"}),
        ('file:"a b, c",filter="info,shop=debug"', "file", "a b, c", {"filter": "info,shop=debug"}),
        (r'stdout,filter="[a{b=\"c\\d\"}]"', "stdout", None, {"filter": r'[a{b="c\d"}]'}),
        (r'stdout,filter="a\b"', "stdout", None, {"filter": r"a\b"}),
        ("stdout,filter=a=debug", "stdout", None, {"filter": "a=debug"}),
        ("otlp:http://collector:4318", "otlp", "http://collector:4318", {}),
        ('stdout,filter=""', "stdout", None, {"filter": ""}),
    ],
)
def test_what_parses(text: str, kind: str, place: str | None, expected: dict[str, str]) -> None:
    spelling = parse_sink(text)
    assert spelling.kind == kind
    assert (spelling.place.text if spelling.place else None) == place
    assert options(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 0, "a place is missing here"),
        ("  ", 2, "a place is missing here"),
        (",filter=info", 0, "a place is missing here"),
        ("/var/log/x", 0, "unexpected '/'"),
        ("file:", 5, "a place is missing here"),
        ("file:,filter=info", 5, "a place is missing here"),
        ("stdout,", 7, "an option is missing here"),
        ("stdout,,", 7, "an option is missing here"),
        ("stdout,=x", 7, "unexpected '='"),
        ("stdout,filter=", 14, "a value is missing here"),
        ("stdout,filter=,x", 14, "a value is missing here"),
        ('stdout,filter="info', 14, "this quote is not closed"),
        ('stdout,filter="info\\"', 14, "this quote is not closed"),
        ('stdout,filter=[a{b="c"}]', 19, "stands in quotes as a whole"),
        ("stdout,filter=a,filter=b", 16, "filter is given twice"),
        ("stdout,filter=info debug", 19, "a comma belongs before an option"),
        ('stdout,filter="info"x', 20, "a comma belongs before an option"),
    ],
)
def test_what_does_not_parse(text: str, position: int, said: str) -> None:
    with pytest.raises(SinkError) as raised:
        parse_sink(text)
    assert raised.value.position == position
    assert said in raised.value.message
    assert str(raised.value).endswith(f"(at character {position})")


@pytest.mark.parametrize(
    ("text", "position", "said", "proposal"),
    [
        ("stdot", 0, "there is no place 'stdot', there are stdout, stderr, file, otlp", "stdout"),
        ("var:/log/x", 0, "there is no place 'var'", None),
        ("stdout:x", 7, "stdout is a place already", None),
        ("file", 4, "a path is missing here: file:PATH", None),
        ("stdout,filtre=info", 7, "stdout has no option 'filtre'", "filter"),
        ("stdout,max_size=1MB", 7, "stdout has no option 'max_size'", None),
        ("stdout,filter=info,shop=debug", 19, 'filter="info,shop=debug"', None),
        ("stdout,filter=warning", 14, "'warning' is not a level", "warn"),
        ('stdout,filter="info,shop=loud"', 25, "'loud' is not a level", None),
        (r'stdout,filter="a=\"b"', 17, "unexpected", None),
        ('stdout,filter=""', 15, "missing here", None),
        ("stdout,filter", 13, "missing here", None),
        ("stdout,format=xml", 14, "'xml' is no log format, there are json, logfmt, pretty", None),
        ("stdout,span_list=maybe", 17, "it is yes or no", None),
        ("stdout,flatten,format=logfmt", 7, "flatten is for json, not for logfmt", None),
        ("file:x,max_size=10XB", 16, "a size is a number and kB, MB", None),
        ("file:x,max_size=0", 16, "at least one byte", None),
        ("file:x,max_age=1y", 15, "a time is a number and ms, s, m, h, d or w", None),
        ("file:x,max_age=1ms", 15, "a second old at least", None),
        ("file:x,keep=-1", 12, "it is a number of files", None),
        ("file:nowhere/x", 5, "nowhere/x: No such file or directory", None),
        ("otlp:collector", 5, "it is http://HOST:PORT or https://HOST:PORT", None),
        ("otlp:http://h,compression=zip", 26, "it is gzip or none", None),
        ("otlp:http://h,headers=x", 22, "it is NAME=VALUE", None),
        ("otlp:http://h,timeout=0s", 22, "longer than nothing", None),
        ("otlp:http://h,signal=metrics", 21, "it is traces or logs", None),
    ],
)
def test_what_can_not_be_had(
    text: str, position: int, said: str, proposal: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(SinkError) as raised:
        open_sink(text)
    assert (raised.value.position, raised.value.proposal) == (position, proposal)
    assert said in raised.value.message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", []),
        ("stdout", ["stdout"]),
        (" stdout\n\tfile:x,keep=1  ", ["stdout", "file:x,keep=1"]),
        ('file:"a b",filter="info, t=debug" stderr', ['file:"a b",filter="info, t=debug"', "stderr"]),
    ],
)
def test_several_stand_with_blanks_between(text: str, expected: list[str]) -> None:
    assert split_sinks(text) == expected


def test_several_of_which_one_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="unexpected '/'"):
        split_sinks("stdout /x")
    with pytest.raises(SinkError, match="unexpected '\"'"):
        split_sinks('file:"x""y"')
    text = f"file:{tmp_path}/x stdout,filter=warning"
    with pytest.raises(SinkError, match="not a level") as raised:
        open_sinks(text)
    assert text[raised.value.position :] == "warning"


def test_several(tmp_path: Path) -> None:
    text = f"file:{tmp_path}/x,filter=debug stdout,format=json"
    file, stream = open_sinks(text)
    assert isinstance(file, FileSink)
    assert isinstance(stream, StreamSink)
    assert (str(file.filter), file.follows_default, stream.follows_default) == ("debug", False, True)
    assert (file.name, stream.name) == (f"file:{tmp_path}/x", "stdout")
    assert file.close(0)
    assert stream.close(0)


def test_what_is_spelt_may_be_an_argument_too(tmp_path: Path) -> None:
    filter = parse_filter("debug")
    sink = open_sink(f"file:{tmp_path}/x,filter=info,keep=3", filter=filter, max_size="1kB", max_age=60.0, keep=None)
    assert sink.filter is filter
    assert isinstance(sink, FileSink)
    assert (sink.rotation.max_size, sink.rotation.max_age, sink.rotation.keep) == (1000, 60, 3)
    sink.close(0)


@pytest.mark.parametrize(
    ("spelling", "arguments", "error"),
    [
        ("stdout", {"max_size": 1}, "stdout takes no max_size"),
        ("file:x", {"stream": sys.stdout, "colour": True}, "file takes no colour, stream"),
        ("stdout", {"place": "x"}, "stdout takes no place"),
    ],
)
def test_arguments_that_a_place_has_not(spelling: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError, match=error):
        open_sink(spelling, **arguments)


def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("inspector.tracing.sinks.otlp")]:
        monkeypatch.delitem(sys.modules, name)
    # As Python knows a module that is not there.
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(SinkError, match=r"pip install 'inspector-tui\[otlp\]'"):
        open_sink("otlp:http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("500", 500), ("10MB", 10**7), ("1.5 kB", 1500), ("64KiB", 65536), ("2gib", 2**31)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_flags() -> None:
    assert [parse_flag(text) for text in ("", "yes", "TRUE", "on", "1", "no", "false", "Off", "0")] == [True] * 5 + [
        False
    ] * 4


@given(st.text(alphabet=st.sampled_from('stdoufile:,="\\ \n a1')) | st.text())
def test_any_text_is_spelt_right_or_has_its_place_pointed_at(text: str) -> None:
    for read in (parse_sink, split_sinks):
        position = 0
        try:
            read(text)
        except SinkError as error:
            position = error.position
        assert 0 <= position <= len(text)


@given(st.text())
def test_any_value_can_be_quoted(value: str) -> None:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert options(f"stdout,filter={quoted}") == {"filter": value}
