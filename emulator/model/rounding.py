r"""Weights in half precision, for a bundle that is handed on.

.. math:: w \to \mathrm{round}(w),\qquad e = \max_i \|w_i - \mathrm{round}(w_i)\| / \|w_i\|

over the tensors :math:`w_i` of the averaged weights, with which members are drawn; the raw ones,
from which a training goes on, are left out. float16 has three digits more than bfloat16 and less
range: of the two, the one with the smaller ``e`` is taken. On loading they are float32 again.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.io import read_text
from emulator.model.bundle import read_bundle, read_card, write_bundle
from emulator.model.calibration import read_calibration
from emulator.model.card import ModelCard
from emulator.model.found_solver import read_found
from emulator.model.validated import read_validated

HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
SINGLE = "float32"
ROUNDED_TO, ROUNDED_FROM = "weights_rounded_to", "weights_rounded_from"
"""Attributes of a model card: the precision, and the SHA-256 of the weights before."""


class Rounded(NamedTuple):
    """Averaged weights, in half precision as a rule."""

    weights: dict[str, Tensor]
    precision: str
    """``float16`` or ``bfloat16``; ``float32`` if they are as they were."""
    error: float
    """Largest relative error of a tensor, ``e``."""


def round_weights(weights: dict[str, Tensor]) -> Rounded:
    """Weights in the half precision that changes them less; what is no floating point stays."""
    tried = []
    for name, dtype in HALVES.items():
        halves = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
        errors = [_relative_error(v, halves[k]) for k, v in weights.items()]
        tried.append(Rounded(halves, name, max(errors, default=0.0)))
    return min(tried, key=lambda rounded: rounded.error)


def _relative_error(value: Tensor, rounded: Tensor) -> float:
    size = float(value.double().norm())
    difference = float((value.double() - rounded.double()).norm())
    # beyond the range of float16 it is infinite, and never the least
    return difference / size if size > 0 else 0.0


def write_rounded(source: str | Path, output: str | Path, *, half: bool = True) -> Rounded:
    """Write a bundle of rounded weights, with all that was found for those of the source.

    Solver, calibration and verdict go along under the SHA-256 of the new weights; their attributes
    say what they were found for. The page is not written.

    Parameters
    ----------
    source, output
        Folder of a bundle, and a folder for the new one.
    half
        If false, averaged weights stay as they are, and only the raw ones are left out.

    Raises
    ------
    DataError
        If the source, or a finding beside it, is damaged.
    """
    source, output = Path(source), Path(output)
    card, network = read_bundle(source)
    weights = network.state_dict()
    rounded = round_weights(weights) if half else Rounded(weights, SINGLE, 0.0)
    origin = {ROUNDED_TO: rounded.precision, ROUNDED_FROM: card.weights_sha256}
    shipped = card.model_copy(update={"attributes": {**card.attributes, **origin}})
    write_bundle(
        output, shipped, raw={}, ema=rounded.weights,
        history=read_text(source / "history.csv", "a text table"),
    )  # fmt: skip
    _take_along(source, output, card, origin)
    return rounded


def _take_along(source: Path, output: Path, card: ModelCard, origin: dict[str, str]) -> None:
    """Findings of the source, of the new weights."""
    digest = read_card(output).weights_sha256
    # the verdict last: the others remove it
    for read in (read_found, read_calibration, read_validated):
        finding = read(source, card.weights_sha256)
        if finding is not None:
            attributes = {**finding.attributes, **origin}
            update = {"weights_sha256": digest, "attributes": attributes}
            finding.model_copy(update=update).write(output)
