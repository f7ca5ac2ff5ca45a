"""`inspector-tui open`: in this process, as a process that follows, and on a terminal."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tui import cli
from tui.commands.open import as_record
from tui.exits import ANSWERED_ERROR, INTERRUPTED, OK, USAGE

OURS = [
    b'{"seq":1,"timestamp":"2026-11-23T20:00:00.000000Z","level":"INFO","kind":"event","target":"shop.cart",'
    b'"fields":{"message":"card accepted","amount":12}}',
    b'{"seq":2,"timestamp":"2026-11-23T20:00:02.000000Z","level":"WARN","kind":"event","target":"shop.pay",'
    b'"fields":{"message":"declined","amount":99}}',
]
LOGFMT = b'time=2026-11-23T20:00:01Z level=error logger=mail msg="no such host" host=x'
PLAIN = b"2026-11-23 20:00:03,000 WARNING disk is full"


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    (tmp_path / "ours.log").write_bytes(b"\n".join(OURS) + b"\n")
    return tmp_path / "ours.log"


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["open", *map(str, words)])


def messages(result: Result) -> list[str]:
    return [json.loads(line)["fields"]["message"] for line in result.stdout.splitlines()]


def test_our_records_are_printed_as_they_are(ours: Path) -> None:
    result = invoke(ours)
    assert (result.exit_code, result.stdout_bytes) == (OK, b"\n".join(OURS) + b"\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--filter", "warn"), ["declined"]),
        (("--filter", "off,shop.cart=info"), ["card accepted"]),
        (("--filter", "off,[{amount>50}]=trace"), ["declined"]),
        (("--search", "accepted"), ["card accepted"]),
        (("--search", "/amount=9+/"), ["declined"]),
        (("--search", "Accepted"), []),
        (("--search", "accepted", "--filter", "warn"), []),
        (("--since", "2026-11-23T20:00:01Z"), ["declined"]),
        (("--until", "2026-11-23 20:00:02"), ["card accepted"]),
        (("--since", "2026-11-23", "--until", "2026-11-23T20:01"), ["card accepted", "declined"]),
        (("--since", "1ms"), []),
    ],
)
def test_what_is_asked_for_is_printed_and_counted(ours: Path, words: tuple[str, ...], expected: list[str]) -> None:
    result = invoke(ours, *words)
    assert (messages(result), result.stderr) == (expected, "")
    assert result.exit_code == (OK if expected else ANSWERED_ERROR)
    counted = invoke(ours, *words, "--count")
    assert (counted.stdout, counted.exit_code) == (f"{len(expected)}\n", result.exit_code)


def test_files_of_any_kind_are_merged_by_time(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress(LOGFMT + b"\n"))
    (tmp_path / "disk.log").write_bytes(PLAIN)
    files = (ours, tmp_path / "disk.log", tmp_path / "mail.log.gz")
    assert messages(invoke(*files)) == ["card accepted", "no such host", "declined", PLAIN.decode()]
    assert invoke(*files, "--count").stdout == "4\n"


def test_stdin_is_printed_as_it_comes() -> None:
    process = start("-", "--filter", "warn", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n".join(OURS) + b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == OURS[1] + b"\n"
    process.stdin.write(LOGFMT)
    process.stdin.close()
    assert json.loads(process.stdout.readline())["target"] == "mail"
    assert process.wait() == OK
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_lines_that_are_no_json_become_records(tmp_path: Path) -> None:
    assert json.loads(as_record(LOGFMT)) == {
        "kind": "event",
        "timestamp": "2026-11-23T20:00:01.000000Z",
        "level": "ERROR",
        "target": "mail",
        "fields": {"message": "no such host", "host": "x"},
    }
    assert json.loads(as_record(b"\xff{")) == {"kind": "event", "fields": {"message": "\ufffd{"}}
    assert json.loads(as_record(b'{"cut":')) == {"kind": "event", "fields": {"message": '{"cut":'}}
    (tmp_path / "mixed").write_bytes(b"\n".join([OURS[0], PLAIN, b"", OURS[1]]))
    assert messages(invoke(tmp_path / "mixed")) == ["card accepted", PLAIN.decode(), "", "declined"]


def test_much_is_printed_in_portions(tmp_path: Path) -> None:
    lines = [b"line %d" % number for number in range(30_000)]
    (tmp_path / "log").write_bytes(b"\n".join(lines))
    assert messages(invoke(tmp_path / "log")) == [line.decode() for line in lines]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--filter", "warning"), "did you mean 'warn'?"),
        (("--search", "/(/"), "(at character 1)"),
        (("--search", " "), "nothing to search for"),
        (("--since", "noon"), "neither a time"),
        (("--count", "--follow"), "--follow has none"),
    ],
)
def test_what_can_not_be_understood_is_refused(ours: Path, words: tuple[str, ...], said: str) -> None:
    result = invoke(ours, *words)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert said in result.stderr


def test_a_file_that_can_not_be_read_is_told(ours: Path, tmp_path: Path) -> None:
    result = invoke(ours, tmp_path / "none")
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert result.stderr == f"cannot_read: {tmp_path / 'none'}: No such file or directory\n"
    (tmp_path / "cut.gz").write_bytes(gzip.compress(OURS[0] + b"\n")[:-4])
    result = invoke(tmp_path / "cut.gz")
    assert (result.exit_code, messages(result)) == (USAGE, ["card accepted"])
    assert result.stderr == "damaged: cut.gz: the packed data ends too early\n"


def start(*words: object, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from tui.cli import main; main()", "open", *map(str, words)]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)


@contextmanager
def following(*words: object) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    process = start("--follow", *words)
    assert process.stdout is not None

    def said() -> Iterator[str]:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)["fields"]["message"]

    try:
        yield process, said()
    finally:
        process.kill()
        process.communicate()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_file_is_followed_through_all_that_becomes_of_it(ours: Path) -> None:
    append(ours, b"half a")
    with following(ours, "--filter", "info") as (process, said):
        assert [next(said), next(said)] == ["card accepted", "declined"]
        append(ours, b" line\n")
        assert next(said) == "half a line"
        os.truncate(ours, 0)
        assert next(said) == "ours.log was truncated: from here on it is read from its beginning"
        append(ours, b'{"level":"debug","msg":"quiet"}\n' + OURS[0] + b"\nlast")
        assert next(said) == "card accepted"
        ours.rename(ours.with_suffix(".1"))
        assert next(said) == "ours.log is gone: waiting for it to come back"
        ours.write_bytes(OURS[1] + b"\n")
        assert [next(said), next(said), next(said)] == [
            "last",
            "ours.log was replaced: from here on it is another file",
            "declined",
        ]
        process.send_signal(signal.SIGINT)
        assert process.wait() == INTERRUPTED


def test_who_follows_notices_that_nobody_reads(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(LOGFMT + b"\n")
    with following(ours, tmp_path / "mail.log", "--until", "2026-11-23T20:00:02Z") as (process, said):
        assert [next(said), next(said)] == ["card accepted", "no such host"]
        append(tmp_path / "mail.log", b"  belongs to it\n")
        assert next(said) == "  belongs to it"
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == OK


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes((OURS[0] + b"\n") * 50_000)
    process = start(tmp_path / "log")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == OK
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_person_reads_lines(ours: Path) -> None:
    master, slave = pty.openpty()
    process = start(ours, stdout=slave)
    os.close(slave)
    assert process.wait() == OK
    shown = os.read(master, 10_000).decode().splitlines()
    os.close(master)
    process.communicate()
    assert shown == [
        "20:00:00.000000  INFO   shop.cart  card accepted  amount=12",
        "20:00:02.000000  WARN   shop.pay  declined  amount=99",
    ]


def test_a_large_file_is_counted_in_shares(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"".join(line + b"\n" for line in [*OURS, PLAIN]) * 500)
    settings = "module._SHARE = 1000; module.processors = lambda: 3"
    command = f"import tui.commands.open as module, tui.cli; {settings}; tui.cli.main()"
    for options, expected in ((["--filter", "warn"], 1000), ([], 1500)):
        words = [sys.executable, "-c", command, "open", str(tmp_path / "log"), "--count", *options]
        assert int(subprocess.run(words, capture_output=True, check=True).stdout) == expected
