"""Run a script or a module as `__main__`, as the interpreter itself does."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pkgutil import get_importer
from types import CodeType, ModuleType, TracebackType
from typing import Any

__all__ = ("MainModule", "NotFoundError", "find_module", "find_script")


class NotFoundError(Exception):
    """There is no such script or module, or it can't be run."""


class MainModule:
    """A program that was found and not run yet.

    Args:
        load: returns its code.
        filename: what `__file__` and ``sys.argv[0]`` say.
        path: what comes first in ``sys.path``, in place of what is there for the program that runs this.
        attributes: of the module, besides those that each has.
    """

    def __init__(self, load: Callable[[], CodeType], filename: str, path: str, **attributes: Any) -> None:
        self._load = load
        self.filename = filename
        self._path = path
        self._attributes = attributes

    def run(self, arguments: Sequence[str], failed: Callable[[BaseException], object]) -> None:
        """Run it, and raise what it raises.

        The traceback that the interpreter then prints begins in the program, as if it had been started alone. The
        module stays `__main__` afterwards, for what the program has left to run: threads, and what waits for the exit.

        Args:
            failed: is told what it raises, before it is raised.
        """
        module = ModuleType("__main__")
        vars(module).update({"__builtins__": builtins, "__file__": self.filename, "__cached__": None})
        vars(module).update(self._attributes)
        sys.modules["__main__"] = module
        sys.argv = [self.filename, *arguments]
        if not sys.flags.safe_path:
            sys.path[0] = self._path
        try:
            code = self._load()
        except SyntaxError as exc:
            # It shows where it is by itself.
            _print_from(None, exc)
            raise
        try:
            exec(code, vars(module))
        except BaseException as exc:
            failed(exc)
            # Below this frame, which has caught it.
            _print_from(exc.__traceback__.tb_next if exc.__traceback__ is not None else None, exc)
            raise


def find_script(path: str) -> MainModule:
    """Find a script; a directory or a zip file with a `__main__` in it is one too.

    Raises:
        NotFoundError: it can't be read.
    """
    # As the interpreter does, which leaves ``sys.argv[0]`` as it is.
    whole = os.path.abspath(path)
    # None for a file that is no archive.
    importer: Any = get_importer(whole)
    if importer is not None:
        spec = importer.find_spec("__main__")
        if spec is None:
            raise NotFoundError(f"can't find '__main__' module in {path!r}")
        return _of_spec(spec, path, whole)
    try:
        with io.open_code(whole) as file:
            source = file.read()
    except OSError as exc:
        raise NotFoundError(f"can't open file {path!r}: [Errno {exc.errno}] {exc.strerror}") from exc
    loader = SourceFileLoader("__main__", whole)
    folder = os.path.dirname(os.path.realpath(path))

    def load() -> CodeType:
        code: CodeType = compile(source, whole, "exec", dont_inherit=True)
        return code

    return MainModule(load, path, folder, __file__=whole, __loader__=loader, __package__=None, __spec__=None)


def find_module(name: str) -> MainModule:
    """Find a module as ``python -m`` does, the working directory first; of a package, its `__main__`.

    Raises:
        NotFoundError: there is none of that name. What a package around it raises is raised as it is.
    """
    folder = os.getcwd()
    if not sys.flags.safe_path:
        sys.path[0] = folder
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
            if spec is None:
                raise NotFoundError(f"No module named {name}.__main__; {name!r} is a package and cannot be run")
    except (ImportError, AttributeError, TypeError, ValueError) as exc:
        raise NotFoundError(f"Error while finding module specification for {name!r} ({exc})") from exc
    if spec is None:
        raise NotFoundError(f"No module named {name}")
    return _of_spec(spec, None, folder)


def _of_spec(spec: ModuleSpec, filename: str | None, path: str) -> MainModule:
    def load() -> CodeType:
        get_code = getattr(spec.loader, "get_code", None)
        code: CodeType | None = None if get_code is None else get_code(spec.name)
        if code is None:
            raise ImportError(f"No code object available for {spec.name}")
        return code

    return MainModule(
        load,
        filename or spec.origin or spec.name,
        path,
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )


def _print_from(traceback: TracebackType | None, exception: BaseException) -> None:
    """Let the interpreter print an exception with this traceback, without the frames above it."""
    before = sys.excepthook

    def hook(kind: type[BaseException], value: BaseException, found: TracebackType | None) -> None:
        if value is exception:
            found = value.__traceback__ = traceback
        before(kind, value, found)

    sys.excepthook = hook
