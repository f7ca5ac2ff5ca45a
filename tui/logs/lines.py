"""Lines that are no JSON: logfmt, and plain text that may begin with a time and a level."""

from __future__ import annotations

import re
from typing import Final

from tui.logs.foreign import LEVEL_KEYS, MESSAGE_KEYS, TARGET_KEYS, TIME_KEYS, first_of
from tui.logs.levels import level_name
from tui.logs.pieces import MAX_FIELDS, Row, quoted, text_row
from tui.logs.text import cut, neutralise
from tui.logs.times import TIME, parse_time, show_epoch

__all__ = ("Head", "line_row", "parse_logfmt", "text_head")

# The quantifiers can't share a character, so that no line is slow.
_PAIR: Final = re.compile(r"""\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)""")
_FIRST: Final = re.compile(rb"\s*[A-Za-z_@][\w@.\-/]*=")
_ESCAPED: Final = re.compile(r"\\(.)")
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}
_LONGEST: Final = 64 << 10
_BEGIN: Final = re.compile(r"\s*\[?")
# A word in the middle of a sentence is none: it stands in capitals, or alone in brackets.
_LEVEL: Final = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC)\b"
    r"|\[\s?(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|alert|emerg|fatal)\s?\]"
)
# So far behind the time a level may stand: a process and a thread go before it.
_LEVEL_WITHIN: Final = 60


class Head:
    """What a plain line begins with.

    Attributes:
        date: `YYYY-MM-DD`, or empty.
        time: `HH:MM:SS` and a fraction, or empty.
        at: nanoseconds since 1970, None where there is no time.
        level: one of our levels, or empty.
        rest: where the text behind the time begins.
    """

    __slots__ = ("at", "date", "level", "rest", "time")

    def __init__(self, text: str) -> None:
        self.date, self.time, self.level, self.rest = "", "", "", 0
        self.at: int | None = None
        begin = _BEGIN.match(text)
        assert begin is not None
        found = TIME.match(text, begin.end())
        if found is not None and (at := parse_time(found[0].rstrip())) is not None:
            self.at = at
            self.date, self.time = found[0][:10], found[0][11:].split(" ")[0].rstrip("Zz").replace(",", ".")
            self.time = self.time[:8] + self.time[8:].partition("+")[0].partition("-")[0]
            self.rest = found.end() + text.startswith("]", found.end())
        level = _LEVEL.search(text, self.rest, self.rest + _LEVEL_WITHIN)
        if level is not None and (self.at is not None or level.start() == begin.end() or level.start() == 0):
            self.level = level_name(level[1] or level[2])


def text_head(line: bytes) -> Head:
    """Look for the time and the level at the beginning of a line."""
    return Head(line[:200].decode("utf-8", "replace"))


def parse_logfmt(line: bytes) -> dict[str, str] | None:
    """Take a line of logfmt apart; None for a line that is none.

    To be one it is made of words and pairs alone, two pairs at least, and says when, how grave or what.
    """
    if len(line) > _LONGEST or _FIRST.match(line) is None:
        return None
    text = line.decode("utf-8", "replace").rstrip()
    pairs: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None:
            return None
        name, value, bare = found.groups()
        pairs[name] = _ESCAPED.sub(_unescaped, value) if value is not None else "true" if bare is None else bare
        at = found.end()
    known = first_of((*LEVEL_KEYS, *TIME_KEYS, *MESSAGE_KEYS), pairs)
    return pairs if known is not None and len(pairs) > 1 else None


def line_row(line: bytes, max_value: int, max_message: int) -> Row:
    """Make the row of a line that is no JSON."""
    pairs = parse_logfmt(line)
    if pairs is not None:
        return _logfmt_row(pairs, max_value, max_message)
    head = text_head(line)
    if not (head.at is not None or head.level):
        return text_row(line, max_message)
    behind = len(line[:200].decode("utf-8", "replace")[: head.rest].encode())
    row = text_row(line[behind:].lstrip(), max_message)
    return Row(kind="text", level=head.level, date=head.date, time=head.time, message=row.message)


def _logfmt_row(pairs: dict[str, str], max_value: int, max_message: int) -> Row:
    shown = dict(pairs)
    time = shown.pop(first_of(TIME_KEYS, shown) or "", "")
    level = shown.get(key := first_of(LEVEL_KEYS, shown) or "", "")
    name = level_name(level) if level else ""
    if name == level.upper() or level.isdigit():
        shown.pop(key, None)
    message = shown.pop(first_of(MESSAGE_KEYS, shown) or "", "")
    target = shown.pop(first_of(TARGET_KEYS, shown) or "", "")
    moment = parse_time(time)
    if TIME.fullmatch(time):
        head = Head(time)
        date, clock = head.date, head.time
    else:
        date, clock = show_epoch(moment) if moment is not None else ("", neutralise(cut(time, 40)))
    return Row(
        kind="event",
        level=neutralise(cut(name, 16)),
        date=date,
        time=clock,
        target=neutralise(cut(target, 200)),
        message=neutralise(cut(message, max_message)),
        fields=tuple(
            (neutralise(cut(key, 80)), quoted(neutralise(cut(value, max_value))))
            for key, value in list(shown.items())[:MAX_FIELDS]
        ),
        more=max(0, len(shown) - MAX_FIELDS),
    )


def _unescaped(found: re.Match[str]) -> str:
    return _CONTROLS.get(found[1], found[1])
