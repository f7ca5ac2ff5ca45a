"""How messages are spelt on the wire: a dialect a module, each a `Dialect`."""

from protocol.dialects.base import Dialect, Frame
from protocol.dialects.cbor import CBOR

__all__ = ("CBOR", "DIALECTS", "Dialect", "Frame")

DIALECTS: dict[str, Dialect] = {CBOR.subprotocol: CBOR}
"""The dialects by the websocket subprotocol that selects them, the preferred first."""
