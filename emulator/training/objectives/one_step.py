r"""Training of the one-step ensemble: members in one pass, scored together.

From unit noise the network gives a member in one pass (:mod:`emulator.model.one_step`), and the
loss is an almost fair CRPS (:mod:`~emulator.training.objectives.proper_score`) of the
channels and of what :mod:`~emulator.training.objectives.views` makes of the fields. Its minimum is
where members follow the law of the data in all that is scored; nothing is asked of what is not.
A channel is scored only where it is defined: of the amplitude of a hurdle field, the law in
occupied pixels.

References
----------
Shen & Meinshausen (2024), arXiv:2307.00835 (engression); Lang et al. (2024), arXiv:2412.15832
(AIFS-CRPS); Alet et al. (2025), arXiv:2506.10772 (FGN: one pass, scored by CRPS).
"""

import torch
from torch import Tensor, nn

from emulator.config import OneStepConfig, TrainingConfig
from emulator.data.dataset import Batch, WindowDataset
from emulator.metrics.scores import scales_of
from emulator.model.build import COPIES
from emulator.model.conditional import NO_DIFFUSION, bind_condition
from emulator.model.field_transform import FieldTransform
from emulator.model.one_step import draw_members
from emulator.networks.backbone import Backbone
from emulator.training.loaders import VALIDATION_SEED, unseen_windows
from emulator.training.monitor import MEMBERS, ensemble_names, score_ensemble
from emulator.training.objectives.base import EmulatorModule, Part, step_seed
from emulator.training.objectives.proper_score import almost_fair_crps
from emulator.training.objectives.tilt import PROBED, MassTilt
from emulator.training.objectives.views import Views, square_means

LARGEST = 8.0
"""Channels beyond are cut off before fields are made of them: infinities teach nothing."""


