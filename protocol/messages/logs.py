"""The span log."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from protocol.messages.base import Push, Request, Response, SpanId, Uint

__all__ = ("LogBatch", "LogsSubscribe", "LogsSubscribeResponse", "SpansRequest", "SpansResponse")


class LogsSubscribe(Request, kw_only=True):
    """Stream the records that pass `filter`, of one actor or of all.

    With `after_seq` go on behind that record, with `backlog` begin with the last so many that match, with
    neither begin with what comes from now on; never both.
    """

    filter: str
    actor: str | UnsetType = UNSET
    after_seq: Uint | UnsetType = UNSET
    backlog: Uint | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.after_seq is not UNSET and self.backlog is not UNSET:
            raise ValueError("`after_seq` and `backlog` exclude each other")


class LogsSubscribeResponse(Response, kw_only=True):
    """Where the stream begins, and how many of the records asked for are no longer kept."""

    next_seq: Uint
    missed: Uint


class LogBatch(Push, kw_only=True):
    """All that matched from `first_seq` up to `next_seq`, but for `dropped` ones: this reader was too slow.

    `lines` holds the host's own JSON lines, joined by newlines, with none at the end; batches join without
    holes.
    """

    first_seq: Uint
    next_seq: Uint
    dropped: Uint
    lines: bytes


class SpansRequest(Request, kw_only=True):
    """Ask for the start records of spans and of their ancestors."""

    spans: list[SpanId]


class SpansResponse(Response, kw_only=True):
    """Start records, root first, as far as they are kept; `lines` as in LogBatch."""

    lines: bytes
