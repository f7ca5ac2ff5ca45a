"""Finding hosts by URL and by runtime file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tui.discovery import HostFile, NoHost, Target, Wanted, find_hosts, parse_url, runtime_directory

NOBODY = 2**22 + 1  # beyond what Linux gives out


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "inspector"
    path.mkdir(mode=0o700)
    return path


def put(directory: Path, name: str = "1.json", mode: int = 0o600, **changes: Any) -> Path:
    host = {"url": "http://127.0.0.1:7351", "token": "secret", "name": "demo", "pid": os.getpid(), "host_id": "h"}
    path = directory / name
    path.write_text(json.dumps({**host, "started_at": 5, **changes}))
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:7351", "http://127.0.0.1:7351"),
        ("ws://127.0.0.1:7351/inspector/connect", "http://127.0.0.1:7351"),
        ("wss://example.org", "https://example.org:443"),
        ("https://example.org:8443/", "https://example.org:8443"),
        ("http://example.org", "http://example.org:80"),
        ("localhost:99", "http://localhost:99"),
        ("localhost", "http://localhost:7351"),
        ("[::1]", "http://[::1]:7351"),
        ("[::1]:80", "http://[::1]:80"),
        (" EXAMPLE.org:1 ", "http://example.org:1"),
    ],
)
def test_the_forms_of_a_url(text: str, url: str) -> None:
    assert parse_url(text) == url
    assert parse_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://x:1",
        "http://",
        "http://x:0",
        "http://x:99999",
        "http://u:p@x:1",
        "http://x:1/y",
        "http://x:1?a=b",
        "http://[::1",
        "http://a b:1",
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_url(text)


def test_targets() -> None:
    assert Target("http://h:1").connect_url == "ws://h:1/inspector/connect"
    assert Target("https://h:1").connect_url == "wss://h:1/inspector/connect"
    assert Target("https://[::1]:1").place == "[::1]:1"


def test_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_directory() == tmp_path / "inspector"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert runtime_directory().name == f"inspector-{os.getuid()}"


def test_hosts_are_found_the_youngest_first(directory: Path) -> None:
    put(directory, "1.json", url="http://127.0.0.1:1", started_at=1)
    put(directory, "2.json", url="http://127.0.0.1:2", started_at=2)
    assert [host.url for host in find_hosts(directory)] == ["http://127.0.0.1:2", "http://127.0.0.1:1"]
    assert find_hosts(directory)[0].target == Target("http://127.0.0.1:2", "secret", "demo")


def test_a_dead_hosts_file_is_removed(directory: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    path = put(directory, pid=child.pid)
    assert find_hosts(directory) == ()
    assert not path.exists()


@pytest.mark.parametrize("pid", [1, 0, 2**70, NOBODY + 2**40])
def test_what_runs_or_cannot_be_told_to_be_dead_stays(directory: Path, pid: int) -> None:
    path = put(directory, pid=pid)
    found = find_hosts(directory)
    assert path.exists() == bool(found) or pid > 2**63


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"url": 5, "token": "x"}',
        b'{"url": "ftp://x", "token": "x"}',
        b'{"url": "http://x:1", "token": "a b"}',
        b"\xff",
    ],
)
def test_what_makes_no_sense_is_passed_over(directory: Path, content: bytes) -> None:
    path = directory / "1.json"
    path.write_bytes(content)
    path.chmod(0o600)
    assert find_hosts(directory) == ()


def test_what_others_could_have_written_is_not_read(directory: Path, tmp_path: Path) -> None:
    put(directory, mode=0o644)
    (directory / "link.json").symlink_to(put(tmp_path, "elsewhere.json"))
    (directory / "dir.json").mkdir()
    assert find_hosts(directory) == ()
    (directory / "1.json").chmod(0o600)
    assert len(find_hosts(directory)) == 1
    directory.chmod(0o755)
    assert find_hosts(directory) == ()


def test_no_directory_no_hosts(tmp_path: Path) -> None:
    assert find_hosts(tmp_path / "nowhere") == ()


def test_a_url_and_a_token_need_no_file() -> None:
    assert Wanted("http://h:1", "t").resolve() == Target("http://h:1", "t")


def test_a_url_finds_its_token_by_host_and_port(directory: Path) -> None:
    put(directory, url="http://127.0.0.1:7351")
    found = Wanted("https://127.0.0.1:7351", None, directory).resolve()
    assert found == Target("https://127.0.0.1:7351", "secret", "demo")
    assert Wanted("http://127.0.0.1:1", None, directory).resolve() == Target("http://127.0.0.1:1")


def test_without_a_url_there_must_be_exactly_one(directory: Path) -> None:
    with pytest.raises(NoHost, match="no running host") as caught:
        Wanted(directory=directory).resolve()
    assert caught.value.hosts == ()
    put(directory)
    assert Wanted(directory=directory).resolve().token == "secret"
    assert Wanted(token="mine", directory=directory).resolve().token == "mine"
    put(directory, "2.json", url="http://127.0.0.1:2")
    with pytest.raises(NoHost, match="several") as caught:
        Wanted(directory=directory).resolve()
    assert len(caught.value.hosts) == 2
    assert isinstance(caught.value.hosts[0], HostFile)
