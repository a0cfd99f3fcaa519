r"""Posteriors by weights: draws of the prior, each with the likelihood of its parameters.

.. math:: w_i = \frac{L(\theta_i)}{\sum_j L(\theta_j)}, \qquad
    N_\mathrm{eff} = \Big(\sum_i w_i^2\Big)^{-1}

with :math:`\theta_i` of a scrambled Sobol sequence in the prior: a grid, where there is one
parameter. Parameters of no interest are marginalised by leaving them out.

Windows are taken as independent given their parameters and dark matter: windows that overlap are
not, and count twice.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from emulator.inference.simulator import Simulator


class Weighed(NamedTuple):
    """Draws of the prior and their weights."""

    theta: np.ndarray  # (batch, draw, param)
    log_weights: np.ndarray  # (batch, draw), of weights that add up to one
    nats: np.ndarray  # (batch, draw): log-density of the posterior
    error: np.ndarray  # (batch, draw): of the log-likelihood beside the largest [nats]


def weigh_prior(
    simulator: Simulator,
    fields: np.ndarray,
    *,
    n_points: int,
    n_noise: int,
    noise: float,
    seed: int,
) -> Weighed:
    """Weights of draws of the prior, of all windows together or of each.

    Parameters
    ----------
    simulator
        Holds the windows, what is known, and the prior.
    fields
        ``(sample, channel, y, x)``, checked by the model.
    n_points
        Draws of the prior.
    n_noise, noise, seed
        See :meth:`BaseEmulator.compare_params`.
    """
    prior, condition = simulator.prior, simulator.condition
    theta = prior.design(n_points, seed)
    shape = (n_points, condition.params.shape[1])
    nats = np.empty((len(fields), n_points))
    errors = np.empty_like(nats)
    for sample in range(len(fields)):
        points = np.broadcast_to(condition.params[sample].numpy(), shape).copy()
        points[:, simulator.free] = theta.numpy()
        found = simulator.model.compare_params(
            fields[sample : sample + 1],
            condition.field[sample : sample + 1].numpy(),
            condition.params[sample : sample + 1].numpy(),
            points,
            large_scale=condition.context[sample : sample + 1].numpy(),
            noise=noise,
            n_noise=n_noise,
            seed=seed + sample,
            out_of_range=simulator.out_of_range,
            progress=False,
        )
        nats[sample] = found["log_likelihood"].values[0]
        errors[sample] = found["standard_error"].values[0]
    if simulator.together:
        nats = nats.sum(0, keepdims=True)
        errors = np.sqrt((errors**2).sum(0, keepdims=True))
    logs = log_softmax(nats, axis=1)
    # of points that are even in the prior, the sum of L is N times the evidence
    density = logs + np.log(n_points) + prior.log_prob(theta).numpy()
    draws = np.broadcast_to(theta.numpy(), (len(nats), *theta.shape))
    return Weighed(draws, logs, density, errors)
