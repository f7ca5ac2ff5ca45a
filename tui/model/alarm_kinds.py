"""What each kind of watch rule waits for, as an `Alarm`."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET

from protocol.filters import FieldTest, Operator
from protocol.messages import ActorInfo
from tui.logs.text import cut, neutralise
from tui.model.alarms import Alarm, Firing, Held, Hit, Window, describe_record
from tui.model.rules import (
    ActorCondition,
    CountCondition,
    LagCondition,
    LatencyCondition,
    LinkCondition,
    LogCondition,
    Rule,
    StateCondition,
    matches,
    spell_duration,
)
from tui.model.values import brief, key_text, plain

__all__ = ("FRESH", "MAX_SAMPLES", "RATE_WINDOW", "find_value", "make_alarm")

RATE_WINDOW: Final = 5.0
"""Seconds over which a rate is counted, or its unit where that is longer."""
MAX_SAMPLES: Final = 10_000
"""Spans that a percentile is taken of: the last so many of its time."""
FRESH: Final = 5.0
"""Seconds after which a lag that was seen says nothing of now."""
_ABSENT: Final = object()


class _Ended(msgspec.Struct):
    span: dict[str, Any]
    duration_ns: int
    kind: str = ""


_decode: Final = msgspec.json.Decoder(_Ended).decode


class _Lasting(Alarm):
    """One of what lasts."""

    def __init__(
        self, rule: Rule, held: float, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, tell, wall)
        self._held = Held(held)

    @property
    def holding(self) -> bool:
        """Whether it is the case, and was told."""
        return self._held.holds

    def tick(self, now: float) -> None:
        """Fire for what has lasted for long enough."""
        for make in self._held.due(now):
            self._fire(now, make)

    def interrupted(self) -> None:
        """Begin to wait anew."""
        self._held.interrupt()

    def reset(self) -> None:
        """Forget what held."""
        self.interrupted()
        self._held.reset()


class _Record(Alarm):
    def take(self, lines: bytes, now: float, *, lost: int = 0) -> None:
        if lines:
            first = lines.split(b"\n", 1)[0]
            self._fire(now, lambda: Hit(describe_record(first), line=first), lines.count(b"\n") + 1 + lost)
        elif lost:
            self._fire(now, lambda: Hit(f"{lost:,} records that came too fast to be seen"), lost)


class _LogRate(_Lasting):
    def __init__(
        self, rule: Rule, condition: LogCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, condition.held, tell, wall)
        assert condition.rate is not None
        self._rate = condition.rate
        self._seconds = max(RATE_WINDOW, self._rate.seconds)
        self._window = Window(self._seconds)
        self._began: float | None = None

    def take(self, lines: bytes, now: float, *, lost: int = 0) -> None:
        if lines or lost:
            self._window.add((lines.count(b"\n") + 1 if lines else 0) + lost, now)
        self.tick(now)

    def tick(self, now: float) -> None:
        if self._began is None:
            self._began = now
        rate = self._window.total(now) * self._rate.seconds / self._seconds
        # Few can be told only of a time that was seen whole.
        known = not self._rate.bound.is_upper or now - self._began >= self._seconds
        holds = known and self._rate.bound.holds(rate)
        self._held.observe("", holds, now, lambda: Hit(f"{rate:,.4g} records/{self._rate.unit}", value=rate))
        super().tick(now)

    def interrupted(self) -> None:
        super().interrupted()
        self._began = None
        self._window.clear()


class _Latency(_Lasting):
    def __init__(
        self, rule: Rule, condition: LatencyCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, 0, tell, wall)
        self._condition = condition
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def take(self, lines: bytes, now: float, *, lost: int = 0) -> None:
        for line in lines.split(b"\n"):
            # The host's own encoder writes no blanks, and a user's field can't be a key of the record.
            if b'"kind":"span_end"' not in line[:200]:
                continue
            try:
                ended = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if self._condition.selects(ended.span):
                self._seen(ended.duration_ns / 1e9, line, now)

    def _seen(self, seconds: float, line: bytes, now: float) -> None:
        if self._condition.percentile is not None:
            self._samples.append((now, seconds))
        elif self._condition.bound.holds(seconds):
            self._fire(now, lambda: Hit(describe_record(line), value=seconds, line=line))

    def tick(self, now: float) -> None:
        percentile, samples = self._condition.percentile, self._samples
        if percentile is None:
            return
        while samples and now - samples[0][0] > self._condition.over:
            samples.popleft()
        if not samples:
            self._held.observe("", False, now, lambda: Hit(""))
            return
        ordered = sorted(seconds for _, seconds in samples)
        # The nearest rank: a time that a span really took.
        value = ordered[max(0, math.ceil(percentile / 100 * len(ordered)) - 1)]
        what = f"p{percentile:g} is {value * 1000:,.4g} ms of {len(ordered):,} spans"
        self._held.observe("", self._condition.bound.holds(value), now, lambda: Hit(what, value=value))
        super().tick(now)

    def reset(self) -> None:
        super().reset()
        self._samples.clear()


class _Actor(_Lasting):
    def __init__(
        self, rule: Rule, condition: ActorCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, condition.held, tell, wall)
        self._condition = condition

    def actors(self, rows: Sequence[ActorInfo], now: float, *, listed: bool) -> None:
        for row in rows:
            if matches(self._condition.pattern, row.actor):
                self._held.observe(row.actor, self._holds(row), now, partial(self._describe, row))
        self.tick(now)

    def removed(self, addresses: Sequence[str], now: float) -> None:
        gone = self._condition.status == "gone"
        for address in addresses:
            if matches(self._condition.pattern, address):
                what = f"{neutralise(cut(address, 200))} is gone"
                self._held.observe(address, gone, now, partial(Hit, what, address, "gone"))
        self.tick(now)

    def _holds(self, row: ActorInfo) -> bool:
        condition = self._condition
        if condition.bound is not None:
            return condition.bound.holds(getattr(row, condition.metric))
        if condition.status == "dead":
            return row.status in ("failed", "stopped")
        return row.status == condition.status

    def _describe(self, row: ActorInfo) -> Hit:
        who, metric = neutralise(cut(row.actor, 200)), self._condition.metric
        if metric:
            value = getattr(row, metric)
            return Hit(f"{who} has {metric} {value:,}", row.actor, value)
        why = "" if row.failure is UNSET else f": {row.failure.type}: {row.failure.message}"
        return Hit(f"{who} is {row.status}{neutralise(cut(why, 300))}", row.actor, row.status)


class _Count(_Lasting):
    def __init__(
        self, rule: Rule, condition: CountCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, 0, tell, wall)
        self._condition = condition
        self._window = Window(condition.within)
        # Only of actors whose total is not 0: most of a million never restart.
        self._totals: dict[str, tuple[str, int]] = {}
        self._last = ""
        self._began: float | None = None

    def actors(self, rows: Sequence[ActorInfo], now: float, *, listed: bool) -> None:
        for row in rows:
            if not matches(self._condition.pattern, row.actor):
                continue
            total: int = getattr(row, self._condition.what)
            id, before = self._totals.get(row.actor, (row.id, total if listed else 0))
            # An actor that was removed and made again counts from 0.
            more = total - (before if id == row.id else 0)
            if total:
                self._totals[row.actor] = row.id, total
            if more > 0:
                self._window.add(more, now)
                self._last = row.actor
        self.tick(now)

    def removed(self, addresses: Sequence[str], now: float) -> None:
        for address in addresses:
            self._totals.pop(address, None)

    def tick(self, now: float) -> None:
        if self._began is None:
            self._began = now
        total, condition = self._window.total(now), self._condition
        known = not condition.bound.is_upper or now - self._began >= condition.within
        last = f", the last of {neutralise(cut(self._last, 200))}" if self._last and total else ""
        what = f"{total:,} {condition.what} in {spell_duration(condition.within)}{last}"
        holds = known and condition.bound.holds(total)
        self._held.observe("", holds, now, lambda: Hit(what, self._last, total))
        super().tick(now)

    def interrupted(self) -> None:
        super().interrupted()
        self._began = None

    def reset(self) -> None:
        super().reset()
        self._window.clear()
        self._totals.clear()


class _State(_Lasting):
    def __init__(
        self, rule: Rule, condition: StateCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, condition.held, tell, wall)
        self._condition = condition
        self._before: Any = UNSET
        asked = "" if condition.operator in ("exists", "changes") else condition.operator
        self._test = FieldTest("value", cast(Operator, asked), condition.value)

    def state_seen(self, state: Any, now: float) -> None:
        condition = self._condition
        value = find_value(state, condition.path)
        shown = "nothing" if value is _ABSENT else brief(value, 200)
        where = neutralise(cut(f"{condition.address} {condition.place}".strip(), 200))
        known = None if value is _ABSENT else value
        if condition.operator == "changes":
            before, self._before = self._before, value
            if before is not UNSET and not _same(before, value):
                old = "nothing" if before is _ABSENT else brief(before, 200)
                self._fire(now, lambda: Hit(f"{where} was {old}, is {shown}", condition.address, known))
            return
        holds = value is not _ABSENT and self._test.holds(plain(value))
        self._held.observe("", holds, now, lambda: Hit(f"{where} is {shown}", condition.address, known))
        self.tick(now)

    def reset(self) -> None:
        super().reset()
        self._before = UNSET


class _Lag(_Lasting):
    def __init__(
        self, rule: Rule, condition: LagCondition, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float]
    ) -> None:
        super().__init__(rule, condition.held, tell, wall)
        self._bound = condition.bound
        self._seen: dict[str, tuple[float, float]] = {}

    def lag_seen(self, seconds: float, now: float, *, of: str = "log") -> None:
        self._seen[of] = seconds, now
        self.tick(now)

    def tick(self, now: float) -> None:
        seconds = max((seconds for seconds, at in self._seen.values() if now - at <= FRESH), default=None)
        holds = seconds is not None and self._bound.holds(seconds)
        self._held.observe("", holds, now, lambda: Hit(f"{(seconds or 0) * 1000:,.0f} ms behind", value=seconds))
        super().tick(now)

    def interrupted(self) -> None:
        super().interrupted()
        self._seen.clear()


class _Link(_Lasting):
    def link_seen(self, lost: str | None, now: float) -> None:
        what = f"no connection: {neutralise(cut(lost or '', 300))}"
        self._held.observe("", lost is not None, now, lambda: Hit(what))
        self.tick(now)

    def interrupted(self) -> None:
        """Go on waiting: this is what it waits for."""

    def reset(self) -> None:
        """Keep what is known: it is not of the host."""


def _same(one: Any, other: Any) -> bool:
    # 1 and true are equal in Python, and not in a state.
    return one is other or (type(one) is type(other) and bool(one == other))


def find_value(state: Any, path: Sequence[str]) -> Any:
    """Give what stands at a path of keys and indexes; what stands nowhere is an object that nothing else is."""
    for step in path:
        if isinstance(state, dict):
            if step in state:
                state = state[step]
                continue
            state = next((item for key, item in state.items() if key_text(key) == step), _ABSENT)
        elif isinstance(state, (list, tuple)) and step.isascii() and step.isdecimal() and len(step) < 10:
            state = state[int(step)] if int(step) < len(state) else _ABSENT
        else:
            return _ABSENT
    return state


def make_alarm(rule: Rule, tell: Callable[[Alarm, Firing], None], wall: Callable[[], float] = time.time) -> Alarm:
    """Make the alarm of a rule; see `Alarm` for what it is given."""
    match rule.condition:
        case LogCondition(rate=None):
            return _Record(rule, tell, wall)
        case LogCondition():
            return _LogRate(rule, rule.condition, tell, wall)
        case LatencyCondition():
            return _Latency(rule, rule.condition, tell, wall)
        case ActorCondition():
            return _Actor(rule, rule.condition, tell, wall)
        case CountCondition():
            return _Count(rule, rule.condition, tell, wall)
        case StateCondition():
            return _State(rule, rule.condition, tell, wall)
        case LagCondition():
            return _Lag(rule, rule.condition, tell, wall)
        case LinkCondition(held=held):
            return _Link(rule, held, tell, wall)
