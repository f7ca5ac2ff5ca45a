"""The sites and loggers of a log, wired for what somebody wants now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from inspector.tracing.logger import Logger
from inspector.tracing.sites import Site
from inspector.tracing.wants import Linger, Wants
from protocol.filters import Filter, parse_filter
from protocol.records import LEVEL_NAMES

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.reader import LogReader

__all__ = ("Wiring",)


class Wiring:
    """Any thread may call it.

    Attributes:
        sites: by level and target; only ever grows.
    """

    __slots__ = ("_lock", "_log", "_loggers", "_wants", "sites")

    def __init__(self, log: Log, record: Filter) -> None:
        self.sites: dict[tuple[int, str], Site] = {}
        self._log = log
        self._loggers: dict[str, Logger] = {}
        self._lock = threading.RLock()
        self._wants = Wants(record)

    def site(self, level: int, target: str) -> Site:
        """Return the site of a level and target."""
        site = self.sites.get((level, target))
        if site is None:
            with self._lock:
                site = self.sites.setdefault((level, target), Site(level, target))
                self._judge(site)
        return site

    def logger(self, target: str) -> Logger:
        """Return the logger of a target."""
        logger = self._loggers.get(target)
        if logger is None:
            with self._lock:
                sites = tuple(self.site(level, target) for level in range(len(LEVEL_NAMES)))
                logger = self._loggers.setdefault(target, Logger(self._log, target, sites))
        return logger

    @property
    def record(self) -> Filter:
        """The ring's own filter."""
        return self._wants.record

    def set_record(self, filter: Filter) -> None:
        """Record something else from now on."""
        with self._lock:
            self._wants.record = filter
            self.rewire()

    def enter(self, reader: LogReader) -> None:
        """Record what a reader wants, too."""
        with self._lock:
            self._wants.readers.append(reader)
            self.rewire()

    def leave(self, reader: LogReader, linger: float) -> None:
        """Record no more than the others want, after `linger` seconds."""
        with self._lock:
            self._wants.readers.remove(reader)
            if linger > 0:
                deadline = self._log.monotonic() + int(linger * 1e9)
                self._wants.add_linger(Linger(reader.filter, reader.actor, deadline))
            self.rewire()

    def rewire(self) -> None:
        """Decide anew who wants what, and swap the loggers' methods."""
        with self._lock:
            self._wants.expire(self._log.monotonic())
            # Copies: a finaliser that logs from a new target may come in between.
            for site in [*self.sites.values()]:
                self._judge(site)
            for logger in [*self._loggers.values()]:
                logger.swap()

    def abandon(self) -> None:
        """Let nobody want anything any more. Waits for no lock, for whoever has it may not be in this process."""
        self._lock = threading.RLock()
        self._wants = Wants(parse_filter("off"))
        self.rewire()

    def _judge(self, site: Site) -> None:
        site.open, site.guard = self._wants.judge(site, self._log.monotonic, self.rewire)
