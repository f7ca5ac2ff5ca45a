"""JSON Patch (RFC 6902) on plain values: apply one, and find the one between two values.

Values are what a dialect decodes: besides JSON's own there may be bytes, times and big integers, and maps may have keys
that are no text. JSON Pointer (RFC 6901) has no word for such a key; here it is found by its JSON text (`key_token`).
`diff` replaces a map that has one as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from protocol.dialects.json import dump_text
from protocol.errors import InspectorError
from protocol.messages import PatchOp

__all__ = ("MAX_COPIED", "PatchError", "apply_patch", "diff", "key_token")

MAX_COPIED: Final = 2**20
"""What the operations `copy` of one patch may add: values, and characters or bytes of text. A short patch that copies
the whole into itself again and again would fill the memory."""


class PatchError(ValueError):
    """An operation that does not fit the value. Nothing of the patch was applied.

    Attributes:
        index: the operation's place in the patch, from 0.
        path: its path.
    """

    def __init__(self, message: str, index: int, path: str) -> None:
        super().__init__(message)
        self.index = index
        self.path = path


def apply_patch(value: Any, operations: Sequence[PatchOp]) -> Any:
    """Return what a patch makes of a value, which stays as it is.

    Raises:
        PatchError: an operation does not fit; see RFC 6902, section 5.
    """
    document = _copied(value)
    room = MAX_COPIED
    for index, operation in enumerate(operations):
        try:
            if operation.op == "copy":
                room -= _extent(_find(document, _source(operation)), room)
            document = _apply(document, operation)
        except (LookupError, ValueError) as exc:
            reason = str(exc.args[0]) if exc.args else "it does not fit"
            raise PatchError(
                f"{operation.op} {operation.path or '(the whole)'}: {reason}", index, operation.path
            ) from None
    return document


def diff(old: Any, new: Any) -> list[PatchOp]:
    """Return a patch that makes `new` of `old`; empty where they are equal.

    It is right, not the shortest: in a list only what lies between a common beginning and a common end is replaced.
    """
    operations: list[PatchOp] = []
    _diff(old, new, "", operations)
    return operations


def key_token(key: Any) -> str | None:
    """Return what a pointer calls a map's key, not escaped: a text itself, another key its text in the JSON dialect.

    None for a key that has none, as one that is a map itself.
    """
    if isinstance(key, str):
        return key
    try:
        return str(key) if type(key) is int else dump_text(key)
    except (InspectorError, ValueError):
        return None


def _apply(document: Any, operation: PatchOp) -> Any:
    path = _tokens(operation.path)
    match operation.op:
        case "add":
            return _add(document, path, _value(operation))
        case "remove":
            return _remove(document, path)
        case "replace":
            _find(document, path)
            return _put(document, path, _value(operation))
        case "test":
            if not _same(_find(document, path), _value(operation)):
                raise ValueError("the value there is another one")
            return document
        case "copy":
            return _add(document, path, _copied(_find(document, _source(operation))))
        case _:
            # Only `move` is left.
            source = _source(operation)
            if path[: len(source)] == source and path != source:
                raise ValueError("a value can't be moved into itself")
            moved = _find(document, source)
            return _add(_remove(document, source), path, moved)


def _copied(value: Any) -> Any:
    # Not `copy.deepcopy`: it wants to copy keys too, and of what cbor2 makes of a map that is a key there is no copy.
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _extent(value: Any, room: int) -> int:
    """Count what is inside a value.

    Raises:
        ValueError: it is more than there is room for.
    """
    extent = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        extent += 1
        if isinstance(item, str | bytes):
            extent += len(item)
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        if extent > room:
            raise ValueError("the patch copies too much")
    return extent


def _value(operation: PatchOp) -> Any:
    if operation.value is UNSET:
        raise ValueError("it wants a `value`")
    return _copied(operation.value)


def _source(operation: PatchOp) -> list[str]:
    if operation.from_ is UNSET:
        raise ValueError("it wants a `from`")
    return _tokens(operation.from_)


def _tokens(pointer: str) -> list[str]:
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise ValueError("a path is empty or begins with /")
    tokens = pointer[1:].split("/")
    for token in tokens:
        if "~" in token.replace("~0", "").replace("~1", ""):
            raise ValueError("a ~ is written ~0")
    return [token.replace("~1", "/").replace("~0", "~") for token in tokens]


def _find(document: Any, path: list[str]) -> Any:
    for token in path:
        document = document[_step(document, token)]
    return document


def _step(container: Any, token: str) -> Any:
    """Return the index or key that a token means in a container, where there is something."""
    if isinstance(container, list):
        index = _index(token)
        if index >= len(container):
            raise LookupError(f"there is no element {index}")
        return index
    if isinstance(container, dict):
        if token in container:
            return token
        for key in container:
            if not isinstance(key, str) and key_token(key) == token:
                return key
        raise LookupError(f"there is no {token!r}")
    raise LookupError(f"there is nothing inside {_kind(container)}")


def _index(token: str) -> int:
    if not token.isdecimal() or not token.isascii() or (len(token) > 1 and token[0] == "0") or len(token) > 18:
        raise ValueError(f"{token!r} is no index")
    return int(token)


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    token = path[-1]
    if isinstance(parent, list):
        index = len(parent) if token == "-" else _index(token)
        if index > len(parent):
            raise LookupError(f"there is no element {index}")
        parent.insert(index, value)
    elif isinstance(parent, dict):
        try:
            parent[_step(parent, token)] = value
        except LookupError:
            parent[token] = value
    else:
        raise LookupError(f"there is nothing inside {_kind(parent)}")
    return document


def _put(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    parent[_step(parent, path[-1])] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise ValueError("the whole can't be removed")
    parent = _find(document, path[:-1])
    del parent[_step(parent, path[-1])]
    return document


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _same(one: Any, other: Any) -> bool:
    """Tell if two values are equal as JSON has it: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _diff(old: Any, new: Any, path: str, operations: list[PatchOp]) -> None:
    if isinstance(old, dict) and isinstance(new, dict) and _texts(old) and _texts(new):
        for key in old:
            if key not in new:
                operations.append(PatchOp(op="remove", path=_join(path, key)))
        for key, value in new.items():
            if key in old:
                _diff(old[key], value, _join(path, key), operations)
            else:
                operations.append(PatchOp(op="add", path=_join(path, key), value=value))
    elif isinstance(old, list) and isinstance(new, list):
        _diff_lists(old, new, path, operations)
    elif not _identical(old, new):
        operations.append(PatchOp(op="replace", path=path, value=new))


