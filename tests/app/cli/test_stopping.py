"""`stop_on_interrupt`, one inside another: a wish to stop between two trainings is not lost."""

import os
import signal

import pytest

from app.cli.training_display import stop_on_interrupt


@pytest.fixture(autouse=True)
def interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_wish_is_the_outer_ones_and_that_of_what_begins_after_it() -> None:
    with stop_on_interrupt() as outer:
        with stop_on_interrupt() as first:
            assert not outer() and not first()
            interrupt()
            assert outer() and first()
        with stop_on_interrupt() as second:
            assert second()
    with stop_on_interrupt() as later:
        assert not later()


def test_a_wish_between_two_is_seen_by_the_next() -> None:
    with stop_on_interrupt() as outer:
        with stop_on_interrupt():
            pass
        interrupt()
        assert outer()
        with stop_on_interrupt() as following:
            assert following()


def test_the_second_interrupt_is_one_and_the_handlers_come_back() -> None:
    with stop_on_interrupt():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    with pytest.raises(KeyboardInterrupt):
        interrupt()
