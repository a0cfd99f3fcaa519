"""The bundle: everything that sampling needs, in three files without pickle.

``weights.safetensors`` holds the averaged (``ema.``) and raw (``raw.``) weights, ``history.csv``
the training log, ``model.json`` the rest: configuration, statistics, parameter table, grid and the
SHA-256 of the weights. ``model.json`` is written last: without it, or with other weights beside it,
there is no bundle. A fourth, ``solver.json``, says which solver was found for these weights
(:mod:`emulator.model.found_solver`); a bundle without it is drawn from with the default. A fifth,
``calibration.json``, corrects its draws (:mod:`emulator.model.calibration`), and a sixth,
``validated.json``, says how it was judged (:mod:`emulator.model.validated`). The bundle of a
regression holds, beside its weights, the spectrum of its residual.
"""

import hashlib
import math
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from emulator.config import SamplingConfig, trained_bundles
from emulator.config.names import SOLVED
from emulator.io import DataError, is_file, read_json, write_bytes, write_json, write_text
from emulator.model.build import build_network
from emulator.model.calibration import CALIBRATION_FILE, Calibration
from emulator.model.card import OLDEST, Grid, ModelCard, parse_card
from emulator.model.found_solver import SOLVER_FILE, FoundSolver
from emulator.model.lines import say_size
from emulator.model.validated import VALIDATED_FILE, Validated
from emulator.networks.backbone import Backbone

PAGE_FILE = "README.md"
"""Name of the page of a model, for people (:mod:`emulator.model.page`)."""

RESIDUAL = "residual"
"""Name of the spectrum of the residual among the weights."""

_REMAKE = "Run the same training again: it goes on from its last state, and exports the bundle."


def write_bundle(
    folder: Path,
    card: ModelCard,
    *,
    raw: dict[str, torch.Tensor],
    ema: dict[str, torch.Tensor],
    history: str,
    residual: torch.Tensor | None = None,
) -> None:
    """Write a bundle; ``card.weights_sha256`` is filled in here.

    What was found for weights that lay there before goes with them: ``solver.json``,
    ``calibration.json``, ``validated.json`` and the page.

    Parameters
    ----------
    folder, card, raw, ema, history
        What it holds.
    residual
        Of a regression: spectrum of truth minus mean, ``(shell, channel, channel)``.
    """
    tensors = {f"raw.{name}": value.contiguous().cpu() for name, value in raw.items()}
    tensors |= {f"ema.{name}": value.contiguous().cpu() for name, value in ema.items()}
    if residual is not None:
        tensors[RESIDUAL] = residual.contiguous().cpu()
    blob = save(tensors)
    folder = Path(folder)
    (folder / "model.json").unlink(missing_ok=True)
    for name in (SOLVER_FILE, CALIBRATION_FILE, VALIDATED_FILE, PAGE_FILE):
        (folder / name).unlink(missing_ok=True)
    write_bytes(folder / "weights.safetensors", blob)
    write_text(folder / "history.csv", history)
    digest = hashlib.sha256(blob).hexdigest()
    filled = card.model_copy(update={"weights_sha256": digest})
    write_json(folder / "model.json", filled.model_dump(mode="json"))


