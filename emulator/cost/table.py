"""What a prediction looks like: a table for people, a document for programs and the report."""

from typing import Any

from emulator.cost.predict import JOB_SECONDS, Prediction, StageCost
from emulator.cost.sizes import format_size

HEADER = ("stage", "jobs", "cores", "GPUs", "a job", "core-hours", "GPU-hours", "memory", "disk")


def to_json(prediction: Prediction) -> dict[str, Any]:
    """Document of ``--json`` and of ``results/NAME/cost.json``.

    Returns
    -------
    ``name``, ``job_seconds`` (start of a job), ``notes``, and ``stages``, each with ``stage, jobs,
    cores, gpus, seconds`` (all jobs, without their start), ``core_hours, gpu_hours`` (with it),
    ``memory_mb, minutes`` (asked for, a job) and ``disk_bytes``.
    """
    return {
        "name": prediction.name,
        "job_seconds": JOB_SECONDS,
        "notes": prediction.notes,
        "stages": [
            {
                "stage": cost.stage,
                "jobs": cost.jobs,
                "cores": cost.request.cores,
                "gpus": cost.request.gpus,
                "seconds": cost.seconds,
                "core_hours": cost.core_hours,
                "gpu_hours": cost.gpu_hours,
                "memory_mb": cost.request.memory_mb,
                "minutes": cost.request.minutes,
                "disk_bytes": cost.disk_bytes,
            }
            for cost in prediction.stages
        ],
    }


def to_text(prediction: Prediction) -> str:
    """Aligned table, totals, and what the numbers rest on."""
    stages = prediction.stages
    total = (
        "total", str(sum(c.jobs for c in stages)), "", "", "",
        _hours(sum(c.core_hours for c in stages)), _hours(sum(c.gpu_hours for c in stages)),
        "", format_size(sum(c.disk_bytes for c in stages)),
    )  # fmt: skip
    rows = [HEADER, *map(_row, stages), total]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    legend = (
        f"Hours are of cores and GPUs that jobs hold, {JOB_SECONDS:g} s a job for its start "
        "included; memory is what a job asks for."
    )
    return "\n".join([f"{prediction.name}: predicted", "", *lines, "", legend, *prediction.notes])


def _row(cost: StageCost) -> tuple[str, ...]:
    asked = cost.request
    return (
        cost.stage, str(cost.jobs), str(asked.cores), str(asked.gpus),
        _duration(cost.seconds / cost.jobs), _hours(cost.core_hours), _hours(cost.gpu_hours),
        f"{asked.memory_mb / 1000:.3g} GB", format_size(cost.disk_bytes),
    )  # fmt: skip


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _hours(hours: float) -> str:
    return f"{hours:.2g}" if hours < 100 else f"{hours:.0f}"
