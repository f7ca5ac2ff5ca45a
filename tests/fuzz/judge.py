"""What a host may say of its peers, and what it may keep: judged from its log, its tasks and its objects.

A peer's mistake costs the host one debug record at most. So of each connection there is: one record that it was
attached and one that it was detached, or one that it was refused; one that it was cut; one for each message that was
answered as a mistake. Nothing else, and nothing above debug, but that a filter of the log was changed, which is for
everybody to hear.
"""

from __future__ import annotations

import gc
import json
import logging
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

import trio

from inspector import Host
from protocol.filters import parse_filter

if TYPE_CHECKING:
    from tests.fuzz.attacker import Attacker

__all__ = ("REPROOFS", "Listener", "Loud", "alive", "busy_tasks")

_ONCE: Final = frozenset({"inspector attached", "inspector detached", "inspector cut", "handshake refused"})
_MISTAKE: Final = "bad request"
_CHANGE: Final = "log filters changed"
REPROOFS: Final = frozenset({"bad_message", "unknown_type", "id_in_use", "too_many_subscriptions"})
"""Errors that the session itself answers with."""


class Listener:
    """Reads what a host's service says, all of it, as it is said: the ring forgets.

    Args:
        host: whose log.
        nursery: where the reading runs.
    """

    def __init__(self, host: Host, nursery: trio.Nursery) -> None:
        self._log = host.registry.log
        self._something = trio.Event()
        # Of everybody, what is above debug's everyday; of the service, each record at debug.
        self._reader = self._log.subscribe(parse_filter("warn,inspector.service=debug"), wake=self._wake)
        self._said: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._stalled: set[str] = set()
        self._loud: list[dict[str, Any]] = []
        nursery.start_soon(self._follow)

    def _wake(self) -> None:
        self._something.set()

    async def _follow(self) -> None:
        while True:
            await self._something.wait()
            self._something = trio.Event()
            self.read()

    def read(self) -> None:
        """Take what has been said since."""
        while (portion := self._reader.take()) is not None:
            assert not portion.dropped, f"{portion.dropped} records were lost before the judge read them"
            for line, *_ in portion.entries:
                self._note(json.loads(line))

    def _note(self, record: dict[str, Any]) -> None:
        if not record["target"].startswith("inspector.service"):
            # An action that raises as it was asked to is the caller's own.
            if record["level"] == "ERROR" or record["target"].startswith("inspector.store"):
                self._loud.append(record)
            return
        if record["kind"] == "event" and record["fields"]["message"] == _CHANGE:
            return
        if record["level"] not in ("DEBUG", "TRACE"):
            self._loud.append(record)
        if record["kind"] == "event":
            peer = record["fields"].get("peer") or record["span"].get("peer")
            if peer is None:
                self._loud.append(record)
            else:
                self._said[peer][record["fields"]["message"]] += 1
                if record["fields"].get("stalled"):
                    self._stalled.add(peer)

    def ends(self) -> list[str]:
        """Tell how connections ended that were there before."""
        self.read()
        ended = {peer: said for peer, said in self._said.items() if not said["inspector attached"]}
        return [f"{peer}: {dict(said)}" for peer, said in ended.items() if said["inspector detached"]]

    def judge(self, peers: list[Attacker], names: Counter[str]) -> None:
        """Hold what was said since the last time against those who were there.

        Args:
            peers: those who know what they were told.
            names: of all; what is said of one that two had can be of either.

        Raises:
            AssertionError: it was too much.
        """
        self.read()
        said, self._said = self._said, defaultdict(Counter)
        stalled, self._stalled = self._stalled, set()
        loud, self._loud = self._loud, []
        assert not loud, loud
        for peer, messages in said.items():
            if names[peer] > 1:
                continue
            for message, times in messages.items():
                assert message == _MISTAKE or message in _ONCE, f"{peer}: {message!r} is news to the judge"
                assert message == _MISTAKE or times == 1, f"{peer}: {message!r} {times} times"
            refused = messages["handshake refused"]
            assert refused + messages["inspector attached"] <= 1, f"{peer}: {dict(messages)}"
            assert not refused or messages.total() == 1, f"{peer}: {dict(messages)}"
        for attacker in peers:
            if names[attacker.name] > 1:
                continue
            told = said[attacker.name][_MISTAKE]
            # What was wrong in the moment of the end is told to nobody.
            right = told == attacker.reproofs if attacker.heard_all else told >= attacker.reproofs
            assert right, f"{attacker.name}: {attacker.reproofs} mistakes, {told} records"
            cut = said[attacker.name]["inspector cut"] or attacker.name in stalled
            assert cut or not attacker.too_slow, f"{attacker.name}: its connection broke, and nothing says why"


class Loud(logging.Handler):
    """Fails whoever logs by the standard library: no peer has anything to do with that."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)


def busy_tasks() -> Counter[str]:
    """Count the tasks of this run by name, workers left out: they wait a while for whoever needs one next."""
    found: Counter[str] = Counter()
    queue = deque([trio.lowlevel.current_root_task()])
    while queue:
        task = queue.popleft()
        assert task is not None
        if not task.name.startswith("worker "):
            found[task.name] += 1
        for nursery in task.child_nurseries:
            queue.extend(nursery.child_tasks)
    return found


def alive() -> tuple[int, int]:
    """Count objects, and tasks of all kinds."""
    gc.collect()
    return len(gc.get_objects()), trio.lowlevel.current_statistics().tasks_living
