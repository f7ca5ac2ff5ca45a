"""Play a script without a socket: say what to do next, and be told what came of it.

``play`` is a generator. Whoever drives it owns the connection::

    playing = play(script, token=token)
    told = None
    while True:
        try:
            do = playing.send(told)
        except StopIteration:
            break
        told = ...  # do it

`Open` is answered with `Opened` or `Refused`, `Say` with `Done` or `Ended`, `Listen` with `Heard`, `Ended` or `Silent`,
`Leave` with `Done` or `Silent`. At most one connection is open; one that is still open when the generator ends is its
driver's to close.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, Final, NoReturn, TypeAlias

from msgspec import Struct

from protocol.dialects.base import Frame
from protocol.dialects.cbor import CBOR
from protocol.errors import BadMessage, InspectorError
from protocol.script.difference import difference, distance, write, write_node
from protocol.script.patterns import Captures, Node, fill, fits
from protocol.script.spelling import SPELLINGS, Spelling
from protocol.script.statements import (
    Close,
    Connect,
    Disconnect,
    Message,
    Raw,
    Script,
    Silence,
    Statement,
    Wanted,
    Within,
)

__all__ = (
    "PATIENCE",
    "Do",
    "Done",
    "Ended",
    "Happened",
    "Heard",
    "Leave",
    "Listen",
    "Mismatch",
    "Open",
    "Opened",
    "Refused",
    "Say",
    "Silent",
    "play",
)

PATIENCE: Final = 5.0
"""Seconds that a statement waits unless the script says otherwise."""
_REMEMBERED: Final = 64
"""Messages passed over of which the nearest is shown when none fits."""


# ---- what to do ----


class Open(Struct, frozen=True):
    """Ask for a websocket; answer a ping on it whenever one comes.

    A field of `headers` stands in the place of all of its name that would be sent without; one with an empty value
    leaves them out.
    """

    path: str
    subprotocols: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    within: float


class Say(Struct, frozen=True):
    """Send a frame: bytes a binary one, text a text one."""

    frame: Frame


class Listen(Struct, frozen=True):
    """Wait for the next message, the connection's end, or the time."""

    within: float


class Leave(Struct, frozen=True):
    """Close with 1000, and wait for the host to agree."""

    within: float


Do: TypeAlias = Open | Say | Listen | Leave


# ---- what came of it ----


class Opened(Struct, frozen=True):
    """The websocket is open."""

    subprotocol: str | None


class Refused(Struct, frozen=True):
    """The host answered with a status; `status` 101 is one whose handshake is wrong, None no answer in time."""

    status: int | None
    body: str


class Done(Struct, frozen=True):
    """That is done."""


class Heard(Struct, frozen=True):
    """A message came, after so many seconds of waiting."""

    frame: Frame
    after: float


class Ended(Struct, frozen=True):
    """The connection has ended; `code` is the host's, None if it sent none."""

    code: int | None
    reason: str


class Silent(Struct, frozen=True):
    """The time is up."""


Happened: TypeAlias = Opened | Refused | Done | Heard | Ended | Silent


class Mismatch(Exception):
    """The host did something else than the script says.

    Its text is `FILE:LINE: message` and, on lines of their own, a diff: what begins with `-` was expected, with `+`
    came.
    """

    def __init__(self, name: str, line: int, message: str, diff: list[str] | None = None) -> None:
        super().__init__("\n".join([f"{name}:{line}: {message}", *(diff or [])]))
        self.name = name
        self.line = line
        self.message = message
        self.diff = diff or []


_Playing: TypeAlias = Generator[Do, Happened | None, None]


def play(script: Script, *, subprotocol: str = CBOR.subprotocol, token: str | None = None) -> _Playing:
    """Play a script.

    Args:
        script: as `parse_script` read it.
        subprotocol: what is offered where the script names none.
        token: what is brought where the script names none.

    Raises:
        Mismatch: the host did something else.
    """
    return _Player(script, subprotocol, token).play()


