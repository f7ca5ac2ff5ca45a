"""Log files of any size and kind: found in, counted, followed, merged."""

from tui.logs.files.criteria import Criterion, EveryLine, FilterLines, MatchingLines
from tui.logs.files.inputs import Chunk, Damage, LogInput, count_lines, found_lines, merged_lines
from tui.logs.files.period import Clock, Period
from tui.logs.files.reading import PlainFile
from tui.logs.files.spool import Spool
from tui.logs.files.store import FileStore
from tui.logs.files.tail import Tail

__all__ = (
    "Chunk",
    "Clock",
    "Criterion",
    "Damage",
    "EveryLine",
    "FileStore",
    "FilterLines",
    "LogInput",
    "MatchingLines",
    "Period",
    "PlainFile",
    "Spool",
    "Tail",
    "count_lines",
    "found_lines",
    "merged_lines",
)
