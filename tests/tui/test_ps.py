"""`inspector-tui ps` of hosts with very many actors: page by page, and nothing kept."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Iterator

import pytest

from protocol.messages import ActorsRequest, Request
from tests.tui.host import TOKEN, Client, actor
from tests.tui.test_commands import HostThread, start
from tui.commands.output import Table


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[HostThread]:
    with HostThread() as thread:
        monkeypatch.setenv("INSPECTOR_TOKEN", TOKEN)
        monkeypatch.setenv("INSPECTOR_URL", thread.host.url)
        thread.host.actors = [actor(f"a/{number:06}") for number in range(1200)]
        yield thread


def test_the_first_page_is_printed_before_the_second_has_come(many: HostThread) -> None:
    gate = asyncio.Event()

    async def interfere(client: Client, request: Request) -> bool:
        if isinstance(request, ActorsRequest) and isinstance(request.cursor, str):
            await gate.wait()
        return False

    many.host.interfere = interfere
    process = start("ps", "--prefix", "a/")
    assert process.stdout is not None
    read = [json.loads(process.stdout.readline())["actor"] for _ in range(500)]

    async def go_on() -> None:
        gate.set()

    many.do(go_on())
    rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert read + [json.loads(line)["actor"] for line in rest.splitlines()] == [f"a/{n:06}" for n in range(1200)]
    assert {request.prefix for request in many.host.asked_for(ActorsRequest)} == {"a/"}


def test_a_table_grows_wider_and_never_narrower(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    table = Table(("A", "N"), right=frozenset({1}))
    table.print([])
    for rows in ([("abc", "1")], [("abcdef", "10")], [("x", "2")]):
        table.print(rows)
    assert capsysbinary.readouterr().out.decode().splitlines() == [
        "A  N",
        "abc  1",
        "abcdef  10",
        "x        2",
    ]


def test_a_table_keeps_none_of_what_it_printed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    table = Table(("A",))

    def pages(first: int) -> None:
        for page in range(first, first + 10):
            table.print([(f"{page:02}/{number:04}" * 10,) for number in range(500)])
            capsysbinary.readouterr()

    # What measures widths remembers some thousand texts; these come first.
    pages(10)
    tracemalloc.start()
    try:
        pages(20)
        before = tracemalloc.get_traced_memory()[0]
        pages(30)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # Ten pages of these are half a megabyte.
    assert used < 100_000
