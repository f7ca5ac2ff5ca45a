"""``--sink`` and ``INSPECTOR_SINK``, as people type them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from inspector import cli
from inspector.cli.records import set_up_log
from inspector.tracing import FileSink, PullingSink, StreamSink
from protocol.filters import parse_filter
from tests.inspector.host_process import APP, HostProcess
from tests.inspector.tracing.records import make_log


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Give a function that runs a command line that fails before anything is served."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("INSPECTOR_"):
            monkeypatch.delenv(name)

    def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner(env=env).invoke(cli.main, arguments, prog_name="inspector-host")

    return run


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("stdot", 0, "did you mean 'stdout'?"),
        ("stdout,filter=info,shop=debug", 19, 'filter="info,shop=debug"'),
        ('stdout,filter="info,shop=loud"', 25, "'loud' is not a level"),
        ("file:nowhere/x", 5, "No such file or directory"),
        ("file:x,max_size=10XB", 16, "a size is a number"),
    ],
)
def test_a_bad_sink_is_pointed_at(run: Callable[..., Result], text: str, position: int, said: str) -> None:
    result = run("demo", "--sink", text)
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert "--sink" in result.output
    assert said in result.output
    assert lines[lines.index(f"  {text}") + 1] == "  " + " " * position + "^"


def test_a_bad_sink_in_the_environment(run: Callable[..., Result]) -> None:
    result = run("demo", env={"INSPECTOR_SINK": 'stderr\n  file:"x'})
    assert result.exit_code == 2
    assert "INSPECTOR_SINK" in result.output
    assert result.output.splitlines()[-2:] == ['    file:"x', "         ^"]
    result = run("demo", env={"INSPECTOR_SINK": "stderr stdout,filter=warning"})
    assert result.exit_code == 2
    assert "INSPECTOR_SINK" in result.output
    assert "did you mean 'warn'?" in result.output


def sinks_of(*sinks: str) -> list[PullingSink[object]]:
    context = cli.main.make_context("inspector-host", ["demo", *(word for each in sinks for word in ("--sink", each))])
    found: list[PullingSink[object]] = [*context.params["sinks"]]
    return found


def test_several_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECTOR_SINK", f'file:"{tmp_path}/a b",filter="info, t=debug"\nstderr')
    file, stream = sinks_of()
    assert (file.name, str(file.filter), stream.name) == (f"file:{tmp_path}/a b", "info,t=debug", "stderr")
    # What stands on the command line goes before.
    [file] = sinks_of(f"file:{tmp_path}/c")
    assert isinstance(file, FileSink)


@pytest.mark.parametrize(
    ("spelt", "names", "follow"),
    [
        ([], ["stdout"], [True]),
        (["stderr,format=json"], ["stdout", "stderr"], [True, True]),
        (["stdout,format=logfmt,filter=warn"], ["stdout"], [False]),
    ],
)
def test_stdout_is_there_unless_it_is_spelt(spelt: list[str], names: list[str], follow: list[bool]) -> None:
    log = make_log()
    set_up_log(
        log,
        log_filter=parse_filter("debug"),
        log_format=None,
        log_spans=False,
        sinks=sinks_of(*spelt),
        record=parse_filter("info"),
    )
    assert [(sink.name, sink.follows_default) for sink in log.sinks] == list(zip(names, follow, strict=True))
    assert [str(sink.filter) for sink in log.sinks] == ["debug" if follows else "warn" for follows in follow]
    assert all(isinstance(sink, StreamSink) for sink in log.sinks)
    log.close()


def test_a_host_writes_to_each(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "hosts").mkdir(mode=0o700)
    env = {name: value for name, value in os.environ.items() if not name.startswith("INSPECTOR_")}
    env |= {"XDG_RUNTIME_DIR": str(tmp_path / "hosts"), "INSPECTOR_PORT": "0"}
    host = HostProcess(
        "app:registry",
        "--log",
        "off",
        "--sink",
        "file:all.jsonl,filter=debug,flatten",
        "--sink",
        'file:some.log,format=logfmt,filter="off,app=info"',
        "--sink",
        "stderr,filter=info,format=json",
        cwd=tmp_path,
        env=env,
    )
    host.runtime()
    assert host.process.stderr is not None
    while b"inspector listening" not in host.process.stderr.readline():
        pass
    code, out, _ = host.end()
    assert (code, out) == (0, b"")
    everything = [orjson.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert {"host", "actor"} <= {record["span"] for record in everything}
    assert any(record.get("span.actor") == "speaker" for record in everything)
    [line] = (tmp_path / "some.log").read_text().splitlines()
    assert "msg=hello fields.amount=1" in line
