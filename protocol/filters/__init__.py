"""Log filters: the one grammar, its errors, and what a filter decides."""

from protocol.filters.errors import FilterError
from protocol.filters.grammar import Directive, Filter, parse_filter

__all__ = ("Directive", "Filter", "FilterError", "parse_filter")
