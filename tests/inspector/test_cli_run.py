"""``inspector-host run``: a program that knows nothing of us runs as it would alone, and is inspected."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect
from websockets.typing import Subprotocol

import inspector
from inspector.cli.run import arguments_of_run

ROOT = Path(inspector.__file__).parents[1]

ATTACH = re.compile(r"^attach with: inspector-tui http://127\.0\.0\.1:\d+\n", re.MULTILINE)

ADDRESS = re.compile(r"0x[0-9a-f]+")

# What `python -m` shows of itself.
RUNPY = re.compile(r'  File "<frozen [^\n]*\n')


class Programs:
    """A folder of programs, and an environment with nothing of ours set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hosts").mkdir(mode=0o700)
        mine = ("INSPECTOR_", "COLUMNS")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        self.env |= {"XDG_RUNTIME_DIR": str(folder / "hosts"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *arguments: str, given: str = "", **env: str) -> tuple[int, str, str]:
        """Run Python: exit code, stdout, stderr."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.env, **env},
            input=given,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    def both(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        """Run a program alone and with us, and compare all that there is to see; but for the line that attaches."""
        alone = self.run(*arguments, given=given)
        code, out, err = self.run("-m", "inspector", "run", "--port", "0", *arguments, given=given)
        err = ADDRESS.sub("0x…", ATTACH.sub("", err))
        assert (code, out, err) == (alone[0], alone[1], ADDRESS.sub("0x…", RUNPY.sub("", alone[2])))
        return code, out, err


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


LOOK = """
import os, sys
print(sys.argv, sys.path[0], __name__, __file__, __package__, __spec__ and __spec__.name, __doc__, __builtins__)
print(sys.modules["__main__"].__dict__ is globals(), type(__loader__).__name__, sys.stdin.read())
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("look.py",),
        ("sub/look.py", "a", "--port", "b", "-m", "-h"),
        ("link.py",),
        ("folder", "x"),
        ("app.zip", "x"),
        ("-m", "look", "--log", "x"),
        ("-m", "package", "-x"),
        ("-m", "package.look"),
    ],
)
def test_a_program_sees_what_it_would_see_alone(programs: Programs, arguments: tuple[str, ...]) -> None:
    for name in ("look.py", "sub/look.py", "folder/__main__.py", "package/__main__.py", "package/look.py"):
        programs.write(name, LOOK)
    programs.write("package/__init__.py", "")
    (programs.folder / "link.py").symlink_to("sub/look.py")
    with zipfile.ZipFile(programs.folder / "app.zip", "w") as archive:
        archive.writestr("__main__.py", LOOK)
    code, out, _ = programs.both(*arguments, given="from stdin")
    assert code == 0
    assert "from stdin" in out


