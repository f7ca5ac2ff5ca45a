"""The sites and loggers of a log, wired for what somebody wants now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from inspector.tracing.logger import Logger
from inspector.tracing.sites import Site, bounded_target
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

    __slots__ = ("_lock", "_log", "_loggers", "_readers", "_wants", "sites")

    def __init__(self, log: Log, record: Filter) -> None:
        self.sites: dict[tuple[int, str], Site] = {}
        self._log = log
        self._loggers: dict[str, Logger] = {}
        self._readers: list[LogReader] = []
        self._lock = threading.RLock()
        self._wants = Wants(record)

    def site(self, level: int, target: str) -> Site:
        """Return the site of a level and target."""
        site = self.sites.get((level, target))
        if site is None:
            target = bounded_target(target)
            with self._lock:
                site = self.sites.setdefault((level, target), Site(level, target))
                site.readers = [reader for reader in self._readers if reader.judge.rules[site]]
                self._judge(site)
        return site

    def logger(self, target: str) -> Logger:
        """Return the logger of a target."""
        logger = self._loggers.get(target)
        if logger is None:
            target = bounded_target(target)
            with self._lock:
                sites = tuple(self.site(level, target) for level in range(len(LEVEL_NAMES)))
                logger = self._loggers.setdefault(target, Logger(self._log, target, sites))
        return logger

    def set_record(self, filter: Filter) -> None:
        """Record something else from now on."""
        with self._lock:
            self._wants.set_record(filter)
            self.rewire()

    def enter(self, reader: LogReader) -> None:
        """Record what a reader wants, too."""
        with self._lock:
            self._readers.append(reader)
            wanted = [site for site in [*self.sites.values()] if reader.judge.rules[site]]
            for site in wanted:
                site.readers.append(reader)
            self._judge_all([site for site in wanted if not site.open or site.guard is not None])

    def leave(self, reader: LogReader, linger: float) -> None:
        """Record no more than the others want, after `linger` seconds."""
        with self._lock:
            if reader not in self._readers:
                # A forked child has none, whoever still holds one.
                return
            self._readers.remove(reader)
            if linger > 0:
                deadline = self._log.monotonic() + int(linger * 1e9)
                self._wants.add_linger(Linger(reader.judge, reader.actor, deadline))
            self._strike(reader)
            self.rewire()

    def changed(self, reader: LogReader) -> None:
        """Record what a reader wants now, in place of what it wanted."""
        with self._lock:
            if reader in self._readers:
                self._strike(reader)
                for site in [*self.sites.values()]:
                    if reader.judge.rules[site]:
                        site.readers.append(reader)
                self.rewire()

    def rewire(self) -> None:
        """Decide anew who wants what, and swap the methods of the loggers that it makes a difference to."""
        with self._lock:
            self._wants.expire(self._log.monotonic())
            # Copies, here and above: a finaliser that logs from a new target may come in between.
            self._judge_all([*self.sites.values()])

    def rewrite(self) -> None:
        """Begin anew with all that was remembered of texts: they are written in another way."""
        with self._lock:
            self._wants.forget()
            for reader in self._readers:
                reader.judge.forget()
            self.rewire()
            for logger in [*self._loggers.values()]:
                logger.swap()

    def abandon(self) -> None:
        """Let nobody want anything any more. Waits for no lock, for whoever has it may not be in this process."""
        self._lock = threading.RLock()
        self._wants = Wants(parse_filter("off"))
        self._readers = []
        for site in [*self.sites.values()]:
            site.readers = []
        self.rewire()

    def _strike(self, reader: LogReader) -> None:
        for site in [*self.sites.values()]:
            if reader in site.readers:
                site.readers.remove(reader)

    def _judge_all(self, sites: list[Site]) -> None:
        stale: dict[str, None] = {}
        for site in sites:
            before = site.open, site.guard
            self._judge(site)
            # A guard is never the same again.
            if (site.open, site.guard) != before:
                stale[site.target] = None
        for target in stale:
            logger = self._loggers.get(target)
            if logger is not None:
                logger.swap()

    def _judge(self, site: Site) -> None:
        site.open, site.guard = self._wants.judge(site, self._log.monotonic, self.rewire)
