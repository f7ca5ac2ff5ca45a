"""What a benchmark found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ("Figure", "show")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark.

    Attributes:
        unit: of the value; `x` for a ratio of two times out of the same run.
        bound: what it was asked to be, at most or at least as the name says; None when it is only told.
        ok: whether it is; None without a bound.
    """

    name: str
    value: float
    unit: str
    bound: float | None = None
    ok: bool | None = None


def show(figures: Iterable[Figure]) -> None:
    """Print figures as a Markdown table."""
    print("| figure | value | unit | bound | met |")
    print("|---|---:|---|---:|---|")
    for figure in figures:
        bound = "" if figure.bound is None else f"{figure.bound:g}"
        met = {True: "yes", False: "**no**", None: ""}[figure.ok]
        print(f"| {figure.name} | {figure.value:.4g} | {figure.unit} | {bound} | {met} |", flush=True)
