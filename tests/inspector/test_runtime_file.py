"""Runtime files: found by this user's terminal, and by nobody else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
import pytest

from inspector.runtime_file import RuntimeFile, runtime_folder
from protocol.messages import HostInfo

URL = "http://127.0.0.1:7351"


def info(pid: int | None = None) -> HostInfo:
    return HostInfo(id="h" * 32, name="demo", version="1", pid=os.getpid() if pid is None else pid, started_at=5)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dead_pid() -> int:
    """Return the id of a process that has been, and is no more."""
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(process.stdout)


def test_a_file_lasts_as_long_as_the_host(runtime_directory: Path) -> None:
    with RuntimeFile(URL, "secret", info()) as file:
        path = runtime_directory / "inspector" / f"{os.getpid()}-7351.json"
        assert file.path == path
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)
        assert orjson.loads(path.read_bytes()) == {
            "url": URL,
            "token": "secret",
            "name": "demo",
            "pid": os.getpid(),
            "host_id": "h" * 32,
            "started_at": 5,
        }
        assert names(path.parent) == [path.name]
    assert names(path.parent) == []


def test_it_is_removed_when_the_host_fails(runtime_directory: Path) -> None:
    with pytest.raises(OSError, match="as it is"), RuntimeFile(URL, "secret", info()):
        raise OSError("as it is")
    assert names(runtime_directory / "inspector") == []


def test_a_reader_never_sees_half_a_file(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runtime_directory / "inspector"
    seen: list[list[str]] = []
    move = os.replace

    def watch(made: str, path: Path) -> None:
        # What readers look for is not there before it is whole.
        seen.append([name for name in names(folder) if name.endswith(".json")])
        assert orjson.loads(Path(made).read_bytes())["token"] == "secret"
        assert mode(Path(made)) == 0o600
        move(made, path)

    monkeypatch.setattr(os, "replace", watch)
    with RuntimeFile(URL, "secret", info()):
        assert seen == [[]]


def test_a_dead_hosts_file_is_cleaned_up(runtime_directory: Path) -> None:
    folder = runtime_folder()
    dead = folder / f"{dead_pid()}-1.json"
    kept = [folder / f"{os.getppid()}-1.json", folder / f"{'9' * 30}-1.json", folder / "1-1.json", folder / "x-1.json"]
    for path in (dead, *kept):
        path.write_text("{}")
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is not None
        assert not dead.exists()
        assert all(path.exists() for path in kept)


def test_a_process_of_another_user_lives(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    path = runtime_folder() / "77-1.json"
    path.write_text("{}")
    monkeypatch.setattr(os, "kill", refuse)
    with RuntimeFile(URL, "secret", info()):
        assert path.exists()


@pytest.mark.parametrize("bits", [0o701, 0o710, 0o777])
def test_a_folder_that_others_can_enter_is_not_used(runtime_directory: Path, bits: int) -> None:
    folder = runtime_directory / "inspector"
    folder.mkdir(mode=0o700)
    folder.chmod(bits)
    with pytest.raises(PermissionError, match="not a folder of this user alone"):
        runtime_folder()
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is None
    assert names(folder) == []


def test_a_link_or_a_file_in_its_place_is_not_used(runtime_directory: Path, tmp_path: Path) -> None:
    folder = runtime_directory / "inspector"
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is None
    folder.unlink()
    folder.write_text("")
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is None


def test_a_folder_of_another_user_is_not_used(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime_folder()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(PermissionError):
        runtime_folder()


def test_a_folder_that_cant_be_made_is_no_reason_not_to_serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "not there"))
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is None


def test_a_file_that_cant_be_written_leaves_nothing(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(made: str, path: Path) -> None:
        raise OSError("full")

    monkeypatch.setattr(os, "replace", refuse)
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is None
    assert names(runtime_directory / "inspector") == []


def test_a_folder_that_goes_meanwhile(runtime_directory: Path) -> None:
    with RuntimeFile(URL, "secret", info()) as file:
        assert file.path is not None
        file.path.unlink()
        file.path.parent.rmdir()


def test_without_a_runtime_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = runtime_folder()
    assert folder == tmp_path / f"inspector-{os.getuid()}"
    assert mode(folder) == 0o700
    assert runtime_folder() == folder
