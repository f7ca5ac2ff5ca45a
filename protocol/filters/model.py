"""Filters as values, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocol.filters.fields import FieldTest
from protocol.records import LEVEL_NAMES

__all__ = ("Directive", "Filter", "Rule", "Scope")

_NAMES: Final = (*(name.lower() for name in LEVEL_NAMES), "off")

# A filter remembers what it decided for this many levels and targets, then forgets all: programs have some hundred
# targets, but a target made from data must not make a filter grow for ever.
_CACHE_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class Scope:
    """What is said in a span of this name ("" is any), or in one inside it, where all tests hold.

    A test holds if the field is as wanted in the record's own fields, in the span's, or in those of one of its
    ancestors.
    """

    span: str = ""
    tests: tuple[FieldTest, ...] = ()

    def __post_init__(self) -> None:
        # In one order and each once, so that scopes which say the same are equal.
        tests = sorted(set(self.tests), key=lambda test: (test.field, test.operator, test.value))
        object.__setattr__(self, "tests", tuple(tests))

    def holds(self, fields: Mapping[str, Any], chain: Sequence[Mapping[str, Any]]) -> bool:
        """Tell if a record is inside; `Filter.passes` says what it is made of."""
        # Of several spans of the name the innermost has all that the others have, and more.
        inner = len(chain)
        while self.span and inner and chain[inner - 1].get("name") != self.span:
            inner -= 1
        places = (fields, *chain[:inner])
        return inner > 0 and all(any(map(test.holds_in, places)) for test in self.tests)

    def __str__(self) -> str:
        tests = f"{{{','.join(map(str, self.tests))}}}" if self.tests else ""
        return f"[{self.span}{tests}]"


@dataclass(frozen=True, slots=True)
class Directive:
    """One rule: records of `target` ("" is every one) and below it pass from `level` on; OFF lets none pass.

    With a scope it speaks of those alone that lie inside it.
    """

    target: str
    level: int
    scope: Scope | None = None

    @property
    def rank(self) -> tuple[int, bool, int]:
        """How specific it is among those that speak of one target."""
        scope = self.scope or Scope()
        return len(self.target), bool(scope.span), len(scope.tests)

    def __str__(self) -> str:
        name = _NAMES[self.level]
        selector = f"{self.target}{self.scope or ''}"
        return f"{selector}={name}" if selector else name


@dataclass(frozen=True, slots=True)
class Rule:
    """What a filter says of a level and target where that depends on the spans.

    Attributes:
        choices: positions in the filter's `scopes`, and whether a record inside that one passes: the first that
            holds decides.
        otherwise: whether one passes that is inside none.
    """

    choices: tuple[tuple[int, bool], ...]
    otherwise: bool


class Filter:
    """A parsed filter: immutable, compared by what it says, good for any number of readers and threads.

    Attributes:
        directives: of equal selectors the last one alone. Those of one target are together, and the more specific ones
            behind the others; equally specific ones in the order in which they were said, of which the last counts.
        scopes: of all directives, each once.
    """

    __slots__ = ("_cache", "directives", "scopes")

    def __init__(self, directives: Sequence[Directive]) -> None:
        """Take directives in any order, but that of equally specific ones the last counts."""
        last: dict[tuple[str, Scope | None], Directive] = {}
        for directive in directives:
            # A scope that asks for nothing holds everywhere.
            scope = None if directive.scope == Scope() else directive.scope
            selector = directive.target, scope
            last.pop(selector, None)
            last[selector] = Directive(directive.target, directive.level, scope)
        ordered = sorted(last.values(), key=lambda directive: (directive.target, directive.rank))
        self.directives: Final = tuple(ordered)
        self.scopes: Final = tuple(dict.fromkeys(each.scope for each in ordered if each.scope is not None))
        self._cache: dict[tuple[int, str], bool | Rule] = {}

    def decide(self, level: int, target: str) -> bool | Rule:
        """Return whether records of a level and target pass, or by what rule some do."""
        decided = self._cache.get((level, target))
        if decided is None:
            decided = self._decide(level, target)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[level, target] = decided
        return decided

    def _decide(self, level: int, target: str) -> bool | Rule:
        below = f"{target}."
        matching = [each for each in self.directives if not each.target or below.startswith(f"{each.target}.")]
        # Stable, so that of equally specific ones the last comes first.
        matching = sorted(reversed(matching), key=lambda directive: directive.rank, reverse=True)
        choices: list[tuple[int, bool]] = []
        otherwise = False
        for directive in matching:
            passes = level >= directive.level
            if directive.scope is None:
                otherwise = passes
                break
            choices.append((self.scopes.index(directive.scope), passes))
        while choices and choices[-1][1] == otherwise:
            choices.pop()
        return Rule(tuple(choices), otherwise) if choices else otherwise

    def enabled(self, level: int, target: str) -> bool:
        """Tell if records of this level and target pass, or may pass by their spans."""
        return self.decide(level, target) is not False

    def passes(self, level: int, target: str, fields: Mapping[str, Any], chain: Sequence[Mapping[str, Any]]) -> bool:
        """Tell if a record passes.

        Args:
            fields: its own, as written: an event's with `message`; of a record of a span none.
            chain: the span that it speaks of behind its ancestors, root first, each as written, with `name`.
        """
        decided = self.decide(level, target)
        if isinstance(decided, bool):
            return decided
        holding = (passes for scope, passes in decided.choices if self.scopes[scope].holds(fields, chain))
        return next(holding, decided.otherwise)

    def __str__(self) -> str:
        return ",".join(map(str, self.directives))

    def __repr__(self) -> str:
        return f"<Filter {self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.directives == other.directives

    def __hash__(self) -> int:
        return hash(self.directives)
