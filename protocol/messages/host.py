"""The host speaks first: who it is, what it answers, and its bounds."""

from __future__ import annotations

from msgspec import Struct

from protocol.messages.base import Message, Uint

__all__ = ("HostInfo", "Init", "Limits", "LogRange")


class HostInfo(Struct):
    """Who the host is. `id` is new for each run: a sequence number is good for one id alone."""

    id: str
    name: str
    version: str
    pid: Uint
    started_at: Uint


class Limits(Struct):
    """The host's bounds, in bytes: a frame either way, the `lines` of one LogBatch."""

    max_frame: Uint
    max_batch: Uint


class LogRange(Struct):
    """What the ring holds: first_seq <= seq < next_seq."""

    first_seq: Uint
    next_seq: Uint


class Init(Message, kw_only=True):
    """The host's first message."""

    host: HostInfo
    features: list[str]
    limits: Limits
    log: LogRange
    now: Uint
