"""A host's session and a client's session against each other, frames in flight either way, in any order."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol.client import Answer, ClientSession, Pushed, Refusal
from protocol.dialects import CBOR, JSON, Dialect, Frame
from protocol.errors import InspectorError
from protocol.messages import (
    ActionRequest,
    ActionResponse,
    ActorsRequest,
    ActorsResponse,
    ActorsUpdated,
    Error,
    Request,
    Unsubscribe,
    UnsubscribeResponse,
)
from protocol.server import MAX_MALFORMED, ServerSession
from tests.protocol.samples import INIT


class Peers(RuleBasedStateMachine):
    """What both sides must agree on once nothing is in flight, and what each promises at any time."""

    dialect: Dialect = CBOR

    def __init__(self) -> None:
        super().__init__()
        self.client = ClientSession(self.dialect)
        self.server = ServerSession(self.dialect, max_frame=500)
        self.up: deque[Frame] = deque()
        self.down: deque[Frame] = deque([self.server.announce(INIT)])
        self.received: list[Request] = []
        self.host_open: set[int] = set()
        self.client_open: set[int] = set()
        self.sent: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.pushes_made: Counter[int] = Counter()
        self.pushes_got: Counter[int] = Counter()
        self.malformed = 0
        self.complaints_due = 0
        self.client_receives()

    # ---- the client ----

    def send(self, request: Request) -> None:
        self.up.append(self.client.send(request))
        self.sent[request.id] += 1

    @rule(wide=st.booleans())
    def client_acts(self, wide: bool) -> None:
        self.send(ActionRequest(id=self.client.next_id(), actor="a", name="wide" if wide else "narrow"))

    @rule(subscribe=st.booleans())
    def client_lists(self, subscribe: bool) -> None:
        self.send(ActorsRequest(id=self.client.next_id(), subscribe=subscribe))

    @precondition(lambda self: self.client_open)
    @rule(data=st.data())
    def client_unsubscribes(self, data: st.DataObject) -> None:
        sub = data.draw(st.sampled_from(sorted(self.client_open)))
        self.send(Unsubscribe(id=self.client.next_id(), sub=sub))

    @rule()
    def client_unsubscribes_from_nothing(self) -> None:
        self.send(Unsubscribe(id=self.client.next_id(), sub=2**64 - 1))

    @rule(frame=st.sampled_from([b"\xff", b"", "text", b"\xa0"]))
    def client_stumbles(self, frame: Frame) -> None:
        self.up.append(frame)

    @precondition(lambda self: self.down)
    @rule()
    def client_receives(self) -> None:
        event = self.client.receive(self.down.popleft())
        match event:
            case Answer(request=request):
                self.answered[request.id] += 1
                if isinstance(request, Unsubscribe):
                    self.client_open.discard(request.sub)
                elif isinstance(request, ActorsRequest) and request.subscribe is True:
                    self.client_open.add(request.id)
            case Refusal(request=None):
                self.complaints_due -= 1
            case Refusal(request=request):
                assert request is not None
                # An error ends a subscription, or answers a request: never both at once.
                if request.id in self.client_open:
                    self.client_open.discard(request.id)
                else:
                    self.answered[request.id] += 1
            case Pushed(request=request):
                assert request.id in self.client_open
                self.pushes_got[request.id] += 1
            case None:
                raise AssertionError("a frame was of no use to anybody")

    # ---- the host ----

    @precondition(lambda self: self.up)
    @rule()
    def host_receives(self) -> None:
        outcome = self.server.receive(self.up.popleft())
        if isinstance(outcome, Error):
            self.malformed += 1
            self.complaints_due += 1
            self.down.append(self.server.announce(outcome))
            assert outcome.rid is None
        else:
            self.malformed = 0
            self.received.append(outcome)
        if self.malformed >= MAX_MALFORMED:
            assert self.server.close_code == 1008

    @precondition(lambda self: self.received)
    @rule(data=st.data())
    def host_answers(self, data: st.DataObject) -> None:
        request = self.received.pop(data.draw(st.integers(0, len(self.received) - 1)))
        try:
            self.down.append(self.answer(request))
        except InspectorError as exc:
            self.down.append(self.server.refuse(request.id, exc))

    def answer(self, request: Request) -> Frame:
        match request:
            case ActionRequest(id=rid, name=name):
                output: Any = "x" * (600 if name == "wide" else 1)
                return self.server.answer(
                    ActionResponse(rid=rid, output=output, trace_id="", span_id="", duration_ns=0)
                )
            case ActorsRequest(id=rid, subscribe=True):
                self.server.open_subscription(rid)
                self.host_open.add(rid)
                return self.server.answer(ActorsResponse(rid=rid, actors=[], total=0))
            case Unsubscribe(id=rid, sub=sub):
                self.server.close_subscription(sub)
                self.host_open.discard(sub)
                return self.server.answer(UnsubscribeResponse(rid=rid))
            case _:
                return self.server.answer(ActorsResponse(rid=request.id, actors=[], total=0))

    @precondition(lambda self: self.received)
    @rule()
    def host_refuses(self) -> None:
        request = self.received.pop()
        self.down.append(self.server.refuse(request.id, InspectorError("registry.shut_down", "draining")))

    @precondition(lambda self: self.host_open)
    @rule(data=st.data())
    def host_pushes(self, data: st.DataObject) -> None:
        sub = data.draw(st.sampled_from(sorted(self.host_open)))
        self.down.append(self.server.push(ActorsUpdated(sub=sub, changed=[], removed=[])))
        self.pushes_made[sub] += 1

    @precondition(lambda self: self.host_open)
    @rule(data=st.data())
    def host_ends_a_subscription(self, data: st.DataObject) -> None:
        sub = data.draw(st.sampled_from(sorted(self.host_open)))
        self.server.close_subscription(sub)
        self.host_open.discard(sub)
        self.down.append(self.server.error(sub, InspectorError("actor.stopped", "gone")))

    # ---- what both promise ----

    @invariant()
    def the_host_counts_as_it_is(self) -> None:
        assert self.server.waiting == len(self.received)
        assert self.server.subscriptions == len(self.host_open)

    @invariant()
    def the_client_counts_as_it_is(self) -> None:
        assert self.client.waiting == self.sent.total() - self.answered.total()
        assert all(count == 1 for count in self.answered.values())

    def teardown(self) -> None:
        while self.up or self.received or self.down:
            while self.up:
                self.host_receives()
            while self.received:
                request = self.received.pop(0)
                try:
                    self.down.append(self.answer(request))
                except InspectorError as exc:
                    self.down.append(self.server.refuse(request.id, exc))
            while self.down:
                self.client_receives()
        assert self.answered == self.sent
        assert self.client.waiting == self.server.waiting == self.complaints_due == 0
        assert self.client_open == self.host_open
        assert self.pushes_got == self.pushes_made


class PeersInJson(Peers):
    """The same in text."""

    dialect = JSON


Peers.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
PeersInJson.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestPeers = Peers.TestCase
TestPeersInJson = PeersInJson.TestCase
