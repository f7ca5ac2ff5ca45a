"""The log subscription: resumed without loss, honest about holes."""

from __future__ import annotations

from protocol.errors import InspectorError
from protocol.messages import HostInfo, Init, Limits, LogBatch, LogRange, LogsSubscribeResponse
from tests.tui.host import record
from tui.feed import BACKLOG, LogFeed
from tui.model.meter import unix_seconds

NOW = unix_seconds("2026-11-23T20:27:00Z")


class Sink:
    def __init__(self) -> None:
        self.said: list[str] = []

    def append(self, batch: LogBatch) -> None:
        self.said.append(f"{batch.first_seq}..{batch.next_seq}")

    def seam(self, text: str) -> None:
        self.said.append(text)


def init(host: str = "run-1", next_seq: int = 10, now: float = NOW, name: str = "demo") -> Init:
    return Init(
        host=HostInfo(id=host, name=name, version="1.0", pid=7, started_at=0),
        features=[],
        limits=Limits(max_frame=1, max_batch=1),
        log=LogRange(first_seq=1, next_seq=next_seq),
        now=int(now * 1000),
    )


def batch(first: int, end: int, lines: bytes = b"", dropped: int = 0) -> LogBatch:
    return LogBatch(sub=1, first_seq=first, next_seq=end, dropped=dropped, lines=lines)


def feed(sink: Sink, actor: str | None = None, opened: list[str] | None = None) -> LogFeed:
    calls = [] if opened is None else opened
    return LogFeed(
        "info",
        actor,
        sink,
        on_open=lambda: calls.append("open"),
        on_refused=lambda error: calls.append(error.name),
        clock=lambda: NOW,
    )


def test_it_begins_with_the_past() -> None:
    request = feed(Sink(), "counter/default").request(init())
    assert (request.filter, request.actor, request.backlog) == ("info", "counter/default", BACKLOG)
    assert not isinstance(request.after_seq, int)


def test_it_goes_on_behind_what_it_knows() -> None:
    sink, opened = Sink(), list[str]()
    one = feed(sink, None, opened)
    one.request(init())
    one.opened(LogsSubscribeResponse(rid=1, next_seq=3, missed=0))
    one.pushed(batch(3, 10))
    request = one.request(init(next_seq=30))
    assert request.after_seq == 9
    assert not isinstance(request.backlog, int)
    one.opened(LogsSubscribeResponse(rid=1, next_seq=10, missed=0))
    one.pushed(batch(10, 30))
    assert sink.said == ["3..10", "10..30"]
    assert one.dropped == 0
    assert opened == ["open"]


def test_cut_before_the_first_batch_it_begins_again() -> None:
    one = feed(Sink())
    one.request(init())
    one.opened(LogsSubscribeResponse(rid=1, next_seq=3, missed=0))
    assert one.request(init()).backlog == BACKLOG


def test_what_the_host_no_longer_has_leaves_a_seam() -> None:
    sink = Sink()
    one = feed(sink)
    one.request(init())
    one.opened(LogsSubscribeResponse(rid=1, next_seq=3, missed=0))
    one.pushed(batch(3, 10))
    one.request(init(next_seq=2000))
    one.opened(LogsSubscribeResponse(rid=1, next_seq=1010, missed=1000))
    one.pushed(batch(1010, 2000))
    assert "1,000 records were missed" in sink.said[1]
    assert one.dropped == 1000


def test_another_host_is_a_seam_and_a_fresh_beginning() -> None:
    sink = Sink()
    one = feed(sink)
    one.request(init())
    one.opened(LogsSubscribeResponse(rid=1, next_seq=3, missed=0))
    one.pushed(batch(3, 10))
    request = one.request(init("run-2", name="de\x1b[31mmo"))
    assert request.backlog == BACKLOG
    assert "another run of the host begins here: de␛[31mmo 1.0, pid 7" in sink.said[1]


def test_records_lag_and_rate_are_measured_by_the_hosts_clock() -> None:
    one = feed(Sink())
    # The host's clock is 100 s ahead of ours.
    one.request(init(now=NOW + 100))
    one.opened(LogsSubscribeResponse(rid=1, next_seq=1, missed=0))
    old = record(1).replace(b"20:27:00.001000", b"20:20:00.000000")
    one.pushed(batch(1, 3, b"\n".join([old, old])))
    assert (one.lag, one.records, one.meter.rate(NOW)) == (None, 2, 0.0)
    fresh = record(3).replace(b"20:27:00.003000", b"20:28:39.750000")
    one.pushed(batch(3, 4, fresh, dropped=5))
    assert one.lag is not None
    assert round(one.lag, 3) == 0.25
    assert (one.records, one.dropped) == (3, 5)
    assert one.meter.rate(NOW) > 0


def test_a_record_without_a_time_measures_nothing() -> None:
    one = feed(Sink())
    one.request(init())
    one.opened(LogsSubscribeResponse(rid=1, next_seq=1, missed=0))
    for line in (b"garbage", b'{"timestamp": 5}', b'{"timestamp": "yesterday"}', b"{}", b'{"timestamp": "\xff"}'):
        one.pushed(batch(1, 2, line))
    assert one.lag is None


def test_a_refusal_is_passed_on() -> None:
    opened: list[str] = []
    feed(Sink(), None, opened).ended(InspectorError("inspector.bad_filter", "no"))
    assert opened == ["inspector.bad_filter"]
