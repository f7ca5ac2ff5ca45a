"""Every message goes through the dialect and comes back; every wrong field is told with the request's id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest

import protocol.messages
from protocol.client import PUSH_TO, RESPONSE_TO
from protocol.dialects import CBOR, JSON, Dialect, Frame
from protocol.errors import BadMessage
from protocol.messages import (
    TO_CLIENT,
    TO_HOST,
    LogsSubscribe,
    Message,
    PatchStateRequest,
    Push,
    Request,
    Response,
    StateUpdated,
)
from tests.protocol.samples import TO_CLIENT_SAMPLES, TO_HOST_SAMPLES, has_form, spelt, wire, wrong_values

in_every_dialect = pytest.mark.parametrize("dialect", [CBOR, JSON], ids=["cbor", "json"])
CONTRACT = (Path(__file__).parents[2] / "docs" / "protocol.cddl").read_text(encoding="utf-8")


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every value inside a message's map with the way to it, but for what may be anything."""
    if path:
        yield path, value
    if path and path[-1] in ("args", "output", "state", "schema", "returns", "metadata", "value"):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "type" or path:
                yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))


def changed(plain: Any, path: tuple[str | int, ...], value: object) -> Any:
    """A copy of `plain` with `value` at `path`."""
    copy = plain.copy()
    copy[path[0]] = value if len(path) == 1 else changed(plain[path[0]], path[1:], value)
    return copy


def plain_of(frame: Frame) -> Any:
    """What a frame holds, read without this project's decoder."""
    return cbor2.loads(frame) if isinstance(frame, bytes) else json.loads(frame)


def wrong_fields(samples: list[Any]) -> list[Any]:
    cases = []
    for number, sample in enumerate(samples):
        for path, value in leaves(wire(sample)):
            name = next(part for part in reversed(path) if isinstance(part, str))
            for wrong in () if path == ("id",) else wrong_values(name, value):
                where = ".".join(map(str, path))
                for dialect in (CBOR, JSON):
                    if has_form(dialect, wrong):
                        label = f"{dialect.subprotocol}-{number}-{type(sample).__name__}-{where}-{wrong!r}"
                        cases.append(pytest.param(dialect, sample, path, wrong, id=label))
    return cases


@in_every_dialect
@pytest.mark.parametrize("request_", TO_HOST_SAMPLES, ids=repr)
def test_a_request_comes_back(dialect: Dialect, request_: Request) -> None:
    frame = dialect.encode(request_)
    assert plain_of(frame) == plain_of(spelt(dialect, wire(request_)))
    decoded = dialect.decode_to_host(frame)
    assert decoded == request_
    assert type(decoded) is type(request_)


@in_every_dialect
@pytest.mark.parametrize("message", TO_CLIENT_SAMPLES, ids=repr)
def test_a_message_to_a_client_comes_back(dialect: Dialect, message: Message) -> None:
    frame = dialect.encode(message)
    assert plain_of(frame) == plain_of(spelt(dialect, wire(message)))
    decoded = dialect.decode_to_client(frame)
    assert decoded == message
    assert type(decoded) is type(message)


def test_every_message_has_a_sample() -> None:
    assert {type(sample) for sample in TO_HOST_SAMPLES} == set(TO_HOST.values())
    assert {type(sample) for sample in TO_CLIENT_SAMPLES} == set(TO_CLIENT.values())


@in_every_dialect
@pytest.mark.parametrize("request_", TO_HOST_SAMPLES, ids=repr)
def test_a_host_ignores_unknown_keys(dialect: Dialect, request_: Request) -> None:
    assert dialect.decode_to_host(spelt(dialect, {"novelty": [1], **wire(request_), "": None})) == request_


