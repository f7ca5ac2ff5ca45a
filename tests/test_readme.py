"""What README.md, docs/commands.md and docs/filters.md say to type is typed here, and what they show is compared."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

import inspector.cli
import tui.cli
import tui.exits
from tests.readme.blocks import ROOT, Block, blocks, commands, fits
from tests.readme.session import Session

DOCUMENTS = ("README.md", "docs/commands.md", "docs/filters.md")
PROGRAMS = {block.title: block for block in blocks("README.md") if block.language == "python"}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def save(session: Session, name: str) -> str:
    (session.folder / name).write_text(PROGRAMS[name].text, encoding="utf-8")
    return name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_of_a_kind_that_runs_here(document: str) -> None:
    run_here = {"worker.py", "serving.py", "greeter.py", "counting.py", "client.py"}
    for block in blocks(document):
        if block.language in ("filter", "mistakes"):
            continue  # tests/protocol/test_filters_page.py reads these.
        if block.language == "python":
            assert block.title in run_here, f"{block.place}: no test runs this program"
        else:
            assert (block.language, block.title) == ("console", ""), f"{block.place}: a block that can't be run"
            assert list(commands(block)) != [], block.place


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_do_what_is_shown(document: str, session: Session) -> None:
    module = PROGRAMS["greeter.py"].text.replace("trio.run(serve, registry)\n", "")
    (session.folder / "shop.py").write_text(module, encoding="utf-8")
    save(session, "worker.py")
    with session.demo():
        for block in blocks(document):
            if block.language == "console":
                for command in commands(block):
                    session.play(command)
    assert list((session.folder / "run").rglob("*.json")) == []


def test_ten_lines_serve_a_program(session: Session) -> None:
    assert len(PROGRAMS["serving.py"].code_lines()) <= 10
    with session.program("python", save(session, "serving.py")) as program:
        # It prints nothing: ask as long as it is not there, as somebody in another terminal would.
        while session.run("inspector-tui ps")[0] == tui.exits.NO_HOST:
            assert program.poll() is None, (session.folder / "stderr").read_text()
        with session.program("inspector-tui", "logs", "--filter", "serving=info") as follower:
            record = json.loads(next(session.lines(follower)))
        assert (record["fields"]["message"], record["span"]["name"]) == ("hello", "request")
        program.send_signal(signal.SIGINT)
        assert program.wait() == -signal.SIGINT
    assert list((session.folder / "run").rglob("*.json")) == []


def test_ten_lines_embed_a_host(session: Session) -> None:
    assert len(PROGRAMS["greeter.py"].code_lines()) <= 10
    with session.program("python", save(session, "greeter.py")) as program:
        # It prints nothing: ask as long as it is not there, as somebody in another terminal would.
        while session.run("inspector-tui ps")[0] == tui.exits.NO_HOST:
            assert program.poll() is None, (session.folder / "stderr").read_text()
        call = "inspector-tui call greeter/hall greet Ada"
        assert [session.run(call), session.run(call)] == [(0, ["1"]), (0, ["2"])]
        status, (state,) = session.run("inspector-tui state greeter/hall")
        assert (status, json.loads(state)["state"]) == (0, {"Ada": 2})
        status, lines = session.run("inspector-tui logs --actor greeter/hall --no-follow")
        assert (status, [json.loads(line)["fields"]["message"] for line in lines]) == (0, ["actor started"])
        program.send_signal(signal.SIGINT)
        program.wait()
        said = (session.folder / "stderr").read_text()
        assert said.endswith("\nKeyboardInterrupt\n")
        assert "Group" not in said
    assert list((session.folder / "run").rglob("*.json")) == []


def test_a_host_around_a_programs_own_work(session: Session) -> None:
    status, lines = session.run(f"python {save(session, 'counting.py')}")
    assert (status, len(lines)) == (0, 2), lines
    assert fits("attach with: inspector-tui http://127.0.0.1:…", lines[0])
    assert lines[1] == "5"


def test_a_client_in_twenty_lines(session: Session) -> None:
    assert len(PROGRAMS["client.py"].code_lines()) <= 20
    save(session, "client.py")
    with session.demo() as host:
        session.env["INSPECTOR_TOKEN"] = (session.folder / "host.token").read_text().strip()
        with session.program("python", "client.py", session.url) as client:
            lines = session.lines(client)
            about, seen = next(lines), list[str]()
            assert "'name': 'demo'" in about
            while len(seen) < 2 or "the count is 5" not in seen:
                seen.append(next(lines))
            records = [json.loads(line) for line in seen if line != "the count is 5"]
            assert all("trace_id" in record for record in records)
            # A host that goes in good order ends the client's loop, and nothing is raised there.
            host.terminate()
            assert host.wait() == 0
            client.wait()
            assert client.returncode == 0, (session.folder / "stderr").read_text()


def test_a_client_is_told_of_errors(session: Session) -> None:
    text = PROGRAMS["client.py"].text.replace("counter/default", "nobody")
    (session.folder / "client.py").write_text(text, encoding="utf-8")
    with session.demo():
        status, lines = session.run(f"INSPECTOR_TOKEN=$(cat host.token) python client.py {session.url}")
    assert (status, lines[-1]) == (1, "actor.not_found: no actor 'nobody'")


def test_the_screenshots_are_pictures() -> None:
    paths = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    pictures = [ElementTree.parse(ROOT / path).getroot() for path in paths]
    assert {picture.tag for picture in pictures} == {"{http://www.w3.org/2000/svg}svg"}
    texts = ["".join(picture.itertext()).replace("\xa0", " ") for picture in pictures]
    assert ["counter/default" in texts[0], "checkout" in texts[1]] == [True, True]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    assert links != []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path
        assert target.exists(), link
        heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {head.lower().replace(" ", "-") for head in heads}, link


def test_each_target_that_the_readme_names_is_in_the_makefile() -> None:
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test"} <= named <= set(targets)


def section(head: str) -> str:
    """The text of docs/commands.md under a head, up to the next of the same depth."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(head)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, head
    return found[2]


