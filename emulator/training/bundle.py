"""The bundle: everything that sampling needs, in three files without pickle.

``weights.safetensors`` holds the averaged (``ema.``) and raw (``raw.``) weights, ``history.csv``
the training log, ``model.json`` the rest: configuration, statistics, parameter table, grid and the
SHA-256 of the weights. ``model.json`` is written last: without it, or with other weights beside it,
there is no bundle.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from emulator.config import DiffusionConfig, NetworkConfig
from emulator.data.normalisation import Normalisation
from emulator.io import DataError, atomic_path, read_json, write_json, write_text
from emulator.networks.backbone import Backbone
from emulator.training.build import build_network

FORMAT_VERSION = 2
"""Version of what is written. A change of ``model.json`` that older readers or files do not survive
raises it and gets a line here; a bundle of another version is refused by name.

* 2: ``diffusion`` names schedule and weight instead of an objective; ``schedule`` and ``modes``.
* 1: the first.
"""


class Grid(BaseModel):
    """Geometry of the cutouts that the model was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_mpch: float
    window: int
    depth_mpch: float
    redshift: float


class ModelCard(BaseModel):
    """Content of ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[2] = 2
    name: str
    grid: Grid
    network: NetworkConfig
    diffusion: DiffusionConfig
    normalisation: Normalisation
    training: dict[str, Any]
    metrics: dict[str, float]
    attributes: dict[str, str]
    weights_sha256: str
    schedule: tuple[float, ...] | None = None
    """Gammas at equidistant times, where the schedule was learned."""
    modes: dict[str, Any] | None = None
    """Spectra of the normalised training data (:class:`ModeStatistics`), for a spectral start."""


def write_bundle(
    folder: Path,
    card: ModelCard,
    *,
    raw: dict[str, torch.Tensor],
    ema: dict[str, torch.Tensor],
    history: str,
) -> None:
    """Write a bundle; ``card.weights_sha256`` is filled in here."""
    tensors = {f"raw.{name}": value.contiguous().cpu() for name, value in raw.items()}
    tensors |= {f"ema.{name}": value.contiguous().cpu() for name, value in ema.items()}
    blob = save(tensors)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").unlink(missing_ok=True)
    with atomic_path(folder / "weights.safetensors") as partial:
        partial.write_bytes(blob)
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
        If a file is missing or damaged, if the weights are not those that ``model.json`` names, or
        if any weight is missing, unknown or of another shape.
    """
    folder = Path(folder)
    value = read_json(folder / "model.json")
    version = value.get("format_version") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(
            folder / "model.json", f"format_version {FORMAT_VERSION}", repr(version),
            "Bundles of other versions cannot be read: train again (docs/training.md).",
        )  # fmt: skip
    try:
        card = ModelCard.model_validate(value)
    except ValidationError as error:
        raise DataError(folder / "model.json", "a model card", str(error)) from error
    path = folder / "weights.safetensors"
    if not path.is_file():
        raise DataError(path, "the weights of the bundle", "no such file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != card.weights_sha256:
        raise DataError(path, f"SHA-256 {card.weights_sha256}", digest, "Export the bundle again.")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise DataError(path, "safetensors", str(error)) from error
    chosen = {
        name.removeprefix(f"{weights}."): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{weights}.")
    }
    network = build_network(card.network, card.diffusion, card.normalisation)
    try:
        network.load_state_dict(chosen, strict=True)
    except RuntimeError as error:
        raise DataError(
            path, "exactly the weights of the configured network", str(error)
        ) from error
    return card, network.requires_grad_(False).eval()


def bundles_in(folder: str | Path) -> list[Path]:
    """Bundles of a folder: itself, or those of its seeds (``seed_0``, ``seed_1``, ...).

    Raises
    ------
    DataError
        If there is none.
    """
    folder = Path(folder)
    if (folder / "model.json").is_file():
        return [folder]
    found = [path.parent for path in folder.glob("seed_*/model.json")]
    if not found:
        raise DataError(
            folder, "a bundle (model.json), or bundles of seeds (seed_*/model.json)", "neither",
            "Train one (`emulator train CONFIG`, or the workflow).",
        )  # fmt: skip
    return sorted(found, key=lambda path: (len(path.name), path.name))


def describe(card: ModelCard, network: Backbone) -> str:
    """What a person wants to know of a bundle, as aligned lines."""
    grid, normalisation, diffusion = card.grid, card.normalisation, card.diffusion
    n_weights = sum(p.numel() for p in network.parameters())
    channels = ", ".join(f"{c.name} ({c.transform})" for c in normalisation.channels)
    facts = {
        "name": card.name,
        "format": str(card.format_version),
        "network": f"{card.network.kind}, {n_weights / 1e6:.2f} M weights",
        "channels": channels,
        "window": f"{grid.window} pixels of {grid.pixel_mpch:.4g} Mpc/h, {grid.depth_mpch:g} Mpc/h "
        f"deep, context {', '.join(f'x{f}' for f in normalisation.context_factors) or 'none'}",
        "redshift": f"{grid.redshift:g}",
        "diffusion": f"{diffusion.schedule} schedule, {diffusion.prediction}-prediction, "
        f"{diffusion.weight} weight, gamma {diffusion.gamma_min:g} to {diffusion.gamma_max:g}"
        + (" (learned)" if card.schedule else ""),
        "training": ", ".join(
            f"{name} {card.training[name]}" for name in ("max_steps", "batch_size", "seed")
        ),
        **{f"last {name}": f"{value:.5g}" for name, value in card.metrics.items()},
        **{k: v for k, v in card.attributes.items() if k != "provenance"},
    }
    lines = [f"{name:28s}{value}" for name, value in facts.items()]
    lines.append("parameters")
    for name, scale in normalisation.params.items():
        kind = "log" if scale.log else "linear"
        lines.append(f"  {name:26s}{scale.minimum:g} to {scale.maximum:g} ({kind})")
    return "\n".join(lines)