def read_bundle(
    folder: str | Path, *, weights: Literal["ema", "raw"] = "ema"
) -> tuple[ModelCard, Backbone]:
    """Read a bundle and build its network in evaluation mode.

    Raises
    ------
    DataError
        If a file is missing or damaged, if the weights are not those that ``model.json`` names, if
        any weight is missing, unknown, of another shape or not finite.
    """
    card = read_card(folder)
    path = Path(folder) / "weights.safetensors"
    if not is_file(path):
        raise DataError(path, "the weights of the bundle", "no such file", _REMAKE)
    blob = path.read_bytes()
    digest = hashlib.sha256(blob).hexdigest()
    if digest != card.weights_sha256:
        raise DataError(path, f"SHA-256 {card.weights_sha256}", digest, _REMAKE)
    found = _shapes(path, weights)
    # a card of others may claim any size: looked at before it takes the memory
    n_weights = sum(math.prod(shape) for shape in found.values())
    one = card.network.least_weights(card.normalisation.dimensions)
    least = one * card.network.count(len(card.normalisation.channels))
    if least > n_weights:
        raise DataError(
            path,
            f"the weights of the configured network, {least:.3g} at least",
            f"{n_weights:.3g}",
        )
    network = build_network(card.network, card.diffusion, card.normalisation, card.facts.objective)
    _require_shapes(network, found, path)
    tensors = load(blob)
    chosen = {
        name.removeprefix(f"{weights}."): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{weights}.")
    }
    bad = [name for name, tensor in chosen.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise DataError(path, "finite weights", f"NaN or infinity in {', '.join(bad[:5])}")
    network.load_state_dict(chosen, strict=True)
    return card, network.requires_grad_(False).eval()


def read_residual(folder: str | Path, n_channels: int) -> torch.Tensor:
    """Spectrum of the residual of a regression, ``(shell, channel, channel)``, in float64.

    Parameters
    ----------
    folder
        A bundle that :func:`read_bundle` has read, which compares checksums.
    n_channels
        Channels of its network.

    Raises
    ------
    DataError
        If the bundle has none, or none of these channels.
    """
    path = Path(folder) / "weights.safetensors"
    with safe_open(path, "pt") as handle:
        found = handle.get_tensor(RESIDUAL) if RESIDUAL in handle.keys() else None  # noqa: SIM118
    expected = f"{RESIDUAL}: a finite ({n_channels}, {n_channels}) matrix of each shell"
    if found is None or found.ndim != 3 or found.shape[1:] != (n_channels, n_channels):
        got = "none" if found is None else f"shape {tuple(found.shape)}"
        raise DataError(path, expected, got, "Only a regression has one.")
    if not bool(found.isfinite().all()):
        raise DataError(path, expected, "NaN or infinity")
    matrix: torch.Tensor = found.double()
    return matrix


def read_card(folder: str | Path) -> ModelCard:
    """Read and validate ``model.json`` of a bundle.

    Raises
    ------
    DataError
        If it is missing, damaged, of another format, or nothing that a model can be built from.
    """
    path = Path(folder) / "model.json"
    value = read_json(path, sealed=False)
    # the oldest version bears no checksum
    if isinstance(value, dict) and value.get("format_version") != OLDEST:
        value = read_json(path)
    return parse_card(value, str(path))


def _shapes(path: Path, weights: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of one kind, from the header of the file."""
    try:
        with safe_open(path, "pt") as handle:
            return {
                name.removeprefix(f"{weights}."): tuple(handle.get_slice(name).get_shape())
                for name in handle.keys()  # noqa: SIM118 - no mapping
                if name.startswith(f"{weights}.")
            }
    except SafetensorError as error:
        raise DataError(path, "safetensors", str(error), _REMAKE) from error


def _require_shapes(network: Backbone, found: dict[str, tuple[int, ...]], path: Path) -> None:
    """The file holds just the weights of the network."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wrong = [n for n in sorted(wanted.keys() | found.keys()) if wanted.get(n) != found.get(n)]
    if wrong:
        listed = "; ".join(
            f"{name} {found.get(name, 'missing')}, not {wanted.get(name, 'there')}"
            for name in wrong[:5]
        )
        more = f"; ... {len(wrong)} in all" if len(wrong) > 5 else ""
        raise DataError(path, "exactly the weights of the configured network", f"{listed}{more}")


def count_weights(folder: str | Path) -> int | None:
    """Numbers of the network of a bundle, from the header of its weights: nothing is loaded.

    None if the file is not there: a card alone says what a model is.

    Raises
    ------
    DataError
        If the weights are no safetensors.
    """
    path = Path(folder) / "weights.safetensors"
    if not is_file(path):
        return None
    return sum(math.prod(shape) for shape in _shapes(path, "ema").values())


def bundles_in(folder: str | Path) -> list[Path]:
    """Bundles of a folder: itself, or those of its seeds (``seed_0``, ``seed_1``, ...).

    Raises
    ------
    DataError
        If there is none.
    """
    found = trained_bundles(folder)
    if not found:
        below = Path(folder) / "model"
        raise DataError(
            folder, "a bundle (model.json), or bundles of seeds (seed_*/model.json)", "neither",
            f"There are some in {below}: name that." if trained_bundles(below)
            else "Train one (`emulator train CONFIG`, or the workflow).",
        )  # fmt: skip
    return found


def _solver(
    card: ModelCard, found: FoundSolver | None, validated: Validated | None
) -> dict[str, str]:
    """What draws are made with where the caller names no solver; a regression draws nothing."""
    if card.facts.objective not in SOLVED:
        return {}
    if validated is not None and found is None:
        used = validated.sampling
        return {"solver": f"{used.solver.name}, {used.n_steps} evaluations: as it was judged"}
    usual = SamplingConfig()
    said = f"{usual.solver.name}, {usual.n_steps} evaluations: the default, none was found"
    return {"solver": found.said if found else said}


def describe(
    card: ModelCard,
    network: Backbone,
    found: FoundSolver | None = None,
    calibration: Calibration | None = None,
    validated: Validated | None = None,
) -> str:
    """What a person wants to know of a bundle, as aligned lines.

    Parameters
    ----------
    card, network
        Of the bundle.
    found
        Its ``solver.json``, if there is one: all that was measured follows as a table.
    calibration
        Its ``calibration.json``, likewise.
    validated
        Its ``validated.json``.
    """
    normalisation, diffusion = card.normalisation, card.diffusion
    n_weights = sum(p.numel() for p in network.parameters())
    channels = ", ".join(f"{c.name} ({c.transform})" for c in normalisation.channels)
    facts = {
        "name": card.name,
        "format": str(card.format_version),
        "network": f"{card.network.kind}, {n_weights / 1e6:.2f} M weights"
        + (" (a network for each field)" if card.network.per_field else ""),
        "channels": channels,
        **_geometry(card),
        "diffusion": f"{diffusion.schedule} schedule, {diffusion.prediction}-prediction, "
        f"{diffusion.weight} weight, gamma {diffusion.gamma_min:g} to {diffusion.gamma_max:g}"
        + (" (learned)" if card.schedule else ""),
        "training": ", ".join(
            f"{name} {getattr(card.facts, name)}"
            for name in ("objective", "max_steps", "batch_size", "seed")
        ),
        **_solver(card, found, validated),
        **({} if calibration is None else {"calibration": calibration.said}),
        **({} if validated is None else {"judged": validated.said}),
        **{f"last {name}": f"{value:.5g}" for name, value in card.metrics.items()},
        **{k: v for k, v in card.attributes.items() if k != "provenance"},
    }
    ranges = {
        f"  {name}": f"{s.minimum:g} to {s.maximum:g} ({'log' if s.log else 'linear'})"
        for name, s in normalisation.params.items()
    }
    width = max(map(len, [*facts, *ranges])) + 2
    lines = [f"{name:{width}s}{value}" for name, value in facts.items()]
    lines += ["parameters", *(f"{n:{width}s}{v}" for n, v in ranges.items())]
    return "\n".join([*lines, *(part.measured for part in (found, calibration) if part)])


def _geometry(card: ModelCard) -> dict[str, str]:
    """Windows of a model, and what it is given."""
    grid, factors = card.grid, card.normalisation.context_factors
    if isinstance(grid, Grid):
        return {
            "window": f"{say_size(grid, 4)}, "
            f"context {', '.join(f'x{f}' for f in factors) or 'none'}",
            "redshift": "a parameter" if grid.redshift is None else f"{grid.redshift:g}",
        }
    rows, columns = grid.shape
    given = ", ".join(f"{field.name} [{field.unit}]" for field in card.domain.conditions)
    return {
        "window": f"{rows} x {columns} pixels of {grid.pixel:.4g} {grid.length_unit}",
        "conditions": given,
    }
