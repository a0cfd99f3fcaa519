r"""The regression: the network of the model, trained to the mean of the data in one pass.

.. math:: L = E\Big[\frac1N\sum_i d_i k_i\,(x_i - f(c)_i)^2\Big]

with ``x`` the normalised network channels, ``c`` condition, context and parameters, ``k`` the
weight of a channel, and ``d`` 1 where a channel is defined, else 0: the amplitude of a hurdle field
is not in an empty pixel. Whatever ``k``, the minimiser is :math:`f(c) = E[x|c, d=1]`. (A model
draws both channels of a hurdle field together, and learns what ``empty_amplitude`` puts where there
is no amplitude; in a mean it would be mixed in. A channel that is ``masked`` weighs here, too, as
much as if it were defined everywhere.) Windows, their orientations, batch size, optimiser and
moving average are those of the model's training.

Not guaranteed: the mean of a transformed field is not the mean of the field (of a logarithm it is
about the median).
"""

import torch
from torch import Tensor

from emulator.config import DiffusionConfig, ExperimentConfig
from emulator.data.dataset import Batch, WindowDataset
from emulator.diffusion.parameterization import Network
from emulator.diffusion.random_field import cross_spectrum
from emulator.io import EmulatorError
from emulator.model.conditional import bind_condition, regression
from emulator.model.field_transform import Encoded
from emulator.training.module import EmulatorModule

RESIDUAL_WINDOWS = 512
"""Windows of the validation split that the spectrum of the residual is measured from, at least."""


def regression_of(config: ExperimentConfig) -> ExperimentConfig:
    """The experiment whose training is that of the regression.

    Its diffusion is a plain x-prediction: nothing of the section ``diffusion`` matters to it.

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
    steps = config.regression.max_steps
    epoch = min(steps, config.training.checkpoint_steps)
    training = config.training.model_copy(
        update={"max_steps": steps, "checkpoint_steps": epoch, **of_noise}
    )
    diffusion = DiffusionConfig(prediction="x")
    return config.model_copy(update={"training": training, "diffusion": diffusion})


class RegressionModule(EmulatorModule):
    """Trains a network at ``z = 0`` and the noise end; all else is inherited."""

    def columns(self) -> list[str]:
        """None: the history holds losses."""
        return []

    def normalise(self, batch: Batch) -> tuple[Tensor, Encoded]:
        """As of the model, but NaN where a channel is not defined; maps hold none of their own."""
        x, defined = self.field_transform.observe(batch.target, batch.condition)
        given = self.field_transform.encode(batch.condition)
        return torch.where(defined > 0, x, torch.nan), given

    def _loss(self, network: Network, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Squared error of each sample where channels are defined, without noise or time."""
        defined, mean = ~torch.isnan(x), regression(network, self.schedule.gamma_max)

        def where_defined(z: Tensor, gamma: Tensor) -> Tensor:
            return torch.where(defined, mean(z, gamma), 0.0)

        return super()._loss(where_defined, torch.where(defined, x, 0.0), eps, t)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss of the averaged network on fixed windows."""
        x, given = self.normalise(batch)
        network = bind_condition(self.ema, given, self.diffusion)
        loss = self._loss(network, x, torch.zeros_like(x), x.new_zeros(len(x)))
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
        network = bind_condition(self.ema, given, self.diffusion)
        mean = regression(network, self.schedule.gamma_max)(x, x.new_zeros(len(x)))
        residual, defined = x - mean, ~torch.isnan(x)
        share = defined.to(x).mean((0, 2, 3), keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        return cross_spectrum(torch.where(defined, residual, 0.0) / share.sqrt())
