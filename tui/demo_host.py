"""A demo host as a child process that never outlives us."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections import deque
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from tui.discovery import Target, parse_url

__all__ = ("START_TIMEOUT", "DemoFailed", "DemoHost")

START_TIMEOUT: Final = 30.0
"""Seconds until the host must listen."""
_DRAIN: Final = 3
"""Seconds that the demo has to end in good order: nobody waits 20 s for a toy."""
_END: Final = 12.0
_NOT_ITS_OWN: Final = tuple(
    f"INSPECTOR_{name}" for name in ("LOG", "HOST", "PORT", "TOKEN_FILE", "TLS_CERT", "TLS_KEY", "RECORD")
)


class DemoFailed(Exception):
    """The demo host did not start; the message has what it said."""


class _Listening(msgspec.Struct):
    fields: dict[str, Any]


class DemoHost:
    """Starts `inspector-host demo` on a free port, with a token of our own, and ends it at the end of the block.

    The child hangs on a leash (`tui.leash`): a pipe that the system closes when we end, however that comes
    about.

    Args:
        rate: orders a second.
        seed: of all that is random in it; None for another each time.
        command: what is run instead, for tests.
    """

    def __init__(self, rate: float | None = None, seed: int | None = None, command: list[str] | None = None) -> None:
        self.token = secrets.token_urlsafe(24)
        self._command = command or [sys.executable, "-m", "inspector", "demo"]
        self._command += ["--port", "0", "--log-format", "json", "--drain-timeout", str(_DRAIN)]
        if rate is not None:
            self._command += ["--rate", str(rate)]
        if seed is not None:
            self._command += ["--seed", str(seed)]
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[bytes] = deque(maxlen=20)
        self._url: str | None = None
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        environment = {**os.environ, "INSPECTOR_TOKEN": self.token}
        # What is set for a host of the user's own does not hold for this one.
        for name in _NOT_ITS_OWN:
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui.leash", *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        # Both pipes are read all the time: a host that can't write its log would lose it, and tell so.
        for stream in (self._process.stdout, self._process.stderr):
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def target(self) -> Target:
        """Where it listens.

        Raises:
            DemoFailed: it does not.
        """
        process = self._process
        assert process is not None
        if not self._listening.wait(START_TIMEOUT) or self._url is None:
            said = b"".join(self._said).decode("utf-8", "replace").strip().splitlines()
            raise DemoFailed("the demo host did not start: " + (said[-1] if said else "it said nothing"))
        return Target(parse_url(self._url), self.token, "demo")

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Let go of the leash and wait for the end."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._said.append(line[-2000:])
                if self._url is None and b"inspector listening" in line:
                    self._url = _url(line)
                    if self._url is not None:
                        self._listening.set()
        if stream is self._process_stdout():
            # It has ended: nobody need wait for its first word any more.
            self._listening.set()

    def _process_stdout(self) -> Any:
        return self._process.stdout if self._process else None


def _url(line: bytes) -> str | None:
    try:
        fields = msgspec.json.decode(line, type=_Listening).fields
        url = fields.get("url")
        parse_url(str(url))
    except ValueError:
        return None
    return url if isinstance(url, str) and fields.get("message") == "inspector listening" else None
