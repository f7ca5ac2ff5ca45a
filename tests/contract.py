"""docs/protocol.cddl, held against frames as they go by: what a test's client sends, and what it gets.

A host's frame must fit. A client's frame must fit too, or be answered as the mistake that it is. Where pycddl has no
wheel nothing is checked; tests/protocol/test_contract.py says so.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import cbor2

from protocol.dialects import CBOR, Frame
from protocol.dialects.cbor import load_value
from protocol.dialects.json import load_text
from protocol.errors import BadMessage
from protocol.script import SPELLINGS

try:
    import pycddl
except ImportError:
    pycddl = None

__all__ = ("AVAILABLE", "MISSING", "RULES", "Conversation", "Side", "fault_of", "schema_of")

Side = Literal["to-host", "to-client"]

AVAILABLE: Final = pycddl is not None
MISSING: Final = "pycddl has no wheel here: no frame is held against docs/protocol.cddl"
RULES: Final = (Path(__file__).parents[1] / "docs" / "protocol.cddl").read_text(encoding="utf-8")
_SHORT: Final = 4096
# What the host answers to a message that is none of the protocol's.
_REPROOFS: Final = frozenset({("inspector", "bad_message"), ("inspector", "unknown_type")})
_MAPS: Final[Mapping[str, tuple[str, str]]] = {
    match[2]: (match[1], match[3])
    for match in re.finditer(r'^([a-z-]+) = \{ type: "(\w+)"(.*?)^(?=[a-z;]|\Z)', RULES, re.MULTILINE | re.DOTALL)
}
"""By a message's type, its rule's name and the rest of its rule."""


@cache
def _rules_of(side: Side) -> frozenset[str]:
    found = re.search(rf"^{side} = ((?:[a-z-]+\s*/\s*)+[a-z-]+)", RULES, re.MULTILINE)
    assert found
    return frozenset(re.findall(r"[a-z-]+", found[1]))


@cache
def schema_of(rule: str) -> Any:
    """Return what validates one rule of the contract, a message or a whole side."""
    return pycddl.Schema(f"message = {rule}\n{RULES}")


def fault_of(side: Side, subprotocol: str, frame: Frame) -> str | None:
    """Return why a frame does not fit the contract; None where it does.

    Keys of a message to the host that version 1 does not know are left out: a host ignores them.
    """
    # Many clients get the same. What is long is not kept: a run may last for hours.
    return _known_fault(side, subprotocol, frame) if len(frame) < _SHORT else _fault(side, subprotocol, frame)


def _fault(side: Side, subprotocol: str, frame: Frame) -> str | None:
    try:
        message = _decoded(side, subprotocol, frame)
    except BadMessage as exc:
        return f"it does not decode: {exc.message}"
    kind = message.get("type") if isinstance(message, dict) else None
    rule, body = _MAPS.get(kind, ("", "")) if isinstance(kind, str) else ("", "")
    if rule not in _rules_of(side):
        return f"no message {side} is called {kind!r}"
    assert isinstance(message, dict)
    if side == "to-host":
        message = {key: value for key, value in message.items() if key == "type" or _names(body, key)}
    try:
        schema_of(rule).validate_cbor(cbor2.dumps(message))
    except pycddl.ValidationError as exc:
        return f"{kind}: {str(exc)[:500]}"
    return None


_known_fault = lru_cache(maxsize=500)(_fault)


def _names(body: str, key: object) -> bool:
    return isinstance(key, str) and re.search(rf"\b{re.escape(key)}:", body) is not None


def _decoded(side: Side, subprotocol: str, frame: Frame) -> Any:
    binary = subprotocol == CBOR.subprotocol
    if isinstance(frame, bytes) is not binary:
        raise BadMessage("a frame of the other kind")
    if side == "to-host":
        return load_value(frame) if isinstance(frame, bytes) else load_text(frame)
    message = SPELLINGS[subprotocol].decode(frame)
    if not binary and isinstance(message, dict) and isinstance(message.get("lines"), list):
        # The one field that JSON has in another shape: records for the bytes that they are.
        assert all(isinstance(record, dict) for record in message["lines"])
        message = {**message, "lines": b""}
    return message


class Conversation:
    """One connection. Each frame is held against the contract as it goes by.

    Args:
        subprotocol: the dialect that is spoken.
    """

    def __init__(self, subprotocol: str) -> None:
        self._subprotocol = subprotocol
        self._good: Counter[object] = Counter()
        self._bad: defaultdict[object, list[str]] = defaultdict(list)

    def sent(self, frame: Frame) -> None:
        """Look at a frame that went to the host; one that does not fit must be answered as a mistake."""
        if not AVAILABLE:
            return
        fault = fault_of("to-host", self._subprotocol, frame)
        rid = self._id_of(frame)
        if fault is None:
            self._good[rid] += 1
        else:
            self._bad[rid].append(fault)

    def got(self, frame: Frame) -> None:
        """Look at a frame of the host's.

        Raises:
            AssertionError: it does not fit, or takes for good what did not fit.
        """
        if not AVAILABLE:
            return
        fault = fault_of("to-client", self._subprotocol, frame)
        assert fault is None, f"the host's frame does not fit docs/protocol.cddl: {fault}"
        message = _decoded("to-client", self._subprotocol, frame)
        if "rid" not in message:
            return
        rid = message["rid"]
        reproved = message["type"] == "Error" and (message["group"], message["code"]) in _REPROOFS
        # A host may find fault with more than the CDDL can say, as where two fields exclude each other.
        if reproved and self._bad[rid]:
            self._bad[rid].pop(0)
            return
        if self._good[rid] > 0:
            self._good[rid] -= 1
            return
        wrong = self._bad[rid]
        assert not wrong, f"the host answered {message} to what does not fit docs/protocol.cddl: {wrong[0]}"

    def end(self) -> None:
        """Note that all has been read that came.

        Raises:
            AssertionError: a frame that does not fit was never answered as a mistake.
        """
        left = {rid: faults for rid, faults in self._bad.items() if faults}
        assert not left, f"nothing was said of what does not fit docs/protocol.cddl: {left}"

    def _id_of(self, frame: Frame) -> int | None:
        try:
            message = _decoded("to-host", self._subprotocol, frame)
        except BadMessage:
            return None
        found = message.get("id") if isinstance(message, dict) else None
        return found if type(found) is int and 0 <= found < 2**64 else None
