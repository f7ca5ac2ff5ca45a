"""A host that means ill, or has gone mad: nothing executes, hangs or garbles."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.errors import InspectorError
from protocol.messages import ActionRequest, ActionResponse, Failure, Request, Rpc, TraceQueryRequest
from tests.tui.driving import Driver, drive
from tests.tui.host import TRACE, Client, ScriptedHost, actor, record

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold red]markup[/] [@click=app.quit]x[/]\u202eright\u200b\r\n\x9b5m"


def printable(driver: Driver) -> None:
    """Check that the screen holds nothing that a terminal acts on."""
    for line in driver.lines():
        assert line.isprintable(), ascii(line)
        assert "\u202e" not in line


def poisoned(host: ScriptedHost) -> None:
    host.name = host.version = EVIL
    host.actors = [
        actor("evil", "failed", failure=Failure(type=EVIL, message=EVIL, at=0)),
        actor(EVIL, "idle"),
        actor("x" * 100_000, "idle"),
    ]
    for row in host.actors:
        host.states[row.actor] = {EVIL: EVIL, "long": "y" * 1_000_000, "list": [EVIL] * 3}
        host.rpcs[row.actor] = [
            Rpc(
                name=EVIL,
                args={"properties": {EVIL: {"type": "string", "description": EVIL, "default": EVIL, "enum": [EVIL]}}},
                concurrent=False,
                timeout_ms=None,
                doc=EVIL * 1000,
            ),
            Rpc(name="z" * 100_000, args={"properties": 5, "required": {}}, concurrent=True, timeout_ms=0),
        ]
    host.ring = [
        record(1, EVIL, **{"k" * 5000: EVIL}),
        record(2, "w" * 60_000),
        b"\xff\xfe not even text \x1b[2J",
        b'{"level": {"a": []}, "fields": [1], "timestamp": 5, "span": "x"}',
        record(5, "sane"),
    ]
    host.spans = b"\n".join(host.ring)


def test_escape_sequences_markup_and_megabytes_everywhere() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("sane", "evil", "✖")
        printable(driver)
        await driver.press("2")
        await driver.sees("version 1", "long: ")
        printable(driver)
        await driver.press("3")
        await driver.sees("zzzz")
        printable(driver)
        await driver.press("j")
        await driver.sees("No arguments.")
        await driver.press("k", "tab", "tab", "tab", "tab", "tab", "1")
        for _ in range(5):
            await driver.press("1", "k", "enter")
            await driver.sees("inside these spans")
            printable(driver)
            await driver.press("G", "enter", "escape", "escape")
        driver.main.actors.focus()
        await driver.press("G", "enter")
        await driver.sees("only ")
        printable(driver)
        await driver.press("question_mark")
        printable(driver)

    drive(test, prepare=poisoned)


@pytest.mark.parametrize(
    "output",
    [EVIL, {EVIL: [EVIL]}, "q" * 1_000_000, b"\x00" * 100_000, 10**5000, list(range(100_000)), None, float("nan")],
    ids=["text", "map", "long", "bytes", "number", "list", "null", "nan"],
)
def test_results_of_any_kind(output: Any) -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActionRequest):
                answer = ActionResponse(rid=request.id, output=output, trace_id=EVIL, span_id=EVIL, duration_ns=2**62)
                await client.send(client.session.answer(answer))
                return True
            return False

        driver.host.interfere = interfere
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("enter", "enter")
        await driver.sees("ok in")
        printable(driver)
        await driver.press("escape", "t")
        await driver.sees("trace ", "What the host gave is no trace id.")
        printable(driver)
        assert driver.host.asked_for(TraceQueryRequest) == []

    drive(test)


def test_errors_of_any_kind() -> None:
    async def test(driver: Driver) -> None:
        async def interfere(client: Client, request: Request) -> bool:
            if isinstance(request, ActionRequest):
                error = InspectorError("actor.invalid_arguments", EVIL * 500, {"argument": EVIL, "trace_id": TRACE})
                await client.send(client.session.refuse(request.id, error))
                return True
            return False

        driver.host.interfere = interfere
        driver.host.filters_refused["x"] = 10**9
        await driver.press("3")
        await driver.sees("how much")
        await driver.press("enter", "enter")
        await driver.sees("actor.invalid_arguments")
        printable(driver)
        await driver.press("escape", "1", "f", "end", "ctrl+u", "x", "enter")
        await driver.sees("inspector.bad_filter")

    drive(test)


@pytest.mark.parametrize("frame", [b"\xff", b"", "text", b"\xa1\x64type\x64Init", b"\x9f" * 100])
def test_frames_that_make_no_sense_cost_the_connection_and_nothing_else(frame: bytes | str) -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        [client] = driver.host.clients
        await client.send(frame)
        await driver.until(lambda: client not in driver.host.clients, "the connection is given up")
        await driver.sees("live")
        await driver.host.say("all is well")
        await driver.sees("all is well")

    drive(test)


def test_a_host_that_never_greets_rightly_is_told_of_for_as_long_as_it_lasts() -> None:
    async def test(driver: Driver) -> None:
        await driver.host.stop()
        driver.host.raw_greeting = b"\x00"
        await driver.host.start()
        await driver.sees("no inspector that we know")
        printable(driver)
        driver.host.raw_greeting = None
        await driver.sees("live")

    drive(test)


def test_a_flood_of_pushes_is_drawn_now_and_then() -> None:
    async def test(driver: Driver) -> None:
        await driver.press("2")
        await driver.sees("count: 3")
        for number in range(300):
            await driver.host.set_state("counter/default", {"count": number})
        await driver.sees("count: 299", "version 301")

    drive(test)


def test_records_whose_numbers_lie() -> None:
    async def test(driver: Driver) -> None:
        await driver.sees("message 5")
        driver.host.first_seq = 2**60
        await driver.host.log(record(1, "from the far future"))
        driver.host.first_seq = 0
        await driver.host.log(record(1, "from the past"), dropped=2**62)
        await driver.sees("from the far future", "from the past")
        assert json.loads(driver.main.log_pane.view.store.row(0))["seq"] == 1

    drive(test)
