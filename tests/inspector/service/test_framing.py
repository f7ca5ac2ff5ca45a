"""Frames, beside those that websockets itself writes and reads: the same messages, answers and end, however cut."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from inspector.service.framing import BINARY, TEXT, FrameReader, Mark, frame_head

__all__ = ()

SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 2**20)
LIMIT = 300
NO_UTF8 = "text that is no UTF-8"


# ---- writing ----


@pytest.mark.parametrize(("first", "opcode"), [(TEXT, Opcode.TEXT), (BINARY, Opcode.BINARY)])
@pytest.mark.parametrize("size", SIZES)
def test_as_the_library_writes_them(first: int, opcode: Opcode, size: int) -> None:
    payload = b"x" * size
    frame = frame_head(first, size) + payload
    assert frame == Frame(opcode, payload).serialize(mask=False)
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=2**20)
    client.receive_data(frame)
    assert client.events_received() == [Frame(opcode, payload)]
    assert client.parser_exc is None


# ---- reading ----


class Side:
    """One end of a connection: the messages that it got, and all else that can be seen of it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.protocol = ServerProtocol(state=State.OPEN, max_size=limit)
        self.messages: list[bytes | str] = []
        self.written = b""

    def fail(self) -> None:
        """End it as the host does, for a text that is none."""
        self.protocol.fail(1007, NO_UTF8)

    def seen(self) -> tuple[object, ...]:
        """Return all that a peer, or whoever serves the connection, can tell."""
        protocol = self.protocol
        self.written += b"".join(protocol.data_to_send())
        close = protocol.close_sent, protocol.close_rcvd, protocol.close_rcvd_then_sent
        return self.messages, self.written, protocol.state, protocol.eof_sent, *close, type(protocol.parser_exc)


class Ours(Side):
    """The reader under test."""

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__(limit)
        self.reader = FrameReader(self.protocol)

    def receive(self, data: bytes) -> None:
        """Take bytes in."""
        self.reader.feed(data)
        while True:
            try:
                message = self.reader.take()
            except UnicodeDecodeError:
                self.fail()
                continue
            if message is Mark.END:
                break
            if isinstance(message, (bytes, str)):
                self.messages.append(message)

    def end(self) -> None:
        """No bytes come any more."""
        self.reader.end()


class Theirs(Side):
    """The library alone. It gets each byte by itself, so that none is read before the frame before it was looked at."""

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__(limit)
        self._whole = b""
        self._text = False

    def receive(self, data: bytes) -> None:
        """Take bytes in."""
        for position in range(len(data)):
            self.protocol.receive_data(data[position : position + 1])
            for event in self.protocol.events_received():
                assert isinstance(event, Frame)
                self._take(event)

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
            self._whole = bytes(frame.data)
        elif frame.opcode is Opcode.CONT:
            self._whole += frame.data
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) and frame.fin:
            try:
                self.messages.append(self._whole.decode() if self._text else self._whole)
            except UnicodeDecodeError:
                # After its own farewell a host does not look.
                if self.protocol.state is State.OPEN:
                    self.fail()

    def end(self) -> None:
        """No bytes come any more."""
        self.protocol.receive_eof()


def pack(first: int, payload: bytes, *, mask: bytes | None = b"\x01\x80\xff\x5a", form: int = 0) -> bytes:
    """Write a frame as it is asked for; `form` is the length's own size at least, in bytes."""
    size, bit = len(payload), 0 if mask is None else 0x80
    if size < 126 and form == 0:
        head = bytes((first, bit | size))
    elif size < 65536 and form <= 2:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


