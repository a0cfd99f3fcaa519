"""How well a model says that fields go with parameters: log-likelihoods with common noise."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from emulator.data.condition import Condition
from emulator.diffusion.common_noise import CommonBound, common_bound
from emulator.io import EmulatorError
from emulator.model.field_transform import FieldTransform
from emulator.model.gaps import Gaps
from emulator.model.normalisation import Normalisation
from emulator.progress import Progress
from emulator.sampling.samplers import Sampler
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


def compare_points(
    sampler: Sampler,
    transform: FieldTransform,
    values: np.ndarray,
    condition: Condition,
    points: np.ndarray,
    *,
    noise: float,
    n_noise: int,
    seed: int,
    device: torch.device,
    line: Progress | None = None,
) -> "xr.Dataset":
    """Log-likelihood of every point, of every window; see :meth:`BaseEmulator.compare_params`.

    Parameters
    ----------
    sampler
        Of a diffusion, with its network in float32: bfloat16 is as rough as what is compared.
    transform
        Of its fields.
    values
        ``(sample, channel, y, x)``, checked.
    condition
        Windows; their parameters are replaced by the points.
    points
        ``(point, param)``, all parameters of the model.
    noise, n_noise, seed
        See :func:`emulator.diffusion.common_noise.common_bound`.
    device
        Where the network is.
    line
        Advances by one for each window.
    """
    import xarray as xr

    table = torch.from_numpy(np.ascontiguousarray(points, np.float64))
    _require_one_volume(transform.normalisation, table)
    bounds = []
    for sample in range(len(values)):
        own = condition.rows([sample] * len(table))._replace(params=table).to(device)
        target = torch.from_numpy(values[sample : sample + 1]).to(device)
        target = target.expand(len(table), -1, -1, -1)
        bounds.append(_bound(sampler, transform, target, own, noise, n_noise, seed + sample))
        if line is not None:
            line.advance()
    nats = torch.stack([bound.nats for bound in bounds])
    errors = [bound.error_beside(int(bound.nats.argmax())) for bound in bounds]
    units = {"units": str(Unit.NATS)}
    dims = ("sample", "point")
    return xr.Dataset(
        {
            "log_likelihood": (dims, nats.cpu().numpy(), units),
            "standard_error": (dims, torch.stack(errors).cpu().numpy(), units),
        },
        attrs={"noise": noise, "n_noise": n_noise, "seed": seed},
    )


def check_points(points: Any, names: Sequence[str], noise: float, n_noise: int) -> np.ndarray:
    """Parameters ``(point, param)`` as float64, or an error; also of noise that is none."""
    table = np.asarray(points, np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or not np.isfinite(table).all():
        raise EmulatorError(
            f"points: expected finite values (point, {len(names)}), got {table.shape}"
        )
    if noise <= 0 or n_noise < 2 or n_noise % 2:
        raise EmulatorError(
            f"expected noise > 0 and an even n_noise >= 2, got {noise:g} and {n_noise}"
        )
    return table


def _bound(
    sampler: Sampler,
    transform: FieldTransform,
    target: Tensor,
    condition: Condition,
    noise: float,
    n_noise: int,
    seed: int,
) -> CommonBound:
    """Rows are parameters; data, noise of their gaps and of the diffusion are the same for all."""
    generator, gaps = torch.Generator().manual_seed(seed), Gaps(transform)
    left = gaps.leave(target, condition)
    unit = gaps.noise(left[:1], generator).expand(len(left), -1, -1, -1)
    filled = gaps.fill(left, unit)
    parts = sampler.density(transform.encode(condition), filled.x)
    found = common_bound(
        parts.denoise, parts.x, gamma_min=2 * math.log(noise), gamma_max=parts.gamma_max,
        n_noise=n_noise, generator=generator, counted=filled.counted,
    )  # fmt: skip
    return found._replace(nats=found.nats - parts.log_volume.to(found.nats))


def _require_one_volume(normalisation: Normalisation, table: Tensor) -> None:
    """The density of fields differs from that of channels by a factor of the fields alone."""
    bent = [c.name for c in normalisation.channels if c.transform == "asinh_ratio"]
    share = normalisation.baryon_fraction(table)
    if bent and bool((share - share[0]).abs().max() > 1e-9):
        raise EmulatorError(
            f"points: {', '.join(bent)} is seen as asinh_ratio, whose volume depends on Omega_b / "
            "Omega_m: keep these fixed, or use method='simulation'"
        )
