"""When a loop is asked, and what follows from its silence: decided from times alone."""

from __future__ import annotations

from inspector.tasks.pulse import Pulse, Verdict

ASK = Verdict("ask")


def test_a_loop_that_waits_is_left_alone() -> None:
    pulse = Pulse(1.0)
    assert [pulse.look(n / 4, 0.0, idle=True) for n in range(100)] == [None] * 100


def test_a_loop_that_answers() -> None:
    pulse = Pulse(1.0)
    assert pulse.interval == 0.25
    assert pulse.look(0.0, 0.0, idle=False) == ASK
    pulse.answer(0.01)
    assert pulse.look(0.02, 0.0, idle=False) is None
    # One that answers quickly is not asked the more often.
    assert pulse.look(0.03, 0.0, idle=False) is None
    assert pulse.look(0.25, 0.0, idle=False) == ASK


def test_a_block_is_told_once_and_its_end_too() -> None:
    pulse = Pulse(1.0)
    assert pulse.look(10.0, 5.0, idle=False) == ASK
    assert pulse.look(10.25, 5.25, idle=False) is None
    assert pulse.look(10.5, 5.5, idle=False) is None
    # What it is seen at has no weight once it was asked: it has not come round.
    assert pulse.look(10.75, 5.75, idle=True) is None
    assert pulse.look(11.0, 6.0, idle=False) == Verdict("blocked", 1.0, 1.0)
    # Nobody was told yet: somebody has stopped it in a debugger, say.
    assert pulse.look(11.25, 6.0, idle=False) == Verdict("blocked", 1.25, 1.0)
    pulse.tell()
    assert pulse.told
    assert pulse.look(11.5, 6.0, idle=False) is None
    pulse.answer(11.625)
    assert pulse.look(11.75, 6.0, idle=False) == Verdict("goes_on", 1.625, 1.0)
    assert not pulse.told
    assert pulse.look(12.0, 6.0, idle=True) is None


def test_a_block_in_which_the_watch_ends() -> None:
    pulse = Pulse(1.0)
    assert pulse.end(0.0, 0.0) is None
    pulse.look(0.0, 0.0, idle=False)
    assert pulse.end(0.5, 0.0) is None
    pulse.look(1.0, 0.5, idle=False)
    pulse.tell()
    assert pulse.end(2.0, 0.75) == Verdict("goes_on", 2.0, 0.75)
    pulse.answer(1.5)
    assert pulse.end(2.0, 0.75) == Verdict("goes_on", 1.5, 0.75)


def test_a_block_that_ends_unseen_is_not_told() -> None:
    pulse = Pulse(1.0)
    pulse.look(0.0, 0.0, idle=False)
    pulse.answer(2.0)
    assert pulse.look(2.0, 0.0, idle=True) is None


def test_a_process_that_was_stopped_was_not_blocked() -> None:
    pulse = Pulse(1.0)
    assert pulse.look(0.0, 0.0, idle=False) == ASK
    # An hour later, in which neither thread has run.
    assert pulse.look(3600.0, 0.001, idle=False) is None
    assert pulse.look(3600.25, 0.1, idle=False) is None
    assert pulse.look(3600.5, 0.3, idle=False) is None
    found = pulse.look(3600.75, 0.5, idle=False)
    assert found is not None
    assert found.what == "blocked"


def test_a_thread_that_lets_no_other_run_was() -> None:
    pulse = Pulse(1.0)
    assert pulse.look(0.0, 0.0, idle=False) == ASK
    # Two seconds in which this thread could not look, for the loop's has worked and kept the interpreter's lock.
    assert pulse.look(2.0, 1.9, idle=False) == Verdict("blocked", 2.0, 1.9)
