"""Exceptions as objects of a record."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import trio

from inspector.tracing.exceptions import EXCEPTION_BYTES, encode_exception, status_of
from inspector.tracing.secrets import REDACTED, Secrets


def portrait(exception: BaseException, secrets: Secrets | None = None) -> dict[str, Any]:
    text = encode_exception(exception, secrets or Secrets())
    assert len(text) <= EXCEPTION_BYTES
    found: dict[str, Any] = orjson.loads(text)
    return found


def caught(raising: Any, *arguments: Any) -> BaseException:
    try:
        raising(*arguments)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def deep(depth: int) -> None:
    if depth == 0:
        raise KeyError("at the bottom")
    deep(depth - 1)


class Custom(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_type_message_and_frames() -> None:
    found = portrait(caught(deep, 1))
    assert (found["type"], found["message"]) == ("KeyError", "'at the bottom'")
    assert [frame["function"] for frame in found["frames"]] == ["caught", "deep", "deep"]
    assert found["frames"][-1]["file"] == __file__
    assert found["frames"][-1]["line"] == deep.__code__.co_firstlineno + 2
    assert set(found) == {"type", "message", "frames"}


def test_a_type_of_a_module_says_so() -> None:
    found = portrait(Custom())
    assert found["type"] == f"{__name__}.Custom"
    assert found["message"] == "<unprintable Custom: RuntimeError>"


def test_many_frames_are_cut_in_the_middle() -> None:
    error = caught(deep, 500)
    found = portrait(error)
    assert len(found["frames"]) + found["frames_cut"] == 502
    assert found["frames"][0]["function"] == "caught"
    assert found["frames"][-1]["line"] == deep.__code__.co_firstlineno + 2


def test_causes() -> None:
    def raise_from() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    def raise_while() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer")  # noqa: B904  # the implicit context is what is tested

    def raise_from_none() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer") from None

    assert portrait(caught(raise_from))["cause"]["type"] == "KeyError"
    assert portrait(caught(raise_while))["context"]["type"] == "KeyError"
    assert set(portrait(caught(raise_from_none))) == {"type", "message", "frames"}


def test_causes_in_a_circle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    found = portrait(first)
    assert found["cause"]["message"] == "second"
    assert "cause" not in found["cause"]


def test_groups_are_nested() -> None:
    group = ExceptionGroup("both", [ValueError("a"), ExceptionGroup("more", [KeyError("b")])])
    found = portrait(group)
    assert found["message"] == "both (2 sub-exceptions)"
    assert [each["type"] for each in found["exceptions"]] == ["ValueError", "ExceptionGroup"]
    assert found["exceptions"][1]["exceptions"][0]["message"] == "'b'"


def test_wide_and_deep_groups_are_counted() -> None:
    wide = portrait(ExceptionGroup("wide", [ValueError(str(number)) for number in range(1000)]))
    assert len(wide["exceptions"]) + wide["exceptions_cut"] == 1000
    error: Exception = ValueError("bottom")
    for _ in range(100):
        error = ExceptionGroup("level", [error])
    assert portrait(error)["exceptions"]


def test_huge_messages_are_cut() -> None:
    found = portrait(ExceptionGroup("x" * 1_000_000, [ValueError("\x00" * 100_000) for _ in range(20)]))
    assert found["message"].endswith("more characters)")


def test_secrets() -> None:
    secrets = Secrets()
    secrets.add_value("s3cr3t")
    assert portrait(ValueError("bad s3cr3t"), secrets)["message"] == f"bad {REDACTED}"


def test_status() -> None:
    async def cancelled() -> BaseException:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                return error
        raise AssertionError("it was not cancelled")

    error = trio.run(cancelled)
    assert status_of(error) == "cancelled"
    assert status_of(BaseExceptionGroup("", [error, BaseExceptionGroup("", [error])])) == "cancelled"
    assert status_of(BaseExceptionGroup("", [error, ValueError()])) == "error"
    assert status_of(ValueError()) == "error"
    assert status_of(KeyboardInterrupt()) == "error"


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), SystemExit(3), StopIteration()])
def test_any_kind(error: BaseException) -> None:
    assert portrait(error)["type"] == type(error).__name__
