"""``inspector-host run``: an inspector for a program that knows nothing of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from inspector.cli.options import option
from inspector.cli.reach import REACH, reach
from inspector.cli.records import RECORDS
from inspector.cli.tasks import TASKS
from inspector.host import Host
from inspector.programs.instrumentation import instrument
from inspector.programs.main_module import MainModule, NotFoundError, find_module, find_script
from inspector.programs.runs import inspect_runs
from inspector.programs.settings import program_name
from inspector.tracing import Sink
from protocol.filters import Filter

__all__ = ("Prepared", "arguments_of_run", "run", "run_program")

_SCRIPTS = (".py", ".pyw")


class Prepared:
    """A program, and how it is to be inspected."""

    def __init__(
        self, module: MainModule, arguments: Sequence[str], recording: dict[str, Any], serving: dict[str, Any]
    ) -> None:
        self._module = module
        self._arguments = arguments
        self._recording = recording
        self._serving = serving
        self._said: set[str] = set()

    def run(self) -> None:
        """Run it as the main program; what it raises is raised."""
        on = instrument(**self._recording)
        # Both for good: what is left of the program when its main module has ended may still say something.
        inspect_runs(on, self._serving, self._served, self._failed)
        self._module.run(self._arguments, on.tell)

    def _served(self, host: Host) -> None:
        if host.url not in self._said:
            self._said.add(host.url)
            _say(f"attach with: inspector-tui {host.url}")

    def _failed(self, problem: Exception) -> None:
        where = f"{self._serving['host']}, port {self._serving['port']}"
        # What is an argument there is an option here.
        why = str(problem).replace("insecure_bind", "--insecure-bind")
        if isinstance(problem, OSError):
            why = f"can't listen on {where}: {problem.strerror or problem}"
        _say(f"inspector-host: {why}; the program runs without an inspector")


@click.command(
    "run",
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False},
)
@click.option("-m", "module", is_flag=True, help="What follows is a module, as with python -m.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="SCRIPT.py | -m MODULE [ARGS]...")
@option(
    "--name", envvar="INSPECTOR_NAME", help="What the program is called in the terminal; its own name unless given."
)
@REACH
@RECORDS
@TASKS
@click.pass_context
def run(
    context: click.Context,
    /,
    module: bool,
    program: tuple[str, ...],
    name: str | None,
    log_filter: Filter,
    log_format: str | None,
    log_spans: bool,
    sinks: tuple[Sink, ...],
    record: Filter | None,
    record_size: int,
    **serving: Any,
) -> Prepared:
    """Run a program as `python` does, and serve an inspector in each run of trio that it begins.

    Its output, exit code and tracebacks are its own. Nothing is shown on stdout but what it prints, unless --log says
    so; one line on stderr says how to attach. Options stand before the program.
    """
    serving = reach(context, **serving)
    if _is_default(context, "port"):
        # 7351, or where that is taken any other: a program that is only looked at should not fail for that.
        serving["port"] = None
    recording = {
        "log": None if _is_default(context, "log_filter") else log_filter,
        "log_format": log_format,
        "log_spans": log_spans,
        "sinks": sinks,
        "record": record,
        "record_size": record_size * 2**20,
    }
    first, *arguments = program
    try:
        found = find_module(first) if module else find_script(first)
    except NotFoundError as exc:
        raise click.UsageError(str(exc), context) from exc
    recording["name"] = name or program_name([found.filename])
    return Prepared(found, arguments, recording, serving)


def _is_default(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.DEFAULT


def arguments_of_run(arguments: Sequence[str]) -> list[str] | None:
    """Return a command line without the word ``run``; None where it asks for no program but for a registry.

    The word may be left out before a script's name that ends with ``.py``, and before ``-m``.
    """
    context = click.Context(run, **run.context_settings)
    try:
        values, _, _ = run.make_parser(context).parse_args(list(arguments))
    except click.UsageError:
        # Whoever it is meant for will say what is wrong.
        return list(arguments[1:]) if list(arguments[:1]) == ["run"] else None
    words = values.get("program")
    words = words if isinstance(words, tuple) else ()
    if values.get("module") is True or (words and words[0].endswith(_SCRIPTS)):
        return list(arguments)
    if words and words[0] == "run":
        return [*arguments[: len(arguments) - len(words)], *words[1:]]
    return None


def run_program(arguments: Sequence[str], name: str) -> None:
    """Do what a command line says, outside of click: the program's exceptions and exits are not for it to explain."""
    try:
        prepared = run.main(list(arguments), prog_name=name, standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    if not isinstance(prepared, Prepared):
        # It was asked for help.
        sys.exit(prepared)
    prepared.run()


def _say(text: str) -> None:
    # The program may have put something else in place of sys.stderr.
    stream = sys.__stderr__
    try:
        if stream is not None:
            print(text, file=stream, flush=True)
    except (OSError, ValueError):
        # It is closed: there is the runtime file, too.
        return
