"""An actor for hosts to serve, and how to look at a host from outside."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import orjson
import trio
import trio.abc
import trio.testing

from inspector import Actor, action

__all__ = ("Steady", "health", "listens", "runtime_files", "steady")


class Steady(Actor[None]):
    """It runs, and notes its end."""

    ends: ClassVar[list[str]] = []

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append("run")

    async def on_stop(self) -> None:
        self.ends.append("stop")

    @action
    async def hold(self) -> None:
        await trio.sleep_forever()

    @action
    async def quick(self) -> str:
        await trio.lowlevel.checkpoint()
        return "done"


def steady() -> type[Steady]:
    return type("Steady", (Steady,), {"ends": [], "__module__": __name__})


def listens(port: int) -> bool:
    """Tell whether anything listens on a port of this machine."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError:
            return True
    return False


def runtime_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def health(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    assert parts.port is not None
    stream = await trio.open_tcp_stream(parts.hostname or "", parts.port)
    async with stream:
        await stream.send_all(f"GET /health HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answer = b""
        while data := await stream.receive_some():
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    found = orjson.loads(body)
    assert isinstance(found, dict)
    return found
