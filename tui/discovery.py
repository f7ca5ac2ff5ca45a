"""Find hosts: by URL, and by the runtime files that this user's own hosts leave behind.

A runtime file is `<pid>-<port>.json`, mode 0600, in a directory of mode 0700 that belongs to this user:
`$XDG_RUNTIME_DIR/inspector/`, or `inspector-<uid>/` among the temporary files where that variable is unset.
It holds url and token. A directory or file that others could have written is not read, since it could send
the token's owner to a host of theirs.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from protocol.handshake import CONNECT_PATH, check_token

__all__ = (
    "DEFAULT_PORT",
    "HostFile",
    "NoHost",
    "Target",
    "Wanted",
    "find_hosts",
    "parse_url",
    "runtime_directory",
)

DEFAULT_PORT: Final = 7351
_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_MAX_FILE: Final = 64 << 10


class NoHost(Exception):
    """Nothing to attach to, or several and no choice made; `hosts` are those that there are."""

    def __init__(self, message: str, hosts: tuple[HostFile, ...] = ()) -> None:
        super().__init__(message)
        self.hosts = hosts


class HostFile(msgspec.Struct, frozen=True):
    """What a host says of itself in its runtime file; `started_at` in Unix milliseconds."""

    url: str
    token: str
    name: str = ""
    pid: int = 0
    host_id: str = ""
    started_at: int = 0

    @property
    def target(self) -> Target:
        """What to attach to."""
        return Target(parse_url(self.url), self.token, self.name)


@dataclass(frozen=True, slots=True)
class Target:
    """A host to attach to.

    Attributes:
        url: `http://HOST:PORT` or `https://HOST:PORT`, as `parse_url` writes it.
        token: what lets us in; None when none is known.
        name: what the host called itself in its runtime file, or empty.
        ca: file of the certificates that are trusted; None for the system's.
    """

    url: str
    token: str | None = None
    name: str = ""
    ca: str | None = None

    @property
    def place(self) -> str:
        """Give HOST:PORT."""
        return urlsplit(self.url).netloc

    @property
    def connect_url(self) -> str:
        """Give the URL of the websocket."""
        scheme = "wss" if self.url.startswith("https:") else "ws"
        return f"{scheme}://{self.place}{CONNECT_PATH}"


def parse_url(text: str) -> str:
    """Read a URL in any of the forms that people use and write it as `http(s)://HOST:PORT`.

    Args:
        text: `http`, `https`, `ws` or `wss` URL, or HOST, or HOST:PORT.

    Raises:
        ValueError: it is none of these; the message is for people.
    """
    text = text.strip()
    if "://" not in text:
        text = f"http://{text}" if _has_port(text) else f"http://{text}:{DEFAULT_PORT}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise ValueError(f"{text!r} is no URL: {exc}") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise ValueError(f"{text!r}: a host's URL begins with http, https, ws or wss")
    host = parts.hostname
    if not host or any(c.isspace() or not c.isprintable() for c in host) or port == 0:
        raise ValueError(f"{text!r} names no host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a host's URL holds neither a password, a query nor a fragment; the token goes elsewhere")
    if parts.path not in ("", "/", CONNECT_PATH):
        raise ValueError(f"{text!r}: a host's URL has no path")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}"


def _has_port(text: str) -> bool:
    return text.rstrip("/").rpartition(":")[2].isdigit() and not text.endswith("]")


def runtime_directory() -> Path:
    """Give the directory of this user's runtime files, whether it exists or not."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "inspector" if base else Path(tempfile.gettempdir()) / f"inspector-{os.getuid()}"


def find_hosts(directory: Path | None = None) -> tuple[HostFile, ...]:
    """Read this user's runtime files, the host that started last first; a dead host's file is removed.

    What can't be read, is not ours alone, or makes no sense is passed over.
    """
    directory = directory or runtime_directory()
    if not _ours_alone(directory, stat.S_ISDIR):
        return ()
    found = [host for path in directory.glob("*.json") if (host := _read(path)) is not None]
    return tuple(sorted(found, key=lambda host: (-host.started_at, host.url)))


def _ours_alone(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        # A link could lead to what somebody else may change later.
        found = path.lstat()
    except OSError:
        return False
    return kind(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _read(path: Path) -> HostFile | None:
    if not _ours_alone(path, stat.S_ISREG):
        return None
    try:
        with path.open("rb") as file:
            host = msgspec.json.decode(file.read(_MAX_FILE), type=HostFile)
        parse_url(host.url)
        check_token(host.token)
    except (OSError, ValueError):
        return None
    if host.pid > 0 and not _alive(host.pid):
        path.unlink(missing_ok=True)
        return None
    return host


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # Somebody else's process has the number now, or it never was one: the host is gone, but the file may
        # stay.
        return True
    return True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for, from which a target can be made again whenever the link has to connect anew.

    Attributes:
        url: as `parse_url` writes it; None for whatever host of this user there is.
        token: given by the user; None to look for it in the runtime files.
        directory: of the runtime files; None for the usual one.
        ca: file of the certificates that are trusted; None for the system's.
    """

    url: str | None = None
    token: str | None = None
    directory: Path | None = None
    ca: str | None = None

    def resolve(self) -> Target:
        """Find the target as things are now.

        Raises:
            NoHost: there is none, or several.
        """
        return replace(self._find(), ca=self.ca)

    def _find(self) -> Target:
        if self.url is not None and self.token is not None:
            return Target(self.url, self.token)
        hosts = find_hosts(self.directory)
        if self.url is not None:
            place = Target(self.url).place
            match = next((host for host in hosts if host.target.place == place), None)
            return Target(self.url, match.token if match else None, match.name if match else "")
        if not hosts:
            raise NoHost("no running host of yours was found; give its URL, or start one: inspector-tui demo")
        if len(hosts) > 1:
            raise NoHost("several hosts run; say which one", hosts)
        target = hosts[0].target
        return target if self.token is None else Target(target.url, self.token, target.name)
