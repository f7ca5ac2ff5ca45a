"""Feeds the alarms of watch rules from a link, each with what it waits for and nothing else.

An alarm that is off has no subscription. A filter that a host refuses, or an actor that it does not have, is the
alarm's `problem`, and asked for again from time to time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from protocol.errors import InspectorError
from protocol.filters import FilterError, parse_filter
from protocol.filters.fields import spell_value
from protocol.messages import (
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Init,
    LogBatch,
    StateRequest,
    StateResponse,
    StateUpdated,
)
from tui.connection import LinkLost
from tui.feed import LogFeed
from tui.link import Link, LinkEvent, Lost, Subscription
from tui.logs.text import cut, neutralise
from tui.model.alarm_kinds import make_alarm
from tui.model.alarms import Alarm, Firing
from tui.model.replica import Replica
from tui.model.rules import (
    ActorCondition,
    CountCondition,
    LagCondition,
    LatencyCondition,
    LogCondition,
    Rule,
    StateCondition,
)

__all__ = ("PAGE", "RETRY", "Watching", "span_filter")

PAGE: Final = 500
"""Actors of one page of the list."""
RETRY: Final = 5.0
"""Seconds before what the host has refused is asked for again."""


def span_filter(condition: LatencyCondition) -> str:
    """Give a filter that lets all ends of a condition's spans through, and as little else as a filter can say.

    Span records are of level debug; asking for trace would make the host record more.
    """
    for key, pattern in condition.selectors:
        if "*" in pattern:
            continue
        scopes = [f"[{{{key or 'action'}={spell_value(pattern)}}}]"] if key != "name" else []
        if key in ("", "name"):
            scopes.append(f"[{pattern}]")
        text = ",".join(["off", *(f"{scope}=debug" for scope in scopes)])
        try:
            parse_filter(text)
        except FilterError:
            # A name that the grammar of filters has no word for.
            continue
        return text
    return "debug"


class _Records:
    """Gives records to an alarm; where `lag` is wanted only how late they are."""

    def __init__(self, watching: Watching, alarm: Alarm, lag: bool) -> None:
        self.feed: LogFeed | None = None
        self._watching = watching
        self._alarm = alarm
        self._lag = lag

    def append(self, batch: LogBatch, /) -> None:
        if not self._watching.listens(self._alarm):
            return
        now = self._watching.clock()
        if self._alarm.problem:
            self._watching.settled(self._alarm)
        if not self._lag:
            self._alarm.take(batch.lines, now, lost=batch.dropped)
        elif self.feed is not None and self.feed.lag is not None:
            self._alarm.lag_seen(self.feed.lag, now)

    def seam(self, text: str, /) -> None:
        """Nothing is shown, so nothing is to be marked."""


class _Actors:
    """Gives actors' rows to an alarm."""

    def __init__(self, watching: Watching, alarm: Alarm, pattern: str) -> None:
        self._watching = watching
        self._alarm = alarm
        self._prefix = pattern.partition("*")[0]
        self._whole = False
        self._turn = 0

    def request(self, init: Init) -> ActorsRequest:
        self._whole = False
        return ActorsRequest(id=0, subscribe=True, prefix=self._prefix, limit=PAGE)

    def opened(self, response: ActorsResponse) -> None:
        self._watching.settled(self._alarm)
        self._whole = not isinstance(response.cursor, str)
        self._turn += 1
        self._alarm.actors(response.actors, self._watching.clock(), listed=True)
        if isinstance(response.cursor, str):
            self._watching.spawn(self._more(response.cursor, self._turn))

    def pushed(self, push: ActorsUpdated) -> None:
        if self._watching.listens(self._alarm):
            now = self._watching.clock()
            self._alarm.actors(push.changed, now, listed=not self._whole)
            self._alarm.removed(push.removed, now)

    def ended(self, error: InspectorError) -> None:
        self._watching.refused(self._alarm, error)

    async def _more(self, cursor: str, turn: int) -> None:
        while self._watching.listens(self._alarm) and turn == self._turn:
            request = ActorsRequest(id=0, prefix=self._prefix, limit=PAGE, cursor=cursor)
            try:
                page = await self._watching.link.request(request, ActorsResponse)
            except (InspectorError, LinkLost):
                # A new connection lists from the beginning.
                return
            self._alarm.actors(page.actors, self._watching.clock(), listed=True)
            if not isinstance(page.cursor, str) or page.cursor == cursor:
                self._whole = True
                return
            cursor = page.cursor


class _State:
    """Gives an actor's state to an alarm."""

    def __init__(self, watching: Watching, alarm: Alarm, address: str) -> None:
        self._watching = watching
        self._alarm = alarm
        self._address = address
        self._replica = Replica()

    def request(self, init: Init) -> StateRequest:
        return StateRequest(id=0, actor=self._address, subscribe=True)

    def opened(self, response: StateResponse) -> None:
        if not response.enabled:
            self._watching.refused(self._alarm, InspectorError("actor.state_disabled", "the actor has no state"))
            return
        self._watching.settled(self._alarm)
        self._replica.begin(response)
        self._look()

    def pushed(self, push: StateUpdated) -> None:
        if not self._replica.follow(push):
            self._watching.spawn(self._watching.link.renew(self))
            return
        self._look()

    def ended(self, error: InspectorError) -> None:
        self._watching.refused(self._alarm, error)

    def _look(self) -> None:
        if self._watching.listens(self._alarm):
            self._alarm.state_seen(self._replica.state, self._watching.clock())


