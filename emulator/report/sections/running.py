"""What the training and the workflow cost, and what came of it."""

from emulator.report.draws import draws_table
from emulator.report.figures.cost import plot_cost
from emulator.report.figures.training import plot_training
from emulator.report.inputs import Inputs
from emulator.report.numbers import cell, to_csv
from emulator.report.page import Section, Table, encode_figure
from emulator.report.text import UNKNOWN


def training_section(inputs: Inputs) -> Section:
    """Training curves, one line a model."""
    section = Section("training", "Training")
    if "model_share" not in inputs.metrics:
        section.missing.append(
            "One model was trained (training.seeds), so what models would disagree about is not "
            "known, and is not part of the spread."
        )
    if not inputs.histories:
        section.missing.append("No model/seed_*/history.csv was found: no training curves.")
        return section
    section.pictures.append(
        encode_figure(
            plot_training(inputs.histories),
            alt="Training and validation loss, and the bound in bits per dimension, by step",
            caption="Loss that was trained, and the unweighted variational bound of held-out "
            "windows. Good: both fall and level off, validation not rising while training falls. "
            "Training is the mean over an epoch of the weights as they were; validation is of the "
            "weights averaged over the last steps (EMA), which are better: so it may lie below. "
            "The bound does not rank the quality of samples; the bars above do.",
            numbers=_history(inputs),
        )
    )
    return section


def _history(inputs: Inputs) -> str:
    columns = list(dict.fromkeys(name for rows in inputs.histories.values() for name in rows))
    rows = [
        [model, *(cell(history[name][i]) if name in history else "" for name in columns)]
        for model, history in inputs.histories.items()
        for i in range(len(next(iter(history.values()))))
    ]
    return to_csv(["model", *columns], rows)


def cost_section(inputs: Inputs) -> Section:
    """Time and memory of the workflow, beside what was predicted."""
    section = Section("cost", "Cost")
    if not inputs.benchmarks:
        section.missing.append(
            "No benchmark tables (benchmarks/**/*.tsv) were found: time and memory are not shown. "
            "They are written when the workflow runs through Snakemake."
        )
        return section
    total = sum(row["seconds"] for row in inputs.benchmarks)
    section.pictures.append(
        encode_figure(
            plot_cost(inputs.benchmarks),
            alt="Wall time by rule of the workflow",
            caption=f"Wall time summed over the jobs of each rule ({total / 60:.1f} min in all), "
            "with the largest resident memory of a job. Jobs that ran side by side count fully.",
            numbers=to_csv(
                ["rule", "jobs", "seconds", "max_rss_mb"],
                [map(cell, row.values()) for row in inputs.benchmarks],
            ),
        )
    )
    section.tables.append(draws_table(inputs))
    if inputs.predicted:
        section.tables.append(_predicted(inputs))
    else:
        section.missing.append(
            "No prediction (cost.json) was found: `emulator cost CONFIG` makes one before a run, "
            "and it is then compared with what was used."
        )
    return section


def _predicted(inputs: Inputs) -> Table:
    """What `emulator cost` predicted beside what Snakemake measured."""
    used = {row["rule"]: row for row in inputs.benchmarks}
    rows = []
    for stage, cost in inputs.predicted.items():
        real = used.get(stage, {"jobs": 0, "seconds": float("nan"), "max_rss_mb": None})
        memory = real["max_rss_mb"]
        rows.append(
            [
                stage,
                f"{cost['jobs']} / {real['jobs']}",
                f"{cost['seconds']:.3g} / {real['seconds']:.3g}",
                f"{cost['memory_mb']:.0f} / {UNKNOWN if memory is None else f'{memory:.0f}'}",
            ]
        )
    return Table(
        ["stage", "jobs", "time [s]", "memory [MB]"],
        rows,
        "Predicted / used. Time is that of all jobs without their start; memory is what a job asks "
        "for, and the most that one used. Good: times within a factor of two, memory below what "
        "was asked for. Jobs that were kept from an earlier run count as used.",
    )
