"""Work in threads: in order, few at a time, and a fault where its result would have been."""

import threading
import time
from collections.abc import Iterator

import pytest

from emulator.validation.side_by_side import side_by_side


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_keep_the_order_of_things_that_end_in_another(workers: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.02 * (number % 3 == 0))
        return number**2

    assert list(side_by_side(work, range(10), workers)) == [number**2 for number in range(10)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_things_are_taken_before_their_results_as_there_are_workers(workers: int) -> None:
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        for number in range(12):
            taken += 1
            yield number

    for done, _ in enumerate(side_by_side(lambda number: number, things(), workers), start=1):
        assert taken - done < workers


def test_work_meets_in_threads() -> None:
    together = threading.Barrier(2, timeout=60)
    list(side_by_side(lambda _: together.wait(), range(4), 2))  # alone, the barrier would break


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_comes_after_the_results_before_it(workers: int) -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("number 3")
        return number

    found: list[int] = []
    with pytest.raises(ValueError, match="number 3"):
        found.extend(side_by_side(work, range(6), workers))
    assert found == [0, 1, 2]
