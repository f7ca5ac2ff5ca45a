"""Spans: what a piece of work is called, and where its records find their ids."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from weakref import WeakKeyDictionary

from orjson import dumps, loads

from inspector.tracing.encode import BRACE, BRACKET, PLAIN, SCALARS, SHORT
from inspector.tracing.exceptions import encode_exception, status_of
from inspector.tracing.ids import SpanContext, format_traceparent, new_span_id, new_trace_id
from inspector.tracing.recorder import SPAN_COST
from inspector.tracing.values import clean

if TYPE_CHECKING:
    from inspector.tracing.log import Log
    from inspector.tracing.sites import Site

__all__ = ("Span", "Status", "current_span", "make_span", "tracestate_of")

Status = Literal["ok", "error", "cancelled"]

current_span: Final[ContextVar[Span | None]] = ContextVar("current_span", default=None)
"""The span that the running code works in. Tasks and threads that are started inherit it."""

_ENDINGS: Final[dict[Status, bytes]] = {
    "ok": b',"duration_ns":%d,"status":"ok"',
    "error": b',"duration_ns":%d,"status":"error"',
    "cancelled": b',"duration_ns":%d,"status":"cancelled"',
}
_new: Final = object.__new__

# Spans that hold one another, from one up to its last ancestor. Tasks that start one another in turn, each in the
# span of the one before, would else keep all of them for ever.
_DEPTH: Final = 128

# Of the few spans that came with one: a slot for it would cost all the others.
_tracestates: Final[WeakKeyDictionary[Span, str]] = WeakKeyDictionary()


def tracestate_of(span: Span) -> str:
    """Return the `tracestate` that came with a span's trace, empty where none did."""
    while span.parent is not None:
        span = span.parent
    return _tracestates.get(span, "") if _tracestates else ""


