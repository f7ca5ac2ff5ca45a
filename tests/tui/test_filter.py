"""`inspector-tui filter` against a real host, and the app's filter field with the grammar's own errors."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result
from textual.app import App, ComposeResult
from textual.widgets import Input

from inspector import Host, open_host
from inspector.demo import demo_registry
from inspector.service.filters import wanted_filter
from inspector.tracing import open_sink
from protocol.errors import InspectorError
from protocol.filters import parse_filter
from protocol.messages import LogFilterResponse
from tui import cli
from tui.commands.filter import print_filters
from tui.exits import ANSWERED_ERROR, INTERRUPTED, NO_HOST, OK, USAGE
from tui.widgets.log_pane import LogPane
from tui.widgets.prompt import Prompt

__all__ = ()

TOKEN = "filter-token.~-_1"
COMMAND = [sys.executable, "-c", "from tui.cli import main; main()"]


class Running:
    """A demo host in a thread."""

    def __init__(self, *, shows: bool) -> None:
        self.host: Host
        self._shows = shows
        self._ready = threading.Event()
        self._trio: trio.lowlevel.TrioToken | None = None
        self._end = trio.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    async def _run(self) -> None:
        self._trio = trio.lowlevel.current_trio_token()
        registry = demo_registry()
        if self._shows:
            registry.log.add_sink(open_sink(stream=io.StringIO(), format="json"))
        async with open_host(registry, token=TOKEN, runtime_file=False, drain_timeout=0.1) as self.host:
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def end(self) -> None:
        """Shut the host down, and wait until it has ended."""
        if self._thread.is_alive():
            assert self._trio is not None
            self._trio.run_sync_soon(self._end.set)
        self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.end()


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, *, shows: bool = False) -> Iterator[Running]:
    with Running(shows=shows) as there:
        monkeypatch.setenv("INSPECTOR_URL", there.host.url)
        monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)
        yield there


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["filter", *words])


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_without_directives_it_tells_what_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch):
        result = invoke()
        assert (result.exit_code, lines(result.stdout)) == (OK, [{"record": "debug", "log": None}])
    with running(monkeypatch, shows=True):
        assert lines(invoke("--json").stdout) == [{"record": "debug", "log": "info"}]


def test_it_goes_back_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(monkeypatch, shows=True) as there:
        result = invoke("trace , [poll{n>1}] = off", "--for", "200ms")
        assert result.exit_code == OK, result.output
        held, back = lines(result.stdout)
        until = held.pop("until")
        assert held == {"record": "trace,[poll{n>1}]=off", "log": "info"}
        assert until > there.host.registry.log.clock() // 1_000_000 - 3_600_000
        assert back == {"record": "debug", "log": "info"}
        held, back = lines(invoke("warn", "--log", "--for", "0.1s").stdout)
        assert (held["record"], held["log"], back["log"]) == ("debug", "warn", "info")


@pytest.mark.parametrize("end", ["interrupt", "host"])
def test_it_stays_attached_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    with running(monkeypatch) as there:
        log, back = there.host.registry.log, threading.Event()
        with subprocess.Popen(
            [*COMMAND, "filter", "trace"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as command:
            assert command.stdout is not None
            assert json.loads(command.stdout.readline()) == {"record": "trace", "log": None}
            assert str(log.record_filter) == "trace"
            log.subscribe(parse_filter("inspector.service.filters=info"), wake=back.set)
            if end == "interrupt":
                command.send_signal(signal.SIGINT)
            else:
                there.end()
            out, said = command.communicate(timeout=60)
        assert back.wait(60)
        assert str(log.record_filter) == "debug"
        assert out == ""
        code, words = {"interrupt": (INTERRUPTED, ""), "host": (NO_HOST, "link_lost: ")}[end]
        assert (command.returncode, said[: len(words)]) == (code, words)


def test_a_bad_filter_is_pointed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSPECTOR_URL", raising=False)
    result = invoke("info,warning")
    assert result.exit_code == USAGE
    assert result.stderr.endswith(
        "Error: Invalid value for '[DIRECTIVES]': 'warning' is not a level (for a target of that name write"
        " warning=trace) (at character 5); did you mean 'warn'?\n"
        "  info,warning\n"
        "       ^\n"
    )
    result = invoke("[poll{n=1]\x1b[31m=off")
    assert "\x1b" not in result.stderr
    assert result.stderr.endswith("\n  [poll{n=1] [31m=off\n           ^\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("debug", "--for", "5"), "a time is a number and ms, s, m, h, d or w"),
        (("debug", "--for", "0s"), "a time is longer than nothing"),
        (("--for", "5m"), "there are none"),
        (("--log",), "there are none"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], said: str) -> None:
    result = invoke(*words)
    assert (result.exit_code, said in result.stderr) == (USAGE, True)


def test_a_host_that_parses_another_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    def older(text: str, field: str) -> Any:
        raise InspectorError("inspector.bad_filter", "span scopes are not understood", {"position": 0, "field": field})

    monkeypatch.setattr("inspector.service.filters.wanted_filter", older)
    with running(monkeypatch):
        result = invoke("[poll]=off")
        assert (result.exit_code, result.stderr) == (
            ANSWERED_ERROR,
            "inspector.bad_filter: span scopes are not understood\n",
        )


def test_what_people_read(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_filters(LogFilterResponse(rid=1, record="debug", log=None), False)
    print_filters(LogFilterResponse(rid=1, record="\x1b[31m", log="info", until=2**60), False)
    first, second, third, fourth, fifth = capsysbinary.readouterr().out.decode().splitlines()
    assert (first, second) == ("record  debug", "log     (nothing follows it)")
    assert "\x1b" not in third
    assert fourth == "log     info"
    assert fifth.startswith("until   ")


class FieldApp(App[None]):
    """The log pane alone, and whoever knows the grammar."""

    def compose(self) -> ComposeResult:
        yield LogPane()

    def on_log_pane_wanted(self, event: LogPane.Wanted) -> None:
        try:
            wanted_filter(event.filter, "filter")
        except InspectorError as error:
            self.query_one(LogPane).refused(event.filter, error)


@pytest.mark.parametrize(
    ("text", "position"),
    [("info,warning", 5), ("[poll{n=1]=off", 9), ("shop[poll", 9), ("[{n==1}]", 3), ("[{n~(a}]", 6), ("info[poll]", 4)],
)
def test_the_filter_field_points_at_the_character(text: str, position: int) -> None:
    async def work() -> None:
        app = FieldApp()
        async with app.run_test(size=(100, 20)) as pilot:
            app.query_one(LogPane).action_filter()
            prompt = app.query_one(Prompt)
            prompt.query_one(Input).value = text
            await pilot.press("enter")
            await pilot.pause()
            assert prompt.has_class("-wrong")
            assert prompt.query_one(Input).cursor_position == position
            caret, *said = str(prompt.query_one("#prompt-error").render()).splitlines()
            label = prompt.query_one("#prompt-label").outer_size.width
            assert caret.index("^") == label - 1 + position
            assert "inspector.bad_filter" in "".join(said)
            # Once it is right nothing is wrong any more.
            prompt.query_one(Input).value = "info,[poll{n>1}]=off"
            await pilot.press("enter")
            await pilot.pause()
            assert not prompt.has_class("-wrong")

    asyncio.run(work())
