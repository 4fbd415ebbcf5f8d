"""Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from taxo.training.interrupt import StopRequest


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_a_request(number: int):
    with StopRequest() as stop:
        assert not stop.made
        press(number)
        assert stop.made


def test_the_second_one_acts_at_once():
    with StopRequest():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_the_handlers_go_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_keeps_the_usual_meaning():
    before, within = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with StopRequest():
            within.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert within == [before]
