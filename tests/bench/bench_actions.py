"""Action round trips over the websocket, beside a bare echo server on the library's trio shell.

Two clients, each the same for both servers: the library's own, as a program has it, and one that costs next to
nothing, so that what differs between the servers is not hidden. A server process each, the same payload size, rounds in
turn; the ratio is taken round by round and its median is the figure: the machine's speed drifts, the ratio does not.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import count

import cbor2
import trio

from tests.bench.clients import RawClient, flooding, processor, round_trips, server_process, websocket
from tests.bench.figures import Figure, show
from tests.bench.steps import count_steps

__all__ = ("action_payloads", "run")

ROUNDS = 15
REQUESTS = 320
IN_FLIGHT = 64
ACTIONS = (("increment", "sync"), ("add", "async"), ("pause", "async, one checkpoint"))


def action_payloads(action: str, ids: Iterator[int], number: int) -> list[bytes]:
    """Make requests for an action, each with an id of its own."""
    head = {"type": "ActionRequest", "actor": "counter/default", "name": action, "args": [1]}
    return [cbor2.dumps({**head, "id": next(ids)}) for _ in range(number)]


def _raw(echo: RawClient, host: RawClient, action: str, in_flight: int) -> tuple[float, float]:
    """Return the median round trip with our host, and the median ratio to the echo's."""
    ids = count(1_000_000)
    pairs: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 1):
        frames = [RawClient.frame(payload) for payload in action_payloads(action, ids, REQUESTS)]
        pairs.append((echo.round_trips(frames, in_flight), host.round_trips(frames, in_flight)))
    return _medians(pairs[1:])


async def _library(echo_port: int, host_port: int, action: str, in_flight: int) -> tuple[float, float]:
    ids = count(1_000_000)
    pairs: list[tuple[float, float]] = []
    async with websocket(echo_port, "/") as echo, websocket(host_port) as host:
        await host.recv()
        for _ in range(ROUNDS + 1):
            payloads = action_payloads(action, ids, REQUESTS)
            pairs.append((await round_trips(echo, payloads, in_flight), await round_trips(host, payloads, in_flight)))
    return _medians(pairs[1:])


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(ours for _, ours in pairs), statistics.median(ours / bare for bare, ours in pairs)


def _steps() -> list[Figure]:
    figures: list[Figure] = []
    for action, what in ACTIONS:
        ids = count(1_000_000)

        def frames(number: int, action: str = action, ids: Iterator[int] = ids) -> list[bytes]:
            return [RawClient.frame(payload) for payload in action_payloads(action, ids, number)]

        for in_flight in (1, IN_FLIGHT):
            steps = count_steps(frames, 20 * IN_FLIGHT, in_flight)
            figures.append(Figure(f"trio steps a request, action ({what}), {in_flight} in flight", steps, "steps"))
    return figures


def _processor_time() -> list[Figure]:
    """Compare what a request costs the two server processes, which other programs on the machine hardly disturb."""
    figures: list[Figure] = []
    with server_process("echo") as (echo_port, echo_pid), server_process("host") as (host_port, host_pid):
        echo, host = RawClient(echo_port, "/"), RawClient(host_port)
        host.receive(1)
        ids = count(1_000_000)
        for in_flight, requests in ((1, 4_000), (IN_FLIGHT, 12_800)):
            pairs: list[tuple[float, float]] = []
            for _ in range(8):
                frames = [RawClient.frame(payload) for payload in action_payloads("increment", ids, requests)]
                marks = [processor(echo_pid), processor(host_pid)]
                echo.round_trips(frames, in_flight)
                host.round_trips(frames, in_flight)
                pairs.append((processor(echo_pid) - marks[0], processor(host_pid) - marks[1]))
            ratio = statistics.median(ours / bare for bare, ours in pairs[1:])
            name = f"action (sync), {in_flight} in flight: the host's processor time"
            if in_flight == 1:
                figures.append(Figure(f"{name} to a bare echo's, at most", ratio, "x", 1.05, ratio <= 1.05))
            else:
                figures.append(Figure(f"{name}: requests to a bare echo's, at least", 1 / ratio, "x", 2, ratio <= 0.5))
        echo.close()
        host.close()
    return figures


def _neighbour() -> list[Figure]:
    """Measure what somebody who keeps 64 requests in flight does to the round trip of somebody else."""
    (payload,) = action_payloads("level", count(1), 1)
    slower: dict[str, list[float]] = {"echo": [], "host": []}
    with server_process("echo") as (echo_port, _), server_process("host") as (host_port, _):
        echo, host = RawClient(echo_port, "/"), RawClient(host_port)
        host.receive(1)
        ids = count(1_000_000)
        for _ in range(ROUNDS):
            for name, client, port, path in (
                ("echo", echo, echo_port, "/"),
                ("host", host, host_port, "/inspector/connect"),
            ):
                frames = [RawClient.frame(one) for one in action_payloads("level", ids, 200)]
                alone = client.round_trips(frames)
                with flooding(port, path, payload, IN_FLIGHT):
                    frames = [RawClient.frame(one) for one in action_payloads("level", ids, 200)]
                    slower[name].append(client.round_trips(frames) / alone)
        echo.close()
        host.close()
    bare, ours = statistics.median(slower["echo"]), statistics.median(slower["host"])
    what = "a round trip beside one who keeps 64 in flight, to one alone"
    return [
        Figure(f"{what}: the echo", bare, "x"),
        Figure(f"{what}: the host, at most the echo's", ours, "x", round(bare, 2), ours <= bare),
    ]


def run() -> list[Figure]:
    """Measure, and return the figures."""
    figures = [*_steps(), *_processor_time(), *_neighbour()]
    with server_process("echo") as (echo_port, _), server_process("host") as (host_port, _):
        echo, host = RawClient(echo_port, "/"), RawClient(host_port)
        host.receive(1)
        for action, what in ACTIONS:
            bound = action == "increment"
            for client in ("bare client", "websockets.trio client"):
                for in_flight in (1, IN_FLIGHT):
                    if client == "bare client":
                        seconds, ratio = _raw(echo, host, action, in_flight)
                    else:
                        seconds, ratio = trio.run(_library, echo_port, host_port, action, in_flight)
                    name = f"action ({what}), {in_flight} in flight, {client}"
                    figures.append(Figure(name, seconds * 1e6, "µs"))
                    if in_flight == 1:
                        ok = ratio <= 1.3 if bound else None
                        figures.append(
                            Figure(f"{name}: time to a bare echo's, at most", ratio, "x", 1.3 if bound else None, ok)
                        )
                    else:
                        ok = 1 / ratio >= 1.2 if bound else None
                        figures.append(
                            Figure(
                                f"{name}: rate to a bare echo's, at least", 1 / ratio, "x", 1.2 if bound else None, ok
                            )
                        )
        echo.close()
        host.close()
    return figures


if __name__ == "__main__":
    show(run())
