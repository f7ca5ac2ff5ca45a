"""The past: what the ring and the disk keep of a host's log, and questions to it."""

from inspector.store.folder import MIN_SIZE
from inspector.store.past import Past
from inspector.store.playback import Passage, Playback
from inspector.store.query import Cursor, CursorError, Page, Query, make_query
from inspector.store.reading import reading_threads
from inspector.store.segments import StoreError
from inspector.store.store import STORE_AGE, STORE_SIZE, Store, open_store, store_of

__all__ = (
    "MIN_SIZE",
    "STORE_AGE",
    "STORE_SIZE",
    "Cursor",
    "CursorError",
    "Page",
    "Passage",
    "Past",
    "Playback",
    "Query",
    "Store",
    "StoreError",
    "make_query",
    "open_store",
    "reading_threads",
    "store_of",
)
