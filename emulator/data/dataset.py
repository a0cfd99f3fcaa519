"""Training batches: windows of the training maps, every one a function of (seed, step, rank).

Nothing random is kept between steps, so a resumed run sees the same windows as one that never
stopped, however many processes share the work and wherever the maps lie. Windows are drawn with
probability proportional to a power of the DMO mass they hold (``mass_tilt``): massive halos are
rare and dominate summed spectra. That changes how often a condition is seen, not the conditional
distribution that is learned.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from emulator.data.cutouts import N_ORIENTATIONS, Cutout, extract
from emulator.data.maps import Maps
from emulator.data.normalisation import Normalisation


class Batch(NamedTuple):
    """Physical fields [Msun/h per pixel] and scaled parameters."""

    condition: Tensor  # (batch, y, x)
    large_scale: Tensor  # (batch, level, y, x)
    target: Tensor  # (batch, field, y, x)
    params: Tensor  # (batch, param), scaled
    baryon_fraction: Tensor  # (batch,)


class WindowDataset(Dataset[Batch]):
    """Map-style dataset whose index is the global step and whose item is a whole batch.

    Parameters
    ----------
    simulations
        Maps to draw from, in memory or lazy; the batches are the same.
    normalisation
        Channel order, context factors and parameter scaling.
    window
        Pixels a side.
    batch_size
        Windows a batch.
    seed, rank
        Every batch is drawn from ``SeedSequence([seed, rank, step])``.
    mass_tilt
        Windows are drawn with probability ~ (DMO mass)^mass_tilt within a simulation.
    """

    def __init__(
        self,
        simulations: Sequence[Maps],
        normalisation: Normalisation,
        *,
        window: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        mass_tilt: float = 0.0,
    ) -> None:
        self.simulations, self.window, self.batch_size = simulations, window, batch_size
        self.seed, self.rank = seed, rank
        self.factors = normalisation.context_factors
        self.species = [channel.name for channel in normalisation.channels]
        self.params = [normalisation.encode_params(maps.params) for maps in simulations]
        share = normalisation.cosmic_share
        self.fractions = [share.baryon_fraction(maps.params) for maps in simulations]
        self.cumulative = []
        for maps in simulations:
            cumulative = np.cumsum(window_weights(maps, window, mass_tilt))
            self.cumulative.append(cumulative / cumulative[-1])

    def __getitem__(self, step: int) -> Batch:
        """Batch of one global step."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, self.rank, step]))
        chosen = rng.integers(len(self.simulations), size=self.batch_size)
        cuts = [self._draw(self.simulations[i], self.cumulative[i], rng) for i in chosen]
        return Batch(
            torch.from_numpy(np.stack([cut.condition for cut in cuts])),
            torch.from_numpy(np.stack([cut.large_scale for cut in cuts])),
            torch.from_numpy(np.stack([cut.target for cut in cuts])),
            torch.from_numpy(np.stack([self.params[i] for i in chosen])),
            torch.tensor([self.fractions[i] for i in chosen]),
        )

    def _draw(
        self, maps: Maps, cumulative: NDArray[np.float64], rng: np.random.Generator
    ) -> Cutout:
        flat = int(np.searchsorted(cumulative, rng.random(), side="right"))
        stride, half = corner_stride(maps, self.window), self.window // 2
        corners = maps.n_pixels // stride
        projection, row, col = np.unravel_index(flat, (maps.n_projections, corners, corners))
        jitter = rng.integers(stride, size=2) if maps.periodic else (0, 0)
        centre = (int(row * stride + jitter[0] + half), int(col * stride + jitter[1] + half))
        return extract(
            maps,
            int(projection),
            centre,
            window=self.window,
            context_factors=self.factors,
            species=self.species,
            orientation=int(rng.integers(N_ORIENTATIONS)),
        )


def corner_stride(maps: Maps, window: int) -> int:
    """Pixels between the window corners that have a weight of their own.

    The largest common divisor of map and window up to a quarter of the window; all of a ready
    window, which has one corner.
    """
    if not maps.periodic:
        return maps.n_pixels
    both = math.gcd(maps.n_pixels, window)
    return max(d for d in range(1, max(1, window // 4) + 1) if both % d == 0)


def window_weights(maps: Maps, window: int, tilt: float) -> NDArray[np.float64]:
    """Return ``(projection * y * x)`` weights of a coarse grid of window corners: mass^tilt.

    The mass is summed from the widest context that the grid of corners is made of, of which a lazy
    map reads little.
    """
    stride = corner_stride(maps, window)
    if not maps.periodic:
        mass = maps.select(["dmo"]).sum(axis=(1, 2, 3), dtype=np.float64)
        return mass**tilt
    factor = max((f for f in maps.context if stride % f == 0), default=1)
    field = maps.select(["dmo"])[:, 0] if factor == 1 else maps.context[factor][:]
    side, cell = maps.n_pixels // stride, stride // factor
    cells = field.astype(np.float64).reshape(-1, side, cell, side, cell).sum((2, 4)) * factor**2
    span = range(window // stride)
    mass = sum(np.roll(cells, (-i, -j), axis=(1, 2)) for i in span for j in span)
    return np.asarray(mass).ravel() ** tilt


class StepSampler(Sampler[int]):
    """Global steps of one epoch, counted on from wherever training is.

    Parameters
    ----------
    steps_per_epoch
        Steps of an epoch.
    current_step
        Returns the number of steps done so far; asked at the start of each epoch, so that a resumed
        training goes on with the step that comes next.
    """

    def __init__(self, steps_per_epoch: int, current_step: Callable[[], int]) -> None:
        self.steps_per_epoch, self.current_step = steps_per_epoch, current_step

    def __iter__(self) -> Iterator[int]:
        """Iterate over the next ``steps_per_epoch`` global steps."""
        first = self.current_step()
        return iter(range(first, first + self.steps_per_epoch))

    def __len__(self) -> int:
        return self.steps_per_epoch
