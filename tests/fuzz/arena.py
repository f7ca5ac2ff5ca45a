"""Two hosts under attack, one with TLS, and the judge: what a host owes everybody, whatever a peer does.

After each wave: no task of a connection is left but the healthy ones', the healthy client is answered and a new one is
let in, and the service has said nothing above debug. Over all waves: the number of objects stays what it was.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final

import trio

from inspector import Host, Registry, open_host
from protocol.messages import ActorsRequest, ActorsResponse
from tests.fuzz.attacker import Evicted
from tests.fuzz.attacks import ATTACKS, Attack
from tests.inspector.service.certificates import client_context, server_files
from tests.inspector.service.support import TOKEN, Box, Client, Worker, attached, connection_tasks, service_tasks, until

__all__ = ("WIDTH", "Arena", "Unfair", "arena")

WIDTH: Final = 8
"""Attackers at a time."""
_PATIENCE: Final = 30.0
_QUICKER: Final[dict[tuple[str, str], float]] = {
    ("inspector.service.connection", "PING_INTERVAL"): 0.2,
    ("inspector.service.wire", "STALL_TIMEOUT"): 1.0,
    ("inspector.service.service", "CLOSE_GRACE"): 0.3,
    ("inspector.service.subscriptions", "LINGER"): 0.1,
}


class Unfair(AssertionError):
    """A host did not do what it owes."""


class Arena:
    """The hosts and their healthy clients."""

    def __init__(self, sides: list[tuple[Host, Client]], base: str) -> None:
        self._sides = sides
        self._base = base
        self._rid = 0
        self._read = [host.registry.log.next_seq for host, _ in sides]
        self._tasks: list[str] = []
        self.evicted = 0
        """Attackers that a flood kept out: they share its address."""

    async def begin(self) -> None:
        """Look at what there is in peace."""
        await self._judge(self._sides_settled)
        self._tasks = service_tasks()

    def attack_of(self, number: int) -> tuple[Attack, Host, Random]:
        """Return the attack of a number: the same each time."""
        rng = Random(f"{self._base}:{number}")
        attack = ATTACKS[number % len(ATTACKS)]
        return attack, rng.choice(self._sides)[0], rng

    async def wave(self, first: int, width: int = WIDTH) -> None:
        """Let some attackers at the hosts at once, then judge.

        Raises:
            Unfair: says which attack, or which wave, it was.
        """
        async with trio.open_nursery() as nursery:
            for number in range(first, first + width):
                nursery.start_soon(self._attack, number)
        try:
            await self._judge(self._sides_settled)
        except (AssertionError, trio.TooSlowError) as exc:
            names = [self.attack_of(number)[0].__name__ for number in range(first, first + width)]
            raise Unfair(f"seed {self._base}, wave {first}: {exc!r} after {', '.join(names)}") from exc

    async def _attack(self, number: int) -> None:
        attack, host, rng = self.attack_of(number)
        try:
            with trio.fail_after(_PATIENCE):
                await attack(host, rng)
        except Evicted:
            self.evicted += 1
        except (Exception, BaseExceptionGroup) as exc:
            # Whatever it is, what matters is how to make it happen again.
            raise Unfair(f"seed {self._base}, attack {number} ({attack.__name__}, {host.url}): {exc!r}") from exc

    def _sides_settled(self) -> bool:
        # The healthy ones' tasks and no others.
        return connection_tasks() == len(self._sides) and (not self._tasks or service_tasks() == self._tasks)

    async def _judge(self, settled: Callable[[], bool]) -> None:
        try:
            await until(settled)
        except trio.TooSlowError:
            raise AssertionError(f"left behind: {service_tasks()}") from None
        with trio.fail_after(_PATIENCE):
            for index, (host, client) in enumerate(self._sides):
                self._rid += 1
                assert isinstance(await client.call(self._rid, "add"), int)
                async with attached(host, **_options(host)) as newcomer:
                    answer = await newcomer.ask(ActorsRequest(id=1), ActorsResponse)
                    assert {row.actor for row in answer.actors} >= {"box/a"}
                self._check_log(index, host)
            await until(settled)

    def _check_log(self, index: int, host: Host) -> None:
        recorder = host.registry.log.recorder
        since, self._read[index] = self._read[index], recorder.next_seq
        for _, run in recorder.entries(since, recorder.next_seq):
            for line, *_ in run:
                if b'"target":"inspector.service' in line:
                    assert b'"level":"DEBUG"' in line or b'"level":"TRACE"' in line, line

    @staticmethod
    def alive() -> tuple[int, int]:
        """Count objects, and tasks of all kinds."""
        gc.collect()
        return len(gc.get_objects()), trio.lowlevel.current_statistics().tasks_living


def _options(host: Host) -> dict[str, object]:
    return {"ssl": client_context()} if host.url.startswith("https") else {}


@asynccontextmanager
async def arena(base: str) -> AsyncIterator[Arena]:
    """Serve two hosts, with less patience than in earnest, and attach a healthy client to each."""
    before = {(module, name): getattr(import_module(module), name) for module, name in _QUICKER}
    try:
        for (module, name), value in _QUICKER.items():
            setattr(sys.modules[module], name, value)
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sides = []
            for tls in (None, server_files(folder)):
                registry = Registry([Box, Worker], name="arena", record_size=2**20)
                registry.get_or_create(Box, "a")
                registry.get_or_create(Worker, "w")
                serving = open_host(registry, token=TOKEN, runtime_file=False, drain_timeout=1.0, tls=tls)
                host = await stack.enter_async_context(serving)
                sides.append((host, await stack.enter_async_context(attached(host, **_options(host)))))
            found = Arena(sides, base)
            await found.begin()
            yield found
    finally:
        for (module, name), value in before.items():
            setattr(sys.modules[module], name, value)