class Span:
    """One piece of work, from its start to its end.

    Made by `Log.start_span` or `Logger.span`. As a context manager it is the current span inside the block,
    and ends with it. Its fields belong to it from then on: they are written when first needed, so they must
    not be changed.

    Attributes:
        actor: the address of the actor whose work it is: its own field `actor`, if that is a text, else its parent's.
        key: its id in ASCII, by which its log finds it.
        parent: the span above it in this process, None at a root, below a remote parent, and where more than can be
            looked through are above it: then it has its parent's ids alone.
        site: the target and level of its two records.
        start_seq: the number of its start record, 0 while there is none.
        start_ns: when it started, nanoseconds since 1970.
    """

    # An idle actor holds its span all its life: its texts are made when a record needs them.
    __slots__ = (
        "__weakref__",
        "_ancestors_text",
        "_began",
        "_depth",
        "_ended",
        "_parent_id",
        "_token",
        "_trace",
        "actor",
        "fields",
        "key",
        "known_text",
        "log",
        "name",
        "parent",
        "site",
        "start_ns",
        "start_seq",
    )

    log: Log
    site: Site
    name: str
    fields: dict[str, Any]
    key: bytes
    parent: Span | None
    actor: str | None
    known_text: bytes | None
    start_ns: int
    start_seq: int
    _ancestors_text: bytes | None
    _began: int
    _depth: int
    _ended: bool
    _parent_id: bytes | None
    _token: Token[Span | None] | None
    _trace: bytes

    @property
    def level(self) -> int:
        """The level of its two records."""
        return self.site.level

    @property
    def target(self) -> str:
        """The target of its two records."""
        return self.site.target

    @property
    def trace_id(self) -> str:
        """The trace that it is part of, 32 hexadecimal digits."""
        return self._trace.decode()

    @property
    def span_id(self) -> str:
        """Its own id, 16 hexadecimal digits."""
        return self.key.decode()

    @property
    def parent_id(self) -> str | None:
        """Its parent's id, here or in another process; None at a root."""
        return None if self._parent_id is None else self._parent_id.decode()

    @property
    def context(self) -> SpanContext:
        """Its ids, to be handed to another process."""
        return SpanContext(self.trace_id, self.span_id)

    @property
    def traceparent(self) -> str:
        """Its ids as a W3C `traceparent`."""
        return format_traceparent(self.context)

    @property
    def began(self) -> int:
        """When it started, on its log's monotonic clock."""
        return self._began

    @property
    def ended(self) -> bool:
        """Whether it has ended. Records may still speak of it."""
        return self._ended

    def text(self) -> bytes:
        """Return the part of a record that says which span it speaks of, and closes the record.

        It starts with a comma, for it is never the first part.
        """
        text = self.known_text
        if text is not None:
            return text
        log = self.log
        fields = self.fields
        # As FieldEncoder.encode_plain: written out, for a span with its two records costs half as much again without.
        try:
            head = log.span_heads[self.name]
            rest = dumps(fields, None, PLAIN)[1:]
        except Exception:
            # Not known, not plain, or it will not even be compared.
            head, rest = b',"span":', self._fields_text()
        else:
            secrets = log.secrets
            if (
                BRACE in rest
                or BRACKET in rest
                or (secrets.rare in rest and secrets.needle in rest)
                or not fields
                or len(rest) > SHORT
                or not log.span_fields.harmless.issuperset(fields)
            ):
                # Perhaps a container: the next one may be huge, and orjson would write it in full.
                log.span_heads.pop(self.name, None)
                head, rest = b',"span":', self._fields_text()
        parent_id = self._parent_id
        if parent_id is None:
            ids = (head, rest, b',"trace_id":"', self._trace, b'","span_id":"', self.key, b'"}')
            self.known_text = text = b"".join(ids)
        else:
            trace, key = self._trace, self.key
            self.known_text = text = b"".join(
                (head, rest, b',"trace_id":"', trace, b'","span_id":"', key, b'","parent_id":"', parent_id, b'"}')
            )
        return text

    def ancestors(self) -> bytes:
        """Return its ancestors' names and fields as a JSON array, root first, without its brackets."""
        text = self._ancestors_text
        if text is None:
            parent = self.parent
            if parent is None:
                text = b""
            else:
                above, own = parent.ancestors(), parent._fields_text()
                text = b"%b,%b" % (above, own) if above else own
            self._ancestors_text = text
        return text

    def _fields_text(self) -> bytes:
        encoder = self.log.span_fields
        text = encoder.encode_plain(self.name, self.fields)
        if text is not None:
            if SCALARS.issuperset(map(type, self.fields.values())):
                self.log.learn_span_name(self.name)
        else:
            text = encoder.encode_any(self.name, self.fields)
            # The ring keeps spans alive: what it holds by them is bounded only if they hold what was written,
            # and not the objects that it was written from.
            fields = loads(text)
            del fields["name"]
            self.fields = fields
        return text

    def write_start(self) -> bool:
        """Record that it has started; False if nobody wants that."""
        site = self.site
        guard = site.guard
        if not site.open or (guard is not None and not guard(self)):
            return False
        log = self.log
        self.start_seq = log.recorder.append(site, self, self.start_ns, site.start, b"", self.text(), SPAN_COST)
        if log.armed:
            log.wake(site, self)
        return True

    def restart(self) -> None:
        """Let it begin now, and not when it was made."""
        self.start_ns = self.log.clock()
        self._began = self.log.monotonic()

    def forget_text(self) -> None:
        """Let go of the texts made for its records; they are made again when needed. For spans that idle."""
        self.known_text = None
        self._ancestors_text = None

    def end(self, status: Status | None = None, exception: BaseException | None = None) -> None:
        """End it, once: a second call does nothing.

        Args:
            status: how the work came out; by default what the exception says (`cancelled` for trio's Cancelled).
            exception: what ended it, to be written with the record unless it was a cancellation.
        """
        if self._ended:
            return
        self._ended = True
        if status is None:
            status = "ok" if exception is None else status_of(exception)
        log, site, key = self.log, self.site, self.key
        log.open_spans.entries.pop(key, None)
        busy = log.busy
        ran = None if busy is None else busy(key, self._began)
        guard = site.guard
        if site.open and (guard is None or guard(self)):
            duration = log.monotonic() - self._began
            # A clock of the caller's may step back.
            if duration < 0:
                duration = 0
            if ran is None:
                fields = _ENDINGS[status] % duration
            else:
                fields = b',"duration_ns":%d,"busy_ns":%d,"status":"%b"' % (duration, ran, status.encode())
            if exception is not None and status != "cancelled":
                fields = b'%b,"exception":%b' % (fields, encode_exception(exception, log.secrets))
            log.recorder.append(site, self, log.clock(), site.end, fields, self.known_text or self.text())
            if log.armed:
                log.wake(site, self)
        # It lives on while the ring speaks of it; its texts need not.
        self.known_text = None
        self._ancestors_text = None

    def lose(self) -> bool:
        """Let it have ended without a record, for nobody can end it any more; False if it has ended already."""
        if self._ended:
            return False
        self._ended = True
        self.log.open_spans.entries.pop(self.key, None)
        return True

    def __enter__(self) -> Self:
        self._token = current_span.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                current_span.reset(token)
            except ValueError:
                # An asynchronous generator may leave the block in another context than it entered it: a token is
                # not good there, and what is current there is that context's own affair.
                self._token = None
        self.end(None, exception)

    def __repr__(self) -> str:
        return f"<Span {self.name} {self.span_id}>"


def _address(actor: object) -> str | None:
    """Return the address that a field of this name is, None if it is something else: a program's own may be."""
    return clean(str.__str__(actor)) if isinstance(actor, str) else None


def make_span(log: Log, site: Site, name: str, fields: dict[str, Any], parent: Span | SpanContext | None) -> Span:
    """Make a span that begins now; nothing is recorded of that yet."""
    # A function and no constructor: to call a class with one takes a third longer.
    span = _new(Span)
    span.log = log
    span.site = site
    span.name = name
    span.fields = fields
    span.key = new_span_id()
    actor = fields.get("actor")
    if actor is not None and not (type(actor) is str and actor.isascii()):
        actor = _address(actor)
    if parent is None:
        span.parent = None
        span._trace = new_trace_id()
        span._parent_id = None
        span._depth = 1
        span.actor = actor
    elif isinstance(parent, Span):
        span._trace = parent._trace
        span._parent_id = parent.key
        span.actor = parent.actor if actor is None else actor
        span._depth = depth = parent._depth + 1
        if depth <= _DEPTH:
            span.parent = parent
        else:
            span.parent = None
            span._depth = 1
            if state := tracestate_of(parent):
                _tracestates[span] = state
    else:
        span.parent = None
        span._depth = 1
        span._trace = parent.trace_id.encode()
        span._parent_id = parent.span_id.encode()
        span.actor = actor
        if parent.tracestate:
            _tracestates[span] = parent.tracestate
    span.known_text = None
    span._ancestors_text = None
    span._token = None
    span._ended = False
    span.start_seq = 0
    span.start_ns = log.clock()
    span._began = log.monotonic()
    return span