class Watching:
    """The alarms of a session, in the order of their making.

    Args:
        link: brings what they wait for; whoever runs it passes its events to `link_changed`.
        told: hears each time that a rule acts; from the event loop's own thread.
        on_refused: hears that the host refuses what an alarm wants, each time that it does.
        clock: seconds of a monotonic clock.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        link: Link,
        told: Callable[[Alarm, Firing], None],
        *,
        on_refused: Callable[[Alarm, InspectorError], None] = lambda alarm, error: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.link = link
        self.clock = clock
        self.alarms: list[Alarm] = []
        self._told = told
        self._on_refused = on_refused
        self._wall = wall
        self._feeds: dict[Alarm, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Opening and closing take turns, or what is closed at once could be open at last.
        self._turn = asyncio.Lock()
        self._refused: dict[Alarm, float] = {}
        self._lost: str | None = None

    # ---- the rules ----

    def add(self, rule: Rule, *, enabled: bool = True, at: int | None = None) -> Alarm:
        """Let a rule wait, behind the others or at a place among them."""
        alarm = make_alarm(rule, self._told, self._wall)
        alarm.enabled = enabled
        self.alarms.insert(len(self.alarms) if at is None else at, alarm)
        if enabled:
            self._open(alarm)
        return alarm

    def remove(self, alarm: Alarm) -> None:
        """Forget a rule."""
        self.alarms.remove(alarm)
        self._close(alarm)

    def enable(self, alarm: Alarm, enabled: bool) -> None:
        """Turn a rule on or off."""
        if alarm.enabled != enabled:
            alarm.enabled = enabled
            if enabled:
                self._open(alarm)
            else:
                self._close(alarm)

    def listens(self, alarm: Alarm) -> bool:
        """Tell whether an alarm still wants to hear."""
        return alarm in self._feeds

    # ---- the link ----

    def link_changed(self, event: LinkEvent) -> None:
        """Hear that the connection came or went."""
        now = self.clock()
        self._lost = event.reason if isinstance(event, Lost) else None
        for alarm in self._enabled():
            if isinstance(event, Lost):
                alarm.interrupted()
            elif event.new_host:
                alarm.reset()
            alarm.link_seen(self._lost, now)

    def tick(self) -> None:
        """Look at what only the time decides; to be called a few times a second."""
        now, connection = self.clock(), self.link.connection
        for alarm in self._enabled():
            if connection is None:
                # Nothing else is known of anything.
                if self._lost is not None:
                    alarm.link_seen(self._lost, now)
                continue
            if (latency := connection.latency) is not None:
                alarm.lag_seen(latency, now, of="ping")
            alarm.tick(now)
        for alarm, since in list(self._refused.items()):
            if now - since >= RETRY and (feed := self._feeds.get(alarm)) is not None:
                del self._refused[alarm]
                self.spawn(self.link.renew(feed))

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- for the feeds ----

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside, until it ends or `close` is called."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def settled(self, alarm: Alarm) -> None:
        """Hear that the host gives what an alarm wants."""
        alarm.problem = ""
        self._refused.pop(alarm, None)

    def refused(self, alarm: Alarm, error: InspectorError) -> None:
        """Hear that it does not."""
        alarm.problem = neutralise(cut(f"{error.name}: {error.message}", 300))
        self._refused[alarm] = self.clock()
        self._on_refused(alarm, error)

    def _enabled(self) -> list[Alarm]:
        return [alarm for alarm in self.alarms if alarm.enabled]

    def _feed(self, alarm: Alarm) -> Subscription | None:
        match alarm.rule.condition:
            case LogCondition(filter=filter):
                return self._log(alarm, filter)
            case LatencyCondition() as condition:
                return self._log(alarm, span_filter(condition))
            case LagCondition():
                return self._log(alarm, "info", lag=True)
            case ActorCondition(pattern=pattern) | CountCondition(pattern=pattern):
                return _Actors(self, alarm, pattern)
            case StateCondition(address=address):
                return _State(self, alarm, address)
        return None

    def _log(self, alarm: Alarm, filter: str, *, lag: bool = False) -> LogFeed:
        sink = _Records(self, alarm, lag)
        sink.feed = LogFeed(
            filter,
            None,
            sink,
            on_open=lambda: self.settled(alarm),
            on_refused=lambda error: self.refused(alarm, error),
            backlog=0,
            offset=lambda: self.link.clock_offset,
        )
        return sink.feed

    def _open(self, alarm: Alarm) -> None:
        alarm.reset()
        alarm.link_seen(self._lost, self.clock())
        if (feed := self._feed(alarm)) is not None:
            self._feeds[alarm] = feed
            self.spawn(self._subscribe(alarm, feed))

    def _close(self, alarm: Alarm) -> None:
        self._refused.pop(alarm, None)
        alarm.problem = ""
        if (feed := self._feeds.pop(alarm, None)) is not None:
            self.spawn(self._unsubscribe(feed))

    async def _subscribe(self, alarm: Alarm, feed: Subscription) -> None:
        async with self._turn:
            if self._feeds.get(alarm) is feed:
                await self.link.subscribe(feed)

    async def _unsubscribe(self, feed: Subscription) -> None:
        async with self._turn:
            await self.link.unsubscribe(feed)
