"""Log filters: the one grammar, its errors, and what a filter decides."""

from protocol.filters.errors import FilterError
from protocol.filters.fields import FieldTest, Operator
from protocol.filters.grammar import MAX_LENGTH, MAX_PATTERNS, parse_filter
from protocol.filters.model import Directive, Filter, Rule, Scope

__all__ = (
    "MAX_LENGTH",
    "MAX_PATTERNS",
    "Directive",
    "FieldTest",
    "Filter",
    "FilterError",
    "Operator",
    "Rule",
    "Scope",
    "parse_filter",
)
