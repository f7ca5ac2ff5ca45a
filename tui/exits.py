"""Exit codes of `inspector-tui`, the same for every command; `EXIT_HELP` is what --help says of them."""

from typing import Final

__all__ = ("ANSWERED_ERROR", "EXIT_HELP", "FIRED", "INTERRUPTED", "NO_HOST", "OK", "USAGE")

OK: Final = 0
ANSWERED_ERROR: Final = 1
"""The host answered the request, or the action, with an error."""
USAGE: Final = 2
"""The command line can't be understood; click's own code."""
NO_HOST: Final = 3
"""No host was found, it can't be reached, it refused us, or the connection ended before the answer."""
FIRED: Final = 4
"""A rule of `watch` has fired."""
INTERRUPTED: Final = 130
"""SIGINT ended the command: 128 and the signal's number, as shells count."""

EXIT_HELP: Final = (
    "Exit codes: 0 done; 1 the host answered with an error; 2 wrong usage; 3 no host, can't attach, refused, or cut"
    " off; 4 a rule of watch fired; 130 interrupted. A closed pipe (`| head`) is no error."
)
