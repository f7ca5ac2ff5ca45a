"""A host in a process of its own, and a module with actors for it to serve."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from protocol.dialects.cbor import CBOR

__all__ = ("APP", "HostProcess", "connect_to", "get")

APP = '''
import time

import trio

from inspector import Actor, Registry, action, escalate


class Stuck(Actor[None]):
    """Does not end in good order."""

    async def on_stop(self) -> None:
        self.log.info("stopping")
        await trio.sleep(1000)


class Blocker(Actor[None]):
    """Blocks the loop."""

    async def run(self) -> None:
        await trio.sleep(0)
        self.log.info("blocking")
        time.sleep(1000)


class Vital(Actor[None]):
    """Ends the host as soon as that serves."""

    supervision = escalate(7)

    async def run(self) -> None:
        while self.registry.state != "serving":
            await trio.sleep(0)
        raise OSError("the disk is gone")


class Speaker(Actor[None]):
    """Says something of its own."""

    async def on_start(self) -> None:
        self.log.info("hello", amount=1)


def make(*actors):
    registry = Registry(actors, name="app")
    for actor in actors:
        registry.get_or_create(actor)
    return registry


class inner:
    registry = make(Speaker)


registry = make(Speaker)
stuck = make(Stuck)
blocker = make(Blocker)
vital = make(Vital, Speaker)
quiet = Registry(record="off")
number = 5


def made():
    return make(Speaker)


def broken():
    raise ZeroDivisionError("the program's own")
'''


class HostProcess:
    """A host in a process of its own."""

    def __init__(self, *arguments: str, cwd: Path, env: dict[str, str], **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inspector", *arguments],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=options.pop("stderr", subprocess.PIPE),
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env=env,
            **options,
        )
        self.folder = Path(env["XDG_RUNTIME_DIR"]) / "inspector"
        self.seen = b""

    def record(self) -> dict[str, Any]:
        """Wait for the next record on stdout."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.seen += line
        record: dict[str, Any] = json.loads(line)
        return record

    def until(self, message: str) -> dict[str, Any]:
        """Wait for a record that says this."""
        while (record := self.record())["fields"].get("message") != message:
            pass
        return record

    def runtime(self) -> dict[str, Any]:
        """Wait for the runtime file, and read it."""
        while not (found := list(self.folder.glob("*.json"))):
            assert self.process.poll() is None
        runtime: dict[str, Any] = json.loads(found[0].read_bytes())
        return runtime

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, bytes, bytes]:
        """Send a signal and wait for the end: exit code, all of stdout, stderr."""
        self.send(number)
        return self.wait()

    def wait(self) -> tuple[int, bytes, bytes]:
        """Wait for the end: exit code, all of stdout, stderr."""
        out, err = self.process.communicate()
        return self.process.returncode, self.seen + (out or b""), err or b""


def get(url: str, path: str, token: str | None = None) -> tuple[int, dict[str, Any]]:
    """Ask a host over plain HTTP."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()) if answer.status == 200 else {}
    finally:
        connection.close()


def connect_to(host: HostProcess) -> Any:
    """Attach to a host, so that its actors are seen to be there."""
    runtime = host.runtime()
    return connect(
        runtime["url"].replace("http", "ws") + "/inspector/connect",
        subprotocols=[Subprotocol(CBOR.subprotocol)],
        additional_headers={"Authorization": f"Bearer {runtime['token']}"},
        proxy=None,
    )
