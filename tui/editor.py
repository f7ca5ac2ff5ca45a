"""The user's own editor on a text, for as long as it takes: the app steps aside, and the link goes on."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from textual.app import App, SuspendNotSupported

__all__ = ("EditorFailed", "edit_text", "editor_command")


_GRACE: Final = 2.0
"""Seconds between SIGTERM and SIGKILL, for an editor that is open when the app ends."""


class EditorFailed(Exception):
    """There is no editor, or it did not do its work; the message is for people."""


def editor_command(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Find the editor: VISUAL, else EDITOR.

    Raises:
        EditorFailed: neither says anything that makes sense.
    """
    for name in ("VISUAL", "EDITOR"):
        words = environment.get(name, "").strip()
        if words:
            try:
                return shlex.split(words)
            except ValueError as exc:
                raise EditorFailed(f"{name} makes no sense: {exc}") from None
    raise EditorFailed("there is no editor: EDITOR names one")


async def edit_text(app: App[Any], text: str, suffix: str = ".json") -> str:
    """Let the user edit a text; gives what it is then.

    The terminal is the editor's until it ends. What comes from the host meanwhile is taken in and not drawn.

    Raises:
        EditorFailed: there is none, it can't be started or ended with an error, or the terminal can't be lent.
    """
    command = editor_command()
    name = _lay_out(text, suffix)
    try:
        await _lend(app, [*command, name])
        return _read(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _lay_out(text: str, suffix: str) -> str:
    # Of this user alone: a state may hold what nobody else should read.
    descriptor, name = tempfile.mkstemp(suffix=suffix, prefix="inspector-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return name


def _read(name: str) -> str:
    try:
        # Some editors write another file and put it in this one's place.
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise EditorFailed(f"what it wrote can't be read: {getattr(exc, 'strerror', None) or exc}") from None


async def _lend(app: App[Any], command: list[str]) -> None:
    fault: BaseException | None = None
    try:
        with app.batch_update(), app.suspend():
            # Whatever happens in here, the app must be given its terminal back: the context does not see to it.
            try:
                await _run(command)
            except BaseException as exc:
                fault = exc
    except SuspendNotSupported:
        raise EditorFailed("the app can't step aside here for an editor") from None
    if fault is not None:
        raise fault


async def _run(command: list[str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as exc:
        raise EditorFailed(f"{command[0]} can't be started: {exc.strerror}") from None
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        # The app ends, and its editor with it.
        await _end(process)
        raise
    if status:
        raise EditorFailed(f"{command[0]} ended with {status}; nothing was changed")


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    while process.returncode is None:
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            process.kill()
        except asyncio.CancelledError:
            # An event loop that ends cancels its tasks once more. A process left behind would have the terminal.
            continue
