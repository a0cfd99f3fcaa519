"""Ensembles for a split of variance: models, draws of the parameters for each, members at these."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.inference.prior import build_prior
from emulator.io import EmulatorError
from emulator.metrics.summaries import SUMMARIES
from emulator.progress import Progress
from emulator.sampling.inputs import Policy
from emulator.sampling.partly_known import PartlyKnown, Ranges

if TYPE_CHECKING:
    import xarray as xr

    from emulator.inference.interface import Model


def draw_nested(
    models: "Sequence[Model]",
    given: PartlyKnown,
    *,
    of: str,
    prior: Ranges | None,
    n_points: int,
    n_members: int,
    seed: int,
    sampling: SamplingConfig | None,
    out_of_range: Policy,
    progress: bool,
) -> "xr.DataArray":
    """Values ``(model, point, sample, member, channel, ...)`` for :func:`split_variance`.

    Every model has draws of the parameters of its own, and every draw noise of its own. Without
    free parameters there is no ``point``, of one model no ``model``.

    Raises
    ------
    EmulatorError
        For an unknown summary, a prior of what is known, or fewer than two points or members.
    """
    import xarray as xr

    if of != "fields" and of not in SUMMARIES:
        raise EmulatorError(f"of: expected fields, {', '.join(SUMMARIES)}, got {of!r}")
    scales = models[0].card.normalisation.params
    free = [place for place, name in enumerate(scales) if name not in given.known]
    for name, number in (("n_points", n_points if free else 2), ("n_members", n_members)):
        if number < 2:
            raise EmulatorError(f"{name}: one tells no variance; expected 2 or more, got {number}")
    tables = _tables(models, given, prior, n_points if free else 1, free, seed)
    total = len(models) * len(tables[0])
    line = Progress("uncertainty", total) if progress else None
    drawn = []
    for model, points in zip(models, tables, strict=True):
        own = []
        for number, table in enumerate(points):
            condition = given.condition._replace(params=table)
            fields = _draw(model, condition, number, n_members, seed, sampling, out_of_range)
            pixel = model.card.matter_grid.pixel_mpch
            own.append(fields if of == "fields" else SUMMARIES[of](fields, pixel))
            if line is not None:
                line.advance()
        drawn.append(xr.concat(own, "point", coords="minimal", compat="override"))
    values = xr.concat(drawn, "model", coords="minimal", compat="override")
    values = values if free else values.isel(point=0)
    return values if len(models) > 1 else values.isel(model=0)


def _tables(
    models: "Sequence[Model]",
    given: PartlyKnown,
    ranges: Ranges | None,
    n_points: int,
    free: Sequence[int],
    seed: int,
) -> list[list[torch.Tensor]]:
    """Parameters ``(sample, param)`` of every point of every model; the same for all windows."""
    table = given.condition.params
    if not free and not ranges:
        return [[table] for _ in models]
    known = dict.fromkeys(given.known, 0.0)
    prior = build_prior(models[0].card.normalisation, known, ranges)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        theta = prior.sample((len(models), n_points)).double()
    found = []
    for points in theta:
        rows = [table.clone() for _ in points]
        for row, point in zip(rows, points, strict=True):
            row[:, list(free)] = point
        found.append(rows)
    return found


def _draw(
    model: "Model",
    condition: Condition,
    number: int,
    n_members: int,
    seed: int,
    sampling: SamplingConfig | None,
    out_of_range: Policy,
) -> "xr.DataArray":
    drawn = model.sample(
        condition.field.numpy(),
        condition.params.numpy(),
        large_scale=condition.context.numpy(),
        n_members=n_members,
        seed=seed,
        noise_of=[f"point {number} window {i}" for i in range(len(condition.field))],
        out_of_range=out_of_range,
        sampling=sampling,
    )
    # labels of members are those of models, which differ
    kept = drawn["fields"].reset_coords(drop=True)
    return kept.drop_vars("member")
