"""What a benchmark found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Figure",)


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
