"""What a program's log is like: as its arguments say, or else the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from inspector.tracing import FORMATS, RECORD_SIZE, Log, Sink, open_sink, open_sinks
from protocol.filters import Filter, parse_filter

__all__ = ("LogSettings", "program_name")

T = TypeVar("T")

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What may be said of a program's log. What is None is left to the environment, and then to the default.

    Attributes:
        name: what the program is called in the terminal; ``INSPECTOR_NAME``, the script's name.
        log: what is shown on stdout; ``INSPECTOR_LOG``, nothing at all: stdout is the program's.
        log_format: ``json``, ``logfmt`` or ``pretty``; ``INSPECTOR_LOG_FORMAT``, what fits stdout.
        log_spans: put all spans around a record into it; ``INSPECTOR_LOG_SPANS``, no.
        sinks: further places that the log is written to, see `open_sink`; ``INSPECTOR_SINK``, none.
        record: what the ring keeps; ``INSPECTOR_RECORD``, ``debug``.
        record_size: bytes that the ring may take; ``INSPECTOR_RECORD_SIZE`` in MiB, 16 of them.
    """

    name: str | None = None
    log: str | Filter | None = None
    log_format: str | None = None
    log_spans: bool | None = None
    sinks: tuple[str | Sink, ...] | None = None
    record: str | Filter | None = None
    record_size: int | None = None

    def make_log(self, environment: Mapping[str, str] = os.environ) -> Log:
        """Return a new log, which is not open yet.

        Raises:
            ValueError: a setting, or a variable, which is then named, can't be understood.
        """
        read = _Reader(environment)
        record = read("INSPECTOR_RECORD", self.record, parse_filter, "debug")
        size = read("INSPECTOR_RECORD_SIZE", self.record_size, _mebibytes, RECORD_SIZE)
        shown = read("INSPECTOR_LOG", self.log, parse_filter, None)
        format = read("INSPECTOR_LOG_FORMAT", self.log_format, _format, None)
        spans = read("INSPECTOR_LOG_SPANS", self.log_spans, _flag, False)
        name = read("INSPECTOR_NAME", self.name, str, None) or program_name()
        log = Log(host_name=name, record=record, record_size=size, log="info" if shown is None else shown)
        sinks: Iterable[str | Sink] = read("INSPECTOR_SINK", self.sinks, open_sinks, ())
        opened = [open_sink(sink) if isinstance(sink, str) else sink for sink in sinks]
        if shown is not None and not any(sink.name == "stdout" for sink in opened):
            opened.append(open_sink("stdout", format=format, span_list=spans))
        for sink in opened:
            log.add_sink(sink)
        return log


class _Reader:
    """Reads a setting: what was said, else the environment's, else the default."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __call__(self, variable: str, said: Any, read: Callable[[str], Any], default: Any) -> Any:
        if said is not None:
            return said
        text = self._environment.get(variable, "")
        if not text:
            return default
        try:
            return read(text)
        except ValueError as exc:
            raise ValueError(f"{variable}: {exc}") from exc


def program_name(arguments: Iterable[str] | None = None) -> str | None:
    """Return what people call this program: its script's name, or its package's; None where it has none."""
    first = next(iter(sys.argv if arguments is None else arguments), "")
    path = Path(first)
    # `python -m package` runs the file of that name inside.
    found = path.parent.name if path.stem == "__main__" else path.stem
    return found if found not in ("", "-c", "-") else None


def _mebibytes(text: str) -> int:
    size = int(text)
    if size <= 0:
        raise ValueError(f"{text!r} is no size")
    return size * _MIB


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"{text!r} is no format, there are {', '.join(FORMATS)}")
    return text


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in _FLAGS:
        raise ValueError(f"{text!r} is neither 1 nor 0")
    return _FLAGS[word]


# As click reads them, so that a variable means the same everywhere.
_FLAGS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
