"""The fuzzer's first attacks of one seed, each time the same; and that its judge sees what it is there for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from random import Random

import pytest
import trio

from inspector import Host
from inspector.service.connection import Connection
from protocol.messages import ConnectionsRequest, Error, LogFilterRequest, Request, TasksRequest
from tests.fuzz.arena import WIDTH, Unfair, arena
from tests.fuzz.attacker import connect
from tests.fuzz.attacks import ATTACKS
from tests.fuzz.judge import alive
from tests.fuzz.mutation import damage, pieces, spoil

__all__ = ()

pytestmark = pytest.mark.trio

SEED = "suite"


async def test_hosts_keep_their_word_to_everybody() -> None:
    async with arena(SEED) as found:
        for first in range(0, 3 * len(ATTACKS), WIDTH):
            await found.wave(first)
        objects, tasks = alive()
        for first in range(3 * len(ATTACKS), 6 * len(ATTACKS), WIDTH):
            await found.wave(first)
        after = alive()
        assert after[0] < objects * 1.1
        # Workers stay for a while, for whoever needs one next.
        assert after[1] <= tasks + 16


async def test_an_attack_comes_back_by_its_number() -> None:
    async with arena(SEED) as found:
        for number in range(20):
            (first, host, rng), (again, same, other) = found.attack_of(number), found.attack_of(number)
            assert (first, host) == (again, same)
            assert rng.random() == other.random()


async def test_damage_comes_back_with_its_seed() -> None:
    data = bytes(range(256)) * 4
    assert [damage(Random(n), data) for n in range(50)] == [damage(Random(n), data) for n in range(50)]
    assert len({damage(Random(n), data) for n in range(50)}) > 40
    for number in range(50):
        assert b"".join(pieces(Random(number), data[:300])) == data[:300]
    assert all(spoil(Random(n), {"id": 1, "type": "x"}).keys() <= {"id", "type", "unknown"} for n in range(50))


@pytest.mark.parametrize("level", ["info", "warn", "error"])
async def test_the_judge_hears_what_is_said_too_loud(level: str) -> None:
    async with arena(SEED) as found:
        logger = found._sides[1][0].registry.log.logger("inspector.service.connection")
        getattr(logger, level)("bad request", peer="x")
        with pytest.raises(Unfair, match="bad request"):
            await found.wave(0, 0)
        logger.debug("bad request", peer="x")
        await found.wave(0, 0)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (["inspector detached"] * 2, "'inspector detached' 2 times"),
        (["handshake refused"] * 2, "'handshake refused' 2 times"),
        (["inspector attached", "inspector detached", "handshake refused"], "'handshake refused': 1"),
        (["bad request", "handshake refused"], "'handshake refused': 1"),
        (["look here"], "'look here' is news to the judge"),
    ],
    ids=range(5),
)
async def test_the_judge_counts_what_is_said_of_one_peer(messages: list[str], said: str) -> None:
    async with arena(SEED) as found:
        logger = found._sides[0][0].registry.log.logger("inspector.service")
        for message in messages:
            logger.debug(message, peer="127.0.0.1:1")
        with pytest.raises(Unfair, match=said):
            await found.wave(0, 0)
        for number, message in enumerate({*messages} - {"look here"}):
            logger.debug(message, peer=f"127.0.0.1:{number}")
        await found.wave(0, 0)
        logger.debug("bad request")
        with pytest.raises(Unfair, match="bad request"):
            await found.wave(0, 0)


async def test_the_judge_counts_records_against_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wordy(Connection):
        """Says of each mistake what it says twice."""

        def _refuse_unasked(self, error: Error) -> None:
            self._log.debug("bad request", again=True)
            super()._refuse_unasked(error)

    async def wrong(host: Host, rng: Random) -> None:
        async with connect(host, rng) as peer:
            await peer.open()
            await peer.say(peer.frame({"id": 1}) + peer.frame(ConnectionsRequest(id=2)))
            await peer.hear_until(lambda: peer.answers.total() == 2)
            peer.heard_all = True
            await peer.leave()

    monkeypatch.setattr("tests.fuzz.arena.ATTACKS", (wrong,))
    async with arena(SEED) as found:
        await found.wave(0, 4)
        monkeypatch.setattr("inspector.service.service.Connection", Wordy)
        with pytest.raises(Unfair, match="1 mistakes, 2 records"):
            await found.wave(4, 1)


async def test_the_judge_hears_of_other_ways_to_speak() -> None:
    async with arena(SEED) as found:
        logging.getLogger("websockets.server").warning("look here")
        with pytest.raises(Unfair, match="look here"):
            await found.wave(0, 0)
        with pytest.raises(ResourceWarning):
            warnings.warn("look here", ResourceWarning, stacklevel=1)


async def test_the_judge_sees_what_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with arena(SEED) as found, trio.open_nursery() as nursery:
        assert found._settled()
        nursery.start_soon(trio.sleep_forever, name="left")
        assert not found._settled()

        async def at_once(condition: Callable[[], object]) -> None:
            if not condition():
                raise trio.TooSlowError

        monkeypatch.setattr("tests.fuzz.arena.until", at_once)
        with pytest.raises(Unfair, match=r"left behind: Counter\(\{'left': 1\}\); gone: Counter\(\); ends: "):
            await found.wave(0, 0)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "left", "said"),
    [
        (LogFilterRequest(id=1, record="trace"), "inspector.service.filters.HeldFilters.end", "trace is recorded"),
        (
            TasksRequest(id=1, subscribe=True, timing=True),
            "inspector.service.tasks.TasksSubscription.close",
            "steps are timed",
        ),
    ],
    ids=["filter", "timing"],
)
async def test_the_judge_sees_what_an_asker_has_left_behind(
    monkeypatch: pytest.MonkeyPatch, request_: Request, left: str, said: str
) -> None:
    async def ask(host: Host, rng: Random) -> None:
        async with connect(host, rng) as peer:
            await peer.open()
            await peer.say(peer.frame(request_))
            await peer.hear_until(lambda: peer.answers[1])
            await peer.leave()

    monkeypatch.setattr("tests.fuzz.arena.ATTACKS", (ask,))
    async with arena(SEED) as found:
        await found.wave(0, 2)
        monkeypatch.setattr(left, lambda *args, **options: None)
        with pytest.raises(Unfair, match=said):
            await found.wave(2, 1)


async def test_an_attack_that_gets_no_answer_is_told_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unanswered(host: object, rng: Random) -> None:
        raise AssertionError("no answer")

    monkeypatch.setattr("tests.fuzz.arena.ATTACKS", (unanswered,))
    async with arena(SEED) as found:
        with pytest.raises(ExceptionGroup) as told:
            await found.wave(7, 1)
        assert told.group_contains(Unfair, match=r"seed suite, attack 7 \(unanswered, http.*no answer")
