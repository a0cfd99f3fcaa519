r"""How near windows come to the training: the distance to the nearest of its windows.

The distance of two windows is the root mean square, over pixels and channels, of the difference of
their logarithms (:mod:`emulator.metrics.log_maps`), each channel in units of its scatter over the
training. The nearest is sought over all places, of all eight orientations, in the maps of the
training: at low resolution first, and at that of the maps in the few that come out best. So the
distance is an upper bound of the least, of truth and members alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from emulator.config import maps_file
from emulator.data.maps import Maps, read_maps
from emulator.data.symmetries import N_ORIENTATIONS, orient
from emulator.fields import Field
from emulator.metrics.log_maps import log_maps
from emulator.metrics.nearest import Nearest
from emulator.validation.scales import scales_of, unit_of

Array = NDArray[np.float32]

MOST_VALUES = 30_000_000
"""Pixels times channels of the training that are kept, 120 MB; simulations are left out evenly."""

N_WINDOWS = 4
"""Windows of a simulation that are compared, each as truth and as one member."""

N_CANDIDATES = 8
BLOCKS = (4, 2, 1)
LEAST_BLOCKS = 4
"""Blocks along a window at low resolution."""


@dataclass(frozen=True, eq=False)
class TrainingMaps:
    """Standardised logarithms of training maps ``(map, channel, y, x)``, and how to make them.

    Attributes
    ----------
    logs
        At the resolution of the maps.
    coarse
        Modes of their block means ``(map, channel, n, n // 2 + 1)``.
    coarse_squares
        Sums of squares over the window at every place ``(map, n, n)`` of the block means.
    block
        Pixels along a block.
    mean, std
        ``(channel,)`` of the logarithms.
    everywhere
        Whether windows lie anywhere in a map; if not, a map is a window.
    fields
        What the channels are.
    """

    logs: Array
    coarse: NDArray[np.complex64]
    coarse_squares: Array
    block: int
    mean: Array
    std: Array
    everywhere: bool
    fields: tuple[Field, ...]


def read_training(
    train: Sequence[str], maps_dir: Path, fields: Sequence[Field], window: int
) -> TrainingMaps:
    """Read the maps of the training split, as many as may be kept.

    Files were verified when the baselines were fitted.
    """
    first = read_maps(maps_file(maps_dir, train[0]), verified=False)
    of_one = first.n_projections * len(fields) * first.n_pixels**2
    kept = min(len(train), max(1, MOST_VALUES // of_one))
    numbers = np.unique(np.linspace(0, len(train) - 1, kept).round().astype(int))
    rows = [first if n == 0 else read_maps(maps_file(maps_dir, train[n]), verified=False)
            for n in numbers]  # fmt: skip
    logs = np.concatenate([_logs_of_maps(maps, fields) for maps in rows])
    mean, std = logs.mean(axis=(0, 2, 3)), logs.std(axis=(0, 2, 3))
    std = np.where(std > 0, std, 1.0).astype(np.float32)
    logs = (logs - mean[:, None, None]) / std[:, None, None]
    block = _largest_block(window, logs.shape[-1])
    means = _blocks(logs, block)
    return TrainingMaps(
        logs,
        fft.rfft2(means),
        _window_squares(means, window // block),
        block,
        mean,
        std,
        first.periodic,
        tuple(fields),
    )


def nearest_windows(training: TrainingMaps, ensemble: xr.Dataset, scales: xr.DataArray) -> Nearest:
    """Distances of some windows to the training, of their truth and of one member each.

    Parameters
    ----------
    training
        From :func:`read_training`.
    ensemble
        ``truth (sample, channel, y, x)``, ``fields (sample, member, channel, y, x)``.
    scales
        ``(channel,)`` units of the fields in this simulation.
    """
    n_samples = ensemble.sizes["sample"]
    places = np.linspace(0, n_samples - 1, min(N_WINDOWS, n_samples))
    truth: list[float] = []
    members: list[float] = []
    for i, sample in enumerate(places.round().astype(int)):
        window = ensemble.isel(sample=int(sample))
        member = window["fields"].isel(member=i % ensemble.sizes["member"], drop=True)
        for values, found in ((window["truth"], truth), (member, members)):
            logs = log_maps(values, scales, training.fields).transpose("channel", "y", "x").values
            found.append(nearest_distance(training, logs.astype(np.float32)))
    return Nearest(np.array(truth), np.array(members))


def nearest_distance(training: TrainingMaps, logs: Array) -> float:
    """Distance of one window ``(channel, y, x)`` of logarithms to the nearest that is found."""
    scaled = (logs - training.mean[:, None, None]) / training.std[:, None, None]
    n_turned = N_ORIENTATIONS[2]
    turned = [orient(scaled, number) for number in range(n_turned)]
    size, best = scaled.size, np.empty((n_turned, len(training.logs)), np.float32)
    for number, window in enumerate(turned):
        means = _blocks(window, training.block)
        square = _squares(training.coarse, training.coarse_squares, means)
        best[number] = (square if training.everywhere else square[:, :1, :1]).min(axis=(1, 2))
    least = np.inf
    for place in np.argsort(best, axis=None)[:N_CANDIDATES]:
        number, which = np.unravel_index(place, best.shape)
        maps = training.logs[which : which + 1]
        squares = _window_squares(maps, scaled.shape[-1])
        square = _squares(fft.rfft2(maps), squares, turned[number])
        least = min(least, float((square if training.everywhere else square[:, :1, :1]).min()))
    return float(np.sqrt(max(least, 0.0) / size))


def _squares(modes: NDArray[np.complex64], squares: Array, window: Array) -> Array:
    """Sums of squared differences of a window to maps at every place, ``(map, n, n)``."""
    n = squares.shape[-1]
    padded = np.zeros((len(window), n, n), np.float32)
    padded[:, : window.shape[-2], : window.shape[-1]] = window
    product = np.einsum("mcyx,cyx->myx", modes, np.conj(fft.rfft2(padded)))
    result: Array = squares + np.square(window).sum() - 2 * fft.irfft2(product, s=(n, n))
    return result


def _window_squares(maps: Array, side: int) -> Array:
    """Sums of squares over channels and the window that starts at every place, ``(map, n, n)``."""
    n = maps.shape[-1]
    box = np.zeros((n, n), np.float32)
    box[:side, :side] = 1.0
    total = np.square(maps).sum(axis=1)
    sums: Array = fft.irfft2(fft.rfft2(total) * np.conj(fft.rfft2(box)), s=(n, n))
    return sums


def _largest_block(window: int, side: int) -> int:
    """Pixels along a block that fits both, and four times into a window."""
    for block in BLOCKS:
        if not (window % block or side % block) and window // block >= LEAST_BLOCKS:
            return block
    return 1


def _blocks(maps: Array, block: int) -> Array:
    *lead, rows, columns = maps.shape
    shape = (*lead, rows // block, block, columns // block, block)
    means: Array = maps.reshape(shape).mean(axis=(-3, -1))
    return means


def _logs_of_maps(maps: Maps, fields: Sequence[Field]) -> Array:
    """Logarithms ``(projection, channel, y, x)``, in units of the simulation."""
    names = [field.name for field in fields]
    values = xr.DataArray(
        maps.select(names), dims=("projection", "channel", "y", "x"), coords={"channel": names}
    )
    logs = log_maps(values, scales_of(maps, fields, unit_of(maps)), fields)
    return logs.values.astype(np.float32)
