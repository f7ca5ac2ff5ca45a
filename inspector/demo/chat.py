"""The demo's chat: rooms, and guests who come, talk and go."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Final

import msgspec
import trio

from inspector.actors.actions import action
from inspector.actors.actor import Actor

__all__ = ("KEPT_MESSAGES", "ROOMS", "Guests", "GuestsState", "NotHere", "Room", "RoomState", "Said", "Taken")

KEPT_MESSAGES: Final = 30
ROOMS: Final = ("garden", "lobby")
_FASTEST: Final = 20.0
"""What guests do a second at most: more no one can read."""
_NICKS: Final = ("ada", "bo", "cyd", "dee", "eli", "fay", "gus", "hal")
_LINES: Final = (
    "hello",
    "anyone here?",
    "the kettle is back in stock",
    "has somebody seen my order?",
    "which desk did you take?",
    "be right back",
    "the clock ticks too loud",
    "thanks!",
)


class Taken(Exception):
    """Somebody of that name is in the room."""


class NotHere(Exception):
    """Nobody of that name is in the room."""


class Said(msgspec.Struct):
    """One message; `number` counts the room's messages from 1."""

    number: int
    by: str
    text: str


class RoomState(msgspec.Struct):
    """Who is in a room, and what was said last."""

    members: list[str] = []
    said: int = 0
    history: list[Said] = []


class Room(Actor[RoomState]):
    """A chat room."""

    @action
    def join(self, nick: str) -> list[str]:
        """Come in, under a name that nobody here has; return who is there."""
        if nick in self.state.members:
            raise Taken(f"{nick} is here already")
        self.state.members.append(nick)
        self.log.debug("joined", nick=nick, members=len(self.state.members))
        return self.state.members

    @action
    def leave(self, nick: str) -> None:
        """Go."""
        self._present(nick)
        self.state.members.remove(nick)
        self.log.debug("left", nick=nick, members=len(self.state.members))

    @action
    def say(self, nick: str, text: str) -> int:
        """Say something to all who are here; return the message's number."""
        self._present(nick)
        state = self.state
        state.said += 1
        # A new list, and not a longer one: whoever reads the old one keeps it as it was.
        state.history = [*state.history[1 - KEPT_MESSAGES :], Said(state.said, nick, text)]
        return state.said

    @action(concurrent=True)
    def last(self, messages: int = 10) -> list[Said]:
        """Read what was said last, also while somebody talks."""
        return self.state.history[-messages:] if messages > 0 else []

    @action
    def transcript(self, copies: int = 1) -> str:
        """Write down what is kept, so many times over; thousands of copies are more than a frame may hold."""
        page = "\n".join(f"{said.number} {said.by}: {said.text}" for said in self.state.history) or "(nothing yet)"
        return (page + "\n") * copies

    @action
    def whole(self) -> Any:
        """Return the room itself, which has no form on the wire."""
        return self

    @action
    async def greet(self, room: str) -> str:
        """Greet another room, which wants to know who is here, while this one waits for it: a circle."""
        return await self.get(Room, room).call(Room.welcome, self.key[0])

    @action
    async def welcome(self, room: str) -> str:
        """Be greeted by another room, and ask it who is there."""
        return "welcome, " + ", ".join(await self.get(Room, room).call(Room.present))

    @action
    def present(self) -> list[str]:
        """Tell who is here."""
        return self.state.members

    def _present(self, nick: str) -> None:
        if nick not in self.state.members:
            raise NotHere(f"{nick} is not here")


class GuestsState(msgspec.Struct):
    """Where each guest is, and what they all have done."""

    inside: dict[str, str] = {}
    came: int = 0
    went: int = 0
    said: int = 0
    refused: int = 0


class Guests(Actor[GuestsState]):
    """Everybody who chats: `rate` things a second."""

    rate: ClassVar[float] = 1.0
    seed: ClassVar[int] = 0

    async def run(self) -> None:
        """Come, talk and go, for ever."""
        chance = random.Random(f"guests {self.seed}")
        pace = min(self.rate, _FASTEST)
        while True:
            await trio.sleep(chance.uniform(0.5, 1.5) / pace)
            nick = chance.choice(_NICKS)
            try:
                await self._act(nick, chance)
            except Exception as exc:
                # A guest who is turned away is the room's daily life, and no reason for all to crash.
                self.state.refused += 1
                self.log.debug("turned away", nick=nick, reason=str(exc))

    async def _act(self, nick: str, chance: random.Random) -> None:
        state, what = self.state, chance.random()
        elsewhere, line = chance.choice(ROOMS), chance.choice(_LINES)
        where = state.inside.get(nick)
        if where is None:
            await self.get(Room, elsewhere).call(Room.join, nick)
            state.inside[nick] = elsewhere
            state.came += 1
        elif what < 0.15:
            await self.get(Room, where).call(Room.leave, nick)
            del state.inside[nick]
            state.went += 1
        else:
            # Now and then somebody talks into a room that they are not in.
            await self.get(Room, elsewhere if what > 0.96 else where).call(Room.say, nick, line)
            state.said += 1
