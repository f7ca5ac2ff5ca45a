"""Who may open a connection: the rules for a websocket handshake and the few plain HTTP answers, without I/O.

Refusals come in this order, the first that holds: Host (400, 403), Origin (403), token (401), path (404),
subprotocol (400). Host is checked against DNS rebinding, Origin against pages in a browser; a token is always
wanted, /health excepted.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

__all__ = (
    "CONNECT_PATH",
    "TOKEN_PATTERN",
    "Accept",
    "Answer",
    "Door",
    "Refuse",
    "check_handshake",
    "check_token",
    "host_name",
)

CONNECT_PATH: Final = "/inspector/connect"
TOKEN_PATTERN: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""A token must fit an HTTP header and a subprotocol (RFC 7230, section 3.2.6) without quoting."""

_TOKEN_SUBPROTOCOL: Final = "inspector_token."
# Of the names that RFC 3986 allows those that a resolver knows. A URL parser would take too much for a host.
_HOST: Final = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What a host lets in.

    `hosts` are names and addresses that may stand in the Host header, `origins` those that a browser's page
    may have, `subprotocols` the dialects spoken, the preferred first.
    """

    token: str
    subprotocols: tuple[str, ...]
    hosts: frozenset[str] = _LOOPBACK
    origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        # An empty token would open the door to everybody.
        check_token(self.token)


class Accept(msgspec.Struct, frozen=True):
    """Open the websocket with this subprotocol."""

    subprotocol: str


class Answer(msgspec.Struct, frozen=True):
    """Answer a plain HTTP request: `health` or `metadata`."""

    what: str


class Refuse(msgspec.Struct, frozen=True):
    """Refuse with an HTTP status and a text for people."""

    status: int
    body: str
    headers: dict[str, str] = {}


def check_token(token: str) -> str:
    """Return `token` if it is one that every way of sending it can carry.

    Raises:
        ValueError: it is empty or has another character than ``A-Z a-z 0-9 . _ ~ -``. The text never holds
            the token.
    """
    if not TOKEN_PATTERN.fullmatch(token):
        raise ValueError("a token is one or more of A-Z a-z 0-9 . _ ~ -")
    return token


def host_name(value: str) -> str | None:
    """Read the name or address out of a Host header, in lower case, without port and brackets.

    None if it is no host with or without a port (RFC 9110, section 7.2).
    """
    match = _HOST.fullmatch(value)
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        return None
    return (match["literal"] or match["name"]).lower()


def check_handshake(target: str, headers: Iterable[tuple[str, str]], door: Door) -> Accept | Answer | Refuse:
    """Decide about a request for `target` (path and query) with these header fields."""
    fields = _collect(headers)
    path = target.partition("?")[0]
    refusal = _check_host(fields, door) or _check_origin(fields, door)
    if refusal is not None:
        return refusal
    if path == "/health":
        return Answer("health")
    offered = [item.strip() for value in fields.get("sec-websocket-protocol", ()) for item in value.split(",")]
    if not _has_token(fields, offered, door.token):
        return Refuse(
            401,
            "A token is wanted: Authorization: Bearer TOKEN, or a subprotocol inspector_token.TOKEN beside another.\n",
            {"WWW-Authenticate": 'Bearer realm="inspector"'},
        )
    if path == "/metadata":
        return Answer("metadata")
    if path != CONNECT_PATH:
        return Refuse(404, f"Nothing is here. Websockets connect to {CONNECT_PATH}.\n")
    for subprotocol in door.subprotocols:
        if subprotocol in offered:
            return Accept(subprotocol)
    if "upgrade" not in fields:
        return Refuse(426, "This is a websocket; connect with a websocket client.\n", {"Upgrade": "websocket"})
    return Refuse(400, "Offer one of these subprotocols: " + ", ".join(door.subprotocols) + "\n")


def _collect(headers: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _check_host(fields: Mapping[str, list[str]], door: Door) -> Refuse | None:
    values = fields.get("host", [])
    if len(values) != 1:
        return Refuse(400, f"One Host header is wanted, not {len(values)}.\n")
    name = host_name(values[0])
    if name is None:
        return Refuse(400, "The Host header holds no host.\n")
    if name not in door.hosts:
        return Refuse(403, "This host does not go by that name; --allow-host adds one.\n")
    return None


def _check_origin(fields: Mapping[str, list[str]], door: Door) -> Refuse | None:
    origins = fields.get("origin", [])
    if not origins or (len(origins) == 1 and origins[0] in door.origins):
        return None
    return Refuse(403, "Pages of this origin may not connect; --allow-origin adds one.\n")


def _has_token(fields: Mapping[str, list[str]], offered: list[str], token: str) -> bool:
    wanted = token.encode()
    given = [value[7:].strip() for value in fields.get("authorization", ()) if value[:7].lower() == "bearer "]
    given += [item.removeprefix(_TOKEN_SUBPROTOCOL) for item in offered if item.startswith(_TOKEN_SUBPROTOCOL)]
    # Every one is compared, in constant time, so that the time tells nothing of how many were wrong or where.
    return sum([hmac.compare_digest(value.encode("utf-8", "replace"), wanted) for value in given]) > 0
