"""`inspector-tui open`: records of files, printed or counted."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import click
import orjson

from protocol.durations import parse_duration
from protocol.filters import Filter
from protocol.records import LEVEL_NAMES
from tui.commands.kinds import FilterType
from tui.commands.logs import readable
from tui.commands.session import complain, ended_by_reader, json_option
from tui.exits import ANSWERED_ERROR, INTERRUPTED, OK, USAGE
from tui.logs.facts import facts_of
from tui.logs.files.criteria import Criterion, EveryLine, FilterLines, MatchingLines
from tui.logs.files.inputs import Chunk, Damage, LogInput, count_lines, found_lines, merged_lines
from tui.logs.files.parallel import add_up, processors
from tui.logs.files.period import Period
from tui.logs.files.tail import Tail
from tui.logs.row import parse_row
from tui.logs.search import BadQuery, TextQuery, parse_query
from tui.logs.store import marker_line
from tui.logs.text import neutralise
from tui.logs.times import parse_time

__all__ = ("as_record", "command")

_HELP: Final = (
    "Exit codes: 0 records were found; 1 none; 2 wrong usage, or a file that can't be read; 130 interrupted. A closed"
    " pipe (`| head`) is no error."
)
_POLL: Final = 0.25
"""Seconds between two looks at files that are followed."""
_PORTION: Final = 64 << 10
_SHARE: Final = 32 << 20
_SHARES: Final = 8


class _QueryType(click.ParamType[TextQuery]):
    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TextQuery:
        text = str(value)
        try:
            return parse_query(text)
        except BadQuery as exc:
            return self.fail(f"{neutralise(exc.message)} (at character {exc.position})", param, ctx)


class _MomentType(click.ParamType[int]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        # A date alone, or one without seconds, is completed.
        for candidate in (text, f"{text}:00", f"{text}T00:00:00"):
            if (at := parse_time(candidate)) is not None:
                return at
        try:
            return time.time_ns() - round(parse_duration(text) * 10**9)
        except ValueError:
            return self.fail("neither a time (2026-11-23T20:27:33Z, 2026-11-23) nor one ago (15m, 2h)", param, ctx)


@click.command("open", epilog=_HELP, short_help="Print or count the records of files.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--filter", "filter_", type=FilterType(), help="As INSPECTOR_LOG: info,shop.cart=debug")
@click.option("--search", "query", type=_QueryType(), metavar="TEXT|/RE/", help="What the record's row shows.")
@click.option("--since", type=_MomentType(), help="Written then or later: 2026-11-23T20:27:33Z, or 15m ago.")
@click.option("--until", type=_MomentType(), help="Written before that.")
@click.option("--count", is_flag=True, help="Print only how many there are.")
@click.option("--follow", is_flag=True, help="Go on with what comes, also when a file is truncated or replaced.")
@json_option
def command(
    files: tuple[Path, ...],
    filter_: Filter | None,
    query: TextQuery | None,
    since: int | None,
    until: int | None,
    count: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Print the records of FILES, or their number; `-` is stdin, .gz is unpacked.

    Records of our hosts and of tracing_subscriber, JSON lines of structlog, pino and bunyan, logfmt and plain text are
    understood, each line for itself. Several files are merged by time.
    """
    if count and follow:
        raise click.UsageError("--count counts to an end, and --follow has none")
    criterion: Criterion = EveryLine() if filter_ is None else FilterLines(filter_)
    if query is not None:
        criterion = MatchingLines(query, criterion)
    as_json = as_json or not sys.stdout.isatty()
    sys.exit(_run(files, criterion, Period(since, until), count=count, follow=follow, as_json=as_json))


def _run(
    files: tuple[Path, ...], criterion: Criterion, period: Period, *, count: bool, follow: bool, as_json: bool
) -> int:
    with ExitStack() as stack:
        try:
            inputs = [stack.enter_context(closing(_opened(path))) for path in files]
            if count:
                total = sum(_count(each, criterion, period) for each in inputs)
                _write(b"%d\n" % total)
                found = total > 0
            else:
                found = _print(inputs, criterion, period, follow=follow, as_json=as_json)
        except Damage as exc:
            complain("damaged", str(exc))
            return USAGE
        except BrokenPipeError:
            return ended_by_reader()
        except OSError as exc:
            complain("cannot_read", f"{exc.filename or 'a file'}: {exc.strerror}")
            return USAGE
        except KeyboardInterrupt:
            return INTERRUPTED
        return OK if found else ANSWERED_ERROR


