"""Subscriptions: what an inspector asked to hear of. Each says when it has something, and what, when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import UNSET

from inspector.actors.cell import Cell
from inspector.actors.watch import Snapshot, StateWatch
from protocol.dialects.cbor import dump_value
from protocol.errors import InspectorError
from protocol.messages import ActorInfo, ActorsUpdated, LogBatch, Push, StateUpdated
from protocol.patch import diff

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.tracing import LogReader

__all__ = (
    "LINGER",
    "MAX_BATCH",
    "PAGE",
    "PAGE_BYTES",
    "PATCH_FROM",
    "ROWS",
    "ActorsSubscription",
    "LogSubscription",
    "StateSubscription",
    "Subscription",
    "row_size",
)

MAX_BATCH: Final = 256 * 1024
"""Bytes of lines in one LogBatch; a single longer record goes alone."""
LINGER: Final = 30.0
"""Seconds that the log goes on recording what a reader wanted after its connection was cut."""
PAGE: Final = 1000
"""Actors in one message at most."""
ROWS: Final = 500
"""Changed rows in one message, and in one round of pushes. However many actors are busy, who watches the list costs the
host some milliseconds a round (6 µs a row), and gets 10,000 rows a second at most."""
PATCH_FROM: Final = 16 * 1024
"""Bytes of CBOR from which on a state's changes are sent as patches, where those are less than half of it."""
PAGE_BYTES: Final = 960 * 1024
"""Bytes that they take at most, so that the message fits into a frame."""

_PLENTY: Final = 500


class Subscription(Protocol):
    """One open subscription."""

    @property
    def poll(self) -> float | None:
        """Seconds after which to ask again though nothing was told; None to wait to be told."""

    @property
    def dropped(self) -> int:
        """Log records that the peer was too slow for."""

    @property
    def plenty(self) -> bool:
        """Whether a full message has come together before its time."""

    @property
    def paced(self) -> bool:
        """Whether one message a round is enough, however long it was."""

    def collect(self) -> Push | None:
        """Return the next message that there is, or None; ask until None.

        Raises:
            InspectorError: it can't go on; the subscription is over.
        """

    def close(self, *, cut: bool) -> None:
        """End it; `cut` if the connection broke and the client may come back."""


class LogSubscription:
    """The span log, as one reader sees it."""

    poll: None = None
    paced = False

    def __init__(self, sub: int, reader: LogReader) -> None:
        self._sub = sub
        self._reader = reader

    @property
    def dropped(self) -> int:
        """Records that this reader has lost so far."""
        return self._reader.lost

    @property
    def plenty(self) -> bool:
        """At full speed a ring can turn over between two rounds of pushes."""
        return self._reader.behind > _PLENTY

    def collect(self) -> LogBatch | None:
        """Return the next batch."""
        chunk = self._reader.collect(MAX_BATCH)
        if chunk is None:
            return None
        return LogBatch(
            sub=self._sub,
            first_seq=chunk.first_seq,
            next_seq=chunk.next_seq,
            dropped=chunk.dropped,
            lines=chunk.lines,
        )

    def close(self, *, cut: bool) -> None:
        """End it."""
        self._reader.close(LINGER if cut else 0.0)


def row_size(row: ActorInfo) -> int:
    """Return an upper bound for the bytes of an actor's row on the wire."""
    # The address stands there once more as name and key, a segment of a key has a head.
    size = 400 + 3 * len(row.actor)
    if row.failure is not UNSET:
        size += _text_size(row.failure.type) + _text_size(row.failure.message)
    return size


def _text_size(text: str) -> int:
    # A character takes four bytes in UTF-8; in JSON a control character takes six.
    return (4 if text.isprintable() else 6) * len(text)


class ActorsSubscription:
    """The list of actors: rows that changed since the last push."""

    poll: None = None
    plenty = False
    paced = True
    dropped = 0

    def __init__(self, sub: int, registry: Registry, prefix: str, wake: Callable[[], object]) -> None:
        self._sub = sub
        self._registry = registry
        # A function of its own, since the same connection may watch the list twice.
        self._wake = lambda: wake()
        self._cells: set[Cell] = set()
        registry.watchers[self._wake] = prefix, self._cells

    def collect(self) -> ActorsUpdated | None:
        """Return up to `ROWS` rows, of `PAGE_BYTES` together; what is left waits for the next round."""
        changed: list[ActorInfo] = []
        removed: list[str] = []
        size = 0
        while self._cells and len(changed) + len(removed) < ROWS and size < PAGE_BYTES:
            # One after the other as they lie in the set, round and round: each has its turn, however busy others are.
            cell = self._cells.pop()
            if self._registry.holds(cell):
                row = cell.info()
                size += row_size(row)
                if changed and size > PAGE_BYTES:
                    self._cells.add(cell)
                    break
                changed.append(row)
            else:
                try:
                    # Where another actor has that address by now, that one's row says all.
                    self._registry.get(cell.address)
                except InspectorError:
                    removed.append(cell.address)
                    size += len(cell.address) + 8
        if not changed and not removed:
            return None
        return ActorsUpdated(sub=self._sub, changed=changed, removed=removed)

    def close(self, *, cut: bool) -> None:
        """End it."""
        del self._registry.watchers[self._wake]


class StateSubscription:
    """An actor's state: the newest version, where it is newer than the last that was sent."""

    plenty = False
    paced = False
    dropped = 0

    def __init__(self, sub: int, cell: Cell, watch: StateWatch, wake: Callable[[], object]) -> None:
        self._sub = sub
        self._cell = cell
        self._watch = watch
        self._sent = 0
        self._value: Any = None
        self._wake = lambda: wake()
        watch.listeners.add(self._wake)

    @property
    def poll(self) -> float | None:
        """Seconds; an actor's own tasks change its state without a turn, so it is looked at while it has any."""
        return 0.25 if self._cell.life is not None else None

    def first(self) -> Snapshot:
        """Look for the response to the request itself.

        Raises:
            InspectorError: ``actor.unserializable``.
        """
        snapshot = self._watch.look()
        self._note(snapshot)
        return snapshot

    def collect(self) -> StateUpdated | None:
        """Return the state where it has changed."""
        snapshot = self._watch.look()
        if snapshot.version == self._sent:
            return None
        patch = None if self._value is None else diff(self._value, snapshot.value)
        if patch is not None and len(dump_value(patch)) > snapshot.size // 2:
            patch = None
        self._note(snapshot)
        return StateUpdated(
            sub=self._sub,
            actor=self._cell.address,
            version=snapshot.version,
            state=snapshot.value if patch is None else UNSET,
            patch=UNSET if patch is None else patch,
            cause=UNSET if snapshot.cause is None else snapshot.cause,
        )

    def _note(self, snapshot: Snapshot) -> None:
        self._sent = snapshot.version
        # What the peer has; small states are not worth remembering it.
        self._value = snapshot.value if snapshot.size > PATCH_FROM else None

    def close(self, *, cut: bool) -> None:
        """End it."""
        self._watch.listeners.discard(self._wake)
