"""Records of any number, rows on demand: the log store behind the log view, without Textual."""

from tui.logs.row import LEVELS, Row, Rows, parse_row
from tui.logs.search import BadQuery, Found, LevelQuery, Query, Searching, TextQuery, parse_query, search
from tui.logs.store import Block, LogStore, Records
from tui.logs.text import cut, neutralise

__all__ = (
    "LEVELS",
    "BadQuery",
    "Block",
    "Found",
    "LevelQuery",
    "LogStore",
    "Query",
    "Records",
    "Row",
    "Rows",
    "Searching",
    "TextQuery",
    "cut",
    "neutralise",
    "parse_query",
    "parse_row",
    "search",
)
