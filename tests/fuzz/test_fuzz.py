"""The fuzzer's first attacks of one seed, each time the same; and that its judge sees what it is there for."""

from __future__ import annotations

from random import Random

import pytest
import trio

from tests.fuzz.arena import WIDTH, Arena, Unfair, arena
from tests.fuzz.attacks import ATTACKS
from tests.fuzz.mutation import damage, pieces, spoil

__all__ = ()

pytestmark = pytest.mark.trio

SEED = "suite"


async def test_hosts_keep_their_word_to_everybody() -> None:
    async with arena(SEED) as found:
        for first in range(0, 3 * len(ATTACKS), WIDTH):
            await found.wave(first)
        objects, tasks = Arena.alive()
        for first in range(3 * len(ATTACKS), 6 * len(ATTACKS), WIDTH):
            await found.wave(first)
        after = Arena.alive()
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
        getattr(logger, level)("look here")
        with pytest.raises(Unfair, match="look here"):
            await found.wave(0, 0)
        logger.debug("hush")
        await found.wave(0, 0)


async def test_the_judge_sees_what_is_left_behind() -> None:
    async with arena(SEED) as found, trio.open_nursery() as nursery:
        assert found._sides_settled()
        nursery.start_soon(trio.sleep_forever, name="inspector.service.left")
        assert not found._sides_settled()
        nursery.cancel_scope.cancel()


async def test_an_attack_that_gets_no_answer_is_told_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unanswered(host: object, rng: Random) -> None:
        raise AssertionError("no answer")

    monkeypatch.setattr("tests.fuzz.arena.ATTACKS", (unanswered,))
    async with arena(SEED) as found:
        with pytest.raises(ExceptionGroup) as told:
            await found.wave(7, 1)
        assert told.group_contains(Unfair, match=r"seed suite, attack 7 \(unanswered, http.*no answer")
