r"""The regression: the network of the model, trained to the mean of the data in one pass.

.. math:: L = E\Big[\frac1N\sum_i d_i k_i\,(x_i - f(c)_i)^2\Big]

with ``x`` the normalised network channels, ``c`` condition, context and parameters, ``k`` the
weight of a channel, and ``d`` 1 where a channel is defined, else 0: the amplitude of a hurdle field
is not in an empty pixel. Whatever ``k``, the minimiser is :math:`f(c) = E[x|c, d=1]`. (A model
draws both channels of a hurdle field together, and learns what ``empty_amplitude`` puts where there
is no amplitude; in a mean it would be mixed in.) Windows, their orientations, batch size, optimiser
and moving average are those of the model's training.

Not guaranteed: the mean of a transformed field is not the mean of the field (of a logarithm it is
about the median).
"""

import torch
from torch import Tensor

from emulator.config import ExperimentConfig
from emulator.data.dataset import Batch, WindowDataset
from emulator.diffusion.parameterization import Network
from emulator.diffusion.random_field import cross_spectrum
from emulator.io import EmulatorError
from emulator.model.conditional import NO_DIFFUSION, bind_condition, one_pass
from emulator.model.field_transform import Encoded
from emulator.training.objectives.base import EmulatorModule, Part

RESIDUAL_WINDOWS = 512
"""Windows of the validation split that the spectrum of the residual is measured from, at least."""


def regression_of(config: ExperimentConfig) -> ExperimentConfig:
    """The experiment whose training is that of the regression.

    Raises
    ------
    EmulatorError
        If the config asks for none.
    """
    if config.regression.max_steps == 0:
        raise EmulatorError(
            "regression.max_steps is 0: there is no regression to train; set its number of steps"
        )
    of_noise = {"early_stopping": None, "ensemble_every": 0, "parameter_head_weight": 0.0}
    of_noise |= {"initial": None}
    steps = config.regression.max_steps
    epoch = min(steps, config.training.checkpoint_steps)
    training = config.training.model_copy(
        update={"max_steps": steps, "checkpoint_steps": epoch, **of_noise}
    )
    return config.model_copy(update={"training": training, "diffusion": NO_DIFFUSION})


class RegressionModule(EmulatorModule[None]):
    """Trains a network at ``z = 0`` and the noise end; it draws nothing."""

    def columns(self) -> list[str]:
        """None: the history holds losses."""
        return []

    def normalise(self, batch: Batch) -> tuple[Tensor, Encoded]:
        """As of the model, but NaN where a channel is not defined; maps hold none of their own."""
        x, defined = self.field_transform.observe(batch.target, batch.condition)
        given = self.field_transform.encode(batch.condition)
        return torch.where(defined > 0, x, torch.nan), given

    def draw(self, batch: Batch, part: Part) -> None:
        """Nothing."""

    def losses(self, batch: Batch, draws: None) -> Tensor:
        """Squared error where channels are defined."""
        x, given = self.normalise(batch)
        return self._loss(bind_condition(self.network, given, NO_DIFFUSION), x)

    def _loss(self, network: Network, x: Tensor) -> Tensor:
        defined = ~torch.isnan(x)
        mean = one_pass(network, torch.zeros_like(x))
        error = torch.where(defined, mean - torch.where(defined, x, 0.0), 0.0)
        shares = self.weights.to(x) / self.weights.to(x).mean()
        return (error.square().flatten(2).mean(-1) * shares).mean(-1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss of the averaged network on fixed windows."""
        x, given = self.normalise(batch)
        loss = self._loss(bind_condition(self.ema, given, NO_DIFFUSION), x)
        self.log("val_loss", loss.mean(), batch_size=len(x), sync_dist=True)

    @torch.no_grad()
    def residual_spectrum(self, windows: WindowDataset) -> Tensor:
        """Spectrum of truth minus regression, in network channels, by the averaged network.

        Where a channel is not defined its residual is zero; it is then divided by the root of the
        share of pixels where it is, so that its variance is that of these pixels. Its correlation
        with other channels is that of all pixels, and so smaller by this root.

        Parameters
        ----------
        windows
            Of the validation split, drawn without tilt: on those that it was trained on a network
            errs less.

        Returns
        -------
        ``(shell, channel, channel)``, see :func:`~emulator.diffusion.random_field.cross_spectrum`.
        """
        n_batches = -(-RESIDUAL_WINDOWS // windows.batch_size)
        return torch.stack([self._residual(windows[i]) for i in range(n_batches)]).mean(0)

    def _residual(self, batch: Batch) -> Tensor:
        here = Batch(batch.condition.to(self.device), batch.target.to(self.device))
        x, given = self.normalise(here)
        network = bind_condition(self.ema, given, NO_DIFFUSION)
        mean = one_pass(network, torch.zeros_like(x))
        residual, defined = x - mean, ~torch.isnan(x)
        others = (0, *range(2, x.ndim))
        share = defined.to(x).mean(others, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        return cross_spectrum(torch.where(defined, residual, 0.0) / share.sqrt())
