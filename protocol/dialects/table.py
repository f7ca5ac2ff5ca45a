"""Every dialect, by the websocket subprotocol that selects it."""

from __future__ import annotations

from protocol.dialects.base import Dialect
from protocol.dialects.cbor import CBOR

__all__ = ("DIALECTS",)

DIALECTS: dict[str, Dialect] = {CBOR.subprotocol: CBOR}
"""The dialects by subprotocol, the preferred first."""
