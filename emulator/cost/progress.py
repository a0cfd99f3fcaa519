"""Progress of a whole run of the workflow: a line for all stages in place of five a job.

Snakemake says of every job that it was selected, started, finished, and how many are done. This
filter of its log keeps what else it says, errors among it, and writes one line every few seconds:
jobs that are done, the share of the time, and the stages that are under way. Times are predicted
(:mod:`emulator.cost.predict`), or, where nobody has asked for that, rough
(:mod:`emulator.cost.rough`), and the line says which.
"""

import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.io import read_json
from emulator.progress import format_seconds

SELECTION = "Select jobs to execute..."
_COUNTED = "emulator_counted"
RULE = re.compile(r"\(Rule: (\w+)\)")


def predicted_seconds(cost: Path) -> dict[str, float]:
    """Seconds of a job of each stage, from ``cost.json``; empty if there is none.

    Raises
    ------
    DataError
        The file is damaged.
    """
    if not cost.is_file():
        return {}
    return {row["stage"]: row["seconds"] / row["jobs"] for row in read_json(cost)["stages"]}


class RunProgress(logging.Filter):
    """Drops what Snakemake says of single jobs that go well, and says where the run stands.

    Parameters
    ----------
    predicted
        Seconds of a job of each stage.
    rough
        The same of a rougher kind, for where nothing is predicted; both empty: shares of the time
        are not said.
    interval
        Seconds between two lines; the last job has a line in any case.
    clock, say
        Time [s], and where lines go.
    """

    def __init__(
        self,
        predicted: Mapping[str, float],
        *,
        rough: Mapping[str, float] | None = None,
        interval: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self.seconds = predicted or rough or {}
        self.of_time = "of the predicted time" if predicted else "of the time, roughly"
        self.interval, self.clock = interval, clock
        self.say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self.began = self.last = clock()
        self.planned: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake itself prints a record."""
        event = str(getattr(record, "event", "") or "")
        if event in ("job_finished", "progress"):
            if not hasattr(record, _COUNTED):  # every handler asks about every record
                setattr(record, _COUNTED, True)
                self._count(event, record)
            return False
        if event == "run_info":
            stats = getattr(record, "stats", {})
            self.planned = Counter({str(k): int(n) for k, n in stats.items() if k != "total"})
        return event != "job_started" and record.msg != SELECTION

    def _count(self, event: str, record: logging.LogRecord) -> None:
        if event == "progress":
            self._progress()
        elif found := RULE.search(record.getMessage()):
            self.done[found[1]] += 1

    def _progress(self) -> None:
        now = self.clock()
        left = self.planned.total() - self.done.total()
        if left > 0 and now - self.last < self.interval:
            return
        self.last = now
        self.say(self.line(now - self.began))

    def line(self, elapsed: float) -> str:
        """``16 of 108 jobs, 21% of the predicted time, 1:52 elapsed; simulate 16/33``."""
        # Snakemake's own total counts jobs that this run does not need
        counted = f"{self.done.total()} of {self.planned.total()} jobs"
        parts = [counted, f"{format_seconds(elapsed)} elapsed"]
        share = self.share()
        if share is not None:
            parts.insert(1, f"{share:.0%} {self.of_time}")
        stages = [
            f"{rule} {self.done[rule]}/{count}"
            for rule, count in self.planned.items()
            if count > 1 and 0 < self.done[rule] < count
        ]
        said = f"workflow: {', '.join(parts)}"
        return f"{said}; {', '.join(stages)}" if stages else said

    def share(self) -> float | None:
        """Time of the jobs that are done over that of all of this run."""
        total = sum(self.seconds.get(rule, 0.0) * n for rule, n in self.planned.items())
        done = sum(self.seconds.get(rule, 0.0) * n for rule, n in self.done.items())
        return done / total if total > 0 else None
