"""Ten million records in a file: counted, searched, filtered, opened, beside grep and, where there is one, lnav.

The file is made once in the system's temporary folder, some 3.9 GB, and stays there for the next run. Every program is
run in turn, as a process of its own from its start to its end, over a file that is in the system's cache; each ratio is
that of the best of some rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure, show

__all__ = ("main", "make_log", "run")

RECORDS: Final = 10_000_000
RARE: Final = "Quartz-Zebra-77"
"""Stands in three records."""

_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
_SPARE: Final = 2 << 30
_RECORD_BYTES: Final = 390
_OURS: Final = (sys.executable, "-c", "from tui.cli import main; main()", "open")
_KINDS: Final = 5_000
# The store as a log view uses it: a screen at either end, then the whole index; prints two times in seconds, and KiB.
_STORE: Final = """
import resource, sys, time
from pathlib import Path
from tui.logs.files import FileStore, PlainFile
from tui.logs.row import parse_row
begun = time.perf_counter()
store = FileStore(PlainFile(Path(sys.argv[1])))
store.step()
tail = [parse_row(line) for line in store.rows(store.end_row - 50, store.end_row)]
head_store = FileStore(PlainFile(Path(sys.argv[1])), 0)
head_store.step()
head = [parse_row(line) for line in head_store.rows(0, 50)]
screen = time.perf_counter() - begun
while store.step(): pass
whole = time.perf_counter() - begun
assert len(head) == len(tail) == 50 and len(store) == int(sys.argv[2]), len(store)
print(screen, whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


# Without it lnav takes the lines for text, and knows no level.
_LNAV_FORMAT: Final = {
    "inspector_log": {
        "title": "Inspector",
        "json": True,
        "file-pattern": r".*\.log",
        "timestamp-field": "timestamp",
        "level-field": "level",
        "body-field": "kind",
        "level": {"trace": "TRACE", "debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR"},
        "line-format": [{"field": "__timestamp__"}, " ", {"field": "level"}, " ", {"field": "fields"}],
        "value": {"fields": {"kind": "json"}, "level": {"kind": "string"}, "kind": {"kind": "string"}},
    }
}


@dataclass(frozen=True, slots=True)
class _Ran:
    seconds: float
    peak: float
    output: str


def make_log(path: Path, records: int) -> None:
    """Write records of the kinds that a busy shop writes: a few in a hundred are warnings or errors."""
    rng = random.Random(1)
    ends = [_end(rng, number) for number in range(_KINDS)]
    rare = {records // 7, records // 2, records - 5}
    with path.open("wb", 1 << 20) as file:
        for base in range(0, records, 1000):
            second = base // 1000
            day, hour, minute = 1 + second // 86400, second // 3600 % 24, second // 60 % 60
            stamp = b"2026-11-%02dT%02d:%02d:%02d" % (day, hour, minute, second % 60)
            for number in range(base, min(base + 1000, records)):
                end = ends[number * 7919 % _KINDS]
                if number in rare:
                    end = end.replace(b'"note":"', b'"note":"%b ' % RARE.encode(), 1)
                head = b'{"seq":%d,"timestamp":"%b.%03d606Z",' % (number + 1, stamp, number % 1000)
                file.write(head + end)


def _end(rng: random.Random, number: int) -> bytes:
    level = rng.choices(_LEVELS, [5, 45, 46, 3, 1])[0]
    target = rng.choice(["shop.cart", "shop.pay", "shop.mail", "inspector.registry.dispatch"])
    message = rng.choice(["card accepted", "reservation made", "retry after a while"])
    note = rng.choice(["first order", "grüße", "none"])
    return (
        f'"level":"{level}","kind":"event","target":"{target}","fields":{{"message":"{message}",'
        f'"amount":{rng.randrange(2_000)},"currency":"EUR","note":"{note}"}},"span":{{"name":"action",'
        f'"actor":"orders/{rng.randrange(2_000)}","actor_id":"{rng.getrandbits(64):016x}","action":"checkout",'
        f'"rid":{number}}},"trace_id":"{rng.getrandbits(128):032x}","span_id":"{rng.getrandbits(64):016x}"}}\n'
    ).encode()


def _ran(*command: str, env: dict[str, str] | None = None) -> _Ran:
    """Run a program to its end, and give what it took and printed."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stdin=subprocess.DEVNULL, env=os.environ | (env or {}))
        _, _, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        # It has been waited for already, which the object must know.
        process.returncode = 0
        output.seek(0)
        return _Ran(seconds, used.ru_maxrss / 1024, output.read(1 << 20).decode(errors="replace"))


def _lnav(program: str, command: str, log: str) -> float:
    """Give the seconds that lnav takes for one command and to print what it leaves, into a file."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "formats" / "inspector"
        place.mkdir(parents=True)
        (place / "format.json").write_text(json.dumps(_LNAV_FORMAT))
        return _ran(program, "-I", folder, "-n", "-c", command, log, env={"HOME": folder}).seconds


def _first_line(*command: str) -> float:
    """Give the seconds until a program has printed its first line."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.kill()
    return seconds


def run(records: int = RECORDS, rounds: int = 5) -> list[Figure]:
    """Measure, and give the figures; none, and a line that says why, where the disk has no room.

    Args:
        records: how many are in the file.
        rounds: how often each program is run; the best counts.
    """
    path = Path(tempfile.gettempdir()) / f"inspector-bench-{records}.log"
    whole = path.with_suffix(".log.part")
    if not path.exists():
        free = shutil.disk_usage(path.parent).free
        if free < records * _RECORD_BYTES + _SPARE:
            print(f"SKIPPED: {path.parent} has {free >> 20:,} MiB free, too few for {records:,} records\n", flush=True)
            return []
        make_log(whole, records)
        whole.rename(path)
    log = str(path)
    tasks = {
        "count": (("--count",), ("grep", "-c", ""), ":filter-out ."),
        "rare literal": (("--search", RARE, "--count"), ("grep", "-c", RARE), f":filter-in {RARE}"),
        "the same ignoring case": (("--search", RARE.lower(), "--count"), ("grep", "-ci", RARE.lower()), ""),
        "level warn and above": (
            ("--filter", "warn", "--count"),
            ("grep", "-cE", '"level":"(WARN|ERROR)"'),
            ":set-min-log-level warning",
        ),
    }
    lnav = shutil.which("lnav")
    # Into the system's cache.
    _ran("grep", "-c", "", log)
    ours: dict[str, list[_Ran]] = {name: [] for name in tasks}
    theirs: dict[str, list[_Ran]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (options, grep, _) in tasks.items():
            ours[name].append(_ran(*_OURS, log, *options))
            theirs[name].append(_ran(*grep, log, env={"LC_ALL": "C"}))
            if ours[name][-1].output != theirs[name][-1].output:
                raise RuntimeError(f"{name}: {ours[name][-1].output!r} is not grep's {theirs[name][-1].output!r}")
    figures = [Figure("open: size of the file", path.stat().st_size / (1 << 20), "MiB")]
    for name, (_, _, command) in tasks.items():
        best = min(each.seconds for each in ours[name])
        ratio = best / min(each.seconds for each in theirs[name])
        figures.append(Figure(f"open: {name}", round(best, 2), "s"))
        figures.append(Figure(f"open: {name}: time to grep's, at most", round(ratio, 2), "x", 4, ratio <= 4))
        if lnav is not None and command:
            speed = _lnav(lnav, command, log) / best
            figures.append(Figure(f"open: {name}: speed to lnav's, at least", round(speed, 1), "x", 10, speed >= 10))
    peak = max(each.peak for some in ours.values() for each in some)
    figures.append(Figure("open: memory of a process, at most", round(peak, 1), "MiB", 80, peak < 80))
    first = min(_first_line(*_OURS, log) for _ in range(rounds))
    figures.append(Figure("open: first record printed, at most", round(first, 3), "s", 0.5, first < 0.5))
    told = [_ran(sys.executable, "-c", _STORE, log, str(records)).output.split() for _ in range(rounds)]
    screen, index, memory = (min(float(each[figure]) for each in told) for figure in range(3))
    figures.append(Figure("store: 50 rows at each end of the file, at most", round(screen, 4), "s", 0.5, screen < 0.5))
    figures.append(Figure("store: every line counted", round(index, 2), "s"))
    figures.append(Figure("store: memory then, at most", round(memory / 1024, 1), "MiB", 80, memory / 1024 < 80))
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Log files of ten million records, beside grep and lnav.")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    show(run(options.records, options.rounds))


if __name__ == "__main__":
    main()
