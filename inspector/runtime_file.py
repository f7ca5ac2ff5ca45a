"""Runtime files: how this user's terminal finds this user's hosts.

Each host has one file ``PID-PORT.json`` of mode 0600 in ``$XDG_RUNTIME_DIR/inspector``, or, where that is not set, in
``/tmp/inspector-UID``; the folder is ours alone, mode 0700, or it is not used. The file holds the token.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import orjson

from protocol.messages import HostInfo

__all__ = ("RuntimeFile", "runtime_folder")


def runtime_folder() -> Path:
    """Return the folder of runtime files, made where it does not exist.

    Raises:
        OSError: it can't be made.
        PermissionError: it is a link, is not ours, or others can enter it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "inspector" if base else Path(tempfile.gettempdir()) / f"inspector-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder


class RuntimeFile:
    """The file of one host, while it serves. A folder that can't be used is no reason not to serve.

    Args:
        url: where inspectors connect.
        token: what they need.
        host: what the host says of itself.
    """

    def __init__(self, url: str, token: str, host: HostInfo) -> None:
        self._record = {
            "url": url,
            "token": token,
            "name": host.name,
            "pid": host.pid,
            "host_id": host.id,
            "started_at": host.started_at,
        }
        self._pid = os.getpid()
        self._name = f"{host.pid}-{urlsplit(url).port}.json"
        self.path: Path | None = None
        """Where it is, once it was written."""

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            folder = runtime_folder()
            _clean(folder)
            path = folder / self._name
            # Written beside its place and moved there: a reader never sees half a file.
            descriptor, made = tempfile.mkstemp(dir=folder, prefix=".")
            try:
                with open(descriptor, "wb") as file:
                    file.write(orjson.dumps(self._record))
                os.replace(made, path)
            except OSError:
                os.unlink(made)
                raise
            self.path = path
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A child that was forked inside the block may leave it too: the file is the parent's.
        if self.path is not None and os.getpid() == self._pid:
            # A folder that has gone meanwhile is no reason to end otherwise than in good order.
            with contextlib.suppress(OSError):
                self.path.unlink()


def _clean(folder: Path) -> None:
    """Remove the files of hosts that are no more."""
    for path in folder.glob("*.json"):
        pid = path.name.partition("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