@in_every_dialect
@pytest.mark.parametrize("message", TO_CLIENT_SAMPLES, ids=repr)
def test_a_client_ignores_unknown_keys_at_every_level(dialect: Dialect, message: Message) -> None:
    def grown(value: Any, name: str = "") -> Any:
        if name in ("args", "output", "state", "schema", "returns", "metadata", "value"):
            return value
        if isinstance(value, dict):
            return {"novelty": 1, **{key: grown(item, key) for key, item in value.items()}}
        return [grown(item) for item in value] if isinstance(value, list) else value

    assert dialect.decode_to_client(spelt(dialect, grown(wire(message)))) == message


@pytest.mark.parametrize(("dialect", "sample", "path", "wrong"), wrong_fields(TO_HOST_SAMPLES))
def test_a_wrong_field_is_told_to_the_client(
    dialect: Dialect, sample: Request, path: tuple[str | int, ...], wrong: object
) -> None:
    with pytest.raises(BadMessage) as caught:
        dialect.decode_to_host(spelt(dialect, changed(wire(sample), path, wrong)))
    assert (caught.value.rid, caught.value.malformed) == (sample.id, False)
    assert caught.value.metadata["field"].startswith(str(path[0]))
    assert caught.value.message.startswith(type(sample).__name__)


@pytest.mark.parametrize(("dialect", "sample", "path", "wrong"), wrong_fields(TO_CLIENT_SAMPLES))
def test_a_client_takes_no_wrong_field(
    dialect: Dialect, sample: Message, path: tuple[str | int, ...], wrong: object
) -> None:
    if wrong is None and path[-1] in ("rid", "started_at", "active_at", "timeout_ms"):
        pytest.fail("null is one of their values")
    with pytest.raises(BadMessage) as caught:
        dialect.decode_to_client(spelt(dialect, changed(wire(sample), path, wrong)))
    assert (caught.value.rid, caught.value.malformed) == (None, False)


@in_every_dialect
@pytest.mark.parametrize("sample", [*TO_HOST_SAMPLES, *TO_CLIENT_SAMPLES], ids=repr)
def test_a_missing_field_is_named_unless_it_may_be_absent(dialect: Dialect, sample: Message) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(type(sample))}
    decode = dialect.decode_to_host if isinstance(sample, Request) else dialect.decode_to_client
    for name in wire(sample).keys() - {"type", "id"}:
        if isinstance(sample, StateUpdated | PatchStateRequest) and name in ("state", "patch"):
            continue
        plain = wire(sample)
        del plain[name]
        if fields[name].required:
            with pytest.raises(BadMessage, match=f"missing required field `{name}`") as caught:
                decode(spelt(dialect, plain))
            assert caught.value.metadata == {"field": name}
        else:
            assert wire(decode(spelt(dialect, plain)) or sample) == plain


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ({"type": "SpansRequest", "spans": ["b7ad6b7169203331", "B7AD6B7169203331"]}, "spans[1]"),
        ({"type": "SpansRequest", "spans": ["b7ad6b7169203331\n"]}, "spans[0]"),
        ({"type": "LogsSubscribe", "filter": "info", "after_seq": 1, "backlog": 1}, None),
        ({"type": "ActionRequest", "actor": "a", "name": "b", "args": {b"c": 1}}, "args"),
        ({"type": "ActionRequest", "actor": "a", "name": "b", b"c": 1}, None),
    ],
    ids=repr,
)
def test_rules_beyond_a_fields_type(plain: dict[str | bytes, Any], field: str | None) -> None:
    with pytest.raises(BadMessage) as caught:
        CBOR.decode_to_host(cbor2.dumps({"id": 9, **plain}))
    assert (caught.value.rid, caught.value.malformed) == (9, False)
    assert caught.value.metadata.get("field") == field


@in_every_dialect
def test_a_field_inside_another_is_told_with_its_path(dialect: Dialect) -> None:
    plain = wire(TO_CLIENT_SAMPLES[0])
    del plain["host"]["pid"]
    with pytest.raises(BadMessage) as caught:
        dialect.decode_to_client(spelt(dialect, plain))
    assert caught.value.metadata == {"field": "host.pid"}


