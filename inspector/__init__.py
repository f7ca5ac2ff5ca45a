"""Actors on trio, and a live inspector into them."""

from inspector.actors.actions import action
from inspector.actors.actor import Actor, ActorHandle
from inspector.actors.supervision import EscalationError, Supervision, escalate, restart, stop
from inspector.host import Host, open_host, serve
from inspector.registry import Registry
from inspector.tracing import Logger, get_logger
from protocol.errors import InspectorError

__all__ = (
    "Actor",
    "ActorHandle",
    "EscalationError",
    "Host",
    "InspectorError",
    "Logger",
    "Registry",
    "Supervision",
    "action",
    "escalate",
    "get_logger",
    "open_host",
    "restart",
    "serve",
    "stop",
)
