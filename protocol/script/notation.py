"""Read CBOR's diagnostic notation (RFC 8949, section 8) out of a script, as a value to send or as a pattern.

Beside the notation's own there are ``$name`` in both, ``_`` and ``...`` in patterns, and comments from ``#`` to the end
of the line wherever a line may end. What has no value but only an encoding (indicators such as ``1.0_2``, indefinite
lengths) is refused: a script that means the bytes sends them raw.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from typing import Any, Final

import cbor2
from msgspec import UNSET

from protocol.script.patterns import Anything, Capture, Entries, Items, Literal, Node, Rest, Tagged, key_of

__all__ = ("MAX_NESTING", "Reader", "ScriptError")

MAX_NESTING: Final = 128
"""Arrays, maps and tags inside one another; what is deeper is sent raw."""

_BLANK: Final = re.compile(r"[ \t\r]*")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WILDCARD: Final = re.compile(r"_(?![A-Za-z0-9_])")
_SOMETHING: Final = re.compile(r"[^\s,:\[\]{}()]+|.")
_NUMBER: Final = re.compile(
    r"(?P<integer>-?(?:0x[0-9A-Fa-f]+|0o[0-7]+|0b[01]+|[0-9]+(?![0-9]*[.eE])))"
    r"|-?(?:Infinity|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)"
)
_TEXT: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_CHARACTERS: Final = re.compile(r"'(?:[^'\\\x00-\x1f]|\\.)*'")
_ENCODED: Final = re.compile(r"(?P<base>h|b64)'(?P<digits>[^']*)'")
_ESCAPED: Final = re.compile(r"""\\'|"|\\.""")
_WORDS: Final[dict[str, Any]] = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
}
_TAG_CONTENT: Final[dict[int, tuple[type, ...]]] = {0: (str,), 1: (int, float), 2: (bytes,), 3: (bytes,)}


class ScriptError(Exception):
    """A script can't be read. Its text is `FILE:LINE:COLUMN: message`, counted from 1."""

    def __init__(self, name: str, line: int, column: int, message: str) -> None:
        super().__init__(f"{name}:{line}:{column}: {message}")
        self.name = name
        self.line = line
        self.column = column
        self.message = message


