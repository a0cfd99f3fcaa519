"""Run arms of a config at equal cost, and write ``arms.json`` and ``arms.md``.

Start it twice, and two arms run side by side: an arm that is in work elsewhere is passed over.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.benchmarks.arms.command import add_places, answer
from analysis.benchmarks.arms.expand import (
    ARMS,
    THREADS,
    Arm,
    base_config,
    expand,
    read_arms,
)
from analysis.benchmarks.arms.stages import (
    Places,
    is_finished,
    require_maps,
    require_same_config,
    run_arm,
    train_regression,
)
from analysis.benchmarks.arms.table import write_page
from analysis.benchmarks.runner import FOLDER
from emulator.config import ExperimentConfig, maps_folder, read_document
from emulator.cost.requests import passes
from emulator.io import EmulatorError

SEEDS = (0, 1)


def main(words: Sequence[str] | None = None) -> None:
    """Run what is asked for and has not run, then write the page of all that has."""
    answer(_main, _parser().parse_args(words))


def _main(options: argparse.Namespace) -> None:
    arms, document = read_arms(options.arms), read_document(options.config)
    base = base_config(document, source=str(options.config))
    configs = expand(document, arms)
    chosen = list(dict.fromkeys(options.arm or arms))
    if unknown := sorted(set(chosen) - set(arms)):
        raise EmulatorError(f"no such arm: {', '.join(unknown)}; there are {', '.join(arms)}")
    places = Places(options.results, options.maps or maps_folder(base.name), options.raw)
    if not options.table_only:
        require_maps(base, places)
        regression = train_regression(base, places)
        for seed in dict.fromkeys(options.seed or SEEDS):
            for name in chosen:
                said = run_arm(name, seed, configs[name], regression, places)
                print(f"{name}, seed {seed}: {said}", file=sys.stderr, flush=True)
    _write(arms, configs, base, places, options.page)
    print(options.page)


def _write(
    arms: dict[str, Arm],
    configs: dict[str, ExperimentConfig],
    base: ExperimentConfig,
    places: Places,
    page: Path,
) -> None:
    runs = {name: finished(name, config, places) for name, config in configs.items()}
    cost = (
        f"The config `{base.name}`; every arm trains for {base.training.max_steps} steps of "
        f"{passes(base)} passes of the network, with {THREADS} thread."
    )
    found = {name: folders for name, folders in runs.items() if folders}
    write_page(found, {name: arm.why for name, arm in arms.items()}, cost, page)


def finished(name: str, config: ExperimentConfig, places: Places) -> dict[int, Path]:
    """Folders of results of an arm by seed, those that are whole."""
    names = (path.name.removeprefix("seed_") for path in (places.results / name).glob("seed_*"))
    seeds = sorted(int(name) for name in names if name.isdigit())
    folders = {seed: places.arm(name, seed) for seed in seeds}
    folders = {seed: folder for seed, folder in folders.items() if is_finished(folder)}
    for folder in folders.values():
        require_same_config(folder, config)
    return folders


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.benchmarks.arms",
        description="Train arms of a config at equal cost, judge them, and write a table.",
    )
    many: dict[str, Any] = {"nargs": "+", "action": "extend"}
    parser.add_argument("--config", type=Path, default=Path("configs/demo.yaml"))
    parser.add_argument("--arms", type=Path, default=ARMS, help="what the arms are [%(default)s]")
    parser.add_argument("--arm", metavar="NAME", help="which to run [all]", **many)
    parser.add_argument("--seed", metavar="N", type=int, help="of training [0 1]", **many)
    add_places(parser, results=Path("results/arms"), page=FOLDER / "arms.md")
    return parser


if __name__ == "__main__":
    main()
