"""Supervision: what follows a crash of an actor. One setting per actor class, and what is remembered of its crashes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ("HEALTHY_AFTER", "Crashes", "EscalationError", "Supervision", "escalate", "restart", "stop")

HEALTHY_AFTER: Final = 60.0
"""Seconds of life after which the back-off of the next crash begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What follows a crash of an actor. Made by `restart`, `stop` and `escalate`; those say what the fields mean."""

    decision: Literal["restart", "stop", "escalate"]
    most: int | None = None
    within: float = 0.0
    first: float = 0.0
    longest: float = 0.0
    exit_code: int = 1


def restart(*, most: int | None = 10, within: float = 300.0, first: float = 0.5, longest: float = 30.0) -> Supervision:
    """Begin again after a crash, each time in a row twice as late; give up when there are too many.

    What waits in the mailbox waits on. An actor that was given up is ``failed``: whoever waits for it and whoever
    calls it is told ``actor.stopped``, until somebody restarts it by hand.

    Args:
        most: restarts within a period, Erlang's intensity; one crash more and the actor is given up. None for any
            number.
        within: that period, in seconds. With the default back-off an actor that can't live at all is given up after
            two and a half minutes: what it depends on may be away for less.
        first: seconds between a first crash and the next start.
        longest: seconds that it is at most.

    Raises:
        ValueError: a number is out of its range.
    """
    if most is not None and most < 0:
        raise ValueError(f"most is a number of restarts, or None for any; not {most}")
    if not within > 0:
        raise ValueError(f"within is a number of seconds above 0, not {within}")
    if not 0 <= first <= longest:
        raise ValueError(f"0 <= first <= longest is wanted, not {first} and {longest}")
    return Supervision(decision="restart", most=most, within=within, first=first, longest=longest)


def stop() -> Supervision:
    """Let an actor that crashed be ``stopped``: its row stays and shows the failure, calls get ``actor.stopped``."""
    return Supervision(decision="stop")


def escalate(exit_code: int = 1) -> Supervision:
    """Let a crash end the host: it drains, and then `serve` raises `EscalationError`.

    Args:
        exit_code: that of `inspector-host`.

    Raises:
        ValueError: a process can't have that code.
    """
    if not 0 <= exit_code <= 255:
        raise ValueError(f"an exit code is a number from 0 to 255, not {exit_code}")
    return Supervision(decision="escalate", exit_code=exit_code)


class EscalationError(Exception):
    """An actor without which its host makes no sense has crashed. The crash is the cause.

    Attributes:
        address: the actor's.
        exit_code: what its class wants the process to end with.
    """

    def __init__(self, address: str, exit_code: int, reason: str) -> None:
        super().__init__(f"{address} crashed: {reason}")
        self.address = address
        self.exit_code = exit_code


class Crashes:
    """The crashes of one actor, as far as its supervision has to remember them.

    Args:
        supervision: of its class; the decision is `restart`.
    """

    __slots__ = ("_row", "_supervision", "_times", "again_at")

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision
        self._row = 0
        # As many as it takes to say that there were too many: the oldest is too old, or it is the one too many.
        self._times: deque[float] = deque(maxlen=0 if supervision.most is None else supervision.most + 1)
        self.again_at = float("-inf")
        """The trio time of the start after the last one."""

    def add(self, now: float) -> float | None:
        """Count a crash at a trio time; return the seconds to the next start, or None where there were too many."""
        supervision, times = self._supervision, self._times
        times.append(now)
        if supervision.most is not None and len(times) > supervision.most and now - times[0] <= supervision.within:
            return None
        self._row = 1 if now - self.again_at >= HEALTHY_AFTER else self._row + 1
        # The exponent is bounded: a float has no power beyond 2^1023.
        delay = min(supervision.longest, supervision.first * 2.0 ** min(self._row - 1, 64))
        self.again_at = now + delay
        return delay
