"""Work on several things at a time in threads, with results in order and few things in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Thing], Result], things: Iterable[Thing], workers: int
) -> Iterator[Result]:
    """Results of ``work`` in the order of ``things``.

    Parameters
    ----------
    work
        Called in threads; it pays where most of its time is spent in numpy, which leaves the
        interpreter to others.
    things
        Taken one by one, in the thread of the caller, and only once one of ``workers`` is free: so
        many are alive at a time.
    workers
        Threads, 1 or more; one works in the thread of the caller.

    Raises
    ------
    Whatever ``work`` or ``things`` raise, where the result would have been; what is in work then
    ends before.
    """
    if workers == 1:
        yield from map(work, things)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque()
        for thing in things:
            waiting.append(pool.submit(work, thing))
            del thing
            if len(waiting) == workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
