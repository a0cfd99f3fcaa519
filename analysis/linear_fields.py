r"""A suite of arrays whose law is known: a linear filter of two fields, and Gaussian noise.

On a periodic grid of 16 x 24 pixels of half a kilometre,

.. math:: t = G_1 f + \tfrac12\, o(x - 2) + n_t, \qquad w = G_2 o - \tfrac12 f + n_w,

with the forcing ``f`` and the height ``o`` Gaussian fields, ``G`` smoothings and the noises ``n``
smoothed white noise that share a part. Given ``f`` and ``o`` the temperature anomaly ``t`` and the
wind ``w`` are Gaussian with the mean of the formula and the covariance of the noise: the best that
any ensemble can do is a CRPS of :math:`\sigma / \sqrt\pi` a pixel, with :math:`\sigma` of
:func:`noise_levels`.

Run as ``python -m analysis.linear_fields FOLDER``: one netCDF file a simulation, as
``configs/linear_fields.yaml`` reads them.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

SHAPE = (16, 24)
SETS = {"train": 10, "test": 4}
ROWS = 24
PIXEL_KM = 0.5
UNITS = {"forcing": "W/m^2", "height": "m", "temperature_anomaly": "K", "wind": "m/s"}
NOISE = {"temperature_anomaly": 0.6, "wind": 0.8}
SHARED = 0.5
"""Share of the variance of both noises that is common."""
_SMOOTHED = 1.0

Maps = NDArray[np.float64]


def smooth(white: Maps, length: float) -> Maps:
    """Maps ``(..., y, x)`` filtered by a Gaussian of ``length`` pixels, periodic."""
    ky, kx = np.fft.fftfreq(white.shape[-2]), np.fft.rfftfreq(white.shape[-1])
    square = (2 * np.pi) ** 2 * (ky[:, None] ** 2 + kx[None, :] ** 2)
    modes = np.fft.rfft2(white) * np.exp(-0.5 * square * length**2)
    filtered: Maps = np.fft.irfft2(modes, s=white.shape[-2:])
    return filtered


def mean_given(forcing: Maps, height: Maps) -> dict[str, Maps]:
    """Means of both fields given the conditions ``(..., y, x)``."""
    return {
        "temperature_anomaly": smooth(forcing, 1.5) + 0.5 * np.roll(height, 2, axis=-1),
        "wind": smooth(height, 1.0) - 0.5 * forcing,
    }


def noise_levels() -> dict[str, float]:
    """Standard deviation of the noise of a pixel, by field [unit of the field]."""
    impulse = np.zeros(SHAPE)
    impulse[0, 0] = 1.0
    # white noise of unit variance, filtered by h, has the variance sum h^2
    left = float(np.sqrt((smooth(impulse, _SMOOTHED) ** 2).sum()))
    return {name: size * left for name, size in NOISE.items()}


def draw_rows(rng: np.random.Generator, n_rows: int) -> dict[str, Maps]:
    """Conditions and fields ``(row, y, x)`` of one simulation."""
    forcing, height = (
        10.0 * smooth(rng.standard_normal((n_rows, *SHAPE)), length) for length in (1.5, 1.0)
    )
    white = rng.standard_normal((3, n_rows, *SHAPE))
    own = np.sqrt(1.0 - SHARED) * white[:2] + np.sqrt(SHARED) * white[2]
    drawn = {"forcing": forcing, "height": height}
    for (name, mean), noise in zip(mean_given(forcing, height).items(), own, strict=True):
        drawn[name] = mean + NOISE[name] * smooth(noise, _SMOOTHED)
    return drawn


def write_suite(folder: Path, *, n_rows: int = ROWS, seed: int = 0) -> list[Path]:
    """Write all simulations; each is a function of seed and name alone."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for set_name, count in SETS.items():
        for number in range(count):
            name = f"{set_name}_{number}"
            rng = np.random.default_rng([seed, *name.encode()])
            arrays = {
                key: (("row", "y", "x"), values.astype(np.float32), {"units": UNITS[key]})
                for key, values in draw_rows(rng, n_rows).items()
            }
            files.append(folder / f"{name}.nc")
            xr.Dataset(arrays).to_netcdf(files[-1], engine="h5netcdf")
    return files


if __name__ == "__main__":
    print(f"{len(write_suite(Path(sys.argv[1])))} files in {sys.argv[1]}")
