"""Questions to the past, as requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from inspector.service.filters import wanted_filter
from inspector.store import Cursor, CursorError, Past, make_query
from protocol.addresses import decode_address, encode_address
from protocol.errors import AddressError, InspectorError
from protocol.filters import parse_filter
from protocol.messages import TraceQueryRequest, TraceQueryResponse

if TYPE_CHECKING:
    from inspector.service.connection import Connection

__all__ = ("LIMIT", "MAX_LIMIT", "query_traces", "spelt")

LIMIT: Final = 1000
"""Records of a page unless asked for otherwise."""
MAX_LIMIT: Final = 10_000
"""Records of a page at most, whatever is asked for."""

_ALL: Final = parse_filter("trace")


def query_traces(connection: Connection, request: TraceQueryRequest) -> None:
    """Answer with a page, in a while.

    Raises:
        InspectorError: ``inspector.bad_filter``, ``inspector.bad_cursor``; ``actor.not_found``, for what is no address.
    """
    query = make_query(
        _ALL if request.filter is UNSET else wanted_filter(request.filter, "filter"),
        actor=None if request.actor is UNSET else spelt(request.actor),
        trace_id=None if request.trace_id is UNSET else request.trace_id,
        start_ms=None if request.start_ms is UNSET else request.start_ms,
        end_ms=None if request.end_ms is UNSET else request.end_ms,
        limit=LIMIT if request.limit is UNSET else min(max(1, request.limit), MAX_LIMIT),
    )
    past = Past(connection.registry.log)
    try:
        cursor = None if request.cursor is UNSET else Cursor.decode(request.cursor)
    except CursorError as exc:
        raise InspectorError("inspector.bad_cursor", str(exc)) from None

    async def page() -> TraceQueryResponse:
        try:
            page = await past.page(query, cursor)
        except CursorError as exc:
            raise InspectorError("inspector.bad_cursor", str(exc)) from None
        response = TraceQueryResponse(rid=request.id, host=page.host, lines=page.lines)
        if page.cursor is not None:
            response.cursor = page.cursor.encode()
        return response

    connection.later(request.id, page)


def spelt(address: str) -> str:
    """Return an address as the host spells it; the actor need not be there any more.

    Raises:
        InspectorError: ``actor.not_found``, it is no address.
    """
    try:
        return encode_address(*decode_address(address))
    except AddressError as exc:
        raise InspectorError("actor.not_found", str(exc), {"actor": address}) from None
