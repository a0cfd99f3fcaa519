"""Draws of a posterior as one Dataset, and what is read from them: means, intervals, ranks."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from emulator.inference.simulator import Simulator
from emulator.io import EmulatorError
from emulator.metadata import provenance
from emulator.units import Unit

FEW = 50.0
"""Effective draws, below which a posterior is warned of: its 68 % intervals scatter by a tenth of
themselves at this number."""


def label_posterior(
    simulator: Simulator,
    theta: np.ndarray,
    nats: np.ndarray,
    log_weights: np.ndarray | None = None,
    *,
    method: str,
    n_simulations: int,
    seed: int,
    truth: Mapping[str, float] | Sequence[Mapping[str, float]] | None = None,
    facts: Mapping[str, float | int | str] | None = None,
) -> xr.Dataset:
    """Dataset of draws.

    Parameters
    ----------
    simulator
        Holds prior and model.
    theta, nats, log_weights
        Physical values ``(batch, draw, param)``, log-density ``(batch, draw)`` and logarithms of
        weights that add up to one; None: all draws weigh the same.
    method, n_simulations, seed, facts
        For the record.
    truth
        Values of the free parameters, one mapping, or one for each of the batch.

    Returns
    -------
    ``draws (draw, param)`` in physical values, ``log_prob (draw)``, the log-density of the
    posterior there [nats], ``weight (draw)``, whose sum is one, and ``effective_draws``; with a
    truth also ``truth`` and ``rank (param)``, the share of the posterior below it. Of windows one
    by one all have a leading ``sample``. Coordinates ``prior_low``, ``prior_high`` and ``prior_log
    (param)``.

    Warns
    -----
    UserWarning
        If fewer than 50 draws are effective.

    Raises
    ------
    EmulatorError
        For values that are not finite, or truths of other parameters.
    """
    if not np.isfinite(theta).all() or np.isnan(nats).any():
        raise EmulatorError("the posterior is not finite: no window of it can be used")
    n_draws = theta.shape[1]
    weights = np.full(nats.shape, 1.0 / n_draws) if log_weights is None else np.exp(log_weights)
    effective = 1.0 / (weights**2).sum(1)
    if (effective < FEW).any():
        warnings.warn(
            f"only {effective.min():.1f} of {n_draws} draws are effective: intervals are rough; "
            "narrow the prior, or ask for more draws",
            stacklevel=4,
        )
    prior, model = simulator.prior, simulator.model
    plain = {"units": str(Unit.DIMENSIONLESS)}
    dims = ("sample", "draw")
    found = xr.Dataset(
        {
            "draws": ((*dims, "param"), theta.astype(np.float64)),
            "log_prob": (dims, nats.astype(np.float64), {"units": str(Unit.NATS)}),
            "weight": (dims, weights, plain),
            "effective_draws": (("sample",), effective, plain),
        },
        coords={
            "param": list(prior.names),
            "prior_low": ("param", prior.low.double().numpy()),
            "prior_high": ("param", prior.high.double().numpy()),
            "prior_log": ("param", prior.log.numpy()),
        },
        attrs={
            "method": method,
            "seed": seed,
            "n_simulations": n_simulations,
            "summaries": ", ".join(simulator.summaries.names),
            **(facts or {}),
            **provenance("infer", model=model.card.name, weights=[model.card.weights_sha256]),
        },
    )
    if truth is not None:
        found = add_ranks(found, truth)
    return found.isel(sample=0) if simulator.together else found


def add_ranks(
    posterior: xr.Dataset, truth: Mapping[str, float] | Sequence[Mapping[str, float]]
) -> xr.Dataset:
    """Ranks of true values: the share of the posterior below them, ties counted half."""
    names = posterior["param"].values.tolist()
    rows = [truth] * posterior.sizes["sample"] if isinstance(truth, Mapping) else list(truth)
    if len(rows) != posterior.sizes["sample"]:
        raise EmulatorError(f"truth: expected {posterior.sizes['sample']} rows, got {len(rows)}")
    if missing := [name for name in names if any(name not in row for row in rows)]:
        raise EmulatorError(f"truth: expected values of {names}, got none of {missing}")
    values = np.array([[float(row[name]) for name in names] for row in rows])
    draws, weights = posterior["draws"].values, posterior["weight"].values[..., None]
    below = (draws < values[:, None]) + 0.5 * (draws == values[:, None])
    plain = {"units": str(Unit.DIMENSIONLESS)}
    return posterior.assign(
        truth=(("sample", "param"), values),
        rank=(("sample", "param"), (weights * below).sum(1), plain),
    )


def intervals(posterior: xr.Dataset, level: float = 0.68) -> xr.Dataset:
    """Mean, and the central interval of a probability, of every parameter.

    Returns
    -------
    ``mean``, ``low``, ``high (..., param)`` in physical values: weighted quantiles, with the draws
    at the middles of their weights.
    """
    draws = posterior["draws"].transpose(..., "draw", "param")
    weights = posterior["weight"].transpose(..., "draw")
    flat = draws.values.reshape(-1, *draws.shape[-2:])
    shares = weights.values.reshape(-1, weights.shape[-1])
    ends = np.array(
        [
            [_quantiles(column, share, level) for column in rows.T]
            for rows, share in zip(flat, shares, strict=True)
        ]
    ).reshape(*draws.shape[:-2], draws.shape[-1], 2)
    dims = (*draws.dims[:-2], "param")
    return xr.Dataset(
        {
            "mean": (draws * weights).sum("draw"),
            "low": (dims, ends[..., 0]),
            "high": (dims, ends[..., 1]),
        },
        attrs={"level": level},
    )


def _quantiles(values: np.ndarray, weights: np.ndarray, level: float) -> np.ndarray:
    order = np.argsort(values)
    middles = np.cumsum(weights[order]) - 0.5 * weights[order]
    found: np.ndarray = np.interp([(1 - level) / 2, (1 + level) / 2], middles, values[order])
    return found
