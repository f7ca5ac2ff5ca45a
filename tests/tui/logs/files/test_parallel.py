"""Shares are counted in processes of their own, and none is lost with its process.

Each case is a program of its own, for a process with threads must not be forked.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = "import errno, os, signal, time\nfrom tui.logs.files.parallel import add_up, processors\nparent = os.getpid()\n"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", HEAD + program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "program",
    [
        # In good order, each in a process of its own.
        "pids = os.pipe()\n"
        "def count(share):\n    os.write(pids[1], b'%d ' % os.getpid())\n    return 10 ** share\n"
        "assert add_up(count, 3) == 111\nassert len(set(os.read(pids[0], 100).split())) == 3",
        # A process that is killed, and one that fails.
        "def count(share):\n    if os.getpid() != parent:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 10 ** share\nassert add_up(count, 3) == 111",
        "def count(share):\n    if os.getpid() != parent:\n        raise SystemExit\n"
        "    return 10 ** share\nassert add_up(count, 3) == 111",
        # No process to be had.
        "def no_fork():\n    raise OSError(errno.EAGAIN, 'too many')\nos.fork = no_fork\n"
        "assert add_up(lambda share: 10 ** share, 3) == 111",
        # One share needs none.
        "os.fork = None\nassert add_up(lambda share: 7, 1) == 7",
        "assert processors() >= 1\ndel os.sched_getaffinity\nassert processors() == os.cpu_count()",
    ],
)
def test_shares_add_up(program: str) -> None:
    done = run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_processes_end_with_the_one_that_began_them() -> None:
    program = """
def count(share):
    if os.getpid() != parent:
        signal.pause()
    raise KeyboardInterrupt
try:
    add_up(count, 3)
except KeyboardInterrupt:
    pass
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("none left")
"""
    done = run(program)
    assert (done.stdout, done.stderr) == ("none left\n", "")