def _count(file: LogInput, criterion: Criterion, period: Period) -> int:
    # Of a small file a second process would be begun in vain.
    shares = max(1, min(processors(), _SHARES, file.size // _SHARE))

    def count(share: int) -> int:
        return count_lines(file.chunks(period, share=(share, shares)), criterion, period)

    return add_up(count, shares)


def _opened(path: Path) -> LogInput:
    return LogInput(Path("stdin"), descriptor=0) if str(path) == "-" else LogInput(path)


def _print(inputs: list[LogInput], criterion: Criterion, period: Period, *, follow: bool, as_json: bool) -> bool:
    printer = _Printer(as_json)
    chunks = [each.chunks(period, rest=not (follow and each.plain)) for each in inputs]
    if len(chunks) > 1:
        printer.lines(merged_lines(chunks, criterion, period))
    else:
        printer.blocks(chunks[0], criterion, period)
    for each in inputs:
        if not follow and each.cut_short():
            printer.put(_told(f"{each.name} was truncated while it was read"))
    printer.flush()
    tails = [each.tail() for each in inputs if follow and each.plain]
    while tails:
        if not any([_take(tail, criterion, period, printer) for tail in tails]):
            _wait()
    return printer.any


def _take(tail: Tail, criterion: Criterion, period: Period, printer: _Printer) -> bool:
    """Print what has come in a file, and what has become of it; tell whether there was anything."""
    data = tail.lines()
    told = None
    if data is None:
        if (happened := tail.look()) is None:
            return False
        data, told = happened
    if data or told is None:
        printer.lines(found_lines([Chunk(data, tail.clock, sure=not period)], criterion, period))
        tail.clock.leave(data)
    if told is not None:
        printer.put(_told(told))
    printer.flush()
    return True


def _told(text: str) -> bytes:
    return marker_line(text)


class _Printer:
    """Prints lines, a portion at a time."""

    def __init__(self, as_json: bool) -> None:
        self.any = False
        self._as_json = as_json
        self._waiting: list[bytes] = []
        self._size = 0

    def put(self, line: bytes) -> None:
        """Print one line."""
        self.any = True
        text = as_record(line) if self._as_json else readable(line).encode(sys.stdout.encoding, "backslashreplace")
        self._waiting.append(text)
        self._size += len(text)
        if self._size >= _PORTION:
            self.flush()

    def lines(self, lines: Iterable[bytes]) -> None:
        """Print all of these."""
        for line in lines:
            self.put(line)

    def blocks(self, chunks: Iterator[Chunk], criterion: Criterion, period: Period) -> None:
        """Print what is asked for of each block at once; whole blocks where every line can be printed as it is."""
        every = self._as_json and isinstance(criterion, EveryLine)
        for chunk in chunks:
            data = chunk.data
            if every and chunk.sure and _all_objects(data):
                self.flush()
                _write(data + b"\n")
                self.any = True
            else:
                self.lines(found_lines([chunk], criterion, period))
                self.flush()

    def flush(self) -> None:
        """Print what waits."""
        if self._waiting:
            _write(b"\n".join(self._waiting) + b"\n")
            self._waiting.clear()
            self._size = 0


def _all_objects(data: bytes) -> bool:
    ends = data.count(b"\n")
    return data[:1] == b"{" and data[-1:] == b"}" and data.count(b"}\n{") == ends


def as_record(line: bytes) -> bytes:
    """Give a line as JSON: an object as it is, anything else as a record in the shape of ours."""
    if line[:1] == b"{" and line[-1:] == b"}":
        return line
    facts, row = facts_of(line), parse_row(line)
    record: dict[str, Any] = {"kind": "event", "fields": {**facts.fields}}
    if facts.at is not None:
        seconds, rest = divmod(facts.at, 10**9)
        record["timestamp"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06}Z"
    if row.level in LEVEL_NAMES:
        record["level"] = row.level
    if facts.target:
        record["target"] = facts.target
    if not facts.fields:
        record["fields"]["message"] = line.decode("utf-8", "replace")
    return orjson.dumps(record)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _wait() -> None:
    """Wait a little, and notice meanwhile that nobody reads any more.

    Raises:
        BrokenPipeError: whoever read has closed the pipe.
    """
    watch = select.poll()
    watch.register(sys.stdout, 0)
    if watch.poll(1000 * _POLL):
        raise BrokenPipeError