class Reader:
    """A place in a script's text that moves on as things are read.

    Args:
        name: the file, for errors.
        text: all of it.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.position = 0
        self._pattern = False
        self._captured: set[str] = set()

    # ---- characters ----

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        return self.text.count("\n", 0, self.position) + 1

    def error(self, message: str, position: int | None = None) -> ScriptError:
        """Make the error that says `message` of the place, or of another one."""
        position = self.position if position is None else position
        line = self.text.count("\n", 0, position) + 1
        return ScriptError(self.name, line, position - self.text.rfind("\n", 0, position), message)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move behind what matches here, if anything does."""
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def take_sign(self, sign: str) -> bool:
        """Move behind this sign if it stands here."""
        found = self.text.startswith(sign, self.position)
        if found:
            self.position += len(sign)
        return found

    def skip_blanks(self) -> None:
        """Move on, not beyond the line."""
        self.take(_BLANK)

    def skip_space(self) -> None:
        """Move on, over ends of lines and comments too."""
        self.take(_SPACE)

    def here(self) -> str:
        """Say what stands here, for people."""
        if self.position >= len(self.text):
            return "the end of the script"
        if self.text[self.position] in "\r\n#":
            return "the end of the line"
        word = _SOMETHING.match(self.text, self.position)
        assert word is not None
        return ascii(word[0][:40])

    # ---- values ----

    def value(self) -> Node:
        """Read a value to send; each of its captures must have been made by a pattern before.

        Raises:
            ScriptError: it is none.
        """
        self._pattern = False
        return self._node(0)

    def pattern(self) -> Node:
        """Read a pattern.

        Raises:
            ScriptError: it is none.
        """
        self._pattern = True
        return self._node(0)

    def string(self) -> str:
        """Read a text in double quotes, with JSON's escapes.

        Raises:
            ScriptError: it is none.
        """
        begin = self.position
        match = self.take(_TEXT)
        if match is None:
            raise self.error(
                "the text does not end on its line"
                if self.text.startswith('"', begin)
                else "a text in quotes is wanted"
            )
        return self._unescape(match[0], begin)

    def byte_string(self) -> bytes | None:
        """Read ``h'…'``, ``b64'…'`` or ``'text'``; None where none stands here.

        Raises:
            ScriptError: it does not end, or has other digits.
        """
        begin = self.position
        match = self.take(_ENCODED)
        if match is not None:
            digits = "".join(match["digits"].split())
            try:
                if match["base"] == "h":
                    return bytes.fromhex(digits)
                padded = digits.rstrip("=") + "=" * (-len(digits.rstrip("=")) % 4)
                return base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True)
            except (ValueError, binascii.Error) as exc:
                raise self.error(f"no byte string: {exc}", begin) from None
        match = self.take(_CHARACTERS)
        if match is not None:
            inside = _ESCAPED.sub(lambda found: {"\\'": "'", '"': '\\"'}.get(found[0], found[0]), match[0][1:-1])
            return self._unescape(f'"{inside}"', begin).encode()
        if self.text.startswith(("'", "h'", "b64'"), begin):
            raise self.error("the byte string does not end")
        return None

    def _unescape(self, quoted: str, begin: int) -> str:
        try:
            text: str = json.loads(quoted)
            text.encode()
        except UnicodeEncodeError:
            raise self.error("half a surrogate pair is no character", begin) from None
        except ValueError as exc:
            raise self.error(f"no text: {exc}", begin) from None
        return text

    def _node(self, depth: int) -> Node:
        if depth > MAX_NESTING:
            raise self.error(f"more than {MAX_NESTING} inside one another; send it raw")
        begin = self.position
        sign = self.text[begin : begin + 1]
        if sign == "{":
            return self._map(depth)
        if sign == "[":
            return self._array(depth)
        if sign == '"':
            return Literal(self.string())
        if sign == "$":
            return self._capture()
        if self._pattern and self.take(_WILDCARD):
            return Anything()
        if sign == "_":
            raise self.error("`_` stands for anything in a pattern; what is sent has no wildcard")
        if self.text.startswith("...", begin):
            raise self.error("`...` stands for the rest of an array or a map, in a pattern")
        read = self.byte_string()
        if read is not None:
            return Literal(read)
        number = self.take(_NUMBER)
        if number is not None and (number[0] != "Infinity"):
            return self._number(number, depth)
        self.position = begin
        return self._word()

    def _capture(self) -> Capture:
        begin = self.position
        self.position += 1
        match = self.take(_NAME)
        if match is None:
            raise self.error("a name is wanted behind `$`")
        if self._pattern:
            self._captured.add(match[0])
        elif match[0] not in self._captured:
            raise self.error(f"nothing was captured as ${match[0]} before", begin)
        return Capture(match[0])

    def _number(self, match: re.Match[str], depth: int) -> Node:
        if self.text.startswith("_", self.position):
            raise self.error("an encoding indicator is no value; send the bytes raw")
        if match["integer"] is None:
            return Literal(float(match[0]))
        if len(match[0]) > 4000:
            raise self.error("a number of more than 4000 digits", match.start())
        number = int(match[0], 0 if match[0].lstrip("-")[1:2] in ("x", "o", "b") else 10)
        if self.text.startswith("(", self.position):
            return self._tagged(number, match.start(), depth)
        return Literal(number)

    def _tagged(self, tag: int, begin: int, depth: int) -> Node:
        if not 0 <= tag < 2**64:
            raise self.error("a tag has at most 64 bits and is not negative", begin)
        self.position += 1
        self.skip_space()
        inside = self._node(depth + 1)
        self.skip_space()
        if not self.take_sign(")"):
            raise self.error(f"`)` is wanted, not {self.here()}")
        content = _plain(inside)
        if content is UNSET:
            raise self.error("a tag's content has no captures and no wildcards", begin)
        value: Any = UNSET
        kinds = _TAG_CONTENT.get(tag)
        # A tag around what does not belong there is a mistake that a script may send on purpose.
        if kinds is not None and type(content) in kinds:
            try:
                value = _meaning(tag, content)
            except (ValueError, OverflowError, OSError):
                value = UNSET
        if value is UNSET and self._pattern:
            raise self.error("no message holds such a tag; there are 0 and 1 (times), 2 and 3 (big integers)", begin)
        return Tagged(tag, content, value)

    def _word(self) -> Node:
        begin = self.position
        match = self.take(_WORD)
        word = match[0] if match else ""
        if word in _WORDS:
            if self.text.startswith("_", self.position):
                raise self.error("an encoding indicator is no value; send the bytes raw")
            return Literal(_WORDS[word])
        if word == "undefined" and not self._pattern:
            return Literal(cbor2.undefined)
        if word == "undefined":
            raise self.error("no message holds `undefined`", begin)
        self.position = begin
        raise self.error(f"a {'pattern' if self._pattern else 'value'} is wanted, not {self.here()}")

    def _array(self, depth: int) -> Items:
        self.position += 1
        nodes: list[Node] = []
        self.skip_space()
        while not self.take_sign("]"):
            if self._pattern and self.take_sign("..."):
                nodes.append(Rest())
            else:
                nodes.append(self._node(depth + 1))
            self._next("]")
        return Items(tuple(nodes))

    def _map(self, depth: int) -> Entries:
        self.position += 1
        nodes: list[tuple[Any, Node]] = []
        seen: set[Any] = set()
        rest = False
        self.skip_space()
        while not self.take_sign("}"):
            begin = self.position
            if self._pattern and self.take_sign("..."):
                rest = True
            else:
                key = self._key(depth)
                if key_of(key) in seen:
                    raise self.error("the key stands twice; a frame with both is sent raw", begin)
                seen.add(key_of(key))
                self.skip_space()
                if not self.take_sign(":"):
                    raise self.error(f"`:` is wanted, not {self.here()}")
                self.skip_space()
                nodes.append((key, self._node(depth + 1)))
            self._next("}")
        return Entries(tuple(nodes), rest)

    def _key(self, depth: int) -> Any:
        begin = self.position
        key = _hashable(_plain(self._node(depth + 1)))
        if key is UNSET:
            raise self.error("a key is a plain value, or an array of such", begin)
        return key

    def _next(self, end: str) -> None:
        self.skip_space()
        if self.take_sign(","):
            self.skip_space()
        elif not self.text.startswith(end, self.position):
            raise self.error(f"`,` or `{end}` is wanted, not {self.here()}")


def _plain(node: Node) -> Any:
    """Give the value of a node without holes and tags, else UNSET."""
    match node:
        case Literal(value=value):
            return value
        case Items(nodes=nodes):
            values = [_plain(item) for item in nodes]
            return UNSET if UNSET in values else values
        case Entries(nodes=entries, rest=False):
            pairs = {key: _plain(item) for key, item in entries}
            return UNSET if UNSET in pairs.values() else pairs
        case _:
            return UNSET


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        items = tuple(map(_hashable, value))
        return UNSET if UNSET in items else items
    return UNSET if isinstance(value, dict) else value


def _meaning(tag: int, content: Any) -> Any:
    if tag == 0:
        time = datetime.datetime.fromisoformat(content)
        if time.tzinfo is None:
            raise ValueError("no zone")
        return time
    if tag == 1:
        return datetime.datetime.fromtimestamp(content, datetime.UTC)
    number = int.from_bytes(content)
    return number if tag == 2 else -1 - number
