"""Find what changed between two states."""

from __future__ import annotations

from typing import Any, Final

from tui.model.values import Path, key_text

__all__ = ("MAX_CHANGES", "changes")

MAX_CHANGES: Final = 1_000
"""Paths that are told at most: more than these is everything, to somebody who looks."""
_MAX_COMPARED: Final = 200_000


def changes(old: Any, new: Any, limit: int = MAX_CHANGES) -> dict[Path, str]:
    """Say what is `added`, `changed` or `removed` between two decoded values.

    Lists are compared place by place. A container that changed inside is not told itself, only what changed
    in it.

    Args:
        old: the value before.
        new: the value after.
        limit: how many paths are told; the rest is left out.
    """
    found: dict[Path, str] = {}
    compared = 0
    stack: list[tuple[Path, Any, Any]] = [((), old, new)]
    while stack and len(found) < limit and compared < _MAX_COMPARED:
        path, before, after = stack.pop()
        compared += 1
        if isinstance(before, dict) and isinstance(after, dict):
            for key in reversed(after):
                if key not in before:
                    found[(*path, key_text(key))] = "added"
                else:
                    stack.append(((*path, key_text(key)), before[key], after[key]))
            for key in before:
                if key not in after:
                    found[(*path, key_text(key))] = "removed"
        elif isinstance(before, list) and isinstance(after, list):
            for index in range(min(len(before), len(after)) - 1, -1, -1):
                stack.append(((*path, index), before[index], after[index]))
            for index in range(len(before), min(len(after), len(before) + limit)):
                found[(*path, index)] = "added"
            for index in range(len(after), min(len(before), len(after) + limit)):
                found[(*path, index)] = "removed"
        elif not _same(before, after):
            found[path] = "changed"
    return dict(list(found.items())[:limit])


def _same(before: Any, after: Any) -> bool:
    # 1, 1.0 and true are equal to Python and not to whoever reads the state.
    return type(before) is type(after) and (before == after or before is after)
