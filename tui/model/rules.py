"""Watch rules as values: what each waits for, what is done when it comes, and how it is spelled.

`str()` of a rule is its text in the grammar of `tui.model.rule_grammar`, which reads it back as an equal one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from protocol.filters import FilterError

__all__ = (
    "ACTIONS",
    "COUNTERS",
    "EVERY",
    "METRICS",
    "OVER",
    "PERCENTILE",
    "STATUSES",
    "Action",
    "ActorCondition",
    "Bound",
    "Condition",
    "CountCondition",
    "LagCondition",
    "LatencyCondition",
    "LinkCondition",
    "LogCondition",
    "Rate",
    "Rule",
    "RuleError",
    "StateCondition",
    "matches",
    "spell_duration",
)

EVERY: Final = 1.0
"""Seconds between two times that a rule acts, unless it says otherwise."""
OVER: Final = 60.0
"""Seconds that a percentile looks back, unless the rule says otherwise."""
ACTIONS: Final = ("flash", "bell", "run")
STATUSES: Final = ("idle", "starting", "running", "restarting", "stopping", "stopped", "failed", "dead", "gone")
"""What an actor can be; `dead` is failed or stopped, `gone` is removed by the host."""
METRICS: Final = ("mailbox", "running", "actions", "errors", "restarts")
COUNTERS: Final = ("restarts", "errors", "actions")
PERCENTILE: Final = re.compile(r"p([0-9]{1,2}(?:\.[0-9]+)?|100)")

_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1), ("ms", 0.001))
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_BARE: Final = re.compile(r"""[^\s"<>=!~]+""")
_STEP: Final = re.compile(r"[A-Za-z0-9_-]+")
_CLAUSES: Final = frozenset({"over", "for", "in", "every", "exists", "changes"})


class RuleError(FilterError):
    """A rule that does not parse: what is wrong, at which character, and what was perhaps meant."""


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text is as a pattern says, in which `*` stands for any text, in time linear in both."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        # The first place is as good as any later one: a star behind it takes what is between.
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def spell_duration(seconds: float) -> str:
    """Write a time so that it is read back as exactly the same number of seconds."""
    for unit, factor in _UNITS:
        whole = round(seconds / factor)
        if whole and whole * factor == seconds:
            return f"{whole}{unit}"
    return f"{Decimal(repr(seconds)):f}s"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _word(text: str) -> str:
    # A word that is said of something else where it stands bare is quoted.
    bare = _BARE.fullmatch(text) and text not in _CLAUSES and not PERCENTILE.fullmatch(text)
    return text if bare and not text.startswith("-") else _quoted(text)


def _held(seconds: float) -> str:
    return f" for {spell_duration(seconds)}" if seconds else ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with a number, such as `> 50`."""

    operator: str
    number: float

    def holds(self, value: float) -> bool:
        """Tell whether a value is as wanted."""
        return _ORDERS[self.operator](value, self.number)

    @property
    def is_upper(self) -> bool:
        """Whether nothing at all is as wanted too, so that it can be decided only of what was counted whole."""
        return self.holds(0)

    def __str__(self) -> str:
        return f"{self.operator} {_number(self.number)}"

    def times(self) -> str:
        """Write it with a number of seconds as a time."""
        return f"{self.operator} {spell_duration(self.number)}"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds; `unit` is s, m or h."""

    bound: Bound
    unit: Literal["s", "m", "h"]

    @property
    def seconds(self) -> int:
        """The seconds of the unit."""
        return {"s": 1, "m": 60, "h": 3600}[self.unit]

    def __str__(self) -> str:
        return f"rate {self.bound}/{self.unit}"


@dataclass(frozen=True, slots=True)
class LogCondition:
    """A record that passes a filter of the host's grammar; with `rate`, so many of them, for so long."""

    filter: str
    rate: Rate | None = None
    held: float = 0.0

    def __str__(self) -> str:
        return f"log {self.filter}" + (f" {self.rate}{_held(self.held)}" if self.rate else "")


