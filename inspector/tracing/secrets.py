"""What must never be written: values behind names that look secret, and secrets themselves wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import orjson

__all__ = ("REDACTED", "SECRET_NAMES", "Secrets")

REDACTED: Final = "[redacted]"

SECRET_NAMES: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "apikey",
    "api_key",
    "private_key",
    "access_key",
)
"""Names whose values are redacted. One word matches as a word of a name or at its end (`user_password`, `authToken`,
`accesstoken`, but not `tokens` or `tokenizer`), several as a run of words."""

# Where a name falls into words: at anything that is no letter or digit, and before a capital of camelCase.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")

_CACHE_SIZE: Final = 4096

# In no JSON text: it would stand there as an escape.
_NEVER: Final = (0, b"\0")
# In every JSON object that has a field.
_ALWAYS: Final = (b'"'[0], b'"')

# What records are made of, the commonest first.
_COMMON: Final = b'",:0123456789eatroinsdclumpfhgybvwkTDIEOSNACRLPMBFGUWHVxzjq_-.X/YKJZQ'


class Secrets:
    """Names and values to hide.

    Attributes:
        needles: the secret values as they stand inside a JSON text, each behind the byte of it that is the least
            common: a byte is found, or not, in a tenth of the time of a text.
        rare, needle: the same in one test, to be made before anything else. With none it never holds; with several
            it always does, and they are to be looked for one by one.
    """

    __slots__ = ("_known", "_names", "_pattern", "_texts", "needle", "needles", "rare")

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take names to redact beside `SECRET_NAMES`."""
        self.needles: tuple[tuple[int, bytes], ...] = ()
        self.rare, self.needle = _NEVER
        self._texts: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._known: dict[str, bool] = {}
        self._pattern: re.Pattern[str] | None = None
        for name in (*SECRET_NAMES, *names):
            self.add_name(name)

    def add_name(self, name: str) -> None:
        """Redact the values of fields of this name too.

        Raises:
            ValueError: the name has no letter or digit.
        """
        words = "_".join(_words(name))
        if not words:
            raise ValueError(f"{name!r} is no name of a field")
        self._names = (*self._names, words)
        self._known = {}

    def add_value(self, value: str) -> None:
        """Redact this text wherever it stands from now on.

        Raises:
            ValueError: it is empty.
        """
        if not value:
            raise ValueError("an empty text stands everywhere")
        if value in self._texts:
            return
        # The longest first, so that a secret which begins with another one is hidden whole.
        self._texts = tuple(sorted({*self._texts, value}, key=len, reverse=True))
        self._pattern = re.compile("|".join(map(re.escape, self._texts)))
        # A lone surrogate has no UTF-8 and so never comes into a record as it is.
        written = [orjson.dumps(text)[1:-1] for text in self._texts if _encodable(text)]
        self.needles = tuple((max(value, key=_rarity), value) for value in written)
        self.rare, self.needle = self.needles[0] if len(self.needles) == 1 else _ALWAYS

    def is_secret(self, name: str) -> bool:
        """Tell if a field of this name must not show its value."""
        secret = self._known.get(name)
        if secret is None:
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            secret = self._known[name] = self._looks_secret(name)
        return secret

    def _looks_secret(self, name: str) -> bool:
        words = f"_{'_'.join(_words(name))}_"
        compact = words.replace("_", "")
        return any(f"_{secret}_" in words or compact.endswith(secret.replace("_", "")) for secret in self._names)

    def within(self, text: bytes) -> bool:
        """Tell if a JSON text holds a secret value."""
        for rare, value in self.needles:  # noqa: SIM110  # a generator takes four times as long as this
            if rare in text and value in text:
                return True
        return False

    def hide(self, text: str) -> str:
        """Return a text without the secret values."""
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)

    def hide_bytes(self, data: bytes) -> bytes:
        """Return bytes without the secret values."""
        for text in self._texts:
            data = data.replace(text.encode("utf-8", "surrogatepass"), REDACTED.encode())
        return data


def _rarity(byte: int) -> int:
    at = _COMMON.find(byte)
    return len(_COMMON) if at < 0 else at


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
