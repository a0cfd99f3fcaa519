# Facts that every rule shares: the validated config, folders, names, and one config file a stage.
import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import validate as validate_schema

from emulator.config import (
    MAP,
    blocks_of,
    parse_config,
    previous_files,
    read_document,
    require_twins,
    stage_yaml,
    teacher_files,
)
from emulator.cost.painting import of_trained, paint_request
from emulator.cost.progress import RunProgress, predicted_seconds
from emulator.cost.requests import DAY, requests
from emulator.cost.rough import rough_seconds
from emulator.data.splits import SPLITS as NAMES_OF_SPLITS, require_same_test, split_runs
from emulator.io import DataError, EmulatorError
from emulator.manifest import check_manifest
from emulator.sampling.painting.plan import Painting
from emulator.suites import suite_of

try:
    for path in workflow.configfiles:
        read_document(path)  # refuses what Snakemake's own reader takes, a key twice among it
    EXPERIMENT = parse_config(config)
    SUITE = suite_of(EXPERIMENT)
    RAW, RUNS = str(SUITE.root), SUITE.runs
    SPLITS = dict.fromkeys(NAMES_OF_SPLITS, ())  # of targets to be painted nothing is split
    if SUITE.has_twins:
        SPLITS = split_runs(RUNS, EXPERIMENT.data.split)
    SAMPLED = SUITE.sampled(SPLITS["test"])
    BLOCKS = blocks_of(list(RUNS), EXPERIMENT.blocks.runs)
    ENSEMBLES = blocks_of(SAMPLED, EXPERIMENT.blocks.simulations)
    REQUESTS = requests(EXPERIMENT, SUITE)
    TEACHER = teacher_files(EXPERIMENT)  # what a distillation or fine-tuning begins with
    SUITE.require_possible()
    PREVIOUS = EXPERIMENT.report.previous  # runs that this one is compared with
    PREVIOUS_FILES = previous_files(EXPERIMENT.report)
    require_same_test(SPLITS, PREVIOUS)
except EmulatorError as error:
    raise WorkflowError(str(error)) from None

# The schema is what editors and other tools read; it must agree with what is run.
validate_schema(
    EXPERIMENT.model_dump(mode="json"),
    workflow.source_path("../schemas/config.schema.yaml"),
    set_default=False,  # the models have filled in the defaults of this kind of suite
)

NAME = EXPERIMENT.name
PROCESSED = f"data/processed/{NAME}"
RESULTS = f"results/{NAME}"
SEEDS = EXPERIMENT.training.seeds
BUNDLE = ["model.json", "weights.safetensors", "history.csv"]
# what `solver: auto` finds for each model; no file, and no job, where the config names a solver
FOUND = [
    f"{RESULTS}/model/seed_{seed}/solver.json"
    for seed in SEEDS
    if EXPERIMENT.sampling.solver.name == "auto"
]
# how the draws of each model are corrected, where the config asks for it
CALIBRATED = [
    f"{RESULTS}/model/seed_{seed}/calibration.json"
    for seed in SEEDS
    if EXPERIMENT.calibration.enabled
]
# what was judged of each model, beside its weights
VERDICTS = [
    f"{RESULTS}/model/seed_{seed}/{file}"
    for seed in SEEDS
    for file in ("validated.json", "README.md")
]
PAGE = "report.html" if SUITE.has_twins else "painted"  # what there is in the end
REGRESSION = [f"{RESULTS}/regression/{file}" for file in BUNDLE if EXPERIMENT.regression.max_steps]
EMULATOR = f"{shlex.quote(sys.executable)} -m emulator"

# A command that fails must not hide behind `tee`; byte code halves the start-up of every job. When
# the scheduler ends a job it signals all of its processes: the shell waits for the command, which
# may have a state to save, and `tee` for what the command still says.
# What stands in a command is quoted: roots and names are the user's.
shell.prefix("set -euo pipefail; unset PYTHONDONTWRITEBYTECODE; trap : TERM USR1 INT; ")
LOGGED = "2>&1 | (trap '' TERM USR1 INT; exec tee {log:q})"

# Snakemake itself knows only later
DRY_RUN = any(re.fullmatch(r"--dry-?run|-[a-zA-Z]*n[a-zA-Z]*", word) for word in sys.argv[1:])

if workflow.is_main_process:  # while jobs run, their manifests come and go
    manifests = [
        f"{folder}/manifests/{block}.json" for folder in (RAW, PROCESSED) for block in BLOCKS
    ]
    manifests += [f"{RESULTS}/manifests/{block}.json" for block in ENSEMBLES]
    manifests += Path(RESULTS).glob("manifests/painted/*/*/*.json")
    for manifest in filter(Path.is_file, map(Path, manifests)):
        try:
            check_manifest(manifest)
        except DataError as error:
            print(f"{error}. Its block is made again.", file=sys.stderr)
            if not DRY_RUN:
                manifest.unlink()

    if not DRY_RUN:  # what is planned is said in full
        progress = RunProgress(
            predicted_seconds(Path(RESULTS) / "cost.json"),
            rough=rough_seconds(EXPERIMENT, SUITE),
        )
        for handler in logger.handlers:
            handler.addFilter(progress.filter)


def block_of(simulation):
    """Block of runs that a simulation belongs to."""
    run = next(run for run, members in RUNS.items() if simulation in members)
    return next(block for block, runs in BLOCKS.items() if run in runs)


def flags(option, names):
    """The same option for each name, quoted for the shell."""
    return " ".join(f"{option} {shlex.quote(str(name))}" for name in names)


def memory_mb(stage):
    """Memory of a job; more each time it is tried again."""
    return lambda wildcards, attempt: attempt * REQUESTS[stage].memory_mb


def minutes(stage):
    """Time of a job; more each time it is tried again."""
    return lambda wildcards, attempt: min(DAY, attempt * REQUESTS[stage].minutes)


def stage_config(stage):
    """Resolved config file of one stage; it changes only with the sections that the stage reads."""
    return f"{RESULTS}/config/{stage}.yaml"


wildcard_constraints:
    block="|".join(map(re.escape, BLOCKS)),
    ensembles="|".join(map(re.escape, ENSEMBLES)) or "(?!)",  # nothing, where nothing is held out
    seed=r"\d+",


localrules:
    stage_config,
    all,
    paint,


rule stage_config:
    output:
        f"{RESULTS}/config/{{stage}}.yaml",
    log:
        f"{RESULTS}/logs/config/{{stage}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/config/{{stage}}.tsv"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        text=lambda wildcards: stage_yaml(EXPERIMENT, wildcards.stage),
    shell:
        "printf '%s' {params.text:q} > {output:q} 2> {log:q}"


onstart:
    print(
        f"{NAME}: {len(RUNS)} runs of {sum(map(len, RUNS.values()))} simulations -> {RESULTS}/{PAGE}\n"
        "Every stage prints its progress and the time it still needs; logs are in "
        f"{RESULTS}/logs. Interrupt at any time: the same command goes on.",
        file=sys.stderr,
    )


onerror:
    print(
        f"{NAME}: stopped before the end. The message above says why; the same command goes on "
        "with what is missing.",
        file=sys.stderr,
    )
