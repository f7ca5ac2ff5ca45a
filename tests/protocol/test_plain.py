"""Messages that need no form of a dialect: written in a fraction of the time, and just as any other."""

from __future__ import annotations

import pytest

from protocol.dialects import CBOR, JSON, Dialect
from protocol.dialects.cbor import dump_value
from protocol.dialects.json import dump_text
from protocol.dialects.plain import PLAIN
from protocol.errors import InspectorError
from protocol.messages import EndedTask, Message, TasksUpdated
from tests.protocol.samples import TO_CLIENT_SAMPLES

__all__ = ()

SAMPLES = [message for message in TO_CLIENT_SAMPLES if type(message) in PLAIN]


def test_each_has_a_sample() -> None:
    assert {type(message) for message in SAMPLES} == PLAIN


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_they_are_written_as_any_message(message: Message) -> None:
    assert CBOR.encode(message) == dump_value(message)
    assert JSON.encode(message) == dump_text(message)


@pytest.mark.parametrize("dialect", [CBOR, JSON], ids=lambda dialect: dialect.subprotocol)
def test_a_text_that_is_none_has_no_form(dialect: Dialect) -> None:
    ended = EndedTask(task=1, parent=None, name="\ud800", actor=None, started_at=None, ended_at=1, outcome="ok")
    with pytest.raises(InspectorError) as caught:
        dialect.encode(TasksUpdated(sub=1, changed=[], removed=[], ended=[ended], timing=False))
    assert caught.value.name == "actor.unserializable"
    assert caught.value.metadata == {"type": "str"}