@in_every_dialect
def test_a_field_is_found_behind_a_value_that_looks_like_one(dialect: Dialect) -> None:
    plain = wire(TO_CLIENT_SAMPLES[3])
    plain["changed"][0]["status"] = "x - at `$.removed`"
    with pytest.raises(BadMessage) as caught:
        dialect.decode_to_client(spelt(dialect, plain))
    assert caught.value.metadata == {"field": "changed[0].status"}


@in_every_dialect
@pytest.mark.parametrize("more", [{}, {"state": 1, "patch": []}], ids=repr)
def test_a_new_state_is_whole_or_a_patch(dialect: Dialect, more: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match="either `state` or `patch`"):
        dialect.decode_to_client(spelt(dialect, {"type": "StateUpdated", "sub": 1, "actor": "a", "version": 1, **more}))
    with pytest.raises(ValueError, match="either"):
        StateUpdated(sub=1, actor="a", version=1, **more)


@in_every_dialect
@pytest.mark.parametrize("more", [{}, {"state": 1, "patch": []}], ids=repr)
def test_an_edit_is_whole_or_a_patch(dialect: Dialect, more: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match="either `state` or `patch`") as caught:
        dialect.decode_to_host(spelt(dialect, {"type": "PatchStateRequest", "id": 1, "actor": "a", **more}))
    assert (caught.value.rid, caught.value.malformed) == (1, False)
    assert "field" not in caught.value.metadata


def test_our_own_side_cannot_ask_for_a_log_from_two_places() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        LogsSubscribe(id=1, filter="", after_seq=1, backlog=1)


def rules() -> dict[str, str]:
    """The rules of docs/protocol.cddl by name, without comments."""
    text = re.sub(r";[^\n]*", "", CONTRACT)
    return {name: body.strip() for name, body in re.findall(r"^([a-z-]+) = (.*?)(?=^[a-z-]+ = |\Z)", text, re.M | re.S)}


@pytest.mark.parametrize(("side", "table"), [("to-host", TO_HOST), ("to-client", TO_CLIENT)])
def test_the_contract_has_the_same_messages(side: str, table: dict[str, type[Message]]) -> None:
    every = rules()
    named = [rule.strip() for rule in every[side].split("/")]
    assert [re.findall(r'type: "(\w+)"', every[rule])[0] for rule in named] == list(table)


@pytest.mark.parametrize("cls", [*TO_HOST.values(), *TO_CLIENT.values()], ids=lambda cls: cls.__name__)
def test_the_contract_has_the_same_fields(cls: type[Message]) -> None:
    body = next(body for body in rules().values() if f'type: "{cls.__name__}"' in body)
    while "{" in body[1:-1]:
        body = body[0] + re.sub(r"\{[^{}]*\}", "map", body[1:-1]) + body[-1]
    optional = {name: bool(mark) for mark, name in re.findall(r"(\? )?\b(\w+):", body)}
    # Of `state` and `patch` one is there: each alone may be absent.
    if cls in (StateUpdated, PatchStateRequest):
        optional |= {"state": True, "patch": True}
    del optional["type"]
    assert optional == {field.encode_name: not field.required for field in msgspec.structs.fields(cls)}


def test_every_request_has_its_response_and_every_push_its_request() -> None:
    classes = [value for value in vars(protocol.messages).values() if isinstance(value, type)]

    def under(base: type) -> set[type]:
        return {cls for cls in classes if issubclass(cls, base) and cls is not base}

    assert set(RESPONSE_TO) == under(Request) == set(TO_HOST.values())
    assert set(RESPONSE_TO.values()) == under(Response)
    assert set(PUSH_TO.values()) == under(Push)
    assert under(Response) | under(Push) <= set(TO_CLIENT.values())
    for request, response in RESPONSE_TO.items():
        assert response.__name__ == request.__name__.removesuffix("Request") + "Response"
