"""Damage: bytes that were right, and messages that were, made wrong in ways that come back with the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ("damage", "frame", "pieces", "spoil")

_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 0.5, -0.0, float("inf"),
    float("nan"), "", "\x00", "é", "\U0001f600", "x" * 5000, "../..",
    "box/a", "box//", "~", "%00", b"", b"\xff\xfe", [], {}, [[]],
    {"": ""}, {"$bytes": "AA=="}, {"$map": {"$bytes": 1}}, [0] * 2000, {"a": {"b": {"c": [1, 2, {"d": None}]}}},
)  # fmt: skip


def damage(rng: Random, data: bytes) -> bytes:
    """Change, drop, double, insert or move some bytes."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(spoilt) + 1)
        length = rng.choice((1, 1, 2, 4, 16, 64))
        match rng.randrange(6):
            case 0 if at < len(spoilt):
                spoilt[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(spoilt):
                spoilt[at] = rng.choice((0x00, 0x7F, 0x80, 0xFF, 0x0A, 0x22, rng.randrange(256)))
            case 2:
                del spoilt[at : at + length]
            case 3:
                spoilt[at:at] = spoilt[at : at + length]
            case 4:
                spoilt[at:at] = rng.randbytes(length)
            case _:
                del spoilt[at:]
    return bytes(spoilt)


def spoil(rng: Random, message: dict[str, Any]) -> dict[str, Any]:
    """Change, drop or add some fields of a message."""
    spoilt = dict(message)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice((*message, "id", "type", "unknown"))
        match rng.randrange(4):
            case 0:
                spoilt.pop(name, None)
            case 1:
                spoilt[name] = _deep(rng, rng.choice((3, 60, 64, 65, 200)))
            case _:
                spoilt[name] = rng.choice(_ODD)
    return spoilt


def _deep(rng: Random, levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def frame(rng: Random, opcode: int, data: bytes, *, fin: bool = True, reserved: int = 0, mask: bool = True) -> bytes:
    """Write a websocket frame of any kind, right or wrong. A library's own writer refuses most of the latter."""
    size = len(data)
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if size < 126:
        head += bytes([mask << 7 | size])
    elif size < 65536:
        head += bytes([mask << 7 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask << 7 | 127]) + size.to_bytes(8, "big")
    if not mask:
        return head + data
    key = rng.randbytes(4)
    repeated = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return head + key + (int.from_bytes(data, "big") ^ repeated).to_bytes(size, "big")


def pieces(rng: Random, data: bytes) -> list[bytes]:
    """Cut bytes as a network may: not at all, anywhere, or after each byte."""
    match rng.randrange(4):
        case 0 if len(data) < 500:
            return [data[at : at + 1] for at in range(len(data))]
        case 1:
            cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 8)))
            return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if end > start]
        case _:
            return [data]
