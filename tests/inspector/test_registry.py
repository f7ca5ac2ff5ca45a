"""The registry: finding and making actors, and what comes before it runs."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from inspector.actors.actor import Actor
from inspector.actors.cell import Cell
from inspector.registry import Registry
from inspector.tracing import Log
from protocol.errors import AddressError
from protocol.messages import ActorInfo
from tests.inspector.reading import raises, settle, spans
from tests.inspector.shelves import Outcomes, Shelf, Worker, worker

pytestmark = pytest.mark.trio


async def test_finding_and_making() -> None:
    registry = Registry([Shelf])
    shelf = registry.get_or_create(Shelf, ("a", "ü/b"))
    assert registry.get_or_create("shelf", ["a", "ü/b"]).address == shelf.address
    cell = registry.get(shelf.address)
    assert registry.holds(cell)
    # As people may spell it.
    assert registry.get("shelf/a/%c3%bc%2fb") is cell
    assert registry.get("shelf/a/%C3%BC%2Fb") is cell
    assert len(registry) == 1
    for address in ("shelf", "shelf/a", "nothing", "", "/", "%", "shelf/%zz", "x" * 5000):
        with raises("actor.not_found") as caught:
            registry.get(address)
        assert caught.value.metadata == {"actor": address[:256]}
    assert len(registry) == 1
    with pytest.raises(LookupError, match="no actor class 'thing'"):
        registry.get_or_create("thing")
    with pytest.raises(LookupError):
        registry.get_or_create(Worker)
    with pytest.raises(AddressError):
        registry.get_or_create(Shelf, "\ud800")
    registry.add(Worker)
    assert registry.get_or_create(Worker).address == "worker"
    ids = {registry.get(address).id for address in ("worker", shelf.address)}
    assert len(ids) == 2


async def test_an_actor_whose_constructor_fails_is_not_there() -> None:
    class Broken(Actor[None]):
        def __init__(self) -> None:
            raise ValueError("not today")

    registry = Registry([Broken])
    with pytest.raises(ValueError, match="not today"):
        registry.get_or_create(Broken)
    assert len(registry) == 0


async def test_pages() -> None:
    registry = Registry([Shelf, worker()])
    for key in "cabd":
        registry.get_or_create(Shelf, key)
    registry.get_or_create("worker")

    def page(prefix: str = "", after: str = "", limit: int = 10) -> tuple[list[str], int, bool]:
        cells, total, more = registry.page(prefix, after, limit)
        return [cell.address for cell in cells], total, more

    shelves = [f"shelf/{key}" for key in "abcd"]
    assert page() == ([*shelves, "worker"], 5, False)
    assert page(limit=2) == (shelves[:2], 5, True)
    assert page(after="shelf/b", limit=2) == (shelves[2:], 5, True)
    assert page(after="shelf/d", limit=2) == (["worker"], 5, False)
    assert page("shelf/") == (shelves, 4, False)
    assert page("shelf/", "shelf/d") == ([], 4, False)
    assert page("shelf/", "a") == (shelves, 4, False)
    assert page("shelf/b") == (["shelf/b"], 1, False)
    assert page("x") == ([], 0, False)
    registry.get_or_create(Shelf, "aa")
    assert page("shelf/a") == (["shelf/a", "shelf/aa"], 2, False)


async def test_rows_are_told_to_those_who_watch() -> None:
    registry = Registry([Shelf])
    woken: list[str] = []
    cells: set[Cell] = set()

    def wake() -> None:
        woken.append("wake")

    registry.watchers[wake] = "she", cells
    registry.watchers[lambda: woken.append("other")] = "shelves", set()
    async with registry.running():
        shelf = registry.get_or_create(Shelf)
        cell = registry.get("shelf")
        assert cells == {cell}
        cells.clear()
        await shelf.call(Shelf.put, "a")
        assert cells == {cell}
        row = cell.info()
        assert row == ActorInfo(
            actor="shelf",
            id=cell.id,
            name="shelf",
            key=[],
            status="idle",
            generation=1,
            mailbox=0,
            running=0,
            actions=1,
            errors=0,
            restarts=0,
            started_at=row.started_at,
            active_at=row.active_at,
        )
        cells.clear()
        await registry.stop(shelf)
        assert cells == {cell}
        assert not registry.holds(cell)
        assert set(woken) == {"wake"}


async def test_a_log_of_ones_own() -> None:
    log = Log(host_name="mine")
    assert Registry(log=log).log is log
    registry = Registry(name="other", record="info", record_size=2**20)
    assert (registry.log.host_name, registry.state, registry.draining) == ("other", "idle", False)


async def test_a_registry_runs_once() -> None:
    registry = Registry([Shelf])
    async with registry.running():
        assert not registry.draining
        with pytest.raises(RuntimeError, match="runs once"):
            async with registry.running():
                raise AssertionError("unreachable")
    assert registry.state == "stopped"
    with pytest.raises(RuntimeError, match="runs once"):
        async with registry.running():
            raise AssertionError("unreachable")
    with raises("registry.shut_down"):
        registry.get_or_create(Shelf)


@pytest.mark.parametrize("error", [ValueError("as it is"), KeyboardInterrupt(), SystemExit(3)])
async def test_what_the_block_raises_is_raised_as_it_is(error: BaseException) -> None:
    cls = worker()
    registry = Registry([cls])

    async def live() -> None:
        async with registry.running():
            registry.get_or_create(cls)
            await settle()
            raise error

    with pytest.raises(type(error)) as caught:
        await live()
    assert caught.value is error
    assert registry.state == "stopped"
    assert cls.ends[0] == "run worker"


async def test_calls_that_come_while_it_starts_wait_for_it() -> None:
    cls = worker()
    registry = Registry([Shelf, cls])
    registry.get_or_create(Shelf)
    registry.get_or_create(cls)
    registry.lifecycle.apply("start")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        await outcomes.start("sync", "shelf", "put", "x")
        await outcomes.start("async", "shelf", "hold", 0)
        await outcomes.start("queued", "shelf", "put", "y")
        await outcomes.start("living", "worker", "hold", 0)
        assert outcomes.of == {"sync": 1}
        async with registry.open():
            registry.lifecycle.apply("ready")
            await settle()
            registry.lifecycle.apply("shutdown")
            await registry.drain(1)
        registry.end()
    assert outcomes.of == {"sync": 1, "async": "held", "queued": 2, "living": "held"}


async def test_calls_that_come_while_it_cant_start_are_answered() -> None:
    cls = worker()
    registry = Registry([Shelf, cls])
    registry.get_or_create(Shelf)
    registry.get_or_create(cls)
    registry.lifecycle.apply("start")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        await outcomes.start("async", "shelf", "hold", 0)
        await outcomes.start("queued", "shelf", "put", "y")
        await outcomes.start("living", "worker", "hold", 0)
        registry.end()
    assert outcomes.of == {"async": "registry.shut_down", "queued": "actor.stopped", "living": "actor.stopped"}
    assert registry.state == "stopped"


async def test_stopping_an_actor_before_it_runs() -> None:
    cls = worker()
    registry = Registry([Shelf, cls])
    registry.get_or_create(cls)
    registry.get_or_create(Shelf)
    await registry.stop("worker")
    registry.lifecycle.apply("start")
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        await outcomes.start("async", "shelf", "hold", 0)
        await outcomes.start("queued", "shelf", "put", "y")
        await registry.stop("shelf")
        async with registry.open():
            registry.lifecycle.apply("ready")
            await settle()
            assert outcomes.of == {"async": "actor.stopped", "queued": "actor.stopped"}
            assert spans(registry.log, "action", "span_start") == []
        registry.end()
    assert (len(registry), cls.ends) == (0, [])


async def test_a_deadline_that_passes_before_it_runs(autojump_clock: trio.testing.MockClock) -> None:
    registry = Registry([Shelf])
    registry.get_or_create(Shelf)
    registry.lifecycle.apply("start")
    outcomes: list[str] = []

    async def call() -> None:
        with raises("actor.action_timed_out"):
            await registry.get_or_create(Shelf).within(1).call(Shelf.hold, 0)
        outcomes.append("timed out")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await settle()
        await trio.sleep(5)
        async with registry.open():
            registry.lifecycle.apply("ready")
            await settle()
            assert outcomes == ["timed out"]
        registry.end()
