"""Training batches: windows of the training maps, every one a function of (seed, step).

Nothing random is kept between steps, so a resumed run sees the same windows as one that never
stopped, however many processes and devices share the work and wherever the maps lie: devices take
their shares of one batch. Windows are drawn with
probability proportional to a power of the DMO mass they hold (``mass_tilt``): massive halos are
rare and dominate summed spectra. That changes how often a condition is seen, not the conditional
distribution that is learned.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from emulator.data.condition import Condition
from emulator.data.cutouts import Cutout, Pixel, Shape, extract, sides_of
from emulator.data.maps import Maps
from emulator.data.symmetries import N_ORIENTATIONS


class Batch(NamedTuple):
    """Windows and what is true there, in physical units."""

    condition: Condition
    target: Tensor  # (batch, field, y, x), of volumes (batch, field, z, y, x)


class Place(NamedTuple):
    """Where a window lies and how it is turned."""

    simulation: int
    projection: int
    centre: Pixel
    orientation: int


class WindowDataset(Dataset[Batch]):
    """Map-style dataset whose index counts parts of steps and whose item is a whole batch.

    A step's batch is divided among ``accumulate`` parts, computed one after the other, and each
    part among ``world_size`` devices: the windows of a step are the same however it is divided.

    Parameters
    ----------
    simulations
        Maps to draw from, in memory or lazy; the batches are the same.
    params
        Physical values ``(simulation, param)``, in the order of the model.
    targets, context_factors
        Names of the fields and factors of the context windows, in the order of the model.
    window
        Pixels a side, or along the axes of space.
    batch_size
        Windows a batch, over all devices.
    seed, stream
        Every batch is drawn from ``SeedSequence([seed, stream, step])``.
    accumulate, rank, world_size
        Parts of a step; which share of every part is made here, and of how many.
    mass_tilt
        Windows are drawn with probability ~ (DMO mass)^mass_tilt within a simulation.
    """

    def __init__(
        self,
        simulations: Sequence[Maps],
        *,
        params: NDArray[np.float64],
        targets: Sequence[str],
        context_factors: Sequence[int],
        window: int | Shape,
        batch_size: int,
        seed: int,
        stream: int = 0,
        accumulate: int = 1,
        rank: int = 0,
        world_size: int = 1,
        mass_tilt: float = 0.0,
    ) -> None:
        self.simulations, self.window, self.batch_size = simulations, window, batch_size
        self.seed, self.stream = seed, stream
        self.accumulate, self.rank, self.world_size = accumulate, rank, world_size
        self.params, self.targets, self.factors = params, list(targets), tuple(context_factors)
        self.cumulative = []
        for maps in simulations:
            cumulative = np.cumsum(window_weights(maps, window, mass_tilt))
            self.cumulative.append(cumulative / cumulative[-1])

    def __getitem__(self, index: int) -> Batch:
        """Share of one part of one global step."""
        step, part = divmod(index, self.accumulate)
        share = part_of(self.batch_size, self.accumulate, part, self.world_size, self.rank)
        places = self.places(step)[share]
        cuts = [self._cut(place) for place in places]
        condition = Condition(
            torch.from_numpy(np.stack([cut.condition for cut in cuts])),
            torch.from_numpy(np.stack([cut.large_scale for cut in cuts])),
            torch.from_numpy(self.params[[place.simulation for place in places]]),
        )
        return Batch(condition, torch.from_numpy(np.stack([cut.target for cut in cuts])))

    def places(self, step: int) -> list[Place]:
        """Where the windows of a whole batch lie; drawing them costs little, cutting them does."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, self.stream, step]))
        chosen = rng.integers(len(self.simulations), size=self.batch_size)
        return [self._draw(int(i), rng) for i in chosen]

    def simulations_of(self, step: int, rows: Sequence[int]) -> list[str]:
        """Names of the simulations that some rows of a step's batch were cut from."""
        places = self.places(step)
        return sorted({Path(self.simulations[places[row].simulation].path).stem for row in rows})

    def _draw(self, simulation: int, rng: np.random.Generator) -> Place:
        maps, cumulative = self.simulations[simulation], self.cumulative[simulation]
        flat = int(np.searchsorted(cumulative, rng.random(), side="right"))
        if not maps.domain.is_matter:
            return self._draw_array(simulation, flat, rng)
        side = sides_of(self.window)[0]
        stride, half = corner_stride(maps, side), side // 2
        corners = (maps.n_pixels // stride,) * maps.dimensions
        projection, *cells = np.unravel_index(flat, (maps.n_projections, *corners))
        jitter = rng.integers(stride, size=len(cells)) if maps.periodic else (0,) * len(cells)
        centre = tuple(
            int(cell * stride + moved + half) for cell, moved in zip(cells, jitter, strict=True)
        )
        orientation = int(rng.integers(N_ORIENTATIONS[maps.dimensions]))
        return Place(simulation, int(projection), centre, orientation)

    def _draw_array(self, simulation: int, projection: int, rng: np.random.Generator) -> Place:
        """A whole array, moved by what leaves its law unchanged."""
        domain, sides = self.simulations[simulation].domain, sides_of(self.window)
        middle, moves = [side // 2 for side in sides], "shifts" in domain.symmetries
        shift = rng.integers(0, sides)
        row, col = (middle[i] + int(shift[i]) * (moves and domain.periodic[i]) for i in (0, 1))
        orientation = int(rng.integers(N_ORIENTATIONS[2]))
        turned = orientation if "d4" in domain.symmetries else 0
        return Place(simulation, projection, (row, col), turned)

    def _cut(self, place: Place) -> Cutout:
        return extract(
            self.simulations[place.simulation],
            place.projection,
            place.centre,
            window=self.window,
            context_factors=self.factors,
            species=self.targets,
            orientation=place.orientation,
        )


def part_of(
    batch_size: int, accumulate: int, part: int, world_size: int = 1, rank: int = 0
) -> slice:
    """Which rows of a step's batch belong to one part and one device."""
    share = batch_size // (accumulate * world_size)
    first = (part * world_size + rank) * share
    return slice(first, first + share)


def corner_stride(maps: Maps, window: int) -> int:
    """Pixels between the window corners that have a weight of their own.

    The largest common divisor of map and window up to a quarter of the window; all of a ready
    window, which has one corner.
    """
    if not maps.periodic:
        return maps.n_pixels
    both = math.gcd(maps.n_pixels, window)
    return max(d for d in range(1, max(1, window // 4) + 1) if both % d == 0)


def window_weights(maps: Maps, window: int | Shape, tilt: float) -> NDArray[np.float64]:
    """Return ``(projection * ... * y * x)`` weights of a coarse grid of window corners: mass^tilt.

    The mass is summed from the widest context that the grid of corners is made of, of which a lazy
    map reads little.
    """
    if not maps.domain.is_matter:
        return np.ones(maps.n_projections)
    side_of_window = sides_of(window)[0]
    stride = corner_stride(maps, side_of_window)
    if not maps.periodic:
        whole = maps.select(["dmo"])
        mass = whole.sum(axis=tuple(range(1, whole.ndim)), dtype=np.float64)
        weights: NDArray[np.float64] = mass**tilt
        return weights
    factor = max((f for f in maps.context if stride % f == 0), default=1)
    field = maps.select(["dmo"])[:, 0] if factor == 1 else maps.context[factor][:]
    side, cell, n = maps.n_pixels // stride, stride // factor, maps.dimensions
    blocks = field.astype(np.float64).reshape(-1, *(side, cell) * n)
    cells = blocks.sum(tuple(range(2, 2 * n + 1, 2))) * factor**n
    moves, axes = product(range(side_of_window // stride), repeat=n), tuple(range(1, n + 1))
    mass = sum(np.roll(cells, [-move for move in moved], axis=axes) for moved in moves)
    return np.asarray(mass).ravel() ** tilt


class StepSampler(Sampler[int]):
    """Indices of :class:`WindowDataset` for one epoch, counted on from wherever training is.

    Parameters
    ----------
    steps_per_epoch
        Steps of an epoch.
    current_step
        Returns the number of steps done so far; asked at the start of each epoch, so that a resumed
        training goes on with the step that comes next.
    accumulate
        Parts of a step.
    """

    def __init__(
        self, steps_per_epoch: int, current_step: Callable[[], int], accumulate: int = 1
    ) -> None:
        self.length = steps_per_epoch * accumulate
        self.current_step, self.accumulate = current_step, accumulate

    def __iter__(self) -> Iterator[int]:
        """Iterate over the parts of the next ``steps_per_epoch`` global steps."""
        first = self.current_step() * self.accumulate
        return iter(range(first, first + self.length))

    def __len__(self) -> int:
        return self.length
