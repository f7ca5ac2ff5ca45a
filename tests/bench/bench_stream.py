"""The log stream from a host to a client, and what clients that never read do to the host and to others."""

from __future__ import annotations

import statistics
import time
from itertools import count
from pathlib import Path
from typing import Any

import cbor2

from tests.bench.bench_actions import action_payloads
from tests.bench.clients import RawClient, processor, server_process
from tests.bench.figures import Figure, show

__all__ = ("run",)

RECORDS = 300_000
PACED_SECONDS = 5
PACED_RATE = 20_000
STUCK = 5
ROUNDS = 15
FILTER = "off,tests=info"
"""Only the records that the benchmark writes."""


class _Client(RawClient):
    """One that reads messages."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._ids = count(1)
        assert self.message()["type"] == "Init"

    def request(self, kind: str, **fields: Any) -> int:
        """Send a request and return its id."""
        self.last_id = number = next(self._ids)
        self.send(cbor2.dumps({"type": kind, "id": number, **fields}))
        return number

    def emit(self, records: int, per_second: int) -> int:
        """Have the host write records."""
        return self.request("ActionRequest", actor="counter/default", name="emit", args=[records, per_second])


def _read(client: _Client, records: int) -> tuple[float, int, int]:
    """Read batches until all records are accounted for; return the seconds, how many came, how many were dropped."""
    start = time.perf_counter()
    came = dropped = 0
    while came + dropped < records:
        message = client.message()
        if message["type"] == "LogBatch":
            lines = message["lines"]
            came += lines.count(b"\n") + 1 if lines else 0
            dropped += message["dropped"]
    return time.perf_counter() - start, came, dropped


def _seconds(client: _Client) -> float:
    """Wait for the answer to `emit`; return how long it took the host."""
    while True:
        message = client.message()
        if message["type"] == "ActionResponse":
            seconds: float = message["duration_ns"] / 1e9
            return seconds
        if message["type"] == "Error":
            raise RuntimeError(message)


def _memory(pid: int) -> float:
    """Return the resident size of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def _stream() -> list[Figure]:
    ratios = []
    shares = []
    rates = []
    lost = 0
    for _ in range(3):
        with server_process("host") as (port, pid):
            writer = _Client(port)
            writer.emit(RECORDS // 3, 0)
            _seconds(writer)
            marks = [processor(pid)]
            writer.emit(RECORDS, 0)
            alone = RECORDS / _seconds(writer)
            marks.append(processor(pid))
            reader = _Client(port)
            reader.request("LogsSubscribe", filter=FILTER)
            reader.message()
            writer.emit(RECORDS, 0)
            seconds, came, dropped = _read(reader, RECORDS)
            marks.append(processor(pid))
            shares.append((marks[1] - marks[0]) / (marks[2] - marks[1]))
            lost += dropped
            rates.append(came / seconds)
            ratios.append(came / seconds / alone)
            writer.close()
            reader.close()
    with server_process("host") as (port, _pid):
        writer, reader = _Client(port), _Client(port)
        reader.request("LogsSubscribe", filter=FILTER)
        reader.message()
        writer.emit(PACED_SECONDS * PACED_RATE, PACED_RATE)
        _, came, dropped = _read(reader, PACED_SECONDS * PACED_RATE)
        took = _seconds(writer)
        writer.close()
        reader.close()
    ratio = statistics.median(ratios)
    share = statistics.median(shares)
    return [
        Figure("log stream to one client", statistics.median(rates), "records/s"),
        Figure("log stream to one client: rate to the emitter's alone, at least", ratio, "x", 0.7, ratio >= 0.7),
        Figure("the same by the host's processor time, which other programs don't disturb, at least", share, "x"),
        Figure("records dropped meanwhile, of each 300,000", lost / 3, ""),
        Figure("emitter paced at 20,000 records/s really reached", came / took, "records/s"),
        Figure("records dropped at 20,000/s with a reading client, at most", dropped, "", 0, dropped == 0),
    ]


class _Paced:
    """A host that writes records at a steady rate, and a client that measures round trips meanwhile."""

    def __init__(self, port: int) -> None:
        self._ids = count(1_000_000)
        self._other = RawClient(port)
        self._other.receive(1)
        filler = _Client(port)
        # The ring is filled first: it is bounded too, but it is not what is measured here.
        filler.emit(200_000, 0)
        _seconds(filler)
        filler.close()
        self._pacer = _Client(port)
        self._pacer.emit(10**9, PACED_RATE)

    def latency(self) -> float:
        """Return the mean of some round trips."""
        frames = [RawClient.frame(payload) for payload in action_payloads("level", self._ids, 100)]
        return self._other.round_trips(frames)

    def stop(self) -> None:
        """Write no more."""
        self._pacer.request("ActionCancel", action=self._pacer.last_id)


def _stuck() -> list[Figure]:
    with server_process("host") as (free_port, _), server_process("host") as (port, pid):
        free, beset = _Paced(free_port), _Paced(port)
        start = _memory(pid)
        stuck = [_Client(port) for _ in range(STUCK)]
        for client in stuck:
            # What the ring keeps anyway: more than that costs whoever is told more of, stuck or not.
            client.request("LogsSubscribe", filter="debug")
        # Until their sockets are full they are served like anybody else.
        time.sleep(2)
        pairs = [(free.latency(), beset.latency()) for _ in range(5 * ROUNDS)]
        free.stop()
        beset.stop()
        writer = _Client(port)
        writer.emit(1_000_000, 0)
        grown = 0.0
        end = time.monotonic() + 10
        while time.monotonic() < end:
            grown = max(grown, _memory(pid) - start)
            time.sleep(0.2)
    ratio = statistics.median(ours / alone for alone, ours in pairs)
    alone = statistics.median(alone for alone, _ in pairs)
    return [
        Figure(f"action round trip while {PACED_RATE:,} records/s are written", alone * 1e6, "µs"),
        Figure(f"the same with {STUCK} clients that never read, at most", ratio, "x", 1.2, ratio <= 1.2),
        Figure(f"host memory that {STUCK} clients that never read add, at most", grown, "MiB", 32, grown <= 32),
    ]


def run() -> list[Figure]:
    """Measure, and return the figures."""
    return [*_stream(), *_stuck()]


if __name__ == "__main__":
    show(run())
