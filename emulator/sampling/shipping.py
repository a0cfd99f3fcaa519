r"""A bundle that is fit to be handed on: small, whole, and compared with what it was made of.

Both models draw the same windows with the same noise, and for each field the spectra :math:`P(k)`
of members, averaged over windows and members, are compared:

.. math:: \max_k |P_\mathrm{rounded}(k) / P_\mathrm{source}(k) - 1|

Both run in float32 here: in bfloat16, in which many networks run, each operation is rounded more
coarsely than the weights are, and two drawings of one model differ by more.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.data.example import EXAMPLE_FILE, write_example
from emulator.data.maps import Maps, read_maps
from emulator.io import DataError
from emulator.metrics.power_spectrum import build_shells, fourier_modes, shell_power
from emulator.model.bundle import bundles_in, read_card
from emulator.model.card import ModelCard
from emulator.model.page import write_page
from emulator.model.rounding import write_rounded
from emulator.sampling.ensemble import Emulator
from emulator.sampling.grids import require_maps_of
from emulator.sampling.loading import load_bundle

LARGEST_DIFFERENCE = 1.0e-3
"""Of spectra of members, before and after; one above is no rounding of the same model."""
LARGEST_SIZE = 10_000_000
"""Of all files [byte]: what a repository and a wheel can carry."""
WINDOWS, MEMBERS = 16, 12
"""Compared: windows of the example, at most, and members of each. Pixels of a hurdle field that
change between empty and not are rare and weigh much: of the demo's stars 4 members are too few."""


class Shipped(NamedTuple):
    """What was written, and how far it is from its source."""

    precision: str
    weight_error: float
    """Largest relative error of a tensor of weights."""
    spectrum_error: dict[str, float]
    """By field."""
    size: int
    """Of all files [byte]."""


def ship(
    source: str | Path,
    output: str | Path,
    example: str | Path,
    projection: str | None = None,
    n_members: int = MEMBERS,
    *,
    half: bool = True,
) -> Shipped:
    """Write a bundle in half precision with an example beside it, if it draws as its source does.

    Parameters
    ----------
    source
        A bundle.
    output
        Folder of the new one; files of a former one are replaced, and only at the end.
    example
        ``maps/{simulation}.h5`` of a held-out box.
    projection
        Which of its maps; default: the first.
    n_members
        That are compared, of each window.
    half
        If false, weights keep single precision, at twice the size.

    Raises
    ------
    DataError
        Several bundles, a model that draws no maps of matter, an example of other maps or that the
        training saw, spectra that differ by more than :data:`LARGEST_DIFFERENCE`, or files of more
        than :data:`LARGEST_SIZE`.
    """
    folder, output = _only(source), Path(output)
    card = read_card(folder)
    card.require_maps("bundle ship")
    require_maps_of(read_maps(example, lazy=True).attrs, card, str(example))
    _require_held_out(card, example)
    if output.resolve() == folder.resolve():
        raise DataError(output, "another folder than that of the source", "the same")
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        rounded = write_rounded(folder, partial, half=half)
        write_example(example, partial / EXAMPLE_FILE, projection)
        write_page(partial)
        errors = compare(
            load_bundle(folder), load_bundle(partial), partial / EXAMPLE_FILE, n_members
        )
        size = sum(file.stat().st_size for file in partial.iterdir())
        _require_fit(output, errors, size)
        _publish(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Shipped(rounded.precision, rounded.error, errors, size)


def compare(
    first: Emulator, second: Emulator, example: str | Path, n_members: int = MEMBERS
) -> dict[str, float]:
    """Largest relative difference of spectra of members, by field; see the module.

    Parameters
    ----------
    first, second
        Models of the same fields and grid.
    example
        Maps file, whose first map is cut into windows that do not overlap.
    n_members
        Of each window.
    """
    maps = read_maps(example)
    one, other = (_spectra(_in_float32(model), maps, n_members) for model in (first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(one == other, 1.0, other / one)
    return dict(zip(first.channels, np.abs(ratio - 1).max(axis=-1).tolist(), strict=True))


def _spectra(model: Emulator, maps: Maps, n_members: int) -> NDArray[np.float64]:
    """Mean spectrum of members, ``(field, shell)``."""
    window = model.card.matter_grid.window
    places = range(window // 2, maps.n_pixels - window // 2 + 1, window)
    centres = [(row, column) for row in places for column in places][:WINDOWS]
    box, params = maps.select(maps.conditions)[0, 0], {n: maps.params[n] for n in model.params}
    drawn = model.sample(box, params, centres=centres, n_members=n_members, seed=0)
    modes = fourier_modes(drawn["fields"].values.astype(np.float64))
    shells = build_shells(window, model.card.matter_grid.pixel_mpch)
    power: NDArray[np.float64] = shell_power(modes, modes, shells).mean(axis=(0, 1))
    return power


def _in_float32(model: Emulator) -> Emulator:
    training = {**model.card.training, "precision": "32"}
    card = model.card.model_copy(update={"training": training})
    plain = Emulator(
        card, model.network, device=model.device, found=model.found, validated=model.validated
    )
    return plain if model.calibration is None else plain.calibrated_by(model.calibration)


def _only(source: str | Path) -> Path:
    folders = bundles_in(source)
    if len(folders) > 1:
        raise DataError(
            source, "one bundle", f"{len(folders)} ({', '.join(path.name for path in folders)})",
            "Name one of them.",
        )  # fmt: skip
    return folders[0]


def _require_held_out(card: ModelCard, example: str | Path) -> None:
    """An example that was learnt by heart shows nothing."""
    said = json.loads(card.attributes.get("provenance", "{}")).get("splits", {})
    name = str(read_maps(example, lazy=True).attrs["simulation"])
    seen = [split for split in ("train", "validation") if name in said.get(split, ())]
    if seen:
        raise DataError(
            example, "a held-out simulation (split test)", f"{name} of the split {seen[0]}",
            "Take one of the set CV, or another of splits.json:test.",
        )  # fmt: skip


def _require_fit(output: Path, errors: dict[str, float], size: int) -> None:
    far = {name: error for name, error in errors.items() if not error <= LARGEST_DIFFERENCE}
    if far:
        raise DataError(
            output, f"spectra of members within {LARGEST_DIFFERENCE:.1%} of those of the source",
            ", ".join(f"{name} {error:.3%}" for name, error in far.items()),
            "Compare more members (--members), which scatter less; if that does not help, these "
            "weights do not stand half precision: keep them as they are (--single).",
        )  # fmt: skip
    if size > LARGEST_SIZE:
        raise DataError(
            output, f"at most {LARGEST_SIZE / 1e6:g} MB", f"{size / 1e6:.1f} MB",
            "Train a smaller network, or hand on the bundle as it is.",
        )  # fmt: skip


def _publish(partial: Path, output: Path) -> None:
    """Move all files, the card last: without it there is no bundle."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "model.json").unlink(missing_ok=True)
    files = sorted(partial.iterdir(), key=lambda file: file.name == "model.json")
    for old in ("solver.json", "calibration.json", "validated.json"):
        (output / old).unlink(missing_ok=True)
    for file in files:
        file.replace(output / file.name)
