"""Writes by a thread: their order, what goes wrong in one, and copies that later steps do not touch."""

import threading

import pytest
import torch

from mllc.errors import StoreError
from mllc.writer import WAITING, Writer, snapshot

CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


def test_writes_are_done_in_order_and_all_of_them_at_the_end():
    done = []
    with Writer() as writer:
        for number in range(20):
            writer.do(lambda number=number: done.append(number))
    assert done == list(range(20))


def test_training_goes_on_while_a_write_takes_its_time_until_too_many_wait():
    go, done = threading.Event(), []
    with Writer() as writer:
        for _ in range(WAITING):
            writer.do(lambda: done.append(go.wait(10)))
        assert done == [], "nothing was waited for"
        one_more = threading.Thread(target=writer.do, args=(lambda: done.append("last"),))
        one_more.start()
        one_more.join(0.2)
        assert one_more.is_alive(), "memory is bounded"
        go.set()
        one_more.join(10)
    assert done == [True] * WAITING + ["last"]


def write(writes):
    with Writer() as writer:
        for one in writes:
            writer.do(one)


def full():
    raise StoreError("the disk is full")


def test_a_write_that_fails_is_told_and_nothing_is_written_after_it():
    done = []
    with pytest.raises(StoreError, match="the disk is full"):
        write([lambda: done.append("before"), full, lambda: done.append("after")])
    assert done == ["before"]


def test_it_is_told_at_a_later_write_and_not_only_at_the_end():
    def endless():
        yield full
        for _ in range(WAITING):
            yield lambda: None
        pytest.fail("it should have been told by now")

    with pytest.raises(StoreError, match="the disk is full"):
        write(endless())


def test_another_error_is_not_replaced_by_that_of_a_write_and_what_was_asked_for_is_written():
    done = []

    def interrupted():
        yield lambda: done.append("asked for")
        yield full
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(interrupted())
    assert done == ["asked for"]


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_snapshot_is_of_the_moment_it_was_asked_for(device):
    weights = {
        "a": torch.arange(6.0, device=device).view(2, 3),
        "b": torch.ones(2, 3, 4, 4, device=device).to(memory_format=torch.channels_last),
    }
    expected = {name: weight.cpu().clone() for name, weight in weights.items()}
    copied = snapshot(weights)
    for weight in weights.values():
        weight.zero_()
    found = copied()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight)
        assert found[name].device.type == "cpu"
        assert found[name].stride() == weights[name].stride()
