"""The one parser of watch rules.

The grammar::

    rule      := [name ":"] condition {"->" action {"," action} | "every" time}
    condition := "log" filter ["rate" compare number "/" ("s"|"m"|"h") ["for" time]]
               | "latency" {[field "="] pattern} ["p" number] compare time ["over" time]
               | "actor" pattern (status | metric compare number) ["for" time]
               | ("restarts"|"errors"|"actions") [pattern] compare number "in" time
               | "state" address [path] (compare value | "~" value | "exists" | "changes") ["for" time]
               | "lag" compare time ["for" time]
               | "link" "lost" ["for" time]
    action    := "flash" | "bell" | "run" "quoted, with \\" and \\\\ escapes"
    compare   := "=" | "!=" | "<" | "<=" | ">" | ">="
    path      := "." step {"." step} | JSON pointer (RFC 6901), quoted where it has blanks

A filter ends at a word `rate`, `for` or `every`, or at `->`, outside of its brackets and quotes. In a pattern `*`
stands for any text. A time is a number and ms, s, m, h, d or w.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, cast

from protocol.filters import FieldTest, FilterError, Operator, parse_filter
from protocol.filters.pattern import PatternError
from protocol.records import propose_level
from tui.model.rule_words import Words, closest
from tui.model.rules import (
    ACTIONS,
    COUNTERS,
    EVERY,
    METRICS,
    OVER,
    PERCENTILE,
    STATUSES,
    Action,
    ActorCondition,
    Bound,
    Condition,
    CountCondition,
    LagCondition,
    LatencyCondition,
    LinkCondition,
    LogCondition,
    Rate,
    Rule,
    RuleError,
    StateCondition,
)

__all__ = ("MAX_LENGTH", "parse_rule")

MAX_LENGTH: Final = 4096
"""Characters of a rule."""

_KINDS: Final = ("log", "latency", "actor", *COUNTERS, "state", "lag", "link")
_NAME: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*):(?=\s|$)")
_FIELD: Final = re.compile(r"[A-Za-z0-9_.]+(?==)")
_FILTER_END: Final = re.compile(r"\s+(?:(?:rate|for|every)(?=\s|$)|->)")
_PER: Final = {"s": "s", "sec": "s", "second": "s", "m": "m", "min": "m", "minute": "m", "h": "h", "hour": "h"}


def parse_rule(text: str) -> Rule:
    """Parse a rule.

    Raises:
        RuleError: it does not parse.
    """
    if len(text) > MAX_LENGTH:
        raise RuleError(f"a rule has at most {MAX_LENGTH} characters", MAX_LENGTH)
    for at, character in enumerate(text):
        if not character.isprintable():
            raise RuleError("a rule is one line of printable characters", at)
    return _Parser(text).rule()


class _Parser(Words):
    """Puts the words together."""

    def rule(self) -> Rule:
        name = ""
        if found := _NAME.match(self.text):
            name = found[1]
            if name in _KINDS:
                raise RuleError(f"{name!r} begins a condition, and no colon stands behind it", found.end(1), name)
            self.at = found.end()
        condition = self.condition()
        actions: tuple[Action, ...] | None = None
        every: float | None = None
        while self.more():
            start = self.at
            if self.text.startswith("->", start):
                if actions is not None:
                    raise RuleError("'->' stands here twice; several actions are joined by commas", start, ",")
                self.at += 2
                actions = self.actions()
            elif self.keyword("every"):
                if every is not None:
                    raise RuleError("'every' stands here twice", start)
                every = self.time()
            else:
                self.unexpected()
        return Rule(
            condition, name, (Action("flash"),) if actions is None else actions, EVERY if every is None else every
        )

    def condition(self) -> Condition:
        start = self.more_or("a condition")
        kind = self.word()
        parsers: dict[str, Callable[[], Condition]] = {
            "log": self.log,
            "latency": self.latency,
            "actor": self.actor,
            "state": self.state,
            "lag": lambda: LagCondition(self.time_bound(), self.held()),
            "link": self.link,
            **dict.fromkeys(COUNTERS, lambda: self.counter(kind)),
        }
        if kind not in parsers:
            level = propose_level(kind)
            proposal = f"log {level}" if level else closest(kind, _KINDS)
            raise RuleError(
                f"{kind or self.text[start]!r} begins no condition: {', '.join(_KINDS)} do", start, proposal
            )
        return parsers[kind]()

    # ---- conditions ----

    def log(self) -> LogCondition:
        start = self.more_or("a filter")
        self.at = self.filter_end(start)
        text = self.text[start : self.at].strip()
        try:
            parse_filter(text)
        except FilterError as error:
            raise RuleError(error.message, start + error.position, error.proposal) from None
        if not self.keyword("rate"):
            at = self.place()
            if self.keyword("for"):
                raise RuleError("a record takes no time: 'for' wants a rate before it", at, "rate > 10/s for")
            return LogCondition(text)
        bound = Bound(self.comparison(), self.number("a number"))
        if self.text[self.at : self.at + 1] != "/":
            raise RuleError("a rate is a number and /s, /m or /h", self.at, "/s")
        self.at += 1
        unit_at = self.at
        word = self.word()
        if word not in ("s", "m", "h"):
            raise RuleError(f"{word!r} is no unit of a rate: s, m and h are", unit_at, _PER.get(word.lower()))
        return LogCondition(text, Rate(bound, cast(Literal["s", "m", "h"], word)), self.held())

    def filter_end(self, start: int) -> int:
        depth, quoted, at = 0, False, start
        while at < len(self.text):
            character = self.text[at]
            if quoted:
                at += self.text.startswith(('\\"', "\\\\"), at)
                quoted = character != '"'
            elif character == '"':
                quoted = True
            elif character in "[{":
                depth += 1
            elif character in "]}":
                depth -= 1
            elif character.isspace() and depth <= 0 and _FILTER_END.match(self.text, at):
                return at
            at += 1
        return len(self.text)

    def latency(self) -> LatencyCondition:
        selectors: list[tuple[str, str]] = []
        percentile: float | None = None
        while self.more() and self.text[self.at] not in "<>=!":
            start = self.at
            if percentile is not None:
                raise RuleError("a comparison follows the percentile", start, ">")
            if found := _FIELD.match(self.text, self.at):
                self.at = found.end() + 1
                selectors.append((found[0], self.pattern()))
            elif self.text[start] != '"' and (number := PERCENTILE.fullmatch(self.word())):
                percentile = float(number[1])
                if not percentile:
                    raise RuleError("a percentile is above 0", start, "p50")
            else:
                self.at = start
                selectors.append(("", self.pattern()))
        bound = self.time_bound()
        over, start = OVER, self.place()
        if self.keyword("over"):
            if percentile is None:
                raise RuleError("'over' wants a percentile: without one each span counts by itself", start, None)
            over = self.time()
        return LatencyCondition(bound, tuple(selectors), percentile, over)

    def actor(self) -> ActorCondition:
        pattern = self.whole("an actor's address")
        start = self.more_or("a status or a number")
        word = self.word()
        compared = self.more() and self.text[self.at] in "<>=!"
        if word in STATUSES and not (compared and word in METRICS):
            return ActorCondition(pattern, word, held=self.held())
        if word not in METRICS:
            proposal = closest(word, (*STATUSES, *METRICS))
            raise RuleError(f"{word!r} is neither a status nor a number of an actor", start, proposal)
        return ActorCondition(pattern, "", word, Bound(self.comparison(), self.number("a number")), self.held())

    def counter(self, what: str) -> CountCondition:
        pattern = "*"
        if self.more() and self.text[self.at] not in "<>=!":
            pattern = self.whole("an actor's address")
        bound = Bound(self.comparison(), self.number("a number"))
        start = self.more_or("'in' and a time")
        if not self.keyword("in"):
            raise RuleError("a count is taken in a time", start, "in 1m")
        return CountCondition(what, bound, self.time(), pattern)

    def state(self) -> StateCondition:
        address = self.whole("an actor's address")
        path: tuple[str, ...] = ()
        if self.more() and self.text[self.at] in './"':
            path = self.path()
        start = self.more_or("a comparison")
        for word in ("exists", "changes"):
            if self.keyword(word):
                at = self.place()
                held = self.held()
                if word == "changes" and held:
                    raise RuleError("a change takes no time", at)
                return StateCondition(address, path, word, "", held)
        if self.text[start] == "~":
            self.at += 1
            operator = "~"
        else:
            if self.text[start] not in "<>=!":
                word = self.word()
                raise RuleError(f"{word!r} is no comparison", start, closest(word, ("exists", "changes")))
            operator = self.comparison()
        value_at = self.more_or("a value")
        value = self.quoted() if self.text[value_at] == '"' else self.word()
        if not value and self.text[value_at] != '"':
            self.unexpected()
        try:
            FieldTest("value", cast(Operator, operator), value)
        except PatternError as error:
            raise RuleError(f"{error.message} (in a regular expression)", value_at) from None
        return StateCondition(address, path, operator, value, self.held())

    def path(self) -> tuple[str, ...]:
        start = self.at
        text = self.quoted() if self.text[start] == '"' else self.whole("a path")
        if text in (".", ""):
            return ()
        if text.startswith("/"):
            return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
        if not text.startswith("."):
            raise RuleError("a path begins with a dot or a slash", start, f".{text}")
        steps = text[1:].replace("[", ".").replace("]", "").split(".")
        if not all(steps):
            raise RuleError("a path has an empty step", start)
        return tuple(steps)

    def link(self) -> LinkCondition:
        start = self.more_or("'lost'")
        if not self.keyword("lost"):
            raise RuleError("a link is lost or nothing to speak of", start, "lost")
        return LinkCondition(self.held())

    # ---- what is done ----

    def actions(self) -> tuple[Action, ...]:
        found: list[Action] = []
        while True:
            start = self.more_or("an action")
            match = re.compile(r"[A-Za-z]*").match(self.text, start)
            word = match[0] if match else ""
            self.at += len(word)
            if word not in ACTIONS:
                proposal = closest(word, ACTIONS)
                raise RuleError(f"{word or self.text[start]!r} is no action: {', '.join(ACTIONS)} are", start, proposal)
            command = ""
            if word == "run":
                command_at = self.more_or("a command in double quotes")
                if self.text[command_at] != '"':
                    raise RuleError("a command stands in double quotes", command_at, '"')
                command = self.quoted()
                if not command.strip():
                    raise RuleError("the command is empty", command_at)
            found.append(Action(word, command))
            if not self.more() or self.text[self.at] != ",":
                return tuple(dict.fromkeys(found))
            self.at += 1