PAYLOADS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(str.encode),
    st.sampled_from((0, 1, 125, 126, 127, LIMIT - 1, LIMIT, LIMIT + 1)).map(lambda size: b"x" * size),
)
PLAIN = st.builds(pack, st.sampled_from((BINARY, TEXT)), PAYLOADS, mask=st.binary(min_size=4, max_size=4))
CONTROL = st.builds(pack, st.sampled_from((0x89, 0x8A)), st.binary(max_size=12))
FRAGMENTS = st.builds(pack, st.sampled_from((0x00, 0x80, 0x01, 0x02)), PAYLOADS)
CLOSES = st.builds(
    pack, st.just(0x88), st.one_of(st.just(Close(1000, "bye").serialize()), st.just(b""), st.binary(max_size=4))
)
ODD = st.builds(
    pack,
    st.integers(0, 255),
    PAYLOADS,
    mask=st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
    form=st.sampled_from((0, 2, 8)),
)
FRAMES = st.one_of(PLAIN, PLAIN, PLAIN, CONTROL, FRAGMENTS, st.one_of(PLAIN, CLOSES, ODD))


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Draw what a peer sends, good or bad, and cut it somehow."""
    stream = bytearray(b"".join(draw(st.lists(FRAMES, min_size=1, max_size=8))))
    for position in draw(st.lists(st.integers(0, len(stream) - 1), max_size=draw(st.sampled_from((0, 0, 2))))):
        stream[position] = draw(st.integers(0, 255))
    kind = draw(st.sampled_from(("whole", "bytes", "cut")))
    if kind == "bytes":
        cuts = list(range(1, len(stream)))
    else:
        cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8))) if kind == "cut" else []
    return [bytes(stream[a:b]) for a, b in pairwise((0, *cuts, len(stream)))]


@given(streams(), st.booleans())
@settings(max_examples=600, deadline=None)
def test_as_the_library_reads_them(chunks: list[bytes], ends: bool) -> None:
    ours, theirs = Ours(), Theirs()
    for chunk in chunks:
        ours.receive(chunk)
        theirs.receive(chunk)
        assert ours.seen() == theirs.seen()
    if ends:
        ours.end()
        theirs.end()
        assert ours.seen() == theirs.seen()


@given(st.lists(PLAIN, min_size=1, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_a_close_of_our_own_between(frames: list[bytes], data: st.DataObject) -> None:
    ours, theirs = Ours(), Theirs()
    stream = b"".join(frames) + pack(0x88, Close(1001, "").serialize()) + frames[0]
    cut = data.draw(st.integers(0, len(stream)))
    for side in (ours, theirs):
        side.receive(stream[:cut])
        if side.protocol.state is State.OPEN:
            side.protocol.send_close(1001)
    # Nobody reads messages any more, and the peer's answer is found nevertheless.
    ours.reader.feed(stream[cut:])
    ours.reader.discard()
    theirs.receive(stream[cut:])
    assert ours.seen()[1:] == theirs.seen()[1:]
    assert ours.protocol.eof_sent


class Counting(ServerProtocol):
    """The library, with a count of what it has to read."""

    read = 0

    def receive_data(self, data: bytes | bytearray) -> None:
        self.read += len(data)
        super().receive_data(data)


@pytest.mark.parametrize("size", [0, 125, 126, 65535])
def test_whole_plain_messages_are_none_of_the_librarys(size: int) -> None:
    protocol = Counting(state=State.OPEN, max_size=2**20)
    reader = FrameReader(protocol)
    reader.feed(pack(BINARY, b"x" * size) * 9 + pack(0x89, b"ping") + pack(TEXT, b"x" * size))
    taken = [reader.take() for _ in range(12)]
    assert taken == [b"x" * size] * 9 + [Mark.NONE, "x" * size, Mark.END]
    assert protocol.read == len(pack(0x89, b"ping"))


def test_a_message_cut_in_two_and_then_whole_ones_again() -> None:
    protocol = Counting(state=State.OPEN, max_size=2**20)
    reader = FrameReader(protocol)
    frame = pack(BINARY, b"request")
    reader.feed(frame + frame[:9])
    assert [reader.take(), reader.take(), reader.take()] == [b"request", Mark.NONE, Mark.END]
    reader.feed(frame[9:] + frame)
    assert [reader.take(), reader.take(), reader.take()] == [b"request", b"request", Mark.END]
    assert protocol.read == len(frame)


def test_of_a_head_that_has_not_come_whole_nothing_is_said() -> None:
    ours = Ours()
    frame = pack(BINARY, b"x" * 200)
    for byte in frame[:-1]:
        ours.receive(bytes([byte]))
        assert ours.messages == []
    ours.receive(frame[-1:])
    assert ours.messages == [b"x" * 200]


def test_an_end_within_a_head() -> None:
    ours = Ours()
    ours.receive(pack(BINARY, b"x" * 200)[:3])
    ours.end()
    assert (ours.protocol.state, ours.protocol.close_code) == (State.CLOSED, 1006)


def test_a_size_past_the_limit_is_told_from_its_head() -> None:
    ours = Ours()
    ours.receive(pack(BINARY, b"x" * (LIMIT + 1))[:4])
    assert ours.protocol.close_sent is not None
    assert ours.protocol.close_sent.code == 1009


def test_no_limit_at_all() -> None:
    reader = FrameReader(ServerProtocol(state=State.OPEN, max_size=None))
    reader.feed(pack(BINARY, b"x" * 70000))
    assert reader.take() == b"x" * 70000


def test_nothing_is_kept_of_what_was_read() -> None:
    reader = FrameReader(ServerProtocol(state=State.OPEN))
    reader.feed(pack(BINARY, b"x" * 60000))
    assert reader.take() == b"x" * 60000
    assert reader.take() is Mark.END
    assert not reader._data
