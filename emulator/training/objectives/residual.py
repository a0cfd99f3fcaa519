r"""Training of mean, spread and the diffusion of what is left, all in one step.

.. math:: L = L_\mathrm{diffusion}(r) + w\,E\Big[\frac1N\sum_i d_i k_i\,\bar s_i^{2\beta}
    \Big(\frac{(x_i - \mu_i)^2}{2 s_i^2} + \ln s_i\Big)\Big]

with ``r`` of :mod:`emulator.model.residual`, ``d`` 1 where a channel is defined and ``k`` its
weight. The second term is the negative log-likelihood of a Gaussian, least at the mean and the
standard deviation of the data. Its gradient of the mean goes as :math:`1/s^2`, so that the quiet
pixels would be all that is learned; the factor :math:`\bar s^{2\beta}`, through which no gradient
flows, tempers that and moves no minimum. Nor does any gradient flow from the diffusion to mean and
spread: they are what they would be alone, but for weights that are shared.

References
----------
Seitzer et al. (2022), arXiv:2203.09168 (the factor); Mardani et al. (2025), arXiv:2309.15214.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import DiffusionConfig, ResidualConfig, TrainingConfig
from emulator.data.dataset import Batch
from emulator.model.conditional import NO_DIFFUSION, bind_condition
from emulator.model.field_transform import FieldTransform
from emulator.model.residual import Centre, centre_of, moved_channels, seeing
from emulator.networks.backbone import Backbone
from emulator.training.objectives.diffusion import DiffusionModule, Kept, Task


class ResidualModule(DiffusionModule):
    """Trains mean and spread, and a denoiser of what they leave.

    Parameters
    ----------
    network, transform, training, diffusion, seed, pixel_mpch
        See :class:`~emulator.training.objectives.diffusion.DiffusionModule`.
    residual
        Config section.
    """

    def __init__(
        self,
        network: Backbone,
        transform: FieldTransform,
        training: TrainingConfig,
        diffusion: DiffusionConfig,
        residual: ResidualConfig,
        *,
        seed: int,
        pixel_mpch: float,
    ) -> None:
        super().__init__(network, transform, training, diffusion, seed=seed, pixel_mpch=pixel_mpch)
        self.options, self.moved = residual, moved_channels(transform.channels)

    def task(
        self,
        network: Callable[..., Tensor],
        batch: Batch,
        kept: Kept | None = None,
        *,
        copies: int = 1,
    ) -> Task:
        """The residual, its network, and the loss of mean and spread beside it."""
        kept = kept or Kept()
        x, given = self.normalise(batch)
        once = bind_condition(network, given, NO_DIFFUSION, **kept._asdict())
        centre = centre_of(once, x, self.moved)
        fixed = centre.detach()
        repeated = fixed if copies == 1 else fixed.repeat(copies)
        bound = bind_condition(
            seeing(network, repeated), given if copies == 1 else given.repeat(copies),
            self.diffusion, **kept._asdict(),
        )  # fmt: skip
        loss = self.options.mean_weight * self.centre_loss(x, centre, batch)
        return Task(bound, fixed.remove(x), repeated.add, loss)

    def centre_loss(self, x: Tensor, centre: Centre, batch: Batch) -> Tensor:
        """Of mean and spread where channels are defined, ``(batch,)``."""
        _, defined = self.field_transform.observe(batch.target, batch.condition)
        is_there = (defined > 0) & ~torch.isnan(x)
        error = torch.where(is_there, x - centre.mean, 0.0)
        nats = 0.5 * error.square() * torch.exp(-2.0 * centre.log_scale) + centre.log_scale
        tempered = nats * torch.exp(2.0 * self.options.beta * centre.log_scale.detach())
        shares = self.weights.to(x) / self.weights.to(x).mean()
        weights = self.pixels.weigh(None, batch.condition, x)
        tempered = tempered if weights is None else tempered * weights
        return (torch.where(is_there, tempered, 0.0).flatten(2).mean(-1) * shares).mean(-1)
