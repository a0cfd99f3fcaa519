"""``README.md`` of a bundle: its card for people, in the form that hubs of models read.

Everything on it is in the files of the bundle; nothing is measured here, and what is not known is
said to be unknown. The front matter holds the scores at full precision.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from emulator.config import SamplingConfig
from emulator.config.names import SOLVED
from emulator.fields import of_dark_matter_alone
from emulator.io import is_file, read_lines, write_text
from emulator.model.bundle import PAGE_FILE, count_weights, read_card
from emulator.model.calibration import Calibration, read_calibration
from emulator.model.card import Grid, ModelCard
from emulator.model.found_solver import FoundSolver, read_found
from emulator.model.kinds import KINDS
from emulator.model.lines import say_options, say_redshift, say_window
from emulator.model.rounding import ROUNDED_FROM, ROUNDED_TO
from emulator.model.transforms import TRANSFORMS
from emulator.model.validated import Validated, read_validated

LICENCE = "bsd-3-clause"
"""Of this package, in the spelling of hubs."""

_TAGS = {True: ("cosmology", "simulation"), False: ("fields",)}
LIBRARY = "emulator-pipeline"


def write_page(folder: str | Path) -> Path:
    """Write the page of a bundle into its folder, atomically.

    Raises
    ------
    DataError
        If the bundle, or a finding beside its weights, is damaged or of other weights.
    """
    path = Path(folder) / PAGE_FILE
    write_text(path, read_page(folder))
    return path


def read_page(folder: str | Path) -> str:
    """Text of the page of a bundle; see :func:`write_page`."""
    folder = Path(folder)
    card = read_card(folder)
    weights = card.weights_sha256
    history = folder / "history.csv"
    return model_page(
        card,
        found=read_found(folder, weights),
        calibration=read_calibration(folder, weights),
        validated=read_validated(folder, weights),
        n_weights=count_weights(folder),
        seconds=_seconds(history) if is_file(history) else None,
    )


def model_page(
    card: ModelCard,
    *,
    found: FoundSolver | None = None,
    calibration: Calibration | None = None,
    validated: Validated | None = None,
    n_weights: int | None = None,
    seconds: float | None = None,
) -> str:
    """Text of a page.

    Parameters
    ----------
    card, found, calibration, validated
        ``model.json`` of the bundle, and the findings beside it.
    n_weights
        Numbers of the network.
    seconds
        That the training took.
    """
    front = yaml.safe_dump(_front(card, validated), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{front}---",
        f"# {card.name}",
        _intro(card),
        "## What it draws",
        _table(("field", "unit", "transform", "drawn as zero up to"), _fields(card)),
        "## From what",
        f"{_what(card)}: {say_window(card)}; and parameters:",
        _table(("parameter", "from", "to", "fiducial", "scale"), _parameters(card)),
        "## How",
        _how(card, found, calibration, validated),
        "## Training",
        _table(("", ""), _training(card, n_weights, seconds)),
        "## Scores",
        *_scores(validated),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(card, validated)),
        "## Licence and citation",
        "The code and these weights: BSD-3-Clause. Data of the suite may have terms of their "
        "own. Cite the emulator pipeline as its `CITATION.cff` says, and the suite.",
    ]
    return "\n\n".join(parts) + "\n"


def _suite(card: ModelCard) -> str:
    return card.attributes.get("suite", "")


def _front(card: ModelCard, validated: Validated | None) -> dict[str, Any]:
    """What hubs read."""
    fields = [channel.field.name for channel in card.normalisation.channels]
    front: dict[str, Any] = {
        "license": LICENCE,
        "library_name": LIBRARY,
        "tags": ["emulator", *_TAGS[card.domain.is_matter], KINDS[card.facts.objective], *fields],
        "datasets": [_suite(card)] if _suite(card) else [],
    }
    if validated is None:
        return front
    front["metrics"] = list(dict.fromkeys(bar.statistic for bar in validated.bars))
    results = [
        {"type": bar.statistic, "name": bar.name, "value": bar.value}
        for bar in validated.bars
        if bar.value is not None
    ]
    front["model-index"] = [
        {
            "name": card.name,
            "results": [
                {
                    "task": {"type": "conditional-field-generation"},
                    "dataset": {"type": _suite(card) or "unknown", "name": validated.split},
                    "metrics": results,
                }
            ],
        }
    ]
    return front


def _intro(card: ModelCard) -> str:
    names = ", ".join(channel.field.label for channel in card.normalisation.channels)
    domain = card.domain
    fine = of_dark_matter_alone(channel.field for channel in card.normalisation.channels)
    task = (
        f"draws what a finer run of the same initial phases would have given ({names}), from the "
        "map of a coarse dark-matter-only run, its surroundings and parameters"
        if fine
        else f"draws what a hydrodynamic run would have given ({names}), from a dark-matter-only "
        "map, its surroundings and parameters"
        if domain.is_matter
        else f"draws {names}, given {', '.join(field.label for field in domain.conditions)}"
    )
    text = (
        f"A {KINDS[card.facts.objective]} that {task}. Its members are draws of a distribution, "
        "not estimates of a mean."
    )
    notice = card.attributes.get("notice")
    return f"{text}\n\n> {notice}" if notice else text


def _fields(card: ModelCard) -> list[tuple[str, ...]]:
    return [
        (
            channel.name,
            str(channel.field.unit),
            channel.transform,
            f"{TRANSFORMS[channel.transform].empty_below(channel.floor):g}",
        )
        for channel in card.normalisation.channels
    ]


def _parameters(card: ModelCard) -> list[tuple[str, ...]]:
    return [
        (
            name,
            *(f"{value:.9g}" for value in (scale.minimum, scale.maximum, scale.fiducial)),
            "log" if scale.log else "linear",
        )
        for name, scale in card.normalisation.params.items()
    ]


def _how(
    card: ModelCard,
    found: FoundSolver | None,
    calibration: Calibration | None,
    validated: Validated | None,
) -> str:
    params = ", ".join(f"{n}={s.fiducial:.9g}" for n, s in card.normalisation.params.items())
    draws = (
        "box = ...  # a periodic DMO map (y, x) [Msun/h per pixel]\n"
        "windows = model.sample(box, params, centres=[(40, 40)], n_members=16, seed=0)\n"
        "painted = model.paint(box, params, n_members=4)\n"
        if card.domain.is_matter
        else "given = ...  # (sample, condition, y, x), or a Dataset that names the conditions\n"
        "drawn = model.sample(given, params, n_members=16, seed=0)\n"
    )
    code = (
        "```python\nimport emulator\n\n"
        'model = emulator.load("this/folder")\n'
        f"params = dict({params})\n{draws}```"
    )
    options = validated.sampling if validated else found.sampling if found else SamplingConfig()
    why = "as it was judged" if validated else "as was found" if found else "the default"
    if card.facts.objective not in SOLVED:
        why = "of its kind"
    drawn = f"Drawn with {say_options(card, options)} ({why})"
    if calibration is not None and (validated is None or validated.calibration is not None):
        drawn += f", calibrated: {calibration.said}"
    return f"{code}\n\n{drawn}."


def _training(
    card: ModelCard, n_weights: int | None, seconds: float | None
) -> list[tuple[str, ...]]:
    facts, steps, said = card.facts, card.metrics.get("step"), card.attributes
    rows = {
        "suite": _suite(card),
        "network": card.network.kind,
        "weights": "" if n_weights is None else str(n_weights),
        "objective": facts.objective,
        "steps": "" if steps is None else f"{steps:.0f}",
        "windows a step": str(facts.batch_size or ""),
        "seed": str(facts.seed),
        "time": "" if seconds is None else f"{seconds:g} s",
        "validation loss": f"{loss:.9g}" if (loss := card.metrics.get("val_loss")) else "",
        "code": " ".join(filter(None, (said.get("emulator_version"), said.get("commit")))),
        "SHA-256 of the weights": f"`{card.weights_sha256}`",
    }
    if ROUNDED_FROM in said:
        rows["rounded"] = f"to {said[ROUNDED_TO]}, from weights `{said[ROUNDED_FROM]}`"
    return [(name, text or "not known") for name, text in rows.items()]


def _scores(validated: Validated | None) -> list[str]:
    if validated is None:
        return ["Not judged: `emulator validate CONFIG` compares draws with held-out truths."]
    said = f"{validated.said}, split {validated.split}"
    if validated.commit:
        said += f", by commit {validated.commit}"
    rows = [
        (
            bar.name,
            "undefined" if bar.value is None else f"{bar.value:.6g}",
            bar.asked,
            bar.verdict,
        )
        for bar in validated.bars
    ]
    note = "A bar is a minimum that was set before the run, not a claim of accuracy."
    return [f"{said}. {note}", _table(("bar", "value", "asked", "verdict"), rows)]


def _what(card: ModelCard) -> str:
    if card.domain.dimensions == 3:
        return "Dark-matter-only volumes [Msun/h per voxel]"
    return "Dark-matter-only maps [Msun/h per pixel]" if card.domain.is_matter else "Whole arrays"


def _only(card: ModelCard) -> str:
    """The maps that it knows."""
    grid = card.grid
    if not isinstance(grid, Grid):
        return f"Arrays of {grid.shape[0]} x {grid.shape[1]} pixels, whole, and no others."
    what = (
        f"Volumes of {grid.pixel_mpch:.9g} Mpc/h a voxel"
        if grid.dimensions == 3
        else f"Maps of {grid.pixel_mpch:.9g} Mpc/h a pixel, {grid.depth_mpch:g} Mpc/h deep"
    )
    return (
        f"{what}, at "
        + say_redshift(card)
        + (f", deposited by the kernel {grid.deposit}" if grid.deposit else "")
        + ", and no others."
    )


def _limits(card: ModelCard, validated: Validated | None) -> list[str]:
    seen = card.normalisation.conditions
    limits = [
        "Not extrapolated: parameters outside the ranges above are refused, or drawn with a "
        "warning if you ask for it.",
        _only(card),
        "It knows no conditions that its training lacked"
        + (
            ", and does not say which these are (bundles before format 7, few runs, or volumes)."
            if seen is None and card.domain.is_matter
            else "."
            if seen is None
            else f": {seen.windows} windows of {seen.runs} runs, with which a score compares "
            "every window that it is given."
        ),
    ]
    if notice := card.attributes.get("notice"):
        limits.append(f"The training data are a stand-in: {notice}. Do not use it for science.")
    if validated is None:
        limits.append("How good it is is not known: it was not judged.")
    elif missed := [bar.name for bar in validated.bars if bar.verdict == "missed"]:
        limits.append(f"Bars that it misses: {'; '.join(missed)}.")
    return limits


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def _seconds(history: Path) -> float | None:
    """Time of a training, from its last row."""
    rows: list[Mapping[str, str]] = list(csv.DictReader(read_lines(history, "a text table")))
    text = rows[-1].get("seconds") if rows else None
    return float(text) if text else None