def options(command: click.Command) -> dict[str, object]:
    """Options by each of their spellings, and their environment variables."""
    return {
        spelling: option.envvar
        for option in command.params
        if isinstance(option, click.Option) and option.name != "version"
        for spelling in (*option.opts, *option.secondary_opts)
    }


def test_the_hosts_options_are_listed_with_their_variables() -> None:
    listed = dict(re.findall(r"^\| `(--[a-z-]+)[^`]*` \| `?([A-Z_]*)`? *\|", section("inspector-host"), re.MULTILINE))
    assert listed == {name: variable or "" for name, variable in options(inspector.cli.main).items()}


def test_the_options_of_run_are_those_of_a_host_but_for_what_is_listed() -> None:
    listed = dict(re.findall(r"^\| `(--[a-z-]+)[^`]*` \| `([A-Z_]+)` \|", section("inspector-host run"), re.MULTILINE))
    of_host, of_run = options(inspector.cli.main), options(inspector.cli.run)
    assert of_host.keys() - of_run.keys() == {"--rate", "--seed"}
    assert of_run.keys() - of_host.keys() == {"--name", "-m"}
    assert listed.keys() == {"--name", "--port", "--log"}
    assert listed.items() <= of_run.items()


def test_the_apps_options_are_listed_by_command() -> None:
    listed: dict[str, set[str]] = {name: set() for name in tui.cli.COMMANDS}
    concerned: list[str] = []
    for who, option in re.findall(r"^\| ([^|]*?) ?\| (`--[^|]*) \|", section("inspector-tui"), re.MULTILINE):
        if who:
            concerned = re.findall(r"`([a-z]+)`", who)
        if who.startswith("each but"):
            concerned = [name for name in listed if name not in concerned]
        for name in concerned:
            listed[name].update(re.findall(r"`(--[a-z-]+)", option))
    for name in ("logs", "spans"):
        listed[name].add("--follow")
    context = click.Context(tui.cli.main)
    for name, found in listed.items():
        assert isinstance(tui.cli.main, click.Group)
        command = tui.cli.main.get_command(context, name)
        assert command is not None
        assert found == set(options(command)), name


def test_the_exit_codes_are_those_of_the_programs() -> None:
    def codes(text: str) -> list[int]:
        return [int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE) for code in row.split(",")]

    ours = [tui.exits.OK, tui.exits.ANSWERED_ERROR, tui.exits.USAGE, tui.exits.NO_HOST]
    ours += [tui.exits.FIRED, tui.exits.INTERRUPTED]
    assert codes(section("Exit codes of inspector-tui")) == ours
    shown = re.findall(r"^ +([0-9, ]+?)  ", inspector.cli.main.epilog or "", re.MULTILINE)
    assert codes(section("Exit codes of inspector-host")) == [int(n) for row in shown for n in row.split(",")]


def test_blocks_and_commands_are_read_as_they_stand() -> None:
    text = "a\n```python x.py\nprint()\n```\n```console\n$ one\nout\n$ two\n```\n"
    program, console = blocks("d.md", text)
    assert program == Block("d.md", 3, "python", "x.py", "print()\n")
    assert [(command.place, command.line, command.output) for command in commands(console)] == [
        ("d.md:6", "one", ("out",)),
        ("d.md:8", "two", ()),
    ]
    with pytest.raises(ValueError, match="not closed"):
        list(blocks("d.md", "```python\n"))
    with pytest.raises(ValueError, match="before the first"):
        list(commands(Block("d.md", 1, "console", "", "out\n")))


@pytest.mark.parametrize(
    ("shown", "line", "expected"),
    [("5", "5", True), ("5", "55", False), ("a…", "ab", True), ("a…", "a", False), ("{…}.", "{1}.", True)],
)
def test_what_is_shown_is_compared(shown: str, line: str, expected: bool) -> None:
    assert fits(shown, line) is expected


def test_a_command_that_does_otherwise_is_found(session: Session) -> None:
    wrong = Block("d.md", 1, "console", "", "$ echo one\ntwo\n$ exit 3\n$ echo\nmore\nlines\n")
    for command in commands(wrong):
        with pytest.raises(AssertionError, match=command.place):
            session.play(command)
    assert os.listdir(session.folder) == ["run"]