def _diff_lists(old: list[Any], new: list[Any], path: str, operations: list[PatchOp]) -> None:
    shorter = min(len(old), len(new))
    begin = 0
    while begin < shorter and _identical(old[begin], new[begin]):
        begin += 1
    end = 0
    while end < shorter - begin and _identical(old[-1 - end], new[-1 - end]):
        end += 1
    olds, news = old[begin : len(old) - end], new[begin : len(new) - end]
    both = min(len(olds), len(news))
    for index in range(both):
        _diff(olds[index], news[index], _join(path, str(begin + index)), operations)
    # From the last one on, so that what is removed does not move what is still to be removed.
    operations += [
        PatchOp(op="remove", path=_join(path, str(begin + index))) for index in range(len(olds) - 1, both - 1, -1)
    ]
    operations += [
        PatchOp(op="add", path=_join(path, str(begin + index)), value=news[index]) for index in range(both, len(news))
    ]


def _identical(old: Any, new: Any) -> bool:
    """Tell if nobody could tell two values from each other, but for the order of keys."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        # Keys are compared as they are spelt: 1 and true are one key to Python.
        return (
            len(old) == len(new)
            and {*map(_spelt, old)} == {*map(_spelt, new)}
            and all(_identical(value, new[key]) for key, value in old.items())
        )
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_identical, old, new))
    if isinstance(old, str | bytes | int):
        return bool(old == new)
    # 0.0 equals -0.0, and a time equals itself in another zone.
    return repr(old) == repr(new)


def _spelt(key: Any) -> tuple[type, Any]:
    return type(key), key


def _texts(mapping: dict[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in mapping)


def _join(path: str, token: str) -> str:
    return f"{path}/{token.replace('~', '~0').replace('/', '~1')}"
