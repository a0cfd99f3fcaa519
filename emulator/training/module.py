"""The Lightning module: it wires transforms, network and loss, and computes nothing of its own."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from emulator.config import DiffusionConfig, TrainingConfig
from emulator.data.dataset import Batch
from emulator.data.transforms import FieldTransform
from emulator.diffusion.bound import variational_bound
from emulator.diffusion.loss import training_loss
from emulator.diffusion.parameterization import Network
from emulator.diffusion.schedule import FixedLinear
from emulator.diffusion.times import build_times, low_discrepancy_times
from emulator.networks.unet import UNetVDM
from emulator.training.build import (
    bind_condition,
    build_parameterization,
    build_schedule,
    build_weight,
    channel_weights,
    denoiser,
)
from emulator.training.ema import build_ema


class EmulatorModule(pl.LightningModule):
    """Trains a conditional denoiser; keeps its moving average beside it.

    Parameters
    ----------
    network
        The network to train.
    transform
        Field transform fitted on the training split.
    diffusion, training
        Config sections.
    """

    def __init__(
        self,
        network: UNetVDM,
        transform: FieldTransform,
        diffusion: DiffusionConfig,
        training: TrainingConfig,
    ) -> None:
        super().__init__()
        self.network = network
        self.ema = build_ema(self.network, training.ema_decay)
        self.field_transform, self.diffusion, self.training_config = transform, diffusion, training
        self.schedule, self.times = build_schedule(diffusion), build_times(diffusion.times)
        self.parameterization, self.weight = (
            build_parameterization(diffusion),
            build_weight(diffusion),
        )
        self.weights = torch.tensor(channel_weights(transform.channels))

    def normalise(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Network's channels of the target, and the condition followed by its context."""
        x = self.field_transform.transform(batch.target, batch.condition, batch.baryon_fraction)
        return x, self.field_transform.transform_condition(batch.condition, batch.large_scale)

    def _bind(
        self, network: torch.nn.Module, batch: Batch, **keep: Tensor | None
    ) -> tuple[Network, Tensor]:
        """Network with this batch's condition bound to it, and the normalised target."""
        x, fields = self.normalise(batch)
        return bind_condition(network, fields, batch.params, self.diffusion, **keep), x

    def _loss(self, network: Network, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Training loss of each sample."""
        return training_loss(
            network, x, eps, t,
            schedule=self.schedule, parameterization=self.parameterization, weight=self.weight,
            channel_weights=self.weights.to(x), data_noise=self.diffusion.data_noise,
        )  # fmt: skip

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch; noise, times and dropout are functions of (seed, rank, step)."""
        config = self.training_config
        torch.manual_seed(_step_seed(config.seed, self.global_rank, self.global_step))
        network, x = self._bind(
            self.network,
            batch,
            keep_params=_keep(batch.params, self.diffusion.drop_params),
            keep_context=_keep(batch.params, self.diffusion.drop_context),
        )
        eps = torch.randn_like(x)
        times = self.times.draw(len(x))
        t = times.t.to(x)
        losses = self._loss(network, x, eps, t)
        self.times.update(t, losses.detach())
        loss = (times.weight.to(x) * losses).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Update the moving average after the optimiser step."""
        self.ema.update_parameters(self.network)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and bound of the averaged network on fixed windows, noise and times.

        The bound depends on the ends of gamma alone; it is estimated with gamma uniform between
        them, so that the estimates of different schedules compare.
        """
        generator = torch.Generator().manual_seed(
            _step_seed(self.training_config.seed, 1, batch_idx)
        )
        network, x = self._bind(self.ema, batch)
        eps = torch.randn(x.shape, generator=generator).to(x)
        u = low_discrepancy_times(len(x), generator).to(x)
        loss = self._loss(network, x, eps, u)
        bound = variational_bound(
            denoiser(network, self.parameterization), x, eps, u,
            schedule=FixedLinear(self.schedule.gamma_min, self.schedule.gamma_max),
            data_noise=self.diffusion.data_noise,
        )  # fmt: skip
        terms = {
            "val_loss": loss,
            "val_bits_per_dimension": bound.bits_per_dimension,
            "val_diffusion_nats": bound.diffusion,
            "val_prior_nats": bound.prior,
            "val_reconstruction_nats": bound.reconstruction,
        }
        self.log_dict(
            {name: value.mean() for name, value in terms.items()},
            batch_size=len(x),
            sync_dist=True,
        )

    def configure_optimizers(self) -> Any:
        """AdamW without decay of biases and norms; linear warm-up, then cosine to zero."""
        config = self.training_config
        decayed = [p for p in self.network.parameters() if p.ndim >= 2]
        plain = [p for p in self.network.parameters() if p.ndim < 2]
        plain += [p for p in self.schedule.parameters() if p.requires_grad]
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)

        def factor(step: int) -> float:
            warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
            done = min(1.0, step / config.max_steps)
            return warm * 0.5 * (1.0 + math.cos(math.pi * done))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def _keep(params: Tensor, drop: float) -> Tensor | None:
    """Which samples keep their condition, ``(batch,)`` of 0 and 1; None: all."""
    return (torch.rand(len(params)) >= drop).to(params) if drop > 0 else None


def _step_seed(seed: int, rank: int, step: int) -> int:
    """Mix into 63 bits, so that neighbouring steps and ranks share no stream."""
    words = torch.tensor([seed, rank, step], dtype=torch.int64)
    mixed = (words * torch.tensor([0x9E3779B97F4A7C1, 0x1B873593CC9E2D5, 0x2545F4914F6CDD1])).sum()
    return int(mixed) & 0x7FFFFFFFFFFFFFFF
