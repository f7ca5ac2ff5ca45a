"""How a script's messages are spelt: plain maps to frames and back, so that a script can also send a wrong message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import cbor2
from msgspec import Struct

from protocol.dialects.base import MAX_DEPTH_TO_CLIENT, Frame
from protocol.dialects.cbor import CBOR, load_value
from protocol.dialects.json import JSON, dump_text, load_text
from protocol.errors import BadMessage, InspectorError
from protocol.messages import LogBatch, SpansResponse, TraceQueryResponse

__all__ = ("SPELLINGS", "Spelling")

_WITH_LINES: Final = (LogBatch.__name__, SpansResponse.__name__, TraceQueryResponse.__name__)


class Spelling(Struct, frozen=True):
    """A dialect without its messages.

    `tags` says whether tags of CBOR are written as they stand. `encode` raises InspectorError for what has no form in
    the dialect, `decode` BadMessage for a frame that breaks its rules.
    """

    subprotocol: str
    tags: bool
    encode: Callable[[Any], Frame]
    decode: Callable[[Frame], Any]


def _write_cbor(value: Any) -> bytes:
    # Not the dialect's own writer: that writes nothing that is wrong.
    try:
        return cbor2.dumps(value)
    except Exception as exc:
        raise InspectorError("actor.unserializable", f"no CBOR can say that: {str(exc)[:200]}") from exc


def _read_cbor(frame: Frame) -> Any:
    if not isinstance(frame, bytes):
        raise BadMessage("inspector.cbor.v1 speaks in binary frames, not in text")
    return load_value(frame, trusted=True)


def _read_json(frame: Frame) -> Any:
    if not isinstance(frame, str):
        raise BadMessage("inspector.json.v1 speaks in text frames, not in binary ones")
    try:
        loose = json.loads(frame)
    except (ValueError, RecursionError):
        loose = None
    if not isinstance(loose, dict) or loose.get("type") not in _WITH_LINES:
        return load_text(frame, MAX_DEPTH_TO_CLIENT)
    # The records inside are as they are: the dialect's forms for other values mean nothing there.
    JSON.decode_to_client(frame)
    lines = loose.pop("lines")
    return {**load_text(json.dumps(loose), MAX_DEPTH_TO_CLIENT), "lines": lines}


SPELLINGS: Final[dict[str, Spelling]] = {
    CBOR.subprotocol: Spelling(CBOR.subprotocol, tags=True, encode=_write_cbor, decode=_read_cbor),
    JSON.subprotocol: Spelling(JSON.subprotocol, tags=False, encode=dump_text, decode=_read_json),
}
"""The spellings by subprotocol, the one of a script that says none first."""
