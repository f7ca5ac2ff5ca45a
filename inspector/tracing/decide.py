"""What a filter says of records: decided once for a site where it can be, else once for a span, else by the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from orjson import loads

from protocol.filters import FieldTest, Filter, Rule

if TYPE_CHECKING:
    from inspector.tracing.sites import Site
    from inspector.tracing.spans import Span

__all__ = ("NO_FIELDS", "Judge")

NO_FIELDS: Final[Mapping[str, Any]] = {}
"""Those of a record that tells of a span's start or end."""

_Tests: TypeAlias = tuple[FieldTest, ...]
_Places: TypeAlias = tuple[tuple[_Tests, "_Tests | None"], ...]
"""For each scope of a filter, seen from a span: the tests for which nothing was found up to here, and those of them
that are left to the record if it is inside the scope; None if it is not."""

# Spans of which a judge remembers that, then it forgets all: so a thousand filters have their bounded room. Those
# that many records come from are soon remembered anew.
_SPANS: Final = 512


class Judge:
    """One filter's decisions. Each reader has a judge of its own, and so has the ring; a new filter is a new judge.

    Tests look at what is written: secrets are hidden from them too, and a value is what it is in JSON. No span is kept
    alive by what is remembered of it. Any thread may ask.

    Attributes:
        filter: what it decides by.
        rules: by site, for who has no time for a call: look, or ask `rule`.
        scoped: whether it may depend on more than the site.
    """

    __slots__ = ("_places", "_root", "_tested", "filter", "rules", "scoped")

    def __init__(self, filter: Filter) -> None:
        self.filter: Final = filter
        self.rules = _Rules(filter)
        self.scoped = bool(filter.scopes)
        self._root: _Places = tuple((scope.tests, None) for scope in filter.scopes)
        self._tested = any(scope.tests for scope in filter.scopes)
        self._places: dict[bytes, _Places] = {}

    def of_span(self, site: Site, span: Span) -> bool | None:
        """Tell if what is written at a site in a span passes; None if that is for the record's own fields to say."""
        rule = self.rules[site]
        if isinstance(rule, bool):
            return rule
        places = self._places_of(span)
        for scope, passes in rule.choices:
            left = places[scope][1]
            if left is None:
                continue
            if left:
                return None
            return passes
        return rule.otherwise

    def of_record(self, site: Site, span: Span, fields: Mapping[str, Any]) -> bool:
        """Tell if a record passes.

        Args:
            fields: its own, as they are written.
        """
        rule = self.rules[site]
        if isinstance(rule, bool):
            return rule
        places = self._places_of(span)
        for scope, passes in rule.choices:
            left = places[scope][1]
            if left is not None and all(test.holds_in(fields) for test in left):
                return passes
        return rule.otherwise

    def of_line(self, site: Site, span: Span, line: bytes) -> bool:
        """Tell if a record passes, by its line; that is read only where nothing else decides."""
        decided = self.of_span(site, span)
        if decided is None:
            decided = self.of_record(site, span, loads(line).get("fields", NO_FIELDS))
        return decided

    def forget(self) -> None:
        """Look at all spans anew: they are written in another way."""
        self._places = {}

    def _places_of(self, span: Span) -> _Places:
        known = self._places
        path: list[Span] = []
        at: Span | None = span
        places = self._root
        while at is not None:
            found = known.get(at.key)
            if found is not None:
                places = found
                break
            path.append(at)
            at = at.parent
        while path:
            at = path.pop()
            places = self._inside(places, at)
            if len(known) >= _SPANS:
                known.clear()
            known[at.key] = places
        return places

    def _inside(self, around: _Places, span: Span) -> _Places:
        """Return what is seen from a span, by what is seen from its parent."""
        written = _written(span) if self._tested else NO_FIELDS
        places: list[tuple[_Tests, _Tests | None]] = []
        for scope, (missing, left) in zip(self.filter.scopes, around, strict=True):
            if missing:
                missing = tuple([test for test in missing if not test.holds_in(written)])
            # Of nested spans of one name the inner has all that the outer has, and more.
            places.append((missing, missing if scope.span in ("", span.name) else left))
        inside = tuple(places)
        # Most spans of a deep tree add nothing: they share one object.
        return around if inside == around else inside


class _Rules(dict["Site", "bool | Rule"]):
    """A filter's rule for each site, found out when first asked."""

    __slots__ = ("_filter",)

    def __init__(self, filter: Filter) -> None:
        self._filter = filter

    def __missing__(self, site: Site) -> bool | Rule:
        rule = self[site] = self._filter.decide(site.level, site.target)
        return rule


def _written(span: Span) -> dict[str, Any]:
    """Return a span's name and fields as its records have them."""
    fresh = span.known_text is None
    # It begins with the comma that parts it from what stands before in a record, and closes the record.
    text = span.text()
    if fresh and span.ended:
        # Looked at by a reader, long after: what the ring holds by it is not to grow.
        span.forget_text()
    written: dict[str, Any] = loads(b"{%b" % text[1:])["span"]
    return written
