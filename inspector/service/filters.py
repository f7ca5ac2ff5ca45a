"""What one inspector has the host record and show: until he takes it back, his time is up, or he leaves."""

from __future__ import annotations

import time
from typing import Any, Final

import trio
from msgspec import UNSET, UnsetType

from inspector.tracing import INFO, Log, Span
from inspector.tracing.layers import Kind
from protocol.errors import InspectorError
from protocol.filters import Filter, FilterError, parse_filter
from protocol.messages import LogFilterRequest, LogFilterResponse

__all__ = ("MAX_FOR_MS", "HeldFilters", "wanted_filter")

MAX_FOR_MS: Final = 365 * 24 * 3600 * 1000
"""Milliseconds that a filter holds at most by `for_ms`; who wants it longer stays, or sets the host's own."""

_TARGET: Final = "inspector.service.filters"


def wanted_filter(text: str, field: str) -> Filter:
    """Parse the filter in a field of a request.

    Raises:
        InspectorError: ``inspector.bad_filter``.
    """
    try:
        return parse_filter(text)
    except FilterError as exc:
        metadata: dict[str, Any] = {"position": exc.position, "field": field}
        if exc.proposal is not None:
            metadata["proposal"] = exc.proposal
        raise InspectorError("inspector.bad_filter", str(exc), metadata) from None


class HeldFilters:
    """The filters that one connection has put over the host's own.

    Args:
        log: the host's.
        nursery: of the connection; what waits for the end of a filter's time runs there.
        span: the connection's, which changes are told in.
    """

    def __init__(self, log: Log, nursery: trio.Nursery, span: Span | None) -> None:
        self._log = log
        self._nursery = nursery
        self._span = span
        self._until: dict[Kind, float] = {}
        self._alarm: trio.CancelScope | None = None

    def answer(self, request: LogFilterRequest) -> LogFilterResponse:
        """Do what a request asks.

        Raises:
            InspectorError: ``inspector.bad_filter``; nothing has changed.
        """
        texts: dict[Kind, str | UnsetType | None] = {"record": request.record, "log": request.log}
        changes: dict[Kind, Filter | None] = {
            kind: None if text is None else wanted_filter(text, kind)
            for kind, text in texts.items()
            if text is not UNSET
        }
        for kind, filter in changes.items():
            self._until.pop(kind, None)
            if filter is not None and request.for_ms is not UNSET:
                self._until[kind] = trio.current_time() + min(request.for_ms, MAX_FOR_MS) / 1000
        self._change(changes, "asked for")
        if changes:
            self._set_alarm()
        filters = self._log.filters
        shown = filters.log
        response = LogFilterResponse(
            rid=request.id, record=str(filters.record), log=None if shown is None else str(shown)
        )
        if self._until:
            left = min(self._until.values()) - trio.current_time()
            response.until = time.time_ns() // 1_000_000 + max(0, round(left * 1000))
        return response

    def end(self) -> None:
        """Take everything back: the connection has ended."""
        self._until.clear()
        self._change({"record": None, "log": None}, "the connection ended")

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._until:
            self._alarm = trio.CancelScope()
            self._nursery.start_soon(self._wait, self._alarm)

    @trio.lowlevel.enable_ki_protection
    async def _wait(self, alarm: trio.CancelScope) -> None:
        with alarm:
            while self._until:
                await trio.sleep_until(min(self._until.values()))
                now = trio.current_time()
                over: dict[Kind, Filter | None] = {kind: None for kind, until in self._until.items() if until <= now}
                for kind in over:
                    del self._until[kind]
                self._change(over, "the time is up")

    def _change(self, changes: dict[Kind, Filter | None], why: str) -> None:
        log = self._log
        site = log.site(INFO, _TARGET)
        told: list[bool] = []

        def tell() -> None:
            # By the old filters if they keep it, or else by the new: a log that falls silent, or begins to speak, says
            # why.
            told.append(site.open)
            if site.open:
                self._tell(why)

        log.filters.change(self, changes, tell)
        if told == [False]:
            self._tell(why)

    def _tell(self, why: str) -> None:
        filters = self._log.filters
        fields = {"record": str(filters.record)}
        if filters.log is not None:
            fields["log"] = str(filters.log)
        self._log.logger(_TARGET).event(INFO, self._span, "log filters changed", why=why, **fields)
