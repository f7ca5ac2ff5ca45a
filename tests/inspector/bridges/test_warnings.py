"""Warnings in a log of ours."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator

import pytest

from inspector.bridges import bridge_warnings
from inspector.tracing.sinks.pulling import SinkThread
from tests.inspector.tracing.records import follow, make_log, read

# pytest turns them into errors: here they are to be shown.
pytestmark = pytest.mark.filterwarnings("always::UserWarning", "always::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Show warnings here."""
    found: list[str] = []

    def show(message: Warning | str, *_: object) -> None:
        found.append(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]  # it takes whatever comes behind the message
        yield found


def test_what_is_shown_is_written(heard: list[str]) -> None:
    log = make_log()
    reader = follow(log)
    before = warnings.showwarning
    with bridge_warnings(log), log.logger("t").span("work") as span:
        warnings.warn("odd", stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        warnings.warn("silent", ResourceWarning, stacklevel=1)
    assert warnings.showwarning is before
    warnings.warn("after", stacklevel=1)
    assert heard == ["odd", "old", "after"]
    _, odd, old, _ = read(reader)
    assert (odd.level, odd.target, odd.message, odd.span_id) == ("WARN", "py.warnings", "odd", span.span_id)
    assert (odd.fields["category"], odd.fields["file"]) == ("UserWarning", __file__)
    assert old.fields["category"] == "DeprecationWarning"
    assert old.fields["line"] == odd.fields["line"] + 1


def test_what_a_sink_warns_of_stays_out(heard: list[str]) -> None:
    log = make_log()
    reader = follow(log)
    with bridge_warnings(log):
        thread: threading.Thread = SinkThread(target=lambda: warnings.warn("of the exporter", stacklevel=1))
        thread.start()
        thread.join()
        warnings.warn("heard", stacklevel=1)
    assert heard == ["of the exporter", "heard"]
    assert [record.message for record in read(reader)] == ["heard"]
