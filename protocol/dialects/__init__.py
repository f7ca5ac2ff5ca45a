"""How messages are spelt on the wire: a dialect a module, each a `Dialect`."""

from protocol.dialects.base import Dialect, Frame
from protocol.dialects.cbor import CBOR
from protocol.dialects.json import JSON
from protocol.dialects.table import DIALECTS

__all__ = ("CBOR", "DIALECTS", "JSON", "Dialect", "Frame")
