"""`inspector-tui watch` against real hosts, and what feeds its rules: pages, refusals, lost connections."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protocol.errors import InspectorError
from protocol.filters import parse_filter
from protocol.messages import (
    ActorsRequest,
    LogsSubscribe,
    PatchOp,
    Request,
    StateRequest,
    Unsubscribe,
)
from tests.tui.driving import at_once
from tests.tui.host import TOKEN, Client, ScriptedHost, actor, record, running_host, span_record
from tests.tui.test_commands import HostThread
from tests.tui.test_filter import TOKEN as REAL_TOKEN
from tests.tui.test_filter import Running
from tui import cli
from tui.exits import ANSWERED_ERROR, FIRED, INTERRUPTED, NO_HOST, OK, USAGE
from tui.link import Link
from tui.model.alarms import Alarm, Firing
from tui.model.rule_grammar import parse_rule
from tui.model.rules import LatencyCondition
from tui.rules_file import MAX_FILE, RulesFile, rules_path
from tui.rules_source import PAGE, RETRY, Watching, span_filter

__all__ = ()

COMMAND = [sys.executable, "-c", "from tui.cli import main; main()", "watch"]


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli.main, ["watch", *words])


def told(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HostThread]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with HostThread() as thread:
        monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)
        monkeypatch.setenv("INSPECTOR_URL", thread.host.url)
        yield thread


def test_a_real_host_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(shows=False) as host:
        monkeypatch.setenv("INSPECTOR_URL", host.host.url)
        monkeypatch.setenv("INSPECTOR_TOKEN", REAL_TOKEN)
        for rule, what in [
            ("state ticker .ticks changes", "ticker .ticks was "),
            ("latency > 0.001ms", "DEBUG inspector.actors"),
            ("log debug", " inspector."),
            ("actions > 0 in 1m", "actions in 1m, the last of "),
            ("actor counter/default idle", "counter/default is idle"),
        ]:
            result = invoke(rule, "--for", "60s")
            assert result.exit_code == FIRED, (rule, result.output)
            (firing,) = told(result)
            assert what in firing["what"]
        assert invoke("actor counter/default failed", "--for", "50ms").exit_code == OK


def test_what_already_holds_fires_at_once(there: HostThread) -> None:
    there.host.actors += [actor(f"a/{n:04}") for n in range(2 * PAGE)] + [actor("z/1", "failed")]
    result = invoke("x: actor */1 dead", "--for", "60s")
    assert (result.exit_code, [(row["name"], row["subject"]) for row in told(result)]) == (FIRED, [("x", "z/1")])


def test_the_first_that_fires_ends_it_and_its_command_is_waited_for(there: HostThread, tmp_path: Path) -> None:
    file = tmp_path / "fired"
    result = invoke(f'state counter/default .count = 3 -> bell,run "cat > {file}"', "link lost")
    assert result.exit_code == FIRED
    assert json.loads(file.read_text()) == told(result)[0]


def test_keep_goes_on(there: HostThread) -> None:
    words = [*COMMAND, "state counter/default .count = 3", "actor * running", "--keep"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        rules = [json.loads(it.stdout.readline())["rule"] for _ in range(2)]
        assert sorted(rules) == ["actor * running", "state counter/default .count = 3"]
        it.send_signal(signal.SIGINT)
        assert it.communicate(timeout=60) == ("", "")
    assert it.returncode == INTERRUPTED


def test_what_fired_is_told_when_the_time_is_over(there: HostThread) -> None:
    # Attaching takes a hundredth of that.
    result = invoke("state counter/default .count = 3", "--keep", "--for", "5s")
    assert (result.exit_code, len(told(result))) == (FIRED, 1)


def test_an_actor_that_is_not_there_yet_is_told_of_and_waited_for(there: HostThread) -> None:
    words = [*COMMAND, "state no/body changes"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stderr is not None
        assert it.stderr.readline() == "actor.not_found: state no/body . changes: no no/body\n"
        it.send_signal(signal.SIGINT)
        assert it.communicate(timeout=60) == ("", "")
    assert it.returncode == INTERRUPTED


def test_rules_of_the_app_are_watched_too(there: HostThread) -> None:
    path = rules_path()
    path.parent.mkdir()
    path.write_text("# mine\noff actor * running\nnonsense\nstate counter/default .count exists\n")
    result = invoke("--mine", "--for", "60s")
    assert (result.exit_code, told(result)[0]["rule"]) == (FIRED, "state counter/default .count exists")
    assert "bad_rule: " in result.stderr
    assert "nonsense" in result.stderr
    path.write_bytes(b"\xff")
    assert invoke("--mine").exit_code == USAGE


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), USAGE, "there is no rule"),
        (("--mine",), USAGE, "there is no rule"),
        (("actor x falied",), USAGE, "did you mean 'failed'?\n  actor x falied\n          ^\n"),
        (("link lost", "--for", "5"), USAGE, "a time is"),
        (("link lost", "--url", "http://127.0.0.1:1"), NO_HOST, "cannot_attach: 127.0.0.1:1: nobody listens there\n"),
        (("state ticker changes",), ANSWERED_ERROR, "actor.state_disabled: "),
    ],
)
def test_what_goes_wrong(there: HostThread, words: tuple[str, ...], code: int, said: str) -> None:
    result = invoke(*words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_without_a_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("INSPECTOR_URL", raising=False)
    result = invoke("link lost")
    assert (result.exit_code, result.stderr.partition(":")[0]) == (NO_HOST, "no_host")


@pytest.mark.parametrize(("rule", "code"), [("log error", NO_HOST), ("link lost", FIRED)])
def test_a_connection_that_is_lost(there: HostThread, rule: str, code: int) -> None:
    with subprocess.Popen(
        [*COMMAND, rule, "log info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        there.do(there.host.wait_asked(LogsSubscribe))
        there.do(there.host.stop())
        out, err = it.communicate(timeout=60)
    assert it.returncode == code, (out, err)
    assert ("link_lost" in err, "no connection" in out) == (code == NO_HOST, code == FIRED)


def test_it_is_interrupted(there: HostThread) -> None:
    with subprocess.Popen([*COMMAND, "log error"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        there.do(there.host.wait_asked(LogsSubscribe))
        it.send_signal(signal.SIGINT)
        assert it.communicate(timeout=60) == ("", "")
    assert it.returncode == INTERRUPTED


def test_people_read_a_line(there: HostThread) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([*COMMAND, "x: actor * running -> bell"], stdout=theirs, stderr=theirs) as it:
        os.close(theirs)
        assert it.wait(60) == FIRED
    said = os.read(ours, 1000).decode()
    os.close(ours)
    assert "  x  counter/default is running\r\n" in said
    assert "\a" in said


@pytest.mark.parametrize(
    ("rule", "filter"),
    [
        ("latency charge > 1s", "off,[{action=charge}]=debug,[charge]=debug"),
        ("latency name=charge > 1s", "off,[charge]=debug"),
        ("latency pay/* actor=pay/eu > 1s", "off,[{actor=pay/eu}]=debug"),
        ('latency actor="a b\\"" > 1s', 'off,[{actor="a b\\""}]=debug'),
        ('latency "a b" > 1s', "debug"),
        ("latency p50 > 1s", "debug"),
    ],
)
def test_only_the_spans_that_are_meant_are_asked_for(rule: str, filter: str) -> None:
    condition = parse_rule(rule).condition
    assert isinstance(condition, LatencyCondition)
    assert span_filter(condition) == filter
    parse_filter(filter)


# ---- what feeds the rules ----


class Watched:
    """A scripted host, a link to it, and rules that watch it by a clock that is set by hand."""

    def __init__(self, host: ScriptedHost) -> None:
        self.host = host
        self.now = 0.0
        self.told: list[Firing] = []
        self.link = Link(lambda: host.target, lambda event: self.watching.link_changed(event), delays=at_once)
        self.watching = Watching(self.link, self._tell, clock=lambda: self.now)

    def _tell(self, alarm: Alarm, firing: Firing) -> None:
        self.told.append(firing)

    def add(self, rule: str) -> Alarm:
        return self.watching.add(parse_rule(f"{rule} every 1ms"))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event: each turn is the link's
                await asyncio.sleep(0)

    async def fired(self, count: int) -> list[str]:
        await self.until(lambda: len(self.told) >= count)
        return [firing.hit.what for firing in self.told]


def watched(test: Any) -> None:
    async def run() -> None:
        async with running_host() as host:
            it = Watched(host)
            link = asyncio.create_task(it.link.run())
            try:
                await it.until(lambda: it.link.connection is not None)
                await test(it)
            finally:
                link.cancel()
                await asyncio.gather(link, return_exceptions=True)
                await it.watching.close()

    asyncio.run(run())


def test_a_log_goes_on_where_it_was_cut() -> None:
    async def test(it: Watched) -> None:
        it.add("log error")
        await it.host.wait_asked(LogsSubscribe)
        await it.host.log(record(6, "one", "ERROR"))
        assert await it.fired(1) == ["ERROR shop.cart one"]
        await it.host.stop()
        await it.until(lambda: it.link.connection is None)
        it.host.ring.append(record(7, "two", "ERROR"))
        it.now = 5.0
        await it.host.start()
        assert (await it.fired(2))[1] == "ERROR shop.cart two"
        assert it.host.asked_for(LogsSubscribe)[1].after_seq == 6

    watched(test)


def test_a_rule_that_is_off_asks_for_nothing() -> None:
    async def test(it: Watched) -> None:
        alarm = it.add("log error")
        await it.host.wait_asked(LogsSubscribe)
        it.watching.enable(alarm, True)
        it.watching.enable(alarm, False)
        await it.host.wait_asked(Unsubscribe)
        assert it.link.subscriptions == 0
        await it.host.log(record(6, "one", "ERROR"))
        it.watching.tick()
        it.watching.enable(alarm, True)
        await it.host.wait_asked(LogsSubscribe, 2)
        await it.host.log(record(7, "two", "ERROR"))
        assert await it.fired(1) == ["ERROR shop.cart two"]
        it.watching.remove(alarm)
        await it.host.wait_asked(Unsubscribe, 2)
        assert it.watching.alarms == []

    watched(test)


def test_what_is_refused_is_asked_for_again() -> None:
    async def test(it: Watched) -> None:
        it.host.filters_refused = {"shop=error": 0}
        alarm = it.add("log shop=error")
        state = it.add("state late/comer .n = 1")
        await it.until(lambda: "bad_filter" in alarm.problem and "not_found" in state.problem)
        it.host.filters_refused = {}
        it.host.actors.append(actor("late/comer"))
        it.host.states["late/comer"] = {"n": 1}
        it.watching.tick()
        assert len(it.host.asked_for(LogsSubscribe)) == 1
        it.now = RETRY
        it.watching.tick()
        assert await it.fired(1) == ["late/comer .n is 1"]
        await it.until(lambda: not alarm.problem and not state.problem)

    watched(test)


def test_a_patch_that_does_not_fit_is_no_end() -> None:
    async def test(it: Watched) -> None:
        it.add("state counter/default .count changes")
        await it.host.wait_asked(StateRequest)
        await it.host.patch_state("counter/default", PatchOp(op="replace", path="/count", value=5))
        assert await it.fired(1) == ["counter/default .count was 3, is 5"]
        it.now, it.host.states["counter/default"] = 1.0, {"count": 6}
        await it.host.patch_state("counter/default", PatchOp(op="remove", path="/none"))
        assert (await it.fired(2))[1] == "counter/default .count was 5, is 6"

    watched(test)


def test_actors_come_by_pages_and_by_pushes() -> None:
    async def test(it: Watched) -> None:
        it.host.actors = [actor(f"a/{n:04}", restarts=1) for n in range(PAGE + 1)]
        it.add("restarts a/* >= 2 in 1m")
        it.add("actor a/* gone")
        await it.host.wait_asked(ActorsRequest, 4)
        await it.host.change(actor("a/0000", restarts=3))
        assert await it.fired(1) == ["2 restarts in 1m, the last of a/0000"]
        await it.host.change(removed=["a/0001"])
        assert (await it.fired(2))[1] == "a/0001 is gone"
        assert {request.prefix for request in it.host.asked_for(ActorsRequest)} == {"a/"}

    watched(test)


def test_a_list_that_breaks_off_counts_nothing_that_may_be_old() -> None:
    async def test(it: Watched) -> None:
        async def refuse(client: Client, request: Request) -> bool:
            if isinstance(request, ActorsRequest) and isinstance(request.cursor, str):
                await client.send(client.session.refuse(request.id, InspectorError("inspector.bad_message", "no")))
                return True
            return False

        it.host.interfere = refuse
        it.host.actors = [actor(f"a/{n:04}", restarts=1) for n in range(PAGE + 1)]
        it.add("restarts >= 3 in 1m")
        last = it.add("actor * restarts = 9")
        await it.host.wait_asked(ActorsRequest, 4)
        await it.host.change(actor("a/0500", restarts=9))
        await it.until(lambda: last.count)
        assert await it.fired(1) == ["a/0500 has restarts 9"]

    watched(test)


def test_a_host_without_actors_is_told() -> None:
    async def test(it: Watched) -> None:
        async def refuse(client: Client, request: Request) -> bool:
            if isinstance(request, ActorsRequest):
                error = InspectorError("inspector.unknown_type", "no actors\x1b here")
                await client.send(client.session.refuse(request.id, error))
                return True
            return False

        it.host.interfere = refuse
        alarm = it.add("actor * failed")
        await it.until(lambda: alarm.problem)
        assert alarm.problem == "inspector.unknown_type: no actors␛ here"

    watched(test)


def test_lag_is_that_of_records_and_of_pings() -> None:
    async def test(it: Watched) -> None:
        it.add("lag >= 1h")
        ping = it.add("lag <= 1h")
        await it.host.wait_asked(LogsSubscribe, 2)
        connection = it.link.require()
        await it.until(lambda: connection.round_trip is not None)
        it.watching.tick()
        assert (len(it.told), it.told[0].rule) == (1, ping.rule)
        late = it.add("lag = 0.001ms")
        early = it.add("lag < 0.001ms")
        await it.host.wait_asked(LogsSubscribe, 4)
        # Before its time by any clock: as punctual as can be.
        await it.host.log(record(6).replace(b"2026-11-23", b"2999-11-23"))
        await it.until(lambda: early.count)
        assert late.count == 0

    watched(test)


def test_another_run_of_the_host_is_looked_at_afresh() -> None:
    async def test(it: Watched) -> None:
        it.host.actors = [actor("a", "failed")]
        it.add("actor a failed")
        it.add("link lost")
        await it.fired(1)
        it.now = 1.0
        await it.host.stop()
        assert (await it.fired(2))[1].startswith("no connection: ")
        it.now = 2.0
        it.watching.tick()
        it.host.id = "run-2"
        await it.host.start()
        assert (await it.fired(3))[2] == "a is failed"

    watched(test)


def test_a_span_is_timed_by_its_own_record() -> None:
    async def test(it: Watched) -> None:
        it.add("latency work > 1s")
        await it.host.wait_asked(LogsSubscribe)
        await it.host.log(span_record(6, "work", ended=2_000_000_000))
        assert len(await it.fired(1)) == 1

    watched(test)


# ---- the file ----


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "rules"
    path.write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(ValueError, match="more than"):
        RulesFile(path).read()


def test_a_file_that_cannot_be_written_is_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RulesFile(tmp_path / "rules")
    assert file.read() == []
    entries = file.write([(None, parse_rule("link lost"), True), (None, parse_rule("lag > 1s"), False)])
    assert file.path.read_text() == "link lost\noff lag > 1s\n"
    (tmp_path / "rules.old").mkdir()
    file.path = tmp_path / "rules.old"
    with pytest.raises(OSError, match=r"rules\.old"):
        file.write([(entries[1], parse_rule("lag > 1s"), True)])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert file.entries == entries
