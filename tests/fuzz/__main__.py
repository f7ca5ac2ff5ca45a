"""Attack hosts for a while: ``make fuzz``, ``FUZZ=10m make fuzz``; ``FUZZ_SEED=…`` for what another run has found."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

import trio

from tests.fuzz.arena import WIDTH, arena
from tests.fuzz.attacks import ATTACKS
from tests.fuzz.judge import alive

__all__ = ()

_WARM_UP = 10 * len(ATTACKS)
# Of objects there are some for each worker, which wait a while for whoever needs one next. What the allocator keeps for
# the largest attacks it has after some hundreds, or when half of the time is over.
_MORE_OBJECTS = 1.03
_MORE_TASKS = 16
_MORE_MEMORY = 16.0


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", text.strip())
    if match is None:
        raise SystemExit(f"FUZZ={text}: a time is wanted, like 90s, 10m or 1h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _memory() -> float:
    """Return the resident size in MiB; 0 where the system does not tell."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if path.exists() else 0.0


async def _fuzz(seed: str, seconds: float) -> None:
    begin = told = time.monotonic()
    number = 0
    objects = tasks = 0
    memory = half = 0.0
    async with arena(seed) as found:
        while not objects or time.monotonic() - begin < seconds:
            await found.wave(number)
            number += WIDTH
            if not objects and number >= _WARM_UP:
                (objects, tasks), memory = alive(), _memory()
            if time.monotonic() - begin < seconds / 2 or number < 3 * _WARM_UP:
                half = _memory()
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"{number} attacks, {_memory():.0f} MiB", flush=True)
        after = alive()
        kinds = Counter(found.attack_of(index)[0].__name__ for index in range(number))
        print(f"{number} attacks in {time.monotonic() - begin:.0f} s: {dict(kinds)}, {found.evicted} evicted")
        flat = f"memory {memory:.0f} -> {half:.0f} -> {_memory():.0f} MiB"
        print(f"objects {objects} -> {after[0]}, tasks {tasks} -> {after[1]}, {flat}")
        if after[0] > objects * _MORE_OBJECTS or after[1] > tasks + _MORE_TASKS or _memory() > half + _MORE_MEMORY:
            raise SystemExit(f"seed {seed}: more is alive than after the first {_WARM_UP} attacks")


def _main() -> None:
    seed = os.environ.get("FUZZ_SEED") or secrets.token_hex(4)
    seconds = _seconds(os.environ.get("FUZZ") or "60s")
    print(f"FUZZ_SEED={seed}, {seconds:g} s", flush=True)
    try:
        trio.run(_fuzz, seed, seconds)
    except BaseException:
        print(f"failed: FUZZ_SEED={seed} makes the same attacks", file=sys.stderr)
        raise


_main()
