"""The past: what the ring and the disk keep of a host's log, and questions to it."""

from inspector.store.past import Past
from inspector.store.query import Cursor, CursorError, Page, Query, make_query

__all__ = ("Cursor", "CursorError", "Page", "Past", "Query", "make_query")