@dataclass(frozen=True, slots=True)
class LatencyCondition:
    """How long spans took, in seconds: each one, or a percentile of those that ended in the last `over` seconds.

    `selectors` are fields of the span with patterns; the field "" is the span's name or its action.
    """

    bound: Bound
    selectors: tuple[tuple[str, str], ...] = ()
    percentile: float | None = None
    over: float = OVER

    def selects(self, span: Mapping[str, Any]) -> bool:
        """Tell whether a span is meant, by its fields."""
        return all(
            any(isinstance(value := span.get(field), str) and matches(pattern, value) for field in fields)
            for key, pattern in self.selectors
            for fields in [(key,) if key else ("name", "action")]
        )

    def __str__(self) -> str:
        words = [f"{key}={_word(pattern)}" if key else _word(pattern) for key, pattern in self.selectors]
        if self.percentile is not None:
            words.append(f"p{_number(self.percentile)}")
        over = f" over {spell_duration(self.over)}" if self.percentile is not None and self.over != OVER else ""
        return " ".join(["latency", *words, self.bound.times()]) + over


@dataclass(frozen=True, slots=True)
class ActorCondition:
    """Actors of a pattern that are something, or of which a number is as wanted; for so many seconds."""

    pattern: str
    status: str = ""
    metric: str = ""
    bound: Bound | None = None
    held: float = 0.0

    def __str__(self) -> str:
        what = self.status or f"{self.metric} {self.bound}"
        return f"actor {self.pattern} {what}{_held(self.held)}"


@dataclass(frozen=True, slots=True)
class CountCondition:
    """So many restarts, errors or actions of the actors of a pattern together, in the last `within` seconds."""

    what: str
    bound: Bound
    within: float
    pattern: str = "*"

    def __str__(self) -> str:
        pattern = "" if self.pattern == "*" else f" {self.pattern}"
        return f"{self.what}{pattern} {self.bound} in {spell_duration(self.within)}"


@dataclass(frozen=True, slots=True)
class StateCondition:
    """A value in an actor's state: `operator` is one of a filter's, `exists`, or `changes`."""

    address: str
    path: tuple[str, ...]
    operator: str
    value: str = ""
    held: float = 0.0

    @property
    def place(self) -> str:
        """The path as it is written; empty for the whole state."""
        if all(map(_STEP.fullmatch, self.path)):
            return "".join(f".{step}" for step in self.path)
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in self.path)
        return _quoted(pointer)

    def __str__(self) -> str:
        words = [f"state {self.address}", self.place or ".", self.operator]
        if self.operator not in ("exists", "changes"):
            words.append(_quoted(self.value) if not _BARE.fullmatch(self.value) else self.value)
        return " ".join(words) + _held(self.held)


@dataclass(frozen=True, slots=True)
class LagCondition:
    """How late the newest record was, or how long a ping takes, in seconds."""

    bound: Bound
    held: float = 0.0

    def __str__(self) -> str:
        return f"lag {self.bound.times()}{_held(self.held)}"


@dataclass(frozen=True, slots=True)
class LinkCondition:
    """There is no connection to the host."""

    held: float = 0.0

    def __str__(self) -> str:
        return f"link lost{_held(self.held)}"


Condition = (
    LogCondition | LatencyCondition | ActorCondition | CountCondition | StateCondition | LagCondition | LinkCondition
)


@dataclass(frozen=True, slots=True)
class Action:
    """What is done: `flash`, `bell`, or `run` with a command for the shell."""

    kind: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {_quoted(self.command)}" if self.kind == "run" else self.kind


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, what is done when it comes, and how many seconds pass at least before that is done again."""

    condition: Condition
    name: str = ""
    actions: tuple[Action, ...] = (Action("flash"),)
    every: float = EVERY

    @property
    def title(self) -> str:
        """Its name, or its condition where it has none."""
        return self.name or str(self.condition)

    @property
    def rest(self) -> str:
        """What is done and how often, as it is written; empty if nothing was said of it."""
        does = f"-> {','.join(map(str, self.actions))}" if self.actions != (Action("flash"),) else ""
        every = f"every {spell_duration(self.every)}" if self.every != EVERY else ""
        return f"{does} {every}".strip()

    def __str__(self) -> str:
        name = f"{self.name}: " if self.name else ""
        return f"{name}{self.condition} {self.rest}".strip()