class _Player:
    def __init__(self, script: Script, subprotocol: str, token: str | None) -> None:
        self._script = script
        self._subprotocol = subprotocol
        self._token = token
        self._patience = PATIENCE
        self._known: Captures = {}
        self._spelling: Spelling | None = None
        self._line = 0

    def play(self) -> _Playing:
        for statement in self._script.statements:
            self._line = statement.line
            yield from self._play(statement)

    def _play(self, statement: Statement) -> _Playing:
        match statement:
            case Within(seconds=seconds):
                self._patience = seconds
            case Connect():
                yield from self._connect(statement)
            case Disconnect():
                if isinstance((yield Leave(self._patience)), Silent):
                    self._fail(f"the host did not agree to the end within {self._patience:g} s")
            case Close(code=code):
                yield from self._close(code)
            case Silence(seconds=seconds):
                yield from self._silence(seconds)
            case Message(node=node):
                yield from self._say(self._encode(node))
            case Raw(frame=frame):
                yield from self._say(frame)
            case Wanted(node=node, skip=skip):
                yield from self._wait_for(node, skip)
            case _:
                raise AssertionError(statement)

    def _fail(self, message: str, diff: list[str] | None = None) -> NoReturn:
        raise Mismatch(self._script.name, self._line, message, diff)

    def _fail_at(self, message: str, expected: str, got: str) -> NoReturn:
        self._fail(message, [f"- {expected}", f"+ {got}"])

    # ---- the connection ----

    def _connect(self, statement: Connect) -> _Playing:
        headers = statement.headers
        token = self._token if statement.token is None else statement.token
        if token and not any(name.lower() == "authorization" for name, _ in headers):
            headers = (("Authorization", f"Bearer {token}"), *headers)
        offered = (self._subprotocol,) if statement.subprotocols is None else statement.subprotocols
        told = yield Open(statement.path, offered, headers, self._patience)
        wanted = f"the handshake's answer is {statement.status}"
        if isinstance(told, Opened):
            if statement.status != 101:
                self._fail_at("the handshake was answered otherwise", wanted, "101: a websocket is open")
            self._spelling = SPELLINGS.get(told.subprotocol or "")
            return
        assert isinstance(told, Refused)
        if told.status == statement.status != 101:
            return
        if told.status is None:
            self._fail_at(f"the handshake was not answered within {self._patience:g} s", wanted, told.body)
        self._fail_at("the handshake was answered otherwise", wanted, f"{told.status}: {_one_line(told.body)}")

    def _close(self, code: int) -> _Playing:
        left, passed = self._patience, 0
        while True:
            told = yield Listen(left)
            if isinstance(told, Ended):
                if told.code != code:
                    self._fail_at("the host ended the connection otherwise", f"close {code}", _ending(told))
                return
            if isinstance(told, Heard):
                passed += 1
                left = max(0.0, left - told.after)
                continue
            said = f"the connection is open; {passed} messages came"
            self._fail_at(f"the host did not close within {self._patience:g} s", f"close {code}", said)

    def _silence(self, seconds: float) -> _Playing:
        told = yield Listen(seconds)
        if isinstance(told, Heard):
            self._fail_at("something came", f"silence for {seconds:g} s", self._show(told.frame))
        if isinstance(told, Ended):
            self._fail_at("the connection ended", f"silence for {seconds:g} s", _ending(told))

    # ---- messages ----

    def _spell(self) -> Spelling:
        if self._spelling is None:
            self._fail("the host chose no dialect that scripts know; such a connection takes raw frames alone")
        return self._spelling

    def _encode(self, node: Node) -> Frame:
        spelling = self._spell()
        try:
            return spelling.encode(fill(node, self._known, tags=spelling.tags))
        except InspectorError as exc:
            self._fail(f"this can't be said in {spelling.subprotocol}: {exc.message}")

    def _say(self, frame: Frame) -> _Playing:
        told = yield Say(frame)
        if isinstance(told, Ended):
            self._fail_at("the connection has ended", "an open connection to send on", _ending(told))

    def _decode(self, frame: Frame, node: Node) -> Any:
        spelling = self._spell()
        try:
            return spelling.decode(frame)
        except BadMessage as exc:
            shown = f"{write(frame)[:200]}: {exc.message}"
            self._fail_at(f"a frame that is no {spelling.subprotocol} came", write_node(node, self._known), shown)

    def _show(self, frame: Frame) -> str:
        try:
            return write(frame if self._spelling is None else self._spelling.decode(frame))[:2000]
        except BadMessage:
            return write(frame)[:2000]

    def _wait_for(self, node: Node, skip: bool) -> _Playing:
        left = self._patience
        passed: deque[Any] = deque(maxlen=_REMEMBERED)
        count = 0
        while True:
            told = yield Listen(left)
            if isinstance(told, Heard):
                value = self._decode(told.frame, node)
                found = fits(node, value, self._known)
                if found is not None:
                    self._known = found
                    return
                if not skip:
                    self._fail("the next message does not fit", difference(node, value, self._known))
                passed.append(value)
                count += 1
                left = max(0.0, left - told.after)
                continue
            ended = isinstance(told, Ended)
            what = "the connection ended before a message came" if ended else f"no message within {self._patience:g} s"
            if isinstance(told, Ended):
                what = f"{what} ({_ending(told)})"
            if not passed:
                self._fail_at(what, write_node(node, self._known)[:2000], "nothing")
            nearest = min(passed, key=lambda value: distance(node, value, self._known))
            diff = difference(node, nearest, self._known)
            self._fail(f"{what} that fits; {count} came, this is the nearest", diff)


def _ending(ended: Ended) -> str:
    said = f": {_one_line(ended.reason)}" if ended.reason else ""
    return f"the connection broke{said}" if ended.code is None else f"close {ended.code}{said}"


def _one_line(text: str) -> str:
    return ascii(text.strip()[:300])[1:-1]
