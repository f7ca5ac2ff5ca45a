"""What the log view costs at 20,000 records a second: a real app in a pseudo-terminal, keys pressed in it.

The app is a process of its own that reads batches from a pipe, as it would read frames from a socket; the
parent makes them beforehand, presses keys, and watches what the terminal gets: the mark of the chosen row,
or the badge that says that the view is on hold. A key's time is from writing the key to reading the bytes
that show what it did.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import random
import re
import resource
import selectors
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

from textual.app import App, ComposeResult

from tests.bench.figures import Figure, show
from tui.pace import FRAMES_PER_SECOND, settle
from tui.widgets.log_view import LogView

__all__ = ("main", "run")

RATE: Final = 20_000
"""Records a second."""
INTERVAL: Final = 0.05
"""Seconds of records in a batch, as a host sends them."""
SIZE: Final = (50, 200)
"""Lines and columns of the terminal."""
RING: Final = 16 << 20
"""Bytes that the view keeps: less than its default, so that the ring turns over several times in a run."""

_HEAD: Final = struct.Struct("!cI")
_MADE: Final = 40
_CHOSEN: Final = re.compile(rb"\x1b\[(\d+);1H(?:\x1b\[[\d;]*m)*\xe2\x96\x8c")
_HELD: Final = re.compile(rb"paused|new \xe2\x86\x93")


@dataclass(frozen=True, slots=True)
class _Batch:
    lines: bytes
    first_seq: int
    next_seq: int
    dropped: int = 0


class _Bench(App[None]):
    """The app that is measured: the view, fed from a pipe; it writes what it used to another one."""

    def __init__(self, feed: int, report: int) -> None:
        super().__init__()
        self._feed = feed
        self._report = report

    def compose(self) -> ComposeResult:
        yield LogView(RING)

    def on_mount(self) -> None:
        self.query_one(LogView).focus()
        self.run_worker(self._read())

    async def _read(self) -> None:
        view, seq = self.query_one(LogView), 1
        reader = asyncio.StreamReader(limit=1 << 20)
        pipe = os.fdopen(self._feed, "rb")
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        while True:
            kind, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            data = await reader.readexactly(size)
            if kind == b"B":
                count = data.count(b"\n") + 1
                view.append(_Batch(data, seq, seq + count))
                seq += count
            elif kind == b"M":
                used = {"cpu": time.process_time(), "wall": time.monotonic(), "rss": _resident()}
                os.write(self._report, json.dumps(used | {"rows": seq - 1}).encode() + b"\n")
            else:
                self.exit()
                return


def _resident() -> float:
    """Give this process's resident size in MiB; its peak where the system tells no more."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() / (1 << 20)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _record(rng: random.Random, seq: int) -> bytes:
    """Make a record of some 350 bytes, of the kinds that a busy shop writes."""
    kind = rng.choices(["event", "span_start", "span_end"], [6, 2, 2])[0]
    level = rng.choices(["DEBUG", "INFO", "WARN", "ERROR"], [5, 4, 0.3, 0.1])[0]
    record: dict[str, Any] = {
        "seq": seq,
        "timestamp": f"2026-11-23T20:{seq // 60_000 % 60:02}:{seq // 1000 % 60:02}.{seq % 1000:03}606Z",
        "level": level if kind == "event" else "DEBUG",
        "kind": kind,
        "target": rng.choice(["shop.cart", "shop.pay", "shop.mail", "inspector.registry.dispatch"]),
    }
    if kind == "event":
        record["fields"] = {
            "message": rng.choice(["card accepted", "reservation made", "retry after a while"]),
            "amount": rng.randrange(2_000),
            "currency": "EUR",
            "note": rng.choice(["first order", "grüße", "none"]),
        }
    actor, actor_id = f"orders/{rng.randrange(2_000)}", f"{rng.getrandbits(64):016x}"
    span = {"name": "action", "actor": actor, "actor_id": actor_id, "action": "checkout", "rid": seq}
    record["span"] = span
    if kind == "span_end":
        record |= {"duration_ns": rng.randrange(10**4, 10**8), "status": "ok"}
    record |= {"trace_id": f"{rng.getrandbits(128):032x}", "span_id": f"{rng.getrandbits(64):016x}"}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


