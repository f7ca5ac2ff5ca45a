"""The span log."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from protocol.messages.base import Push, Request, Response, SpanId, Uint

__all__ = (
    "LogBatch",
    "LogFilterRequest",
    "LogFilterResponse",
    "LogsSubscribe",
    "LogsSubscribeResponse",
    "SpansRequest",
    "SpansResponse",
)


class LogsSubscribe(Request, kw_only=True):
    """Stream the records that pass `filter`, of one actor or of all.

    With `after_seq` go on behind that record, with `backlog` begin with the last so many that match, with
    neither begin with what comes from now on; never both. `host` is the run of the host that `after_seq` is a number
    of, this one unless given.
    """

    filter: str
    actor: str | UnsetType = UNSET
    after_seq: Uint | UnsetType = UNSET
    backlog: Uint | UnsetType = UNSET
    host: str | UnsetType = UNSET

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
    holes. With `host` it is of that earlier run of the host, and so are its numbers.
    """

    first_seq: Uint
    next_seq: Uint
    dropped: Uint
    lines: bytes
    host: str | UnsetType = UNSET


class SpansRequest(Request, kw_only=True):
    """Ask for the start records of spans and of their ancestors."""

    spans: list[SpanId]


class SpansResponse(Response, kw_only=True):
    """Start records, root first, as far as they are kept; `lines` as in LogBatch."""

    lines: bytes


class LogFilterRequest(Request, kw_only=True):
    """Let the host record (`record`) or its own sinks show (`log`) something else for a while; with neither, only ask.

    A text holds over the host's own filter, and over what others have asked for before, until this connection ends or
    `for_ms` is up. Null takes back what this connection has asked for.
    """

    record: str | UnsetType | None = UNSET
    log: str | UnsetType | None = UNSET
    for_ms: Uint | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.for_ms is not UNSET and not (isinstance(self.record, str) or isinstance(self.log, str)):
            raise ValueError("`for_ms` says how long a filter holds, and there is none")


class LogFilterResponse(Response, kw_only=True):
    """The filters that hold now, as the host spells them; `log` is null where no sink goes by it.

    `until` is when the first of what this connection has asked for ends by itself.
    """

    record: str
    log: str | None
    until: Uint | UnsetType = UNSET
