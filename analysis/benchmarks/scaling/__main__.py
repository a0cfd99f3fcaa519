"""Run the points of a study that have not run, and write ``scaling.json``, ``.md`` and ``.png``.

Started twice, two points run side by side, as of the arms. What points have in common (a config
that stands on two axes, the regression) runs once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.benchmarks.arms.command import add_places, answer
from analysis.benchmarks.arms.stages import (
    Places,
    is_finished,
    require_maps,
    run_arm,
    train_regression,
)
from analysis.benchmarks.runner import FOLDER
from analysis.benchmarks.scaling.axes import AXES, expand_study, point_name, read_study
from analysis.benchmarks.scaling.page import write_pages
from emulator.config import ExperimentConfig, maps_folder, read_document
from emulator.io import EmulatorError

SEED = 0


def main(words: Sequence[str] | None = None) -> None:
    """Run what has not run, then write the page of all that has."""
    answer(_main, _parser().parse_args(words))


def _main(options: argparse.Namespace) -> None:
    study = read_study(options.study)
    chosen = list(dict.fromkeys(options.axis or study.axes))
    if unknown := sorted(set(chosen) - set(study.axes)):
        raise EmulatorError(
            f"no such axis: {', '.join(unknown)}; there are {', '.join(study.axes)}"
        )
    configs = expand_study(read_document(options.config), study)
    first = next(iter(configs.values()))
    places = Places(options.results, options.maps or maps_folder(first.name), options.raw)
    homes = homes_of(configs)
    if not options.table_only:
        require_maps(first, places)
        regression = train_regression(first, places)
        for axis in chosen:
            for value in study.axes[axis].values:
                home = homes[point_name(axis, value)]
                said = run_arm(home, SEED, configs[home], regression, places)
                print(f"{point_name(axis, value)}: {said}", file=sys.stderr, flush=True)
    folders = {name: places.arm(home, SEED) for name, home in homes.items()}
    finished = {name: folder for name, folder in folders.items() if is_finished(folder)}
    write_pages(study, configs, finished, options.page, options.remark)
    print(options.page)


def homes_of(configs: dict[str, ExperimentConfig]) -> dict[str, str]:
    """Name under which each point runs: that of the first point of the same config."""
    names = list(configs)
    return {
        name: next(other for other in names if configs[other] == config)
        for name, config in configs.items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.benchmarks.scaling",
        description="Train along axes of the config, judge each point, and write a page.",
    )
    parser.add_argument("--config", type=Path, default=Path("configs/demo.yaml"))
    parser.add_argument("--study", type=Path, default=AXES, help="what the axes are [%(default)s]")
    parser.add_argument("--axis", nargs="+", metavar="NAME", help="which to run [all]")
    parser.add_argument(
        "--remark", default="", metavar="TEXT", help="a paragraph for the page: of the machine, say"
    )
    add_places(parser, results=Path("results/scaling"), page=FOLDER / "scaling.md")
    return parser


if __name__ == "__main__":
    main()
