"""Progress of long work: what is done, what is left, and for how long.

One line at a time on standard error, rewritten in place on a terminal and at most every few seconds
elsewhere, so that the same stage reads well on a screen, in a log and in a Slurm file.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def format_seconds(seconds: float) -> str:
    """Return ``m:ss`` or ``h:mm:ss``."""
    minutes, secs = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


class Progress:
    """Count ``total`` steps of ``label`` and say how long the rest will take.

    Parameters
    ----------
    label
        What is being done, e.g. ``"train"``.
    total
        Number of steps.
    start
        Steps done in an earlier session; they do not enter the speed.
    interval
        Seconds between two lines when standard error is not a terminal.
    """

    def __init__(self, label: str, total: int, *, start: int = 0, interval: float = 10.0) -> None:
        self.label, self.total, self.done, self.start = label, total, start, start
        self.began = self.last = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.interval = 0.2 if self.terminal else interval

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count ``steps`` more; ``note`` (e.g. the loss) ends the line."""
        self.done += steps
        now = time.monotonic()
        if self.done >= self.total or now - self.last >= self.interval:
            self.last = now
            self._print(now - self.began, note)

    def _print(self, elapsed: float, note: str) -> None:
        left = elapsed / max(self.done - self.start, 1) * (self.total - self.done)
        share = self.done / self.total if self.total else 1.0  # of nothing: all
        line = (
            f"{self.label}: {self.done}/{self.total} ({share:.0%}), "
            f"{format_seconds(elapsed)} elapsed, {format_seconds(left)} left"
        )
        line = f"{line}  {note}" if note else line
        finished = self.done >= self.total
        if self.terminal:
            print(f"\r\x1b[K{line}", end="\n" if finished else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def track(
    items: Iterable[Item], label: str, total: int, *, interval: float = 10.0
) -> Iterator[Item]:
    """Iterate with a :class:`Progress` line."""
    progress = Progress(label, total, interval=interval)
    for item in items:
        yield item
        progress.advance()
