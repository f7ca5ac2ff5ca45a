"""Every dialect, by the websocket subprotocol that selects it."""

from __future__ import annotations

from protocol.dialects.base import Dialect
from protocol.dialects.cbor import CBOR
from protocol.dialects.json import JSON

__all__ = ("DIALECTS",)

DIALECTS: dict[str, Dialect] = {CBOR.subprotocol: CBOR, JSON.subprotocol: JSON}
"""The dialects by subprotocol, the preferred first."""