class OneStepModule(EmulatorModule[Tensor]):
    """Trains a network that draws a member in one pass.

    Parameters
    ----------
    network, transform, training, seed, pixel_mpch
        See :class:`~emulator.training.objectives.base.EmulatorModule`.
    one_step
        Config section.
    """

    def __init__(
        self,
        network: Backbone,
        transform: FieldTransform,
        training: TrainingConfig,
        one_step: OneStepConfig,
        *,
        seed: int,
        pixel_mpch: float,
    ) -> None:
        super().__init__(network, transform, training, seed=seed, pixel_mpch=pixel_mpch)
        self.options, self.views = one_step, Views(transform)
        self.field_weights = torch.tensor([c.loss_weight for c in transform.channels])
        self.defined, self.scatter = torch.empty(0), list[Tensor]()
        floor = transform.normalisation.condition_floor_msunh
        self.pixels = MassTilt(one_step.mass_tilt, floor)

    def columns(self) -> list[str]:
        """Scores of small ensembles."""
        return ensemble_names([channel.name for channel in self.field_transform.channels])

    @torch.no_grad()
    def measure(self, windows: WindowDataset) -> None:
        """What scores are divided by, from training windows that no step sees.

        The share of pixels where a channel is defined, the scatter of each view by field, and the
        mean weight of a pixel.
        """
        batches = unseen_windows(windows, PROBED)
        self.pixels.measure([b.condition for b in batches])
        known = [self.field_transform.observe(b.target, b.condition)[1] for b in batches]
        self.defined = torch.cat(known).mean((0, 2, 3))
        views = zip(*(self.views(b.target, b.condition) for b in batches), strict=True)
        self.scatter = [torch.cat(view).transpose(0, 1).flatten(1).std(1) for view in views]

    def draw(self, batch: Batch, part: Part) -> Tensor:
        """Unit noise of every member, ``(batch, member, noise channel, y, x)``."""
        shape = self._noise_shape(part.whole, self.options.members, batch)
        return torch.randn(shape, device=batch.target.device)[part.rows]

    def _noise_shape(self, n_rows: int, n_members: int, batch: Batch) -> tuple[int, ...]:
        n_channels = COPIES["one_step"] * len(self.weights)
        return (n_rows, n_members, n_channels, *batch.target.shape[2:])

    def losses(self, batch: Batch, draws: Tensor) -> Tensor:
        """Score of each window's members."""
        return self.score(self.members(self.network, batch, draws), batch)

    def members(self, network: nn.Module, batch: Batch, noise: Tensor) -> Tensor:
        """Network channels ``(batch, member, channel, y, x)`` of :meth:`draw`'s noise."""
        given = self.field_transform.encode(batch.condition).repeat(noise.shape[1])
        network_of = bind_condition(network, given, NO_DIFFUSION)
        rows = draw_members(network_of, noise.flatten(0, 1))
        members: Tensor = rows.unflatten(0, noise.shape[:2])
        return members

    def score(self, members: Tensor, batch: Batch) -> Tensor:
        """Weighted sum of the scores of pixels, squares and spectra, ``(batch,)``."""
        options = self.options
        *squares, power = self._of_views(members, batch)
        return (
            options.pixel_weight * self._of_pixels(members, batch)
            + options.squares_weight * torch.stack(squares).mean(0)
            + options.power_weight * power
        )

    def _of_pixels(self, members: Tensor, batch: Batch) -> Tensor:
        """Of the network's channels, per pixel in which they are defined."""
        x, defined = self.field_transform.observe(batch.target, batch.condition)
        score = almost_fair_crps(members, x, self.options.alpha)
        values = torch.where(defined > 0, score * self.pixels(batch.condition), 0.0)
        return _weighted(values.mean((-2, -1)) / self.defined.to(values), self.weights)

    def _of_views(self, members: Tensor, batch: Batch) -> list[Tensor]:
        """Of each view of the fields."""
        n_members = members.shape[1]
        condition = batch.condition.repeat(n_members)
        channels = members.flatten(0, 1).clamp(-LARGEST, LARGEST)
        fields = self.field_transform.inverse_transform(channels, condition, relaxed=True)
        drawn, true = self.views(fields, condition), self.views(batch.target, batch.condition)
        pixels = self.pixels(batch.condition)
        weights = [
            square_means(pixels, side) for side in scales_of((pixels.shape[-2], pixels.shape[-1]))
        ]
        weights.append(pixels.new_ones(()))  # of the spectrum
        scores = []
        for view, truth, scatter, weight in zip(drawn, true, self.scatter, weights, strict=True):
            ensemble = view.unflatten(0, (-1, n_members))
            values = (almost_fair_crps(ensemble, truth, self.options.alpha) * weight).mean(-1)
            scores.append(_weighted(values / scatter.to(values), self.field_weights))
        return scores

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score of the averaged network on fixed windows and noise."""
        seed = step_seed(VALIDATION_SEED, 1, batch_idx)
        shape = self._noise_shape(len(batch.target), MEMBERS, batch)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        members = self.members(self.ema, batch, noise.to(batch.target))
        self.log(
            "val_loss", self.score(members, batch).mean(), batch_size=len(members), sync_dist=True
        )
        if batch_idx == 0:
            self.watched, channels = batch, members.flatten(0, 1)
            fields = self.field_transform.inverse_transform(
                channels, batch.condition.repeat(MEMBERS)
            )
            self.masses = fields.unflatten(0, (-1, MEMBERS))

    def on_validation_epoch_end(self) -> None:
        """Scores of the ensemble that validation drew anyway, now and then."""
        every = self.training_config.ensemble_every
        self.scores = {}
        if self.masses is None or self.watched is None:
            return
        if not every or (self.current_epoch + 1) % every:
            self.masses = None
            return
        names = [channel.name for channel in self.field_transform.channels]
        self.scores = score_ensemble(self.masses, self.watched, names, self.pixel_mpch)


def _weighted(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of ``(batch, channel)`` over channels, with weights of mean one."""
    shares = weights.to(values) / weights.to(values).mean()
    return (values * shares).mean(1)
