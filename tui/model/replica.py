"""A copy of an actor's state, kept up by what its subscription brings: whole states, and patches on the last."""

from __future__ import annotations

from typing import Any

from protocol.messages import StateResponse, StateUpdated
from protocol.patch import PatchError, apply_patch

__all__ = ("Replica",)


class Replica:
    """The state as of the last message. What it gave once is never changed, so that it can be compared later."""

    def __init__(self) -> None:
        self.state: Any = None
        self.version: int | None = None

    def begin(self, response: StateResponse) -> None:
        """Take the whole, from the answer to the subscribing request."""
        self.state = response.state if response.enabled else None
        self.version = response.version if isinstance(response.version, int) else None

    def follow(self, push: StateUpdated) -> bool:
        """Take a new version; False if it is a patch that does not fit, and the copy is good for nothing more.

        The subscription has then to be opened anew: what a single answer holds may be newer than what the next patch
        is made for.
        """
        if isinstance(push.patch, list):
            try:
                self.state = apply_patch(self.state, push.patch)
            except PatchError:
                return False
        else:
            self.state = push.state
        self.version = push.version
        return True
