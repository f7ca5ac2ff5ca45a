"""Write a host's values as text: on one line, as JSON for programs, or as a tree of lines for a screen.

A host may send anything that CBOR has: bytes, big integers, times, NaN, maps whose keys are no text, 16 MiB
of it all. Each is written as something, and no more of it than a screen can use.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from protocol.patch import key_token
from tui.logs.text import cut, neutralise

__all__ = ("MAX_TEXT", "Line", "Path", "brief", "key_text", "look_up", "plain", "to_json", "tree", "write_path")

Path = tuple[str | int, ...]
"""Where a value stands in another: keys and indexes, from the root."""

MAX_TEXT: Final = 4_000
"""Characters of one value that a screen shows at most."""
_BRIEF_ITEMS: Final = 20
_T = TypeVar("_T")
_DEEPEST: Final = 200
_MAX_BITS: Final = 8_192
_WORDS: Final = {None: "null", True: "true", False: "false"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a tree.

    Attributes:
        path: the value's place.
        depth: how far it is indented.
        key: its key or index in its parent, safe for a screen; empty for the root.
        text: the value, or of a container how much it holds; safe for a screen.
        kind: `object`, `array`, `string`, `number`, `word` (true, false, null), or `other`.
        open: for a container, whether its children follow; None for what has none.
        more: children that are not shown because there are too many; a line of its own stands for them.
    """

    path: Path
    depth: int
    key: str
    text: str
    kind: str
    open: bool | None = None
    more: int = 0


def plain(value: Any, depth: int = 0) -> Any:
    """Turn a decoded value into one that JSON has a word for.

    Bytes become `{"$bytes": base64}` as in the JSON dialect, times their RFC 3339 text, numbers that are none
    their name, and keys that are no text are written as JSON.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {key_text(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


def key_text(key: Any) -> str:
    """Write a map's key as JSON has it: text as it is, anything else as its JSON, by which a patch finds it."""
    token = key_token(key)
    return json.dumps(plain(key), ensure_ascii=False) if token is None else token


def look_up(value: Any, path: Path) -> Any:
    """Give what stands at a place.

    Raises:
        LookupError: nothing does.
    """
    for step in path:
        if isinstance(value, dict):
            found = [item for key, item in value.items() if key == step] or [
                item for key, item in value.items() if key_text(key) == step
            ]
            if not found:
                raise LookupError(step)
            value = found[0]
        elif isinstance(value, (list, tuple, set, frozenset)) and isinstance(step, int):
            value = list(value)[step]
        else:
            raise LookupError(step)
    return value


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Write a value as JSON for programs. What a terminal would act on is escaped, for it may be one that reads.

    Lone surrogates and C1 controls are escaped too, so that the text always has a UTF-8 form.
    """
    text = json.dumps(
        plain(value),
        ensure_ascii=False,
        indent=indent,
        separators=None if indent else (",", ":"),
        allow_nan=False,
    )
    if text.isascii():
        # JSON escapes C0 itself; DEL is the one control that it does not.
        return text.replace("\x7f", "\\u007f")
    return "".join(c if c.isprintable() or c in "\n " else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def brief(value: Any, limit: int = 200) -> str:
    """Write a value on one line, safe for a screen, and no longer than about `limit` characters."""
    text = _brief(value, limit, 0)
    return neutralise(cut(text, limit))


def _brief(value: Any, limit: int, depth: int) -> str:
    if isinstance(value, str):
        return json.dumps(value[: limit + 1], ensure_ascii=False) + ("…" if len(value) > limit + 1 else "")
    if isinstance(value, dict):
        if depth > 3:
            return "{…}"
        items = [
            f"{_brief_key(key)}: {_brief(item, limit, depth + 1)}" for key, item in _first(value.items(), _BRIEF_ITEMS)
        ]
        return "{" + ", ".join(items + (["…"] if len(value) > _BRIEF_ITEMS else [])) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        if depth > 3:
            return "[…]"
        parts = [_brief(item, limit, depth + 1) for item in _first(value, _BRIEF_ITEMS)]
        return "[" + ", ".join(parts + (["…"] if len(value) > _BRIEF_ITEMS else [])) + "]"
    if isinstance(value, (bytes, bytearray)):
        return f"h'{bytes(value[: limit // 2]).hex()}{'…' if len(value) > limit // 2 else ''}'"
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(value)
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def _number(value: int) -> str:
    # Python refuses to write integers of more than some thousand digits.
    return str(value) if value.bit_length() <= _MAX_BITS else f"{hex(value)[:40]}… ({value.bit_length():,} bits)"


def _brief_key(key: Any) -> str:
    return cut(key, 80) if isinstance(key, str) else brief(key, 80)


def _first(items: Iterable[_T], count: int) -> Iterator[_T]:
    return (item for _, item in zip(range(count), items, strict=False))


def write_path(path: Path) -> str:
    """Write a path as people read it: `items[3].name`, safe for a screen."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return neutralise(cut(text, 200)) or "(all)"


def tree(value: Any, closed: set[Path], opened: dict[Path, int], *, page: int = 200) -> Iterator[Line]:
    """Give the lines of a value, containers open unless they are in `closed`.

    Args:
        value: any decoded value.
        closed: the containers whose children are hidden.
        opened: how many more children than `page` are shown of a container, by its path.
        page: how many children of one container are shown at first.
    """
    yield from _tree(value, (), "", closed, opened, page)


def _tree(value: Any, path: Path, key: str, closed: set[Path], opened: dict[Path, int], page: int) -> Iterator[Line]:
    depth = len(path)
    if not isinstance(value, (dict, list, tuple, set, frozenset)) or not value or depth >= _DEEPEST:
        yield Line(path, depth, key, brief(value, MAX_TEXT), _kind(value))
        return
    is_map = isinstance(value, dict)
    is_open = path not in closed
    held = "1 item" if len(value) == 1 else f"{len(value):,} items"
    shape = ("{", "}") if is_map else ("[", "]")
    text = f"{shape[0]}{held}{shape[1]}" if is_open else brief(value, 120)
    yield Line(path, depth, key, text, "object" if is_map else "array", is_open)
    if not is_open:
        return
    shown = page + opened.get(path, 0)
    children: Iterable[tuple[str | int, Any]] = (
        ((key_text(k), item) for k, item in value.items()) if isinstance(value, dict) else enumerate(value)
    )
    for step, item in _first(children, shown):
        label = neutralise(cut(step, 200)) if isinstance(step, str) else str(step)
        yield from _tree(item, (*path, step), label, closed, opened, page)
    if len(value) > shown:
        yield Line(path, depth + 1, "", f"… {len(value) - shown:,} more", "other", more=len(value) - shown)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "word"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, (list, tuple)) else "other"
