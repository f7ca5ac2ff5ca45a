"""Two hosts under attack, one with TLS, and the judge: what a host owes everybody, whatever a peer does.

After each wave: there are the same tasks as before, the healthy client is answered and a new one is let in, the log's
filters are the host's own again and no step is timed any more, and the log has one debug record at most for each
mistake (`tests.fuzz.judge`); the standard library logs and warns of nothing.
What a peer heard fits docs/protocol.cddl.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final

import trio

from inspector import Host, Registry, open_host
from protocol.messages import ActorsRequest, ActorsResponse
from tests.contract import Conversation
from tests.fuzz.attacker import WAVE, Evicted, Wave
from tests.fuzz.attacks import ATTACKS, Attack
from tests.fuzz.judge import Listener, Loud, busy_tasks
from tests.inspector.service.certificates import client_context, server_files
from tests.inspector.service.support import TOKEN, Box, Client, Worker, attached, connection_tasks, until

__all__ = ("RING", "WIDTH", "Arena", "Unfair", "arena")

WIDTH: Final = 8
"""Attackers at a time."""
RING: Final = 8 * 2**20
"""Bytes of a host's log that are kept: what one step of the loop may bring before the judge reads it."""
STORE: Final = 2**20
"""Bytes of it that one host keeps on the disk too: so few that attackers find their file gone while they read it."""
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

    def __init__(self, sides: list[tuple[Host, Client]], base: str, nursery: trio.Nursery, loud: Loud) -> None:
        self._sides = sides
        self._base = base
        self._rid = 0
        self._listeners = [Listener(host, nursery) for host, _ in sides]
        self._loud = loud
        self._tasks: Counter[str] = Counter()
        self.evicted = 0
        """Attackers that a flood kept out: they share its address."""

    async def begin(self) -> None:
        """Look at what there is in peace."""
        await self._judge(Wave())
        self._tasks = busy_tasks()

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
        wave = Wave()
        WAVE.set(wave)
        async with trio.open_nursery() as nursery:
            for number in range(first, first + width):
                nursery.start_soon(self._attack, number)
        try:
            await self._judge(wave)
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

    def _settled(self) -> bool:
        # The healthy ones' tasks and no others.
        return busy_tasks() == self._tasks if self._tasks else connection_tasks() == len(self._sides)

    async def _settle(self) -> None:
        try:
            await until(self._settled)
        except trio.TooSlowError:
            now = busy_tasks()
            ends = [listener.ends() for listener in self._listeners]
            raise AssertionError(f"left behind: {now - self._tasks}; gone: {self._tasks - now}; ends: {ends}") from None

    async def _judge(self, wave: Wave) -> None:
        await self._settle()
        with trio.fail_after(_PATIENCE):
            for host, client in self._sides:
                self._rid += 1
                assert isinstance(await client.call(self._rid, "add"), int)
                async with attached(host, **_options(host)) as newcomer:
                    wave.names["{}:{}".format(*newcomer.websocket.local_address)] += 1
                    answer = await newcomer.ask(ActorsRequest(id=1), ActorsResponse)
                    assert {row.actor for row in answer.actors} >= {"box/a"}
        await self._settle()
        for host, _ in self._sides:
            log = host.registry.log
            assert str(log.filters.record) == "debug", (
                f"{log.filters.record} is recorded, and nobody is there who asked"
            )
            assert log.busy is None, "steps are timed, and nobody is there who asked"
        for (host, _), listener in zip(self._sides, self._listeners, strict=True):
            listener.judge([attacker for its, attacker in wave.attackers if its is host], wave.names)
        for _, attacker in wave.attackers:
            talk = Conversation(attacker.dialect.subprotocol)
            for frame in attacker.heard:
                # It takes long. Done while an attack lasts it would make all peers slow ones.
                talk.got(frame)
                await trio.lowlevel.checkpoint()
        assert not self._loud.records, [record.getMessage() for record in self._loud.records]


def _options(host: Host) -> dict[str, object]:
    return {"ssl": client_context()} if host.url.startswith("https") else {}


def _fill(host: Host) -> None:
    # While the ring fills up memory grows as it should, and what grows as it should not can't be told from it.
    log = host.registry.log
    logger, first = log.logger("filling"), log.first_seq
    while log.first_seq == first:
        logger.debug("")


async def _stay_awake(client: Client) -> None:
    # One that is never silent is never cut for silence, however long the attackers keep the loop from turning.
    while True:
        await trio.sleep(0.05)
        await client.websocket.ping()


@asynccontextmanager
async def arena(base: str) -> AsyncIterator[Arena]:
    """Serve two hosts, with less patience than in earnest, and attach a healthy client to each."""
    before = {(module, name): getattr(import_module(module), name) for module, name in _QUICKER}
    try:
        for (module, name), value in _QUICKER.items():
            setattr(sys.modules[module], name, value)
        async with AsyncExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("error")
            loud = Loud()
            logging.getLogger().addHandler(loud)
            stack.callback(logging.getLogger().removeHandler, loud)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sides = []
            for tls in (None, server_files(folder)):
                registry = Registry([Box, Worker], name="arena", record_size=RING)
                registry.get_or_create(Box, "a")
                registry.get_or_create(Worker, "w")
                store = folder / "store" if tls is None else None
                serving = open_host(
                    registry, token=TOKEN, runtime_file=False, drain_timeout=1.0, tls=tls,
                    record_to=store, record_to_size=STORE,
                )  # fmt: skip
                host = await stack.enter_async_context(serving)
                _fill(host)
                sides.append((host, await stack.enter_async_context(attached(host, **_options(host)))))
            nursery = await stack.enter_async_context(trio.open_nursery())
            stack.callback(nursery.cancel_scope.cancel)
            for _, client in sides:
                nursery.start_soon(_stay_awake, client)
            found = Arena(sides, base, nursery, loud)
            await found.begin()
            yield found
    finally:
        for (module, name), value in before.items():
            setattr(sys.modules[module], name, value)
