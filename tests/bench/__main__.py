"""All benchmarks, as Markdown tables: ``make bench``, or ``python -m tests.bench NAME…`` for some of them."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

from tests.bench.figures import Figure, show

__all__ = ()

NAMES = ("tracing", "calls", "actions", "many_actors", "stream", "store", "tasks", "connections", "log_view", "open")


def _machine() -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {os.cpu_count()} cores, {platform.system()}"


names = sys.argv[1:] or NAMES
missed: list[Figure] = []
print(f"{_machine()}\n")
for name in names:
    module = import_module(f"tests.bench.bench_{name}")
    print(f"### {name.replace('_', ' ')}\n")
    figures: list[Figure] = module.run()
    show(figures)
    print(flush=True)
    missed += [figure for figure in figures if figure.ok is False]
for figure in missed:
    print(f"missed: {figure.name}: {figure.value:.4g} {figure.unit}, asked for {figure.bound:g}")
