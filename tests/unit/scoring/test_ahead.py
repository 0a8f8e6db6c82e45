import threading

import pytest

from asteroid_ll.scoring.ahead import ahead


def test_items_come_in_order_and_at_most_one_is_made_before_its_use():
    made = []

    def items():
        for number in range(5):
            made.append(number)
            yield number

    used = []
    for number in ahead(items()):
        used.append(number)
        assert len(made) <= number + 2
    assert used == list(range(5))


def test_an_error_is_raised_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    used = []
    with pytest.raises(ValueError, match="broken"):
        used.extend(ahead(items()))
    assert used == [1]


def test_the_thread_ends_if_the_items_are_not_all_used():
    before = set(threading.enumerate())
    numbers = ahead(iter(range(10)))
    assert next(numbers) == 0
    (thread,) = set(threading.enumerate()) - before
    numbers.close()
    thread.join(10)
    assert not thread.is_alive()
