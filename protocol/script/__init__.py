"""Protocol scripts: read them, and play them without a socket."""

from protocol.script.notation import Reader, ScriptError
from protocol.script.player import (
    Do,
    Done,
    Ended,
    Happened,
    Heard,
    Leave,
    Listen,
    Mismatch,
    Open,
    Opened,
    Refused,
    Say,
    Silent,
    play,
)
from protocol.script.spelling import SPELLINGS
from protocol.script.statements import Script, parse_script

__all__ = (
    "SPELLINGS",
    "Do",
    "Done",
    "Ended",
    "Happened",
    "Heard",
    "Leave",
    "Listen",
    "Mismatch",
    "Open",
    "Opened",
    "Reader",
    "Refused",
    "Say",
    "Script",
    "ScriptError",
    "Silent",
    "parse_script",
    "play",
)