class _Terminal:
    """The app in a pseudo-terminal, fed on time, its output read at once."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        a_batch = round(RATE * INTERVAL)
        self.batches = [
            b"\n".join(_record(rng, number * a_batch + row) for row in range(a_batch)) for number in range(_MADE)
        ]
        self.record_size = sum(map(len, self.batches)) / (_MADE * a_batch)
        self.rng = rng
        self.sent = 0
        self.seen = b""
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, SIZE)
        feed, self.feed = os.pipe()
        self.report, report = os.pipe()
        self.app = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_log_view", "--app", str(feed), str(report)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=(feed, report),
            start_new_session=True,
            env=os.environ
            | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_FPS": str(FRAMES_PER_SECOND)},
        )
        for end in (slave, feed, report):
            os.close(end)
        # A pipe that is full must not keep the keys waiting.
        os.set_blocking(self.feed, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.master, selectors.EVENT_READ)
        self._behind = b""
        self._due = time.monotonic()

    def watch(self, seconds: float, sign: re.Pattern[bytes] | None = None, line: int | None = None) -> float | None:
        """Feed and read for so long, or until the sign is seen (on that line); give when it was."""
        self.seen = b""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self._send(now)
            wait = min(end, self._due) - now
            if self._behind:
                wait = min(wait, 0.001)
            if self._selector.select(max(0.0, wait)):
                try:
                    self.seen += os.read(self.master, 1 << 20)
                except OSError:
                    # The app has ended, and its terminal with it.
                    return None
                found = list(sign.finditer(self.seen)) if sign is not None else []
                if found and (line is None or int(found[-1][1]) == line):
                    return time.monotonic()
        return None

    def press(self, key: str, sign: re.Pattern[bytes], line: int | None = None) -> float:
        """Press a key, and give the seconds until the terminal shows what it did."""
        begun = time.monotonic()
        os.write(self.master, key.encode())
        shown = self.watch(5.0, sign, line)
        if shown is None:
            raise RuntimeError(f"the key {key!r} had no effect in five seconds")
        return shown - begun

    def used(self) -> dict[str, float]:
        """Ask the app what it has used until now."""
        self._behind += _HEAD.pack(b"M", 0)
        while self._behind:
            self.watch(0.001)
        answer = b""
        while not answer.endswith(b"\n"):
            self.watch(0.001)
            os.set_blocking(self.report, False)
            try:
                answer += os.read(self.report, 4_096)
            except BlockingIOError:
                continue
        used: dict[str, float] = json.loads(answer)
        return used

    def close(self) -> None:
        """End the app."""
        self._behind += _HEAD.pack(b"Q", 0)
        self._due = float("inf")
        while self._behind and self.app.poll() is None:
            self.watch(0.01)
        while self.app.poll() is None:
            if self.watch(0.01) is None:
                time.sleep(0.01)
        for end in (self.master, self.feed, self.report):
            os.close(end)

    def _send(self, now: float) -> None:
        if now >= self._due:
            batch = self.batches[self.sent % _MADE]
            self._behind += _HEAD.pack(b"B", len(batch)) + batch
            self.sent += 1
            self._due += INTERVAL
        if self._behind:
            try:
                self._behind = self._behind[os.write(self.feed, self._behind) :]
            except BlockingIOError:
                return


def run(seconds: float = 20.0, seed: int = 1) -> list[Figure]:
    """Measure, and give the figures.

    Args:
        seconds: how long keys are pressed, after the ring has filled.
        seed: of the records and of the pauses between keys.
    """
    terminal = _Terminal(seed)
    try:
        if terminal.watch(30.0, re.compile(rb"accepted|made|retry")) is None:
            raise RuntimeError("the app showed no record in half a minute")
        # Until the ring has turned over once: from here on memory must stay where it is.
        terminal.watch(1.5 * RING / (RATE * terminal.record_size))
        filled = terminal.used()
        terminal.watch(seconds / 3)
        followed = terminal.used()
        delays = _press_keys(terminal, seconds)
        pressed = terminal.used()
        sent = terminal.sent
    finally:
        terminal.close()
    share = 100 * (followed["cpu"] - filled["cpu"]) / (followed["wall"] - filled["wall"])
    busy = 100 * (pressed["cpu"] - followed["cpu"]) / (pressed["wall"] - followed["wall"])
    grown = pressed["rss"] - filled["rss"]
    rate = (pressed["rows"] - filled["rows"]) / (pressed["wall"] - filled["wall"])
    behind = sent - pressed["rows"] / round(RATE * INTERVAL)
    cuts = [round(1_000 * delay, 1) for delay in quantiles(delays, n=100)]
    return [
        Figure("log view: records/s taken, at least", round(rate), "/s", RATE * 0.98, rate >= RATE * 0.98),
        Figure("log view: batches not taken at the end, at most", round(behind), "", 2, behind <= 2),
        Figure("log view: bytes a record", round(terminal.record_size), "B"),
        Figure("log view: keys pressed", len(delays), ""),
        Figure("log view: key to redraw, p50", cuts[49], "ms"),
        Figure("log view: key to redraw, p99, at most", cuts[98], "ms", 70, cuts[98] < 70),
        Figure("log view: share of a core, following, at most", round(share, 1), "%", 33.3, share < 33.3),
        Figure("log view: share of a core, pressing keys, at most", round(busy, 1), "%", 33.3, busy < 33.3),
        Figure("log view: resident size", round(pressed["rss"], 1), "MiB"),
        Figure("log view: growth once the ring is full, at most", round(grown, 1), "MiB", 8, grown < 8),
    ]


def _press_keys(terminal: _Terminal, seconds: float) -> list[float]:
    """Hold the view, move about in it, follow again, over and over; give what each key took."""
    lines = SIZE[0]
    delays: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.watch(terminal.rng.uniform(0.03, 0.12))
        delays.append(terminal.press(" ", _HELD))
        line = lines
        for step in [-1] * 5 + [1] * 3:
            terminal.watch(terminal.rng.uniform(0.02, 0.09))
            line += step
            delays.append(terminal.press("k" if step < 0 else "j", _CHOSEN, line))
        terminal.watch(terminal.rng.uniform(0.02, 0.09))
        os.write(terminal.master, b" ")
        terminal.watch(0.15)
    return delays


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="What the log view costs.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--app", type=int, nargs=2, metavar=("FEED", "REPORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        app = _Bench(*options.app)
        # As the terminal app does.
        settle()
        app.run()
        return
    show(run(options.seconds, options.seed))


if __name__ == "__main__":
    main()
