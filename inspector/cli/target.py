"""Find what is to be served: a registry in a module of the program."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from inspector.registry import Registry

__all__ = ("find_registry",)


def find_registry(target: str) -> Registry:
    """Return the registry of ``MODULE:REGISTRY``; a function there is called for one.

    Raises:
        click.BadParameter: there is no such thing. What the program's own code raises is raised as it is.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise click.BadParameter("it is MODULE:REGISTRY, or demo", param_hint="TARGET")
    # As with `python -m`: a module beside the one who calls is found first.
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except ImportError as exc:
        raise click.BadParameter(f"{target}: {exc}", param_hint="TARGET") from exc
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as exc:
        raise click.BadParameter(f"{target}: {exc}", param_hint="TARGET") from exc
    # What the program's own code raises is shown as it is, with its traceback.
    if callable(found) and not isinstance(found, Registry):
        found = found()
    if not isinstance(found, Registry):
        raise click.BadParameter(f"{target} is no Registry but a {type(found).__name__}", param_hint="TARGET")
    return found
