"""Regular expressions in linear time: what a stranger asks for must not hold up the program that logs.

Python's `re` tries one way after the other, and `(a|a)*b` or `a*a*a*b` takes for ever on a long text of `a`. Here all
ways are followed at once (Thompson, 1968), and what was found out about a character is remembered, so that a text takes
time by its length whatever the pattern is. What can't be done so is refused: references to a group, looking ahead or
behind.

Understood are literals, `.`, classes, `\\d \\w \\s \\b` and their opposites, groups, `|`, `* + ? {m,n}`, `^` and `$`
for the beginning and the end of the whole text, and `(?i)` in front. It is a search: a match anywhere counts.
"""

from __future__ import annotations

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

# The bit of having matched.
_MATCHED: Final = 1


class _State:
    """Which nodes have taken one character, a bit each, and what each next character makes of it."""

    __slots__ = ("before", "ends", "steps", "taken")

    def __init__(self, taken: int, before: int) -> None:
        self.taken = taken
        self.before = before
        self.steps: dict[str, _State | None] = {}
        """None where the pattern has matched before the character."""
        self.ends: bool | None = None


class _Ways:
    """Which nodes lie behind those of a state, between two kinds of character: sets are bits of one integer.

    A set of hundreds of nodes is looked up by four of its bits at a time, for a text that keeps all of them busy would
    otherwise take half a millisecond a character.

    Args:
        begin: what lies behind the beginning.
        behind: what lies behind each node that takes a character, in the order of their bits.
    """

    __slots__ = ("_begin", "_tables")

    def __init__(self, begin: int, behind: list[int]) -> None:
        self._begin = begin
        self._tables: list[list[int]] = []
        for at in range(0, len(behind), 4):
            table = [0]
            for each in behind[at : at + 4]:
                table += [known | each for known in table]
            self._tables.append(table + [0] * (16 - len(table)))
        if len(self._tables) % 2:
            self._tables.append([0])

    def from_state(self, taken: int) -> int:
        """Return what is reached from these nodes, and from the beginning: a match may begin anywhere."""
        reached = self._begin
        tables = self._tables
        for at, byte in enumerate(taken.to_bytes(len(tables) // 2, "little")):
            if byte:
                reached |= tables[2 * at][byte & 15] | tables[2 * at + 1][byte >> 4]
        return reached


class Pattern:
    """A pattern, ready to search. Any thread may use it."""

    __slots__ = ("_entry", "_known", "_masks", "_nodes", "_placed", "_start", "_steps", "_takers", "_ways", "text")

    def __init__(self, text: str) -> None:
        """Parse a pattern.

        Raises:
            PatternError: it does not parse, or is too large, or can't be matched in linear time.
        """
        self.text: Final = text
        # A node takes a character, or holds at a place, or only leads on. The first one is that of having matched.
        self._nodes: list[tuple[Characters | str | None, tuple[int, ...]]] = [(None, ())]
        self._entry = self._build(parse_pattern(text), 0)
        self._placed = any(isinstance(what, str) for what, _ in self._nodes)
        # Those that take a character, by what they take; and to what each leads, in the order of their bits.
        self._takers: dict[Characters, int] = {}
        for bit, what in enumerate(what for what, _ in self._nodes if isinstance(what, Characters)):
            self._takers[what] = self._takers.get(what, 0) | 1 << bit
        self._ways: dict[tuple[int, int], _Ways] = {}
        self._steps = 0
        self._known: dict[tuple[int, int], _State] = {}
        self._masks: dict[str, int] = {}
        self._start = _State(0, _OUTSIDE)

    @property
    def size(self) -> int:
        """How many nodes it has: what a character of a text costs at worst."""
        return len(self._nodes)

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
            state.ends = bool(self._reached(state, _OUTSIDE) & _MATCHED)
        return state.ends

    def _step(self, state: _State, character: str) -> _State | None:
        kind = _kind(character)
        reached = self._reached(state, kind)
        if reached & _MATCHED:
            return None
        self._steps += 1
        if self._steps > _MAX_STEPS:
            # Whoever is in the midst of a text holds states of its own, which are let go with it.
            self._steps = 0
            self._known = {}
            self._masks = {}
            self._start = _State(0, _OUTSIDE)
        mask = self._masks.get(character)
        if mask is None:
            mask = 0
            for what, bits in self._takers.items():
                if what.holds(character):
                    mask |= bits
            self._masks[character] = mask
        key = reached >> 1 & mask, kind
        return self._known.setdefault(key, _State(*key))

    def _reached(self, state: _State, after: int) -> int:
        """Return the nodes that lie behind no further character, in front of one of a kind: the bit of each is one
        higher than in a state, for that of having matched is the lowest."""
        key = (state.before, after) if self._placed else (_OUTSIDE, _OUTSIDE)
        ways = self._ways.get(key)
        if ways is None:
            ways = self._ways[key] = self._find_ways(*key)
        return ways.from_state(state.taken)

    def _find_ways(self, before: int, after: int) -> _Ways:
        reach = [0] * len(self._nodes)
        reach[0] = bit = _MATCHED
        for node, (what, _) in enumerate(self._nodes):
            if isinstance(what, Characters):
                bit <<= 1
                reach[node] = bit
        leading = [
            (node, out)
            for node, (what, out) in enumerate(self._nodes)
            if node and (what is None or (isinstance(what, str) and _holds(what, before, after)))
        ]
        # Nodes lead to those that were made before them, but for a ring's: it takes as many rounds as rings lie in one
        # another.
        changed = True
        while changed:
            changed = False
            for node, out in leading:
                found = reach[node]
                for each in out:
                    found |= reach[each]
                changed |= found != reach[node]
                reach[node] = found
        behind = [reach[out[0]] for what, out in self._nodes if isinstance(what, Characters)]
        return _Ways(reach[self._entry], behind)

    def _add(self, what: Characters | str | None, out: tuple[int, ...]) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise PatternError("the pattern is too large", 0)
        self._nodes.append((what, out))
        return len(self._nodes) - 1

    def _build(self, tree: Tree, behind: int) -> int:
        """Add the nodes of a part of a pattern, which lead to the node `behind`; return the first."""
        if isinstance(tree, Characters):
            return self._add(tree, (behind,))
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
