"""An exception as a record's `exception` object: type, message, frames, causes and groups, bounded."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Literal

import orjson
import trio

from inspector.tracing.secrets import Secrets
from inspector.tracing.values import Limits, Plain

__all__ = ("EXCEPTION_BYTES", "encode_exception", "status_of")

EXCEPTION_BYTES: Final = 16 * 1024
"""What the object takes of a record at most."""

# Tried in turn until the object is small enough: characters of a message, frames, exceptions in all, of one
# group.
_SIZES: Final = ((4096, 48, 32, 8), (1024, 24, 16, 4), (256, 8, 8, 2), (128, 2, 1, 0))


def status_of(exception: BaseException) -> Literal["error", "cancelled"]:
    """Return the status of a span that an exception ended: `cancelled` when it is nothing but trio's Cancelled."""
    if isinstance(exception, BaseExceptionGroup):
        try:
            rest = exception.split(trio.Cancelled)[1]
        except Exception:
            # A group may have a `split` of its own; what it raises must not take the place of the group.
            return "error"
        return "cancelled" if rest is None else "error"
    return "cancelled" if isinstance(exception, trio.Cancelled) else "error"


def encode_exception(exception: BaseException, secrets: Secrets) -> bytes:
    """Return the JSON text of an exception.

    Causes are nested as `cause` (raised `from`) or `context` (raised while another was handled), the members
    of a group as `exceptions`. What is left out is counted: `frames_cut`, `exceptions_cut`.
    """
    text = b"{}"
    try:
        for message, frames, total, members in _SIZES:
            plain = Plain(secrets, Limits(text=message, entries=members))
            text = orjson.dumps(_Portrait(plain, frames, total, members).of(exception))
            if len(text) <= EXCEPTION_BYTES:
                break
    except Exception as error:
        # Its attributes may be code as well, and raise.
        name = Plain(secrets, Limits(text=256, entries=0)).text(type(exception).__qualname__)
        why = f"<unprintable {name}: {type(error).__name__}>"
        text = orjson.dumps({"type": name, "message": why, "frames": []})
    return text


class _Portrait:
    def __init__(self, plain: Plain, frames: int, total: int, members: int) -> None:
        self._plain = plain
        self._frames = frames
        self._left = total
        self._members = members
        self._seen: set[int] = set()

    def of(self, exception: BaseException) -> dict[str, Any]:
        self._seen.add(id(exception))
        self._left -= 1
        frames, cut = self._frames_of(exception.__traceback__)
        described = self._plain.value(exception)
        # A message that cannot be had is told by a sentence in place of the object.
        message = described["message"] if isinstance(described, dict) else described
        found: dict[str, Any] = {"type": self._type(exception), "message": message, "frames": frames}
        if cut:
            found["frames_cut"] = cut
        if isinstance(exception, BaseExceptionGroup):
            members = exception.exceptions
            shown = [self.of(each) for each in members[: self._members] if self._may(each)]
            found["exceptions"] = shown
            if len(shown) < len(members):
                found["exceptions_cut"] = len(members) - len(shown)
        cause, context = exception.__cause__, exception.__context__
        if cause is not None and self._may(cause):
            found["cause"] = self.of(cause)
        elif cause is None and context is not None and not exception.__suppress_context__ and self._may(context):
            found["context"] = self.of(context)
        return found

    def _may(self, exception: BaseException) -> bool:
        return self._left > 0 and id(exception) not in self._seen

    def _type(self, exception: BaseException) -> str:
        kind = type(exception)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return self._plain.text(name, 256)

    def _frames_of(self, traceback: TracebackType | None) -> tuple[list[dict[str, Any]], int]:
        """Return the frames, outermost first as Python prints them; of too many, some from either end."""
        steps: list[TracebackType] = []
        while traceback is not None:
            steps.append(traceback)
            traceback = traceback.tb_next
        cut = max(0, len(steps) - self._frames)
        if cut:
            head = self._frames // 4
            steps = steps[:head] + steps[head + cut :]
        text = self._plain.text
        return [
            {
                "file": text(step.tb_frame.f_code.co_filename, 512),
                "line": step.tb_lineno,
                "function": text(step.tb_frame.f_code.co_qualname, 256),
            }
            for step in steps
        ], cut
