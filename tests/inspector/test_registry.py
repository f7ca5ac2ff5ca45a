"""The registry: finding and making actors, and draining them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest
import trio
import trio.testing

from inspector.actors.actions import action
from inspector.actors.actor import Actor
from inspector.actors.cell import Cell
from inspector.registry import Registry
from inspector.tracing import Log
from protocol.errors import AddressError, InspectorError
from protocol.messages import ActorInfo
from tests.inspector.reading import events, raises, settle, spans

pytestmark = pytest.mark.trio


class Store(msgspec.Struct):
    """What arrived."""

    items: list[str] = []


class Shelf(Actor[Store]):
    """No hooks."""

    @action
    def put(self, item: str) -> int:
        self.state.items.append(item)
        return len(self.state.items)

    @action
    async def hold(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "held"

    @action
    async def hold_then_put(self, seconds: float, address: str) -> int:
        """Call another actor after a while."""
        await trio.sleep(seconds)
        return int(await self.registry.call(address, "put", "late"))

    @action
    async def hold_then_make(self, seconds: float, key: str) -> str:
        await trio.sleep(seconds)
        other = self.get(Shelf, key)
        await other.call(Shelf.put, "made late")
        return other.address

    @action
    async def hang(self) -> None:
        """Swallow every cancellation for a while."""
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1000)

    @action
    def spawn_calls(self, address: str, seconds: float, grouped: bool) -> None:
        self.spawn(self._call_later, address, seconds, grouped)

    async def _call_later(self, address: str, seconds: float, grouped: bool) -> None:
        await trio.sleep(seconds)
        if grouped:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.registry.call, address, "put", "too late")
        else:
            await self.registry.call(address, "put", "too late")


class Worker(Actor[None]):
    """With a run and a stop hook, whose ends are noted."""

    ends: ClassVar[list[str]] = []
    hook: ClassVar[float] = 0
    tell: ClassVar[str] = ""

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ends.append(f"run {self.address}")

    async def on_stop(self) -> None:
        await trio.sleep(self.hook)
        if self.tell:
            await self.registry.call(self.tell, "put", self.address)
        self.ends.append(f"stop {self.address}")

    @action
    async def hold(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "held"


def worker(hook: float = 0, tell: str = "") -> type[Worker]:
    return type("Worker", (Worker,), {"ends": [], "hook": hook, "tell": tell, "__module__": __name__})


class Outcomes:
    """Calls beside the test."""

    def __init__(self, nursery: trio.Nursery, registry: Registry) -> None:
        self._nursery = nursery
        self._registry = registry
        self.of: dict[str, Any] = {}

    async def start(self, name: str, address: str, action: str, *args: Any) -> None:
        self._nursery.start_soon(self._call, name, address, action, *args)
        await settle()

    async def _call(self, name: str, address: str, action: str, *args: Any) -> None:
        try:
            self.of[name] = await self._registry.call(address, action, *args)
        except InspectorError as exc:
            self.of[name] = exc.name


# ---- finding and making ----


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

    registry.watchers[wake] = cells
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
        assert woken


async def test_a_log_of_ones_own() -> None:
    log = Log(host_name="mine")
    assert Registry(log=log).log is log
    registry = Registry(name="other", record="info", record_size=2**20)
    assert (registry.log.host_name, registry.state, registry.draining) == ("other", "idle", False)


# ---- running and draining ----


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


async def drain(
    body: Callable[[Registry, Outcomes], Any], *classes: type[Actor[Any]], seconds: float = 8
) -> tuple[Registry, dict[str, Any], float]:
    """Run a registry whose block ends after `body`; return it, the outcomes of its calls, and what the drain took."""
    registry = Registry([Shelf, *classes])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        async with registry.running(drain_timeout=seconds):
            await body(registry, outcomes)
            began = trio.current_time()
        took = trio.current_time() - began
    return registry, outcomes.of, took


async def test_what_runs_may_end(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls)
        await outcomes.start("a", "shelf", "hold", 3)
        await outcomes.start("waiting", "shelf", "put", "x")
        await outcomes.start("w", "worker", "hold", 2)

    registry, outcomes, took = await drain(body, cls)
    assert outcomes == {"a": "held", "waiting": 1, "w": "held"}
    assert took == pytest.approx(3, abs=0.1)
    assert cls.ends == ["run worker", "stop worker"]
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}
    assert events(registry.log, "drain timed out") == []
    assert len(events(registry.log, "actor stopped")) == 2


async def test_new_work_is_refused_and_what_admitted_work_calls_is_not(autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, outcomes: Outcomes) -> None:
        for key in ("a", "b", "c"):
            registry.get_or_create(Shelf, key)
        await outcomes.start("call", "shelf/a", "hold_then_put", 2, "shelf/b")
        await outcomes.start("make", "shelf/c", "hold_then_make", 2, "new")
        outcomes._nursery.start_soon(late, registry, outcomes)

    async def late(registry: Registry, outcomes: Outcomes) -> None:
        await trio.sleep(1)
        assert registry.state == "draining"
        await outcomes.start("late", "shelf/b", "put", "from outside")
        await outcomes.start("later", "shelf/b", "hold", 1)
        with raises("registry.shut_down"):
            registry.get_or_create(Shelf, "from outside")
        # A handle on what is there can still be had.
        assert registry.get_or_create(Shelf, "b").address == "shelf/b"

    registry, outcomes, took = await drain(body)
    assert outcomes == {"call": 1, "make": "shelf/new", "late": "registry.shut_down", "later": "registry.shut_down"}
    assert took == pytest.approx(2, abs=0.1)
    assert registry.get("shelf/new").status == "stopped"


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_tasks_calls_are_refused_without_a_crash(grouped: bool, autojump_clock: trio.testing.MockClock) -> None:
    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf, "a")
        registry.get_or_create(Shelf, "b")
        await registry.call("shelf/a", "spawn_calls", "shelf/b", 1, grouped)
        await outcomes.start("a", "shelf/b", "hold", 2)

    registry, outcomes, _ = await drain(body)
    assert outcomes == {"a": "held"}
    assert registry.get("shelf/a").failure is None
    (span,) = spans(registry.log, "task")
    assert span.status == "error"


async def test_what_hangs_is_cancelled_after_three_quarters(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls)
        await outcomes.start("a", "shelf", "hold", 1000)
        await outcomes.start("waiting", "shelf", "put", "x")
        await outcomes.start("w", "worker", "hold", 1000)

    registry, outcomes, took = await drain(body, cls)
    assert outcomes == dict.fromkeys(("a", "waiting", "w"), "actor.stopped")
    assert took == pytest.approx(6, abs=0.1)
    # Its stop hook runs all the same.
    assert cls.ends == ["run worker", "stop worker"]
    assert events(registry.log, "drain timed out") == []


async def test_an_action_that_cant_be_cancelled_does_not_keep_hooks_from_running(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cls = worker()
    ended: list[float] = []

    class Noting(cls):  # type: ignore[valid-type,misc]  # a class made above
        name: ClassVar[str] = "worker"

        async def on_stop(self) -> None:
            await super().on_stop()
            ended.append(trio.current_time())

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(Noting)
        await outcomes.start("a", "shelf", "hang")

    _, outcomes, _ = await drain(body, Noting)
    assert outcomes == {"a": "actor.stopped"}
    assert ended == [pytest.approx(7, abs=0.1)]


async def test_a_hook_that_hangs_is_cancelled_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1000)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls, "a")
        registry.get_or_create(cls, "b")
        registry.get_or_create(Shelf)
        await registry.call("shelf", "put", "x")
        await settle()

    registry, _, took = await drain(body, cls)
    assert took == pytest.approx(8, abs=0.1)
    assert sorted(cls.ends) == ["run worker/a", "run worker/b"]
    (record,) = events(registry.log, "drain timed out")
    assert (record.level, record.fields["timeout_ms"]) == ("WARN", 8000)
    assert {span.status for span in spans(registry.log, "stop")} == {"cancelled"}
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}


async def test_a_hook_may_call_an_actor_that_has_none(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1, tell="shelf")

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Shelf)
        registry.get_or_create(cls, "a")
        registry.get_or_create(cls, "b")
        await settle()

    registry, _, _ = await drain(body, cls)
    assert sorted(cls.ends) == ["run worker/a", "run worker/b", "stop worker/a", "stop worker/b"]
    shelf = registry.get("shelf").actor
    assert shelf is not None
    assert sorted(shelf.state.items) == ["worker/a", "worker/b"]
    assert events(registry.log, "stop hook failed") == []


async def test_an_actor_that_is_made_while_draining_lives_and_ends(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=1)

    class Maker(Actor[None]):
        @action
        async def make(self, seconds: float) -> str:
            await trio.sleep(seconds)
            return str(await self.get(cls, "late").call(Worker.hold, 1))

        async def on_stop(self) -> None:
            await self.get(cls, "later").call(Worker.hold, 1)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(Maker)
        await outcomes.start("make", "maker", "make", 1)

    registry, outcomes, took = await drain(body, cls, Maker)
    assert outcomes == {"make": "held"}
    assert sorted(cls.ends) == ["run worker/late", "run worker/later", "stop worker/late", "stop worker/later"]
    # The action with what it called, the hook with what it called, and the hook of what that made.
    assert took == pytest.approx(2 + 1 + 1, abs=0.1)
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}


async def test_a_stop_under_way_is_part_of_the_drain(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=2)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        await settle()
        outcomes._nursery.start_soon(registry.stop, "worker")
        await settle()

    _, _, took = await drain(body, cls)
    assert took == pytest.approx(2, abs=0.1)
    assert cls.ends == ["run worker", "stop worker"]
    _, _, took = await drain(body, cls, seconds=1)
    assert took == pytest.approx(1, abs=0.1)
    assert cls.ends.count("stop worker") == 1


async def test_a_stop_that_comes_while_draining(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker(hook=2)

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        await settle()
        outcomes._nursery.start_soon(late, registry)

    async def late(registry: Registry) -> None:
        await trio.sleep(1)
        await registry.stop("worker")
        assert trio.current_time() == pytest.approx(2, abs=0.1)

    registry, _, _ = await drain(body, cls)
    assert cls.ends == ["run worker", "stop worker"]
    assert len(registry) == 0


async def test_a_drain_of_no_time_and_one_of_all_time(autojump_clock: trio.testing.MockClock) -> None:
    cls = worker()

    async def body(registry: Registry, outcomes: Outcomes) -> None:
        registry.get_or_create(cls)
        registry.get_or_create(Shelf)
        await outcomes.start("a", "shelf", "hold", 50)

    _, outcomes, took = await drain(body, cls, seconds=0)
    assert (outcomes, took) == ({"a": "actor.stopped"}, 0)
    _, outcomes, took = await drain(body, cls, seconds=math.inf)
    assert outcomes == {"a": "held"}
    assert took == pytest.approx(50, abs=0.1)


async def test_a_registry_that_is_cut_off_answers_everybody() -> None:
    cls = worker()
    registry = Registry([Shelf, cls])
    async with trio.open_nursery() as nursery:
        outcomes = Outcomes(nursery, registry)
        with trio.CancelScope() as scope:
            async with registry.running():
                registry.get_or_create(Shelf)
                registry.get_or_create(cls)
                await outcomes.start("a", "shelf", "hold", 1000)
                await outcomes.start("waiting", "shelf", "put", "x")
                scope.cancel()
                await trio.lowlevel.checkpoint()
    assert outcomes.of == {"a": "actor.stopped", "waiting": "actor.stopped"}
    assert registry.state == "stopped"
    assert cls.ends == ["run worker"]
    assert {cell.status for cell in registry.page("", "", 9)[0]} == {"stopped"}
    assert {span.status for span in spans(registry.log, "actor")} == {"cancelled"}


# ---- before it runs ----


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
