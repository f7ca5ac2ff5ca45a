"""A thousand inspectors at once: what each costs the host, and what one of them notices of the others."""

from __future__ import annotations

import resource
import socket
import statistics
import threading
import time
from itertools import count
from pathlib import Path

from tests.bench.bench_actions import action_payloads
from tests.bench.clients import RawClient, server_process
from tests.bench.figures import Figure, show

__all__ = ("run",)

CONNECTIONS = 1000
ROUNDS = 40
REQUESTS = 50
DESCRIPTORS = 4096


def _memory(pid: int) -> float:
    """Return the resident size of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def _attach(port: int) -> RawClient:
    client = RawClient(port)
    client.receive(1)
    return client


class _Flood:
    """Sockets that are opened as fast as one thread can, and say nothing."""

    def __init__(self, port: int) -> None:
        self.opened = 0
        self._address = ("127.0.0.1", port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        held: list[socket.socket] = []
        while not self._stop.is_set():
            held.append(socket.create_connection(self._address))
            self.opened += 1
            if len(held) > 500:
                held.pop(0).close()
        for sock in held:
            sock.close()

    def stop(self) -> None:
        """Open no more."""
        self._stop.set()
        self._thread.join()


def run() -> list[Figure]:
    """Measure, and return the figures."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Servers have what their parent has.
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    ids = count(1)

    def latency(client: RawClient) -> float:
        return client.round_trips([RawClient.frame(p) for p in action_payloads("level", ids, REQUESTS)])

    with server_process("host") as (quiet_port, _), server_process("host") as (port, pid):
        alone, one = _attach(quiet_port), _attach(port)
        latency(alone), latency(one)
        before = _memory(pid)
        begin = time.perf_counter()
        others = [_attach(port) for _ in range(CONNECTIONS - 1)]
        seconds = time.perf_counter() - begin
        each = (_memory(pid) - before) / len(others)
        # The two hosts take turns, so that what else the machine does meets both.
        pairs = [(latency(alone), latency(one)) for _ in range(ROUNDS)]
        last = [(latency(alone), latency(others[-1])) for _ in range(ROUNDS)]
        flood = _Flood(port)
        flooded: list[tuple[float, float]] = []
        begin = time.perf_counter()
        flooded += [(latency(alone), latency(one)) for _ in range(ROUNDS)]
        opened = flood.opened / (time.perf_counter() - begin)
        flood.stop()
        for client in (alone, one, *others):
            client.close()
    first_ratio, last_ratio, flood_ratio = (
        statistics.median(ours / bare for bare, ours in found) for found in (pairs, last, flooded)
    )
    return [
        Figure(f"{CONNECTIONS:,} connections: memory of the host for each", each, "KiB"),
        Figure("the same: opened one after the other", len(others) / seconds, "a second"),
        Figure("action round trip of a client alone", statistics.median(bare for bare, _ in pairs) * 1e6, "µs"),
        Figure(f"the same of the first of {CONNECTIONS:,}", first_ratio, "x"),
        Figure(f"the same of the last of {CONNECTIONS:,}", last_ratio, "x"),
        Figure(f"the same of the first while somebody opens {opened:,.0f} sockets a second", flood_ratio, "x"),
    ]


if __name__ == "__main__":
    show(run())
