"""From observed fields to a posterior, by either method."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from emulator.diffusion.common_noise import NOISE
from emulator.inference.neural import refuse_few, train_posterior
from emulator.inference.posterior import label_posterior
from emulator.inference.simulator import Simulator
from emulator.inference.weighing import weigh_prior
from emulator.io import EmulatorError, require_extra


def infer(
    simulator: Simulator,
    fields: np.ndarray,
    *,
    method: Literal["simulation", "likelihood"] = "simulation",
    n_simulations: int = 2000,
    n_draws: int = 2000,
    n_noise: int = 128,
    noise: float = NOISE,
    truth: Mapping[str, float] | Sequence[Mapping[str, float]] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Posterior of the free parameters; see :meth:`BaseEmulator.infer`.

    Raises
    ------
    EmulatorError
        For fields of another shape, another method, fewer simulations than can train, or without
        the package `sbi`: before anything is simulated.
    """
    values = np.asarray(fields, np.float32)
    window = tuple(simulator.condition.field.shape)
    expected = (window[0], len(simulator.model.fields), *window[1:])
    if values.shape != expected or not np.isfinite(values).all():
        raise EmulatorError(f"fields: expected finite values {expected}, got {values.shape}")
    if method == "simulation":
        refuse_few(n_simulations)
        require_extra("sbi", "inference", "method='simulation'")
        points = simulator.prior.design(n_simulations, seed)
        posterior = train_posterior(points, simulator(points), simulator.prior, seed=seed)
        theta, nats = posterior.draw(simulator.observe(values), n_draws, seed)
        return label_posterior(
            simulator, theta.numpy(), nats.numpy(), method=method, seed=seed, truth=truth,
            n_simulations=n_simulations,
        )  # fmt: skip
    if method == "likelihood":
        found = weigh_prior(
            simulator, values, n_points=n_simulations, n_noise=n_noise, noise=noise, seed=seed
        )
        weights = np.exp(found.log_weights)
        # of differences that count: weighed by the posterior
        error = float(np.sqrt((weights * found.error**2).sum(1)).max())
        return label_posterior(
            simulator, found.theta, found.nats, found.log_weights, method=method, seed=seed,
            truth=truth, n_simulations=n_simulations,
            facts={"n_noise": n_noise, "noise": noise, "log_likelihood_error_nats": error},
        )  # fmt: skip
    raise EmulatorError(f"method: expected simulation or likelihood, got {method!r}")
