"""`inspector-tui [URL]`: the app itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from click.core import ParameterSource

from tui.commands.session import complain, host_options, wanted
from tui.discovery import NoHost, Target
from tui.exits import EXIT_HELP, NO_HOST, OK, USAGE
from tui.pace import quicken, settle

__all__ = ("command", "show")


@click.command("attach", epilog=EXIT_HELP, short_help="Attach the app to a host (also without this word).")
@click.argument("place", metavar="[URL]", required=False)
@host_options
def command(place: str | None, url: str | None, token_file: Path | None) -> None:
    """Attach the terminal app to the host at URL, or to this user's own.

    Without URL: the one host of this user that runs, or a list to choose from.
    """
    source = click.get_current_context().get_parameter_source("url")
    if place is not None and source is ParameterSource.COMMANDLINE:
        raise click.UsageError("a URL is given once: as an argument or with --url")
    found = wanted(place or url, token_file)
    if found.url is None:
        try:
            found.resolve()
        except NoHost as none:
            if not none.hosts:
                complain("no_host", str(none))
                sys.exit(NO_HOST)
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        complain("no_terminal", "the app wants a terminal; ps, logs, call and state do without")
        sys.exit(USAGE)
    sys.exit(show(found.resolve, Target(found.url).place if found.url else "", found.ca))


def show(resolve: Callable[[], Target], place: str, ca: str | None = None) -> int:
    """Run the app until somebody quits."""
    quicken()
    # Read when Textual is imported: half the wait between a key and what it does. Updates are rarer by far.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    # It takes a while to import, and only this needs it.
    from tui.app import InspectorApp
    from tui.rules_file import rules_path

    app = InspectorApp(resolve, place, ca=ca, rules=rules_path())
    settle()
    app.run()
    return app.return_code or OK
