"""An OpenTelemetry collector on loopback: it decodes what it is sent, and answers as it is told to."""

from __future__ import annotations

import gzip
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ("Answer", "Collector", "collecting", "values")


class Answer:
    """What the collector does with a request: answer, or cut the connection within its answer."""

    def __init__(self, status: int = 200, body: bytes = b"", *, cut: bool = False, held: bool = False) -> None:
        self.status = status
        self.body = body
        self.cut = cut
        self.release = threading.Event()
        if not held:
            self.release.set()


class Collector:
    """What has come, and what is answered: `answers` in their order, then 200 for ever.

    Attributes:
        came: the path of each request, as soon as it is read.
        spans: those of requests that were answered with 200, each with its scope's name.
        logs: likewise.
        resources: attributes of each request's resource.
        headers: of each request.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: queue.Queue[str] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.spans: queue.Queue[tuple[str, Span]] = queue.Queue()
        self.logs: queue.Queue[tuple[str, LogRecord]] = queue.Queue()
        self.resources: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def take(self, path: str, body: bytes) -> None:
        """Decode a request and keep what is in it."""
        if path == "/v1/traces":
            for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(values(each.resource.attributes))
                for spans in each.scope_spans:
                    for span in spans.spans:
                        self.spans.put((spans.scope.name, span))
        else:
            assert path == "/v1/logs"
            for found in ExportLogsServiceRequest.FromString(body).resource_logs:
                self.resources.append(values(found.resource.attributes))
                for logs in found.scope_logs:
                    for record in logs.log_records:
                        self.logs.put((logs.scope.name, record))


def values(attributes: Any) -> dict[str, Any]:
    """Return attributes as a dict."""
    pairs: list[KeyValue] = list(attributes)
    found = {pair.key: _value(pair.value) for pair in pairs}
    assert len(found) == len(pairs)
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind in ("string_value", "bool_value", "int_value", "double_value", "array_value"), kind
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/x-protobuf"
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            collector.headers.append(dict(self.headers.items()))
            collector.came.put(self.path)
            try:
                answer = collector.answers.get_nowait()
            except queue.Empty:
                answer = Answer()
            answer.release.wait()
            if answer.status == 200 and not answer.cut:
                collector.take(self.path, body)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body) + 10 * answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            # A client that has gone meanwhile.
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
