"""Regular expressions in linear time: what a stranger asks for must not hold up the program that logs.

Python's `re` tries one way after the other, and `(a|a)*b` or `a*a*a*b` takes for ever on a long text of `a`. Here all
ways are followed at once (Thompson, 1968), and what was found out about a character is remembered, so that a text takes
time by its length whatever the pattern is. What can't be done so is refused: references to a group, looking ahead or
behind.

Understood are literals, `.`, classes, `\\d \\w \\s \\b` and their opposites, groups, `|`, `* + ? {m,n}`, `^` and `$`
for the beginning and the end of the whole text, and `(?i)` in front. It is a search: a match anywhere counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.filters.syntax import (
    Assertion,
    Characters,
    Choice,
    PatternError,
    Repeat,
    Tree,
    parse_pattern,
)

__all__ = ("MAX_NODES", "Pattern", "PatternError")

MAX_NODES: Final = 500
"""Characters and choices of a pattern once its `{m,n}` are written out: so many are followed at once at worst."""

_MAX_STEPS: Final = 4096
"""What is remembered of a pattern's steps, then all is forgotten."""

# What a character is to `^`, `$`, `\b` and `\B`: between two of these one of them holds or not.
_OUTSIDE: Final = 0
_WORD: Final = 1
_OTHER: Final = 2


class _State:
    """A set of nodes that were reached behind one character, and what each next character makes of it."""

    __slots__ = ("before", "ends", "nodes", "steps")

    def __init__(self, nodes: frozenset[int], before: int) -> None:
        self.nodes = nodes
        self.before = before
        self.steps: dict[str, _State | None] = {}
        """None where the pattern has matched before the character."""
        self.ends: bool | None = None


class Pattern:
    """A pattern, ready to search. Any thread may use it."""

    __slots__ = ("_accept", "_entry", "_known", "_nodes", "_start", "_steps", "text")

    def __init__(self, text: str) -> None:
        """Parse a pattern.

        Raises:
            PatternError: it does not parse, or is too large, or can't be matched in linear time.
        """
        self.text: Final = text
        # A node takes a character, or holds at a place, or only leads on.
        self._nodes: list[tuple[Callable[[str], bool] | str | None, tuple[int, ...]]] = []
        self._accept = self._add(None, ())
        self._entry = self._build(parse_pattern(text), self._accept)
        self._steps = 0
        self._known: dict[tuple[frozenset[int], int], _State] = {}
        self._start = _State(frozenset((self._entry,)), _OUTSIDE)

    def found_in(self, text: str) -> bool:
        """Tell if the pattern matches anywhere in a text."""
        state = self._start
        for character in text:
            steps = state.steps
            if character not in steps:
                steps[character] = self._step(state, character)
            following = steps[character]
            if following is None:
                return True
            state = following
        if state.ends is None:
            state.ends = self._accept in self._reached(state, _OUTSIDE)
        return state.ends

    def _step(self, state: _State, character: str) -> _State | None:
        kind = _kind(character)
        reached = self._reached(state, kind)
        if self._accept in reached:
            return None
        nodes = self._nodes
        following = {self._entry}
        for node in reached:
            what, out = nodes[node]
            if callable(what) and what(character):
                following.update(out)
        self._steps += 1
        if self._steps > _MAX_STEPS:
            # Whoever is in the midst of a text holds states of its own, which are let go with it.
            self._steps = 0
            self._known = {}
            self._start = _State(self._start.nodes, _OUTSIDE)
        key = frozenset(following), kind
        return self._known.setdefault(key, _State(*key))

    def _reached(self, state: _State, after: int) -> set[int]:
        """Return the nodes that lie behind no further character, in front of one of a kind."""
        reached: set[int] = set()
        todo = [*state.nodes]
        while todo:
            node = todo.pop()
            if node in reached:
                continue
            reached.add(node)
            what, out = self._nodes[node]
            if what is None or (isinstance(what, str) and _holds(what, state.before, after)):
                todo += out
        return reached

    def _add(self, what: Callable[[str], bool] | str | None, out: tuple[int, ...]) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise PatternError("the pattern is too large", 0)
        self._nodes.append((what, out))
        return len(self._nodes) - 1

    def _build(self, tree: Tree, behind: int) -> int:
        """Add the nodes of a part of a pattern, which lead to the node `behind`; return the first."""
        if isinstance(tree, Characters):
            return self._add(tree.holds, (behind,))
        if isinstance(tree, Assertion):
            return self._add(tree.kind, (behind,))
        if isinstance(tree, Repeat):
            return self._build_repeat(tree, behind)
        if isinstance(tree, Choice):
            return self._add(None, tuple(self._build(part, behind) for part in tree.parts))
        for part in reversed(tree.parts):
            behind = self._build(part, behind)
        return behind

    def _build_repeat(self, tree: Repeat, behind: int) -> int:
        if tree.most is None:
            # A ring: the node that chooses is known before what it leads to.
            ring = self._add(None, ())
            self._nodes[ring] = (None, (self._build(tree.part, ring), behind))
            behind = ring
        else:
            for _ in range(tree.most - tree.least):
                behind = self._add(None, (self._build(tree.part, behind), behind))
        for _ in range(tree.least):
            behind = self._build(tree.part, behind)
        return behind

    def __repr__(self) -> str:
        return f"<Pattern {self.text}>"


def _kind(character: str) -> int:
    return _WORD if character.isalnum() or character == "_" else _OTHER


def _holds(assertion: str, before: int, after: int) -> bool:
    if assertion == "^":
        return before == _OUTSIDE
    if assertion == "$":
        return after == _OUTSIDE
    return ((before == _WORD) != (after == _WORD)) == (assertion == "b")
