"""Scripts are read as they stand, and played without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.dialects.cbor import dump_value
from protocol.errors import BadMessage, InspectorError
from protocol.script import (
    SPELLINGS,
    Do,
    Done,
    Ended,
    Happened,
    Heard,
    Leave,
    Listen,
    Mismatch,
    Open,
    Opened,
    Refused,
    Say,
    ScriptError,
    Silent,
    parse_script,
    play,
)
from protocol.script.patterns import Anything, Entries, Literal
from protocol.script.player import _Player
from protocol.script.statements import (
    Close,
    Connect,
    Disconnect,
    Message,
    Raw,
    Script,
    Silence,
    Statement,
    Wanted,
    Within,
)

__all__ = ()

CBOR = SPELLINGS["inspector.cbor.v1"]
JSON = SPELLINGS["inspector.json.v1"]


def test_every_statement() -> None:
    text = """\ufeff# a comment

connect /a?b subprotocols x,y token t header "A: b" header "C:" expect 101 # behind
within 1.5s
-> {   # goes on
  "a": 1
}
->> h'00'
->> "text"
<- _
<~ {}
expect-silence 200ms
close 1008
connect /c token none expect 401\r
connect /d
disconnect"""
    assert parse_script("f", text) == Script(
        "f",
        (
            Connect(line=3, path="/a?b", subprotocols=("x", "y"), token="t", headers=(("A", "b"), ("C", ""))),
            Within(line=4, seconds=1.5),
            Message(line=5, node=Entries((("a", Literal(1)),))),
            Raw(line=8, frame=b"\x00"),
            Raw(line=9, frame="text"),
            Wanted(line=10, node=Anything(), skip=False),
            Wanted(line=11, node=Entries(()), skip=True),
            Silence(line=12, seconds=0.2),
            Close(line=13, code=1008),
            Connect(line=14, path="/c", token="", status=401),
            Connect(line=15, path="/d"),
            Disconnect(line=16),
        ),
    )
    assert parse_script("f", "").statements == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "1:1: a statement is wanted, not 'hello'"),
        ("=> 1", "1:1: a statement is wanted, not '=>'"),
        ("connect a", "1:9: a path that begins with `/` is wanted, not 'a'"),
        ("connect / subprotocols", "1:23: a list of subprotocols is wanted"),
        ("connect / subprotocols a,,b", "1:24: subprotocols are names"),
        ("connect / token", "1:16: a token or `none` is wanted"),
        ("connect / token a token b", "1:19: `token` stands twice"),
        ("connect / header A", "1:18: a text in quotes is wanted"),
        ('connect / header "A"', "1:18: a header field is"),
        ('connect / header "A: b\\r\\nC: d"', "1:18: a header field is"),
        ("connect / expect 42", "1:18: an HTTP status is wanted, not '42'"),
        ("connect / expect 4040", "1:18: an HTTP status is wanted, not '4040'"),
        ("connect / twice", "1:11: `subprotocols`, `token`, `header` or `expect` is wanted, not 'twice'"),
        ("connect / ?", "1:11: the end of the line is wanted, not '?'"),
        ("connect /\nclose 1", "2:7: a close code (1000 to 4999) is wanted, not '1'"),
        ("within 5", "1:8: a time such as 2s or 200ms is wanted, not '5'"),
        ("within 5min", "1:8: a time such as"),
        ("within 0s", "1:8: a time is more than 0"),
        ("within 3601s", "1:8: a time is more than 0"),
        ("<- _", "1:1: no connection is open; `connect` first"),
        ("connect / expect 404\n<- _", "2:1: no connection is open"),
        ("connect /\ndisconnect\nclose 1000", "3:1: no connection is open"),
        ("connect /\nconnect /", "2:1: a connection is open; `disconnect` first"),
        ("connect /\n-> {} 1", "2:7: the end of the line is wanted, not '1'"),
        ("connect /\n->> 1", "2:5: a text in quotes is wanted"),
        ("connect /\n-> $a", "2:4: nothing was captured as $a before"),
    ],
)
def test_what_is_no_script(text: str, said: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script("f.cbs", text)
    assert str(caught.value).startswith(f"f.cbs:{said}")


def run(text: str, *told: Happened, **options: Any) -> list[Do]:
    """Play a script whose steps come out so; return the steps."""
    playing = play(parse_script("f", text), **options)
    steps = [next(playing)]
    for one in told[:-1]:
        steps.append(playing.send(one))
    with pytest.raises(StopIteration):
        playing.send(told[-1])
    return steps


def refused(text: str, *told: Happened) -> str:
    with pytest.raises(Mismatch) as caught:
        run(text, *told)
    assert caught.value.name == "f"
    assert str(caught.value).startswith(f"f:{caught.value.line}: {caught.value.message}")
    return str(caught.value)


def heard(value: Any, after: float = 0.0) -> Heard:
    return Heard(dump_value(value), after)


OPENED = Opened("inspector.cbor.v1")


def test_the_steps() -> None:
    steps = run(
        'connect /a\n-> {"id": 1}\n->> "x"\n<- {"n": $n}\n-> [$n]\nwithin 1s\n<~ 3\nexpect-silence 2s\ndisconnect',
        OPENED,
        Done(),
        Done(),
        heard({"n": 7}),
        Done(),
        heard(1, 0.25),
        heard(3, 0.25),
        Silent(),
        Done(),
        token="t",
    )
    assert steps == [
        Open("/a", ("inspector.cbor.v1",), (("Authorization", "Bearer t"),), 5.0),
        Say(dump_value({"id": 1})),
        Say("x"),
        Listen(5.0),
        Say(dump_value([7])),
        Listen(1.0),
        Listen(0.75),
        Listen(2.0),
        Leave(1.0),
    ]


def test_who_is_told_what() -> None:
    text = 'connect /a subprotocols x token u header "authorization: y" expect 404'
    assert run(text, Refused(404, ""), token="t") == [Open("/a", ("x",), (("authorization", "y"),), 5.0)]
    assert run("connect /a token none expect 401", Refused(401, ""), token="t", subprotocol="z") == [
        Open("/a", ("z",), (), 5.0)
    ]
    assert run("connect /a\nclose 1001", OPENED, heard(1, 1.0), Ended(1001, "")) == [
        Open("/a", ("inspector.cbor.v1",), (), 5.0),
        Listen(5.0),
        Listen(4.0),
    ]


@pytest.mark.parametrize(
    ("text", "told", "said"),
    [
        ("connect /", [Refused(401, "no\x1b")], "+ 401: no\\x1b"),
        ("connect /", [Refused(101, "bad")], "+ 101: bad"),
        ("connect / expect 401", [OPENED], "+ 101: a websocket is open"),
        ("connect / expect 401", [Refused(None, "nothing")], "not answered within 5 s"),
        ("connect /\n-> 1", [OPENED, Ended(None, "")], "+ the connection broke"),
        ("connect /\n-> 1", [Opened(None)], "no dialect that scripts know"),
        ("connect /\n<- _", [OPENED, Heard("text", 0)], "a frame that is no inspector.cbor.v1 came"),
        ("connect /\n<- _", [OPENED, Heard(b"\xff", 0)], "+ h'ff': "),
        ("connect /\n<- 1", [OPENED, heard(2)], "f:2: the next message does not fit\n- 1\n+ 2"),
        ("connect /\n<~ 1", [OPENED, heard(2, 9.0), Silent()], "f:2: no message within 5 s that fits; 1 came"),
        ("connect /\n<~ 1", [OPENED, heard(2), Ended(1000, "x")], "(close 1000: x) that fits"),
        ("connect /\n<- 1", [OPENED, Silent()], "- 1\n+ nothing"),
        ("connect /\nclose 1001", [OPENED, Ended(None, "reset")], "+ the connection broke: reset"),
        ("connect /\nclose 1001", [OPENED, heard(1), Silent()], "+ the connection is open; 1 messages came"),
        ("connect /\ndisconnect", [OPENED, Silent()], "did not agree to the end within 5 s"),
        ("connect /\nexpect-silence 1s", [OPENED, heard([1])], "+ [1]"),
        ("connect /\nexpect-silence 1s", [OPENED, Heard(b"\xff", 0)], "+ h'ff'"),
        ("connect /\nexpect-silence 1s", [Opened(None), Heard(b"\x01", 0)], "+ h'01'"),
        ("connect /\nexpect-silence 1s", [OPENED, Ended(1001, "")], "+ close 1001"),
    ],
)
def test_mismatches(text: str, told: list[Happened], said: str) -> None:
    assert said in refused(text, *told)


def test_a_statement_of_nobody() -> None:
    with pytest.raises(AssertionError):
        list(_Player(Script("f", (Statement(line=1),)), "x", None).play())


def test_what_a_dialect_can_not_say() -> None:
    assert "can't be said in inspector.json.v1" in refused("connect /\n-> {1: undefined}", Opened("inspector.json.v1"))
    with pytest.raises(InspectorError):
        CBOR.encode(object())


def test_json_frames() -> None:
    assert JSON.decode(JSON.encode({"a": [b"\0", 2**70]})) == {"a": [b"\0", 2**70]}
    batch = '{"type":"LogBatch","sub":1,"first_seq":1,"next_seq":2,"dropped":0,"lines":[{"x":{"$bytes":1}}]}'
    assert JSON.decode(batch)["lines"] == [{"x": {"$bytes": 1}}]
    for wrong in (b"{}", "{", '{"a":1,"a":2}', '{"type":"LogBatch"}', "[" * 100_000):
        with pytest.raises(BadMessage):
            JSON.decode(wrong)
