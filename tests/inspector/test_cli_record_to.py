"""``--record-to``: a host that keeps its records on the disk, and what is said of a directory that can't be used."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from inspector import Registry, cli, open_host
from inspector.store import open_store, store_of
from inspector.tracing import Log
from tests.inspector.host_process import APP, HostProcess
from tests.inspector.store.kept import ask, pages, seqs

__all__ = ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a module of actors, and one for runtime files."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "hosts").mkdir(mode=0o700)
    return tmp_path


@pytest.fixture
def host(folder: Path) -> Iterator[HostProcess]:
    """Start a host that is told by the environment where to record to."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INSPECTOR_")}
    clean |= {
        "XDG_RUNTIME_DIR": str(folder / "hosts"),
        "INSPECTOR_RECORD_TO": "kept",
        "INSPECTOR_RECORD_TO_SIZE": "1",
        "INSPECTOR_RECORD_TO_AGE": "off",
    }
    host = HostProcess("app:registry", "--port", "0", cwd=folder, env=clean)
    yield host
    with host.process:
        host.process.kill()


def refused(folder: Path, *arguments: str) -> Result:
    """Run a command line that fails before anything is served."""
    environment = {"XDG_RUNTIME_DIR": str(folder / "hosts")}
    return CliRunner(env=environment).invoke(cli.main, ["demo", "--port", "0", *arguments])


def test_a_host_records_to_its_directory(host: HostProcess, folder: Path) -> None:
    host.until("inspector listening")
    # Another one is refused meanwhile.
    result = refused(folder, "--record-to", str(folder / "kept"))
    assert result.exit_code == 2
    assert f"in use by another host, process {host.process.pid}" in result.output
    code, _, err = host.end(signal.SIGTERM)
    assert (code, err) == (0, b"")
    log = Log(record="off")
    log.add_sink(open_store(folder / "kept"))
    kept = trio.run(pages, log, ask("inspector.host=info"))
    log.close()
    text = b"\n".join(page.lines for page in kept)
    for message in (b"inspector listening", b"inspector draining", b"inspector stopped"):
        assert text.count(b'"message":"%b"' % message) == 1
    assert len({run for run, _ in seqs(kept)}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--record-to-age", "soon"], "a time is a number and ms, s, m, h, d or w, or it is off"),
        (["--record-to-size", "0"], "0 is not in the range"),
        (["--record-to", "app.py"], "is a file"),
        (["--record-to", ""], "a directory is missing here"),
    ],
)
def test_what_makes_no_sense_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    result = refused(folder, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_another_format_is_refused_and_left_alone(folder: Path) -> None:
    (folder / "kept").mkdir(mode=0o700)
    (folder / "kept" / "00000001.records").write_bytes(b"inspector-records 2 {}\n")
    result = refused(folder, "--record-to", str(folder / "kept"))
    assert result.exit_code == 2
    assert "has version 2 of the format" in result.output
    assert (folder / "kept" / "00000001.records").read_bytes() == b"inspector-records 2 {}\n"


@pytest.mark.trio
async def test_a_log_that_has_a_store_keeps_it(tmp_path: Path) -> None:
    with Log() as log:
        for _ in range(2):
            # As a program whose log outlives its hosts.
            options = {"record_to": tmp_path / "kept", "runtime_file": False, "drain_timeout": 0.1}
            async with open_host(Registry(log=log), **options):
                assert store_of(log) is log.sinks[0]
        assert len(log.sinks) == 1


@pytest.mark.trio
async def test_a_registry_that_has_run_leaves_the_directory_free(tmp_path: Path) -> None:
    registry = Registry()
    async with open_host(registry, runtime_file=False, drain_timeout=0.1):
        pass
    with pytest.raises(RuntimeError):
        async with open_host(registry, runtime_file=False, record_to=tmp_path / "kept"):
            pass
    open_store(tmp_path / "kept").close(0)
