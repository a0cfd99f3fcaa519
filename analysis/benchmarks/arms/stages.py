"""Stages of an arm through the command line, one after the other, each once.

Every arm and seed has a folder of results, ``ARM/seed_N``, laid out as the workflow lays it out:
``config/``, ``logs/`` and ``benchmarks/`` with the seconds of each stage, so that
``emulator compare`` and ``emulator report`` read it. A stage is done once its seconds are written.
The regression, which no arm changes, is trained once and copied.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator.config import (
    ConfigError,
    ExperimentConfig,
    maps_file,
    read_config,
    regression_folder,
    stage_yaml,
)
from emulator.io import EmulatorError, write_text
from emulator.suites import suite_of

SHARED = ".shared"
"""Results of what is the same for all arms: the regression, with the channels of the base."""

STAGES = ("fit", "train", "sample", "validate")
_NEED_RAW = ("fit", "sample")


def stages_of(config: ExperimentConfig) -> tuple[str, ...]:
    """Stages of an arm in order: `calibrate` only where it asks for it."""
    if not config.calibration.enabled:
        return STAGES
    place = STAGES.index("sample")
    return (*STAGES[:place], "calibrate", *STAGES[place:])


RunStage = Callable[[Sequence[str], Path, int], None]
"""Runs ``emulator`` with these words, its output into a log, while it holds a lock."""


@dataclass(frozen=True)
class Places:
    """Where things lie; ``raw`` None: where the config says."""

    results: Path
    maps: Path
    raw: Path | None = None

    def arm(self, name: str, seed: int) -> Path:
        """Results of one arm and seed."""
        return self.results / name / f"seed_{seed}"


def require_maps(config: ExperimentConfig, places: Places) -> None:
    """An :class:`EmulatorError` that says what to run where maps of the suite are missing."""
    names = [name for run in suite_of(config, places.raw).runs.values() for name in run]
    missing = [name for name in names if not maps_file(places.maps, name).is_file()]
    if missing:
        raise EmulatorError(
            f"{places.maps}: expected maps of {len(names)} simulations, {len(missing)} are missing "
            f"({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}). Run `make demo` "
            "first, or give --maps"
        )


def require_same_config(folder: Path, config: ExperimentConfig) -> None:
    """A :class:`ConfigError` where a folder holds stages of another config."""
    for stage in (*STAGES, "calibrate", "regress"):
        path = folder / "config" / f"{stage}.yaml"
        if path.is_file() and stage_yaml(read_config(path), stage) != stage_yaml(config, stage):
            raise ConfigError(
                f"{path}: expected the config of this arm, got another: the arm was changed since. "
                f"Remove {folder}, or choose other --results"
            )


def is_finished(folder: Path) -> bool:
    """Whether the last stage has run."""
    return _seconds_file(folder, STAGES[-1]).is_file()


def run_stage(words: Sequence[str], log: Path, lock: int) -> None:
    """Run one command with one thread.

    The process holds the lock as well: should it outlive us, nobody starts it a second time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "emulator", *words]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    with (
        log.open("a", encoding="utf-8") as output,
        subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=env, pass_fds=(lock,)
        ) as process,
    ):
        code = process.wait()
    if code:
        raise EmulatorError(
            f"`emulator {words[0]}` ended with code {code}: {log} says why. The same command goes "
            "on from there"
        )


def train_regression(
    config: ExperimentConfig, places: Places, run: RunStage = run_stage
) -> Path | None:
    """Bundle of the regression of all arms, trained once; None: the config has none."""
    if not config.regression.max_steps:
        return None
    folder = places.results / SHARED
    require_same_config(folder, config)
    with _locked(folder, wait=True) as lock:
        for stage in ("fit", "regress"):
            _complete(stage, folder, config, places, run, lock)
    return regression_folder(folder)


def run_arm(
    name: str,
    seed: int,
    config: ExperimentConfig,
    regression: Path | None,
    places: Places,
    run: RunStage = run_stage,
) -> str:
    """Complete one arm; says in a word what came of it."""
    folder = places.arm(name, seed)
    require_same_config(folder, config)
    if is_finished(folder):
        return "was finished"
    try:
        with _locked(folder, wait=False) as lock:
            if regression is not None:
                shutil.copytree(regression, regression_folder(folder), dirs_exist_ok=True)
            for stage in stages_of(config):
                _complete(stage, folder, config, places, run, lock, seed)
    except _InWorkError:
        return "is run by another process"
    return "finished"


def _complete(
    stage: str,
    folder: Path,
    config: ExperimentConfig,
    places: Places,
    run: RunStage,
    lock: int,
    seed: int | None = None,
) -> None:
    """Run a stage unless it has run; its config is written before, its seconds after."""
    done = _seconds_file(folder, stage)
    if done.is_file():
        return
    path = folder / "config" / f"{stage}.yaml"
    write_text(path, stage_yaml(config, stage))
    if stage == "sample":  # half an ensemble that is gone on with would take half the time
        shutil.rmtree(folder / "ensembles", ignore_errors=True)
    words = [stage, str(path), "--maps", str(places.maps), "--results", str(folder)]
    if stage == "train":
        words += ["--seed", str(seed)]
    if stage in _NEED_RAW and places.raw is not None:
        words += ["--raw", str(places.raw)]
    print(f"{folder}: {stage}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    run(words, folder / "logs" / f"{stage}.log", lock)
    write_text(done, f"s\n{time.perf_counter() - began:.3f}\n")


def _seconds_file(folder: Path, stage: str) -> Path:
    return folder / "benchmarks" / f"{stage}.tsv"


class _InWorkError(Exception):
    """Another process holds the lock."""


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock of a folder, which ends with the last process that has it open."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise _InWorkError from error
        yield handle.fileno()
