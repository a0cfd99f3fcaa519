"""The Lightning module: it wires transforms, network and loss, and computes nothing of its own."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from emulator.config import DiffusionConfig, TrainingConfig
from emulator.data.dataset import Batch
from emulator.data.transforms import FieldTransform
from emulator.diffusion.loss import training_loss, variational_bound
from emulator.diffusion.parameterization import Network
from emulator.diffusion.schedule import low_discrepancy_times
from emulator.networks.unet import UNetVDM
from emulator.training.build import (
    bind_condition,
    build_objective,
    build_schedule,
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
        self.objective = build_objective(diffusion)
        self.weights = torch.tensor(channel_weights(transform.channels))

    def _bind(self, network: torch.nn.Module, batch: Batch) -> tuple[Network, Tensor]:
        """Network with this batch's condition bound to it, and the normalised target."""
        x = self.field_transform.transform(batch.target, batch.condition, batch.baryon_fraction)
        fields = self.field_transform.transform_condition(batch.condition, batch.large_scale)
        return bind_condition(network, fields, batch.params), x

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch; noise, times and dropout are functions of (seed, rank, step)."""
        config = self.training_config
        torch.manual_seed(_step_seed(config.seed, self.global_rank, self.global_step))
        network, x = self._bind(self.network, batch)
        loss = training_loss(
            network,
            x,
            torch.randn_like(x),
            low_discrepancy_times(len(x)).to(x),
            objective=self.objective,
            kind=self.diffusion.prediction,
            channel_weights=self.weights.to(x),
        ).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Update the moving average after the optimiser step."""
        self.ema.update_parameters(self.network)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and bound of the averaged network on fixed windows, noise and times."""
        generator = torch.Generator().manual_seed(
            _step_seed(self.training_config.seed, 1, batch_idx)
        )
        network, x = self._bind(self.ema, batch)
        eps = torch.randn(x.shape, generator=generator).to(x)
        u = low_discrepancy_times(len(x), generator).to(x)
        kind, schedule = self.diffusion.prediction, build_schedule(self.diffusion)
        loss = training_loss(
            network, x, eps, u,
            objective=self.objective, kind=kind, channel_weights=self.weights.to(x),
        )  # fmt: skip
        bound = variational_bound(
            denoiser(network, kind), x, eps, u,
            schedule=schedule, data_noise=self.diffusion.data_noise,
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


def _step_seed(seed: int, rank: int, step: int) -> int:
    """Mix into 63 bits, so that neighbouring steps and ranks share no stream."""
    words = torch.tensor([seed, rank, step], dtype=torch.int64)
    mixed = (words * torch.tensor([0x9E3779B97F4A7C1, 0x1B873593CC9E2D5, 0x2545F4914F6CDD1])).sum()
    return int(mixed) & 0x7FFFFFFFFFFFFFFF
