"""A process whose loop is blocked says so on its standard output while it is."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import sys
import trio
from inspector import Registry, open_host
from inspector.tracing import open_sink

async def ask_the_user() -> None:
    sys.stdin.readline()

async def main() -> None:
    registry = Registry()
    registry.log.add_sink(open_sink("stdout", format="json", filter="off,inspector.tasks=info"))
    async with open_host(registry, watchdog=0.02, runtime_file=False), trio.open_nursery() as nursery:
        nursery.start_soon(ask_the_user, name="asking")

trio.run(main)
"""


def test_its_output_says_so_during_the_block() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # The loop waits for what is written only when this line has come.
        blocked = json.loads(process.stdout.readline())
        assert blocked["fields"]["message"] == "a task blocks the loop"
        assert blocked["fields"]["task"] == "asking"
        assert blocked["fields"]["at"].endswith("ask_the_user")
        process.stdin.write("\n")
        process.stdin.flush()
        goes_on = json.loads(process.stdout.readline())
        assert goes_on["fields"]["message"] == "the loop goes on"
        assert process.stdout.read() == ""
    assert process.returncode == 0
