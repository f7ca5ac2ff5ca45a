"""Watch rules at work: what was seen is given to an alarm, and it says when its rule fires.

An alarm knows no connection and no clock: each call has the time, in seconds of a monotonic clock. What lasts (an
actor that is failed, a rate) fires once when it begins, or has lasted as long as the rule says, and again only after it
was over. What happens (a record, a change) fires each time. A rule acts at most once in `Rule.every` seconds: what
fires between is counted.
"""

from __future__ import annotations

import datetime
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from protocol.messages import ActorInfo
from tui.logs.row import parse_row
from tui.logs.text import cut, neutralise
from tui.model.rules import Rule
from tui.model.values import plain

__all__ = ("MAX_SUBJECTS", "Alarm", "Firing", "Held", "Hit", "Window", "describe_record")

MAX_SUBJECTS: Final = 10_000
"""Actors that one rule can hold of at a time; beyond them it is no news that there is one more."""
_MAX_RECORD: Final = 64 << 10
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Hit:
    """What was seen.

    Attributes:
        what: a sentence for people, safe for a screen.
        subject: the actor's address as the host has it, or empty.
        value: the number or value that did it.
        line: the record that did it, as the host wrote it.
    """

    what: str
    subject: str = ""
    value: Any = None
    line: bytes = b""


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule has fired.

    Attributes:
        rule: that rule.
        hit: why.
        at: seconds since 1970, by our clock.
        number: how many times it has fired by now.
        more: how many of these came since it last acted, without this one.
    """

    rule: Rule
    hit: Hit
    at: float
    number: int
    more: int = 0

    def as_values(self) -> dict[str, Any]:
        """Give it as values that JSON has."""
        moment = datetime.datetime.fromtimestamp(self.at, datetime.UTC)
        return {
            "rule": str(self.rule),
            "name": self.rule.name or None,
            "at": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
            "what": self.hit.what,
            "subject": self.hit.subject or None,
            "value": plain(self.hit.value),
            "record": _record(self.hit.line),
            "number": self.number,
            "more": self.more,
        }


def _record(line: bytes) -> Any:
    if not line or len(line) > _MAX_RECORD:
        return None
    try:
        return plain(msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # It is no JSON, and what was seen of it stands in `what`.
        return None


def describe_record(line: bytes) -> str:
    """Write a record on one line, safe for a screen."""
    row = parse_row(line)
    fields = " ".join(f"{name}={value}" for name, value in row.fields)
    ended = f"{row.status} {row.duration}".strip()
    parts = (row.level, row.target, row.message, ended, fields, row.exception)
    return neutralise(cut(" ".join(part for part in parts if part), _LONGEST))


class Window:
    """Counts over the last so many seconds, in bounded memory."""

    __slots__ = ("_seconds", "_slots")

    STEPS: Final = 50

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slots: deque[tuple[int, int]] = deque(maxlen=self.STEPS + 1)

    def add(self, count: int, now: float) -> None:
        """Count so many more."""
        slot = int(now / self._seconds * self.STEPS)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1] = (self._slots[-1][0], self._slots[-1][1] + count)
        else:
            self._slots.append((slot, count))

    def total(self, now: float) -> int:
        """Give how many there were."""
        oldest = int(now / self._seconds * self.STEPS) - self.STEPS
        return sum(count for slot, count in self._slots if slot > oldest)

    def clear(self) -> None:
        """Forget all."""
        self._slots.clear()


class Held:
    """What holds of whom, since when, and whether that was told.

    Args:
        seconds: how long it has to hold.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[str, tuple[float, Callable[[], Hit]]] = {}
        self._told: set[str] = set()

    @property
    def holds(self) -> bool:
        """Whether anything was told that is still the case."""
        return bool(self._told)

    def observe(self, subject: str, holds: bool, now: float, make: Callable[[], Hit]) -> None:
        """Take what is the case now; `make` describes it, if it comes to that."""
        if not holds:
            self._waiting.pop(subject, None)
            self._told.discard(subject)
        elif subject not in self._told:
            since = self._waiting.get(subject, (now,))[0]
            if subject in self._waiting or len(self._waiting) + len(self._told) < MAX_SUBJECTS:
                self._waiting[subject] = since, make

    def due(self, now: float) -> list[Callable[[], Hit]]:
        """Take what has held for long enough and was not told yet."""
        if not self._waiting:
            return []
        due = [subject for subject, (since, _) in self._waiting.items() if now - since >= self._seconds]
        self._told.update(due)
        return [self._waiting.pop(subject)[1] for subject in due]

    def interrupt(self) -> None:
        """Begin to wait anew, since nobody knows what was meanwhile."""
        self._waiting.clear()

    def reset(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._told.clear()


class Alarm:
    """A rule at work. A kind of condition is a subclass that overrides what it wants to hear.

    Args:
        rule: what it waits for.
        tell: hears that the rule acts.
        wall: gives seconds since 1970.

    Attributes:
        enabled: whether it waits at all; who feeds it goes by that.
        count: how many times it has fired.
        last: the last time that it acted.
        problem: why it can't work, safe for a screen; empty if it can.
    """

    def __init__(
        self, rule: Rule, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float] = time.time
    ) -> None:
        self.rule = rule
        self.enabled = True
        self.count = 0
        self.last: Firing | None = None
        self.problem = ""
        self._tell = tell
        self._wall = wall
        self._acted: float | None = None
        self._more = 0

    @property
    def state(self) -> str:
        """What it does at the moment, in a word: off, broken, waiting, or holds."""
        if not self.enabled:
            return "off"
        return "broken" if self.problem else "holds" if self.holding else "waiting"

    @property
    def holding(self) -> bool:
        """Whether what lasts is the case, and was told."""
        return False

    # ---- what is seen ----

    def take(self, lines: bytes, now: float, *, lost: int = 0) -> None:
        """Take records, joined by newlines, and how many more there were that nobody has seen."""

    def actors(self, rows: Sequence[ActorInfo], now: float, *, listed: bool) -> None:
        """Take actors' rows: as they are listed first, or since they changed."""

    def removed(self, addresses: Sequence[str], now: float) -> None:
        """Take the addresses of actors that are no more."""

    def state_seen(self, state: Any, now: float) -> None:
        """Take an actor's state."""

    def lag_seen(self, seconds: float, now: float, *, of: str = "log") -> None:
        """Take how late something was: the newest record of the log, or the answer to a ping."""

    def link_seen(self, lost: str | None, now: float) -> None:
        """Take why there is no connection; None if there is one."""

    def tick(self, now: float) -> None:
        """Look at what only the time decides; several times a second."""

    def interrupted(self) -> None:
        """Note that nothing is seen from here on until something is."""

    def reset(self) -> None:
        """Note that it is another run of the host, of which nothing is known."""

    # ---- what comes of it ----

    def _fire(self, now: float, make: Callable[[], Hit], count: int = 1) -> None:
        self.count += count
        if self._acted is not None and now - self._acted < self.rule.every:
            self._more += count
            return
        firing = Firing(self.rule, make(), self._wall(), self.count, self._more + count - 1)
        self._acted, self._more, self.last = now, 0, firing
        self._tell(self, firing)
