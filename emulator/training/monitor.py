"""What is watched on held-out simulations in training: errors by noise, small ensembles.

The loss alone does not rank samples. So the error is kept by log SNR, and every few epochs a small
ensemble is drawn and held against the truth.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from emulator.data.condition import Condition
from emulator.data.dataset import Batch
from emulator.diffusion.bound import Bound
from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.solvers import build_solver, gamma_grid, solve
from emulator.domain import space_of
from emulator.metrics.calibration import spread_and_skill, spread_skill_ratio
from emulator.metrics.power_spectrum import power_spectrum

BIN_EDGES = (-math.inf, -8.0, -5.0, -2.0, 1.0, 4.0, 7.0, math.inf)
"""Bins of gamma in which the error of the data estimate is kept."""

MEMBERS, EVALUATIONS, GAMMA_END = 4, 10, -8.0


def bin_names() -> list[str]:
    """Names of the columns, by the lower and upper gamma of each bin."""
    return [f"val_x_mse_gamma_{low:g}_to_{high:g}" for low, high in pairwise(BIN_EDGES)]


class ErrorByNoise:
    r"""Mean squared error of :math:`\hat x`, in bins of gamma.

    At high noise it is the variance that condition and parameters leave open; it falls to zero
    with the noise.
    """

    def __init__(self) -> None:
        self.sums = np.zeros(len(BIN_EDGES) - 1)
        self.counts = np.zeros(len(BIN_EDGES) - 1)

    def add(self, bound: Bound, gamma: Tensor, slope: Tensor) -> None:
        """Add a batch: the x error is exp(gamma) times the eps error that the bound holds."""
        eps_error = 2.0 * bound.diffusion.double() / (slope.double() * bound.dimension)
        errors = (torch.exp(gamma.double()) * eps_error).cpu().numpy()
        bins = np.digitize(gamma.cpu().numpy(), BIN_EDGES[1:-1])
        self.sums += np.bincount(bins, errors, len(self.sums))
        self.counts += np.bincount(bins, minlength=len(self.sums))

    def result(self) -> dict[str, float]:
        """Mean of each bin that was hit; starts anew."""
        means = {
            name: float(total / count)
            for name, total, count in zip(bin_names(), self.sums, self.counts, strict=True)
            if count
        }
        self.sums, self.counts = np.zeros_like(self.sums), np.zeros_like(self.counts)
        return means


def ensemble_names(channels: Sequence[str]) -> list[str]:
    """Names of the columns of :func:`score_ensemble`."""
    return [f"val_{what}_{c}" for c in channels for what in ("power_error", "spread_skill")]


@torch.no_grad()
def draw_ensemble(
    denoiser: Denoiser,
    to_fields: Callable[[Tensor, Condition], Tensor],
    batch: Batch,
    shape: Sequence[int],
    *,
    gamma_max: float,
    seed: int,
) -> Tensor:
    """Masses ``(batch, member, field, y, x)`` of a few members; the same noise at every call.

    ``denoiser`` takes ``batch * MEMBERS`` rows, the members of a window next to each other.
    """
    generator = torch.Generator().manual_seed(seed)
    n_rows = len(batch.target) * MEMBERS
    z = torch.randn((n_rows, *shape), generator=generator).to(batch.target.device)
    gammas = gamma_grid(gamma_max, GAMMA_END, EVALUATIONS)
    x = solve(build_solver("unipc3"), denoiser, z, gammas, lambda: z)
    masses = to_fields(x, batch.condition.repeat(MEMBERS))
    ensemble: Tensor = masses.unflatten(0, (-1, MEMBERS))
    return ensemble


def score_ensemble(
    masses: Tensor, batch: Batch, channels: Sequence[str], pixel_mpch: float
) -> dict[str, float]:
    """Largest relative error of the mean power of any shell, and the spread-skill ratio.

    Parameters
    ----------
    masses
        ``(batch, member, field, y, x)`` [Msun/h per pixel].
    batch
        Holds the truth.
    channels
        Names of the fields.
    pixel_mpch
        Side of a pixel [Mpc/h].
    """
    space = space_of(masses.ndim - 3)
    dims = ("sample", "member", "channel", *space)
    coords = {"channel": list(channels)}
    drawn = xr.DataArray(masses.cpu().numpy(), dims=dims, coords=coords)
    truth = xr.DataArray(batch.target.cpu().numpy(), dims=("sample", *dims[2:]), coords=coords)
    places = ("sample", *space)
    # a mean near zero is no unit
    signed = truth.min(places) < 0
    unit = truth.mean(places).where(~signed, np.sqrt((truth**2).mean(places)))
    power = power_spectrum(drawn / unit, pixel_mpch=pixel_mpch).mean(("sample", "member"))
    wanted = power_spectrum(truth / unit, pixel_mpch=pixel_mpch).mean("sample")
    error = abs(power / wanted - 1.0).max("k")
    spread, skill = (part.mean(places) for part in spread_and_skill(drawn, truth))
    ratio = spread_skill_ratio(spread, skill, MEMBERS)
    scores: dict[str, float] = {}
    for name in channels:
        scores[f"val_power_error_{name}"] = float(error.sel(channel=name))
        scores[f"val_spread_skill_{name}"] = float(ratio.sel(channel=name))
    return scores