ENDS = {
    "returns": "print('done')",
    "status": "sys.exit(7)",
    "message": "sys.exit('out of stock')",
    "raises": "def f():\n    raise ValueError('x') from KeyError('y')\nf()",
    "interrupted": "raise KeyboardInterrupt",
    "group": """
async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, 1)
        nursery.start_soon(trio.sleep_forever)
async def fail(n):
    await trio.lowlevel.checkpoint()
    raise ValueError(n)
trio.run(main)
""",
    "status of a task": """
async def main():
    sys.exit(5)
trio.run(main)
""",
    "not async": "trio.run(print, 'x')",
    "not callable": "trio.run(None)",
    "wrong arguments": "async def main(a): pass\ntrio.run(main)",
    "own hook": """
import traceback
def hook(kind, value, found):
    print("".join(traceback.format_exception(kind, value, found)))
sys.excepthook = hook
async def main():
    raise ValueError('x')
trio.run(main)
""",
    "caught": """
import traceback
async def main():
    raise ValueError('x')
try:
    trio.run(main)
except ValueError:
    traceback.print_exc()
""",
    "exit handlers": """
import atexit, pickle, threading
class Thing: pass
def later():
    assert pickle.loads(pickle.dumps(Thing())) is not None
    print(sys.modules["__main__"].Thing is Thing)
atexit.register(later)
threading.Thread(target=later).start()
""",
    "thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start()\nt.join()",
    "warning": "import warnings\nwarnings.warn('odd')\nwarnings.simplefilter('error')\nwarnings.warn('worse')",
    "logging": """
import logging
logging.warning('before')
logging.basicConfig(level=logging.DEBUG, format='%(levelname)s %(name)s %(message)s %(funcName)s', force=True)
logging.getLogger('a').debug('x %s', 1)
""",
    "unraisable": "class Thing:\n    def __del__(self):\n        raise ValueError('x')\nThing()",
    "options": """
async def main():
    assert trio.current_time() == 5
    await trio.sleep(1000)
    print(trio.lowlevel.current_task().name, trio.current_time())
clock = trio.testing.MockClock(autojump_threshold=0)
class Count(trio.abc.Instrument):
    runs = 0
    def before_run(self):
        self.runs += 1
clock.jump(5)
count = Count()
trio.run(main, clock=clock, instruments=[count], restrict_keyboard_interrupt_to_checkpoints=True)
print(count.runs)
""",
    "partial": """
import functools
async def main(a, b):
    print(trio.lowlevel.current_task().name, a, b)
    return a + b
print(trio.run(functools.partial(main, b=2), 1))
""",
    "twice": """
async def main(n):
    await trio.lowlevel.checkpoint()
    return n
print([trio.run(main, n) for n in range(3)])
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_as_it_would_alone(programs: Programs, end: str) -> None:
    programs.write("program.py", "import sys\nimport trio\nimport trio.testing\n" + ENDS[end])
    programs.both("program.py")


def test_what_is_no_python(programs: Programs) -> None:
    programs.write("bad.py", "def f(:\n    pass\n")
    programs.both("bad.py")
    code, _, err = programs.run("-m", "inspector", "run", "-m", "bad")
    assert (code, err.splitlines()[1:]) == (1, ["    def f(:", "          ^", "SyntaxError: invalid syntax"])
    programs.write("package/__init__.py", "1 / 0\n")
    code, _, err = programs.run("-m", "inspector", "run", "-m", "package.module")
    assert (code, "ZeroDivisionError: division by zero" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.py",), "can't open file 'nowhere.py': [Errno 2] No such file or directory"),
        (("empty",), "can't find '__main__' module in 'empty'"),
        (("-m", "nowhere"), "No module named nowhere"),
        (("-m", "nowhere.inside"), "No module named 'nowhere'"),
        (("-m", "package"), "'package' is a package and cannot be run"),
        (("-m", "math"), "No code object available for math"),
        ((), "Missing argument"),
        (("--log", "warning", "x.py"), "did you mean 'warn'"),
        (("--record-size", "0", "x.py"), "--record-size"),
        (("--rate", "1", "x.py"), "No such option"),
    ],
)
def test_what_can_not_be_run(programs: Programs, arguments: tuple[str, ...], said: str) -> None:
    programs.write("package/__init__.py", "")
    (programs.folder / "empty").mkdir()
    code, out, err = programs.run("-m", "inspector", "run", *arguments)
    assert (code, out) == (1 if "math" in arguments else 2, "")
    assert said in err


def test_help(programs: Programs) -> None:
    for option in ("-h", "--help"):
        code, out, err = programs.run("-m", "inspector", "run", option)
        assert (code, err) == (0, "")
        assert out.startswith("Usage: inspector-host run [OPTIONS] SCRIPT.py | -m MODULE [ARGS]...")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("run x.py", "x.py"),
        ("run app --log x", "app --log x"),
        ("run --port 0 -m app -x", "--port 0 -m app -x"),
        ("--port 0 run x.py a", "--port 0 x.py a"),
        ("run run", "run"),
        ("x.py a b", "x.py a b"),
        ("--port 0 --insecure-bind x.py --rate 5", "--port 0 --insecure-bind x.py --rate 5"),
        ("-m app x", "-m app x"),
        ("run --rate 5 x.py", "--rate 5 x.py"),
        ("run", ""),
        ("run --help", "--help"),
        ("", None),
        ("demo", None),
        ("demo --rate 5", None),
        ("--rate 5 demo", None),
        ("shop.app:registry --port 0", None),
        ("--port 0 shop:make", None),
        ("--help", None),
        ("--version", None),
    ],
)
def test_which_command_it_is(line: str, found: str | None) -> None:
    assert arguments_of_run(line.split()) == (None if found is None else found.split())


# ---- with somebody who looks ----

SERVER = """
import logging, os, sys, threading, trio

async def main():
    try:
        await trio.sleep_forever()
    finally:
        print("ended in good order", flush=True)

print("begins", flush=True)
logging.getLogger("server").error("by logging")
"""

RUNS = {
    "main": "trio.run(main)",
    "thread": "thread = threading.Thread(target=trio.run, args=(main,), daemon=True)\nthread.start()\nsys.stdin.read()",
    "guest": """
import queue
waiting = queue.Queue()
done = []
trio.lowlevel.start_guest_run(
    main, run_sync_soon_threadsafe=waiting.put, done_callback=done.append, host_uses_signal_set_wakeup_fd=True
)
while not done:
    waiting.get()()
""",
    "second": "async def first(): pass\ntrio.run(first)\nprint('second', file=sys.stderr)\ntrio.run(main)",
}


class Running:
    """A program that runs with us."""

    def __init__(self, programs: Programs, *arguments: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inspector", *arguments],
            cwd=programs.folder,
            env={**programs.env, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, start: str) -> str:
        """Wait for a line on stderr that begins so."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(start):
                return line
        raise AssertionError("it has ended")

    def attach_line(self) -> str:
        """Wait for the line that attaches, and return the URL."""
        return self.wait_for("attach with: ").split()[-1]

    def wait(self) -> tuple[int, str, str]:
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@pytest.fixture
def start(programs: Programs) -> Iterator[Any]:
    """Give a function that starts programs; none outlives the test."""
    running: list[Running] = []

    def start(*arguments: str, **env: str) -> Running:
        running.append(Running(programs, *arguments, **env))
        return running[-1]

    yield start
    for each in running:
        with each.process:
            each.process.kill()


def look(url: str, programs: Programs) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Attach by the runtime file: what the host says of itself, its log so far, its tasks."""
    files = [json.loads(path.read_bytes()) for path in (programs.folder / "hosts" / "inspector").glob("*.json")]
    (runtime,) = (found for found in files if found["url"] == url)
    with connect(
        url.replace("http", "ws") + "/inspector/connect",
        subprotocols=[Subprotocol("inspector.json.v1")],
        additional_headers={"Authorization": f"Bearer {runtime['token']}"},
        proxy=None,
    ) as websocket:
        init = json.loads(websocket.recv())
        websocket.send(json.dumps({"type": "LogsSubscribe", "id": 1, "filter": "info", "backlog": 100}))
        websocket.send(json.dumps({"type": "TasksRequest", "id": 2}))
        found: dict[str, Any] = {}
        while {"LogBatch", "TasksResponse"} - found.keys():
            message = json.loads(websocket.recv())
            found[message["type"]] = message
    return init["host"], found["LogBatch"]["lines"], found["TasksResponse"]["tasks"]


@pytest.mark.parametrize("way", RUNS)
def test_a_run_of_any_kind_is_inspected(programs: Programs, start: Any, way: str) -> None:
    programs.write("server.py", SERVER + RUNS[way])
    running = start("server.py", "--port", "of its own", INSPECTOR_PORT="0")
    if way == "second":
        running.wait_for("second")
    host, lines, tasks = look(running.attach_line(), programs)
    assert (host["name"], host["pid"]) == ("server", running.process.pid)
    said = [(line["target"], line["fields"]["message"]) for line in lines]
    assert ("server", "by logging") in said
    assert ("inspector.host", "inspector listening") in said
    assert any(task["name"] == "__main__.main" for task in tasks)
    running.process.send_signal(signal.SIGINT)
    code, out, err = running.wait()
    assert out.startswith("begins\n")
    assert ("ended in good order" in out) is (way != "thread")
    # Whoever starts a guest run hears of its end by a callback.
    assert code == (0 if way == "guest" else -signal.SIGINT), err
    assert way == "guest" or err.endswith("\nKeyboardInterrupt\n")
    assert "inspector" not in err.replace("inspector-tui", "")


def test_the_usual_port_unless_it_is_taken(programs: Programs, start: Any) -> None:
    programs.write("server.py", SERVER + RUNS["main"])
    first, second = start("run", "server.py"), start("run", "server.py")
    urls = {first.attach_line(), second.attach_line()}
    assert len(urls) == 2
    for url in urls:
        assert look(url, programs)[0]["name"] == "server"


def test_a_port_that_was_asked_for_and_is_taken(programs: Programs, start: Any) -> None:
    programs.write("server.py", SERVER + RUNS["main"])
    url = start("run", "--port", "0", "server.py").attach_line()
    port = url.rpartition(":")[2]
    programs.write("program.py", "import trio\nasync def main(): print('works')\ntrio.run(main)\n")
    code, out, err = programs.run("-m", "inspector", "run", "--port", port, "program.py")
    assert (code, out) == (0, "works\n")
    assert err.startswith(f"inspector-host: can't listen on 127.0.0.1, port {port}: ")
    assert err.endswith("; the program runs without an inspector\n")
    code, out, err = programs.run("-m", "inspector", "run", "--host", "0.0.0.0", "program.py")
    assert (code, out) == (0, "works\n")
    assert "without TLS that needs --insecure-bind; the program runs without" in err


def test_a_line_is_said_once_and_where_it_can_be(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    programs.write("program.py", "import trio\nasync def main(): await trio.sleep(0)\ntrio.run(main)\ntrio.run(main)\n")
    code, _, err = programs.run("-m", "inspector", "run", "--port", str(port), "program.py")
    assert (code, err) == (0, f"attach with: inspector-tui http://127.0.0.1:{port}\n")
    for redirect in ("2>&-", "2>/dev/full"):
        line = f"exec {sys.executable} -m inspector run --port 0 program.py {redirect}"
        done = subprocess.run(["bash", "-c", line], cwd=programs.folder, env=programs.env, capture_output=True)
        assert (done.stdout, done.stderr) == (b"", b"")
        # What it can't say is no failure of the program's.
        assert done.returncode == 0


def test_the_log_goes_where_it_is_asked_to_go(programs: Programs) -> None:
    programs.write(
        "program.py",
        "import logging, trio\nasync def main():\n    logging.getLogger('p').error('x')\n    1 / 0\ntrio.run(main)\n",
    )
    options = (
        "--port",
        "0",
        "--name",
        "shop",
        "--log",
        "error",
        "--log-format",
        "json",
        "--sink",
        "file:log.jsonl,filter=error",
    )
    code, out, _ = programs.run("-m", "inspector", "run", *options, "program.py")
    assert code == 1
    first, last = map(json.loads, out.splitlines())
    assert (first["fields"]["message"], first["span"]["host_name"]) == ("x", "shop")
    assert (last["fields"]["message"], last["exception"]["type"]) == ("trio.run failed", "ZeroDivisionError")
    frames = [frame["function"] for frame in last["exception"]["frames"]]
    assert frames[-1] == "main"
    assert (programs.folder / "log.jsonl").read_text() == out
    # The environment says the same.
    code, out, _ = programs.run("-m", "inspector", "run", "--port", "0", "program.py", INSPECTOR_LOG="error")
    assert len(out.splitlines()) == 2


def test_what_a_script_raises_outside_of_any_run_is_in_the_log(programs: Programs) -> None:
    programs.write("program.py", "1 / 0\n")
    code, out, err = programs.run("-m", "inspector", "run", "--log", "error", "program.py")
    record = json.loads(out)
    assert (code, record["fields"]["message"]) == (1, "the program failed")
    assert err.splitlines()[1].endswith('program.py", line 1, in <module>')


def test_a_program_that_knows_us_too(programs: Programs) -> None:
    programs.write(
        "program.py",
        """
import inspector, trio
log = inspector.get_logger("program")
async def main():
    with inspector.instrument(log="info"):
        log.info("in its own log")
        async with inspector.open_inspector(port=0) as host:
            log.info("served")
    registry = inspector.Registry(name="registry")
    async with inspector.open_host(registry) as host:
        log.info("in the host's")
        assert b"in the host's" in b"".join(e.line if hasattr(e, "line") else b"in the host's" for e in [0])
    log.info("in the program's")
trio.run(main)
""",
    )
    code, out, err = programs.run("-m", "inspector", "run", "--port", "0", "program.py")
    assert (code, ATTACH.sub("", err)) == (0, "")
    said = [json.loads(line)["fields"]["message"] for line in out.splitlines()]
    assert "in its own log" in said
    assert "served" in said
    assert not {"in the host's", "in the program's"} & set(said)


FORKING = """
import os, sys, trio

async def fork():
    pid = os.fork()
    if not pid:
        # Leaves by unwinding all of trio's frames, in the child.
        sys.exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

async def main():
    print(await fork(), flush=True)
    await trio.sleep_forever()

def worker():
    # No thread of ours is there, and no trio: a run of the child's own is not inspected.
    async def child():
        print("child", len(trio.lowlevel.current_root_task().child_nurseries[0].child_tasks), flush=True)
    trio.run(child)
    os._exit(0)

pid = os.fork()
if not pid:
    worker()
os.waitpid(pid, 0)
trio.run(main)
"""


def test_forked_children_are_not_inspected_and_leave_the_parents_alone(programs: Programs, start: Any) -> None:
    programs.write("forking.py", FORKING)
    running = start("run", "--port", "0", "forking.py")
    url = running.attach_line()
    lines = iter(running.process.stdout)
    assert next(lines).startswith("child ")
    assert next(lines) == "3\n"
    # Its runtime file is there, and it answers.
    host, _, _ = look(url, programs)
    assert host["pid"] == running.process.pid
    # Not by SIGINT: the child has told the epoll that both share to watch for none, as it would without us.


HOLDING = """
import os, signal, sys, trio

async def main():
    await trio.to_thread.run_sync(sys.stdin.readline)
    pid = os.fork()
    if not pid:
        # It outlives its parent, and holds nothing of it.
        sys.stdin.read()
        os._exit(0)
    print(pid, flush=True)

trio.run(main)
"""


def test_a_child_that_outlives_its_parent_holds_no_socket(programs: Programs, start: Any) -> None:
    programs.write("holding.py", HOLDING)
    running = start("run", "--port", "0", "holding.py")
    url = running.attach_line()
    files = (programs.folder / "hosts" / "inspector").glob("*.json")
    token = json.loads(next(files).read_bytes())["token"]
    with connect(
        url.replace("http", "ws") + "/inspector/connect",
        subprotocols=[Subprotocol("inspector.json.v1")],
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    ) as websocket:
        websocket.recv()
        running.process.stdin.write("now\n")
        running.process.stdin.flush()
        assert int(running.process.stdout.readline())
        # The parent's close comes through although the child is there.
        with pytest.raises(ConnectionClosedOK, match="1001"):
            list(iter(websocket.recv, None))
    running.process.wait()
    again = programs.run("-c", f"import socket; socket.create_server(('127.0.0.1', {url.rpartition(':')[2]}))")
    assert again == (0, "", "")
