r"""Neural posterior estimation: a flow that is trained on simulations, by the library `sbi`.

Pairs :math:`(\theta_i, x_i)`, with :math:`\theta_i` of the prior and :math:`x_i` simulated there,
train a density :math:`q(\theta | x)` by :math:`-\sum_i \ln q(\theta_i | x_i)`. It is least for the
posterior. Learned is the density of :math:`v = \Phi^{-1}(u)`, with ``u`` the share of the prior
below a parameter: a flow that has learned nothing gives the prior.

References
----------
Papamakarios & Murray (2016), arXiv:1605.06376; Greenberg et al. (2019), arXiv:1905.07488; Tejero-
Cantero et al. (2020), arXiv:2007.09114 (sbi).
"""

import contextlib
import io
import math
from typing import Any

import torch
from torch import Tensor

from emulator.inference.prior import BoxPrior
from emulator.io import EmulatorError

LEAST_SIMULATIONS = 100
"""Fewer train nothing that could be called a posterior."""

LEAST_SPREAD = 1.0e-6
"""Standard deviation over one plus the mean, below which a summary is a constant."""


class _Silent:
    """Takes what sbi would write into a folder of logs."""

    log_dir = None

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Nothing."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Nothing."""

    def log_params(self, params: dict[str, Any]) -> None:
        """Nothing."""

    def add_figure(self, name: str, figure: Any, step: int | None = None) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""


class NeuralPosterior:
    """A density of parameters given summaries.

    Parameters
    ----------
    prior
        That the simulations were drawn from.
    network
        ``q(v | x)`` of sbi, with ``v`` of unit variance in the prior.
    mean, std
        Of the summaries, ``(number,)``: they are scaled by them. A number that never varies, of
        zero ``std``, is not looked at.
    n_simulations
        That it was trained on.
    """

    def __init__(
        self, prior: BoxPrior, network: Any, mean: Tensor, std: Tensor, n_simulations: int
    ) -> None:
        self.prior, self.network, self.mean, self.std = prior, network, mean, std
        self.n_simulations = n_simulations

    def scale(self, x: Tensor) -> Tensor:
        """What the network sees of summaries ``(batch, number)``."""
        return _scaled(x, self.mean, self.std)

    @torch.no_grad()
    def draw(self, x: Tensor, n_draws: int, seed: int) -> tuple[Tensor, Tensor]:
        """Draws of the posterior at summaries ``(batch, number)``.

        Returns
        -------
        Physical values ``(batch, draw, param)`` and their log-density ``(batch, draw)`` [nats].

        Raises
        ------
        EmulatorError
            For summaries that are not finite, or so far from all simulations that the density is
            not.
        """
        scaled = self.scale(x)
        if not bool(scaled.isfinite().all()):
            raise EmulatorError("fields: their summaries are not finite")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            v = self.network.sample(torch.Size([n_draws]), condition=scaled)
        nats = self.network.log_prob(v, condition=scaled)
        # from v to shares to physical values: dv/du = 1 / N(v), du/dtheta = p(theta)
        unit = -0.5 * (v**2 + math.log(2 * math.pi)).sum(-1)
        theta = self.prior.of_share(torch.special.ndtr(v))
        nats = nats - unit + self.prior.log_prob(theta)
        if not bool(torch.isfinite(nats).all() & torch.isfinite(theta).all()):
            raise EmulatorError(
                "the posterior is not finite: the observed fields are far from all that the model "
                "draws; compare them with its members"
            )
        return theta.transpose(0, 1), nats.transpose(0, 1)


def refuse_few(n_simulations: int) -> None:
    """Before anything is simulated: whether so many could train a posterior.

    Raises
    ------
    EmulatorError
        For fewer than 100.
    """
    if n_simulations < LEAST_SIMULATIONS:
        raise EmulatorError(
            f"n_simulations: expected {LEAST_SIMULATIONS} or more, got {n_simulations}"
        )


def train_posterior(
    theta: Tensor, x: Tensor, prior: BoxPrior, *, seed: int = 0, n_layers: int = 4, width: int = 48
) -> NeuralPosterior:
    """Train a flow on simulations.

    Parameters
    ----------
    theta
        Draws of the prior, ``(simulation, param)``, physical values.
    x
        Summaries of what was simulated there, ``(simulation, number)``.
    prior
        Of ``theta``.
    seed
        Of weights, batches, and what is held out to stop the training.
    n_layers, width
        Of the flow (a masked autoregressive one; of a single parameter a mixture of Gaussians).

    Raises
    ------
    EmulatorError
        For fewer than 100 simulations, or summaries that are not finite.
    """
    refuse_few(len(theta))
    if bad := int((~torch.isfinite(x)).any(1).sum()):
        raise EmulatorError(f"{bad} of {len(x)} simulations have summaries that are not finite")
    mean, std = x.mean(0), x.std(0)
    std = torch.where(std > LEAST_SPREAD * (1 + mean.abs()), std, 0.0)
    if not bool(std.any()):
        raise EmulatorError("all simulations have the same summaries: they tell nothing")
    from sbi.inference import NPE
    from sbi.neural_nets import posterior_nn

    v = torch.special.ndtri(prior.share(theta.float()))
    alone = theta.shape[1] == 1
    kind = {"model": "mdn"} if alone else {"model": "maf", "num_transforms": n_layers}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        build = posterior_nn(**kind, hidden_features=width, z_score_x="none")
        trainer = NPE(
            density_estimator=build,
            tracker=_Silent(),
            show_progress_bars=False,
        )
        trainer.append_simulations(v, _scaled(x, mean, std))
        with contextlib.redirect_stdout(io.StringIO()):  # where it says how many epochs it took
            network = trainer.train(
                training_batch_size=min(128, len(theta) // 4),
                learning_rate=1e-3,
                stop_after_epochs=15,
            )
    return NeuralPosterior(prior, network.eval(), mean, std, len(theta))


def _scaled(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Unit variance, of what varies."""
    kept = std > 0
    return (x[:, kept] - mean[kept]) / std[kept]
