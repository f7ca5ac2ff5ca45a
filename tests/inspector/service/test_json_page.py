"""What docs/json.md says to type is typed here, and what it shows is compared."""

from __future__ import annotations

import json
import re

import pytest
from websockets.trio.client import connect
from websockets.typing import Subprotocol

from inspector.demo import Counter
from inspector.service.connection import MAX_FRAME
from protocol.dialects import DIALECTS, JSON
from protocol.handshake import Accept, Door, check_handshake
from protocol.messages import LogsSubscribe
from tests.inspector.service.support import hosted
from tests.readme.blocks import blocks, fits

__all__ = ()

PAGE = "docs/json.md"
BLOCKS = list(blocks(PAGE))


@pytest.mark.trio
async def test_the_session_shown_is_what_a_host_answers() -> None:
    async with hosted(Counter) as host:
        host.registry.get_or_create(Counter, "default")
        url = host.url.replace("http", "ws") + "/inspector/connect"
        headers = {"Authorization": f"Bearer {host.token}"}
        subprotocols = [Subprotocol(JSON.subprotocol)]
        async with connect(url, subprotocols=subprotocols, additional_headers=headers, proxy=None) as websocket:
            shown = 0
            for block in BLOCKS:
                for line in block.code_lines() if block.language == "json" else ():
                    shown += 1
                    if block.title == "typed":
                        await websocket.send(line)
                        continue
                    got = await websocket.recv()
                    assert isinstance(got, str)
                    assert fits(line, got), f"{block.place}:\n{line}\n{got}"
            assert shown == 14


def test_the_options_of_websocat_are_those_of_a_host() -> None:
    lines = [
        line for block in BLOCKS if block.language == "console" for line in block.code_lines() if "websocat" in line
    ]
    assert len(lines) == 2
    for line in lines:
        assert f"-B {MAX_FRAME} --protocol {JSON.subprotocol} " in line
        found = re.search(r"-H='Authorization: (Bearer \w+)' ws://(127\.0\.0\.1:\d+)(/\S+)", line)
        assert found is not None
        headers = [("Host", found[2]), ("Authorization", found[1]), ("Sec-WebSocket-Protocol", JSON.subprotocol)]
        door = Door(token="sesame", subprotocols=tuple(DIALECTS))
        assert check_handshake(found[3], headers, door) == Accept(JSON.subprotocol)
    typed = re.search(r"echo '(.+)' \|", lines[1])
    assert typed is not None
    assert JSON.decode_to_host(typed[1]) == LogsSubscribe(id=1, filter="warn")


def test_a_browser_that_does_as_shown_is_let_in() -> None:
    script = next(block.text for block in BLOCKS if block.language == "js")
    opened = re.search(r'new WebSocket\("ws://([^/]+)(/[^"]+)", (\[.+\])\)', script)
    started = re.search(r"--allow-origin (\S+)", "".join(block.text for block in BLOCKS))
    assert opened is not None
    assert started is not None
    assert started[1] == f"http://{opened[1]}"
    headers = [
        ("Host", opened[1]),
        ("Origin", started[1]),
        ("Sec-WebSocket-Protocol", ", ".join(json.loads(opened[3]))),
    ]
    door = Door(token="sesame", subprotocols=tuple(DIALECTS), origins=frozenset({started[1]}))
    assert check_handshake(opened[2], headers, door) == Accept(JSON.subprotocol)
