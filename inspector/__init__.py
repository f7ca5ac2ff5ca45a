"""A live inspector for trio programs, and actors to inspect."""

from inspector.actors.actions import action
from inspector.actors.actor import Actor, ActorHandle
from inspector.actors.supervision import EscalationError, Supervision, escalate, restart, stop
from inspector.host import Host, open_host, serve
from inspector.programs import Instrumentation, instrument, open_inspector
from inspector.registry import Registry
from inspector.tasks import Lints
from inspector.tracing import Logger, get_logger, remote_parent, traceparent, tracestate
from protocol.errors import InspectorError

__all__ = (
    "Actor",
    "ActorHandle",
    "EscalationError",
    "Host",
    "InspectorError",
    "Instrumentation",
    "Lints",
    "Logger",
    "Registry",
    "Supervision",
    "action",
    "escalate",
    "get_logger",
    "instrument",
    "open_host",
    "open_inspector",
    "remote_parent",
    "restart",
    "serve",
    "stop",
    "traceparent",
    "tracestate",
)
