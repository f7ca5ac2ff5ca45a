"""The past: records of a time, an actor or a trace, by pages."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from protocol.messages.base import Request, Response, TraceId, Uint

__all__ = ("TraceQueryRequest", "TraceQueryResponse")


class TraceQueryRequest(Request, kw_only=True):
    """Ask for the records that are kept, in the ring and on disk, and fit all that is given.

    Their time is at or after `start_ms` and before `end_ms`. `limit` bounds the records of this page. `cursor` is that
    of the page before; the rest of the request is then the same as for that one.
    """

    actor: str | UnsetType = UNSET
    start_ms: Uint | UnsetType = UNSET
    end_ms: Uint | UnsetType = UNSET
    limit: Uint | UnsetType = UNSET
    filter: str | UnsetType = UNSET
    trace_id: TraceId | UnsetType = UNSET
    cursor: str | UnsetType = UNSET


class TraceQueryResponse(Response, kw_only=True):
    """One page, oldest record first, `lines` as in LogBatch. All are of one run of the host, whose id is `host`.

    With `cursor` there may be more, of that run or of a later one, also when this page is empty.
    """

    host: str
    lines: bytes
    cursor: str | UnsetType = UNSET
