"""What goes to a collector, and what its answers mean. The exporters themselves say only whether it went well."""

from __future__ import annotations

from typing import Any, Final

import requests
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from inspector.tracing.sinks.pulling import RefusedError

__all__ = ("Channel", "Session")

# OTLP/HTTP, "Failures": these may be tried again, with any other answer the request must not be repeated.
_TRANSIENT: Final = frozenset({429, 502, 503, 504})


class Session(requests.Session):
    """Remembers what became of the last request: the exporters say only whether it went well."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        """Forget the last request."""
        self.sent = False
        self.failure = ""
        self.answer: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        """Send one request."""
        self.sent = True
        self.failure, self.answer = "", None
        try:
            self.answer = super().send(request, **settings)
        except Exception as error:
            self.failure = str(error) or type(error).__name__
            raise
        return self.answer


class Channel:
    """One of the two signals: its exporter, and what its answers mean."""

    def __init__(self, exporter: Any, session: Session, response: Any, rejected: str) -> None:
        self._exporter = exporter
        self._session = session
        self._response = response
        self._rejected = rejected
        self._closed = False

    def export(self, items: list[ReadableSpan] | list[ReadableLogRecord]) -> bool:
        """Send a request; tell if that went well."""
        self._session.forget()
        # Libraries that trace HTTP requests would trace these, and those requests too.
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            result = self._exporter.export(items)
        except Exception as error:
            # Some versions raise what they can't encode, and what a connection says when it breaks.
            self._session.failure = self._session.failure or str(error)
            return False
        finally:
            detach(token)
        answer = self._session.answer
        # A redirection is success to the exporter, and followed by nobody.
        return bool(result.value == 0 and answer is not None and answer.status_code < 300)

    def blame(self, items: int) -> None:
        """Tell why a request failed.

        Args:
            items: how many are lost if it may not be repeated.

        Raises:
            OSError: it may be repeated.
            RefusedError: it may not.
        """
        answer = self._session.answer
        if not self._session.sent:
            why = self._session.failure[:500]
            raise RefusedError(f"it can't be encoded: {why}" if why else "it can't be encoded, or is too large", items)
        if answer is None:
            raise OSError(self._session.failure[:500])
        why = f"the collector answers {answer.status_code} {answer.reason}"
        if answer.status_code in _TRANSIENT:
            raise OSError(why)
        raise RefusedError(why, items)

    def check(self) -> None:
        """Look what a request that went well has to say.

        Raises:
            RefusedError: a part was not taken.
        """
        answer = self._session.answer
        assert answer is not None
        try:
            partial = self._response.FromString(answer.content).partial_success
        except Exception:
            # Whatever it is that is no protobuf: the status has said that all is well.
            return
        rejected: int = getattr(partial, self._rejected)
        if rejected > 0:
            raise RefusedError(f"the collector rejects a part: {partial.error_message[:500]}", rejected)

    def close(self) -> None:
        """Give up tries, and close the connection."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()
