r"""Power spectra of maps and of volumes, in shells of wave number.

For a map :math:`f` of :math:`n^2` pixels and side :math:`L`, with modes
:math:`\hat f(\mathbf k) = \sum_x f(x) e^{-i k x}`,

.. math:: P_{fg}(k) = \frac{L^2}{n^4} \langle \Re \hat f \hat g^* \rangle_{|\mathbf{k}| = k}

so that white noise of unit pixel variance has :math:`P = (L/n)^2`, one pixel area. Of a volume
:math:`L^2 / n^4` is :math:`L^3 / n^6`, and that noise has the volume of a voxel. Shell ``s``
holds the modes with ``|k| / (2 pi / L)`` rounded to ``s``, ``s = 1 ... n/2``; its wave number is
the mean over its modes. Modes beyond the Nyquist shell and the mean of the map are left out. Of a
map that is not square ``n^2`` is the number of its pixels, ``L^2`` its area, and shells are as wide
as the longest wave along its longer side allows. Lengths are in Mpc/h, or in the unit of the
domain.

Not guaranteed: a window cut from a larger map is not periodic, and its spectrum is that of the
field convolved with the window. Two maps cut alike are convolved alike, so ratios stay meaningful.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft, sparse

from emulator.domain import matter_of, space_in
from emulator.units import Unit

Array = NDArray[np.floating]
Shape = tuple[int, ...]
"""Pixels along the axes of space."""
Modes = NDArray[np.complexfloating]


@dataclass(frozen=True, eq=False)
class Shells:
    """Shells of ``|k|`` for maps or volumes of one size; build with :func:`build_shells`.

    Attributes
    ----------
    index
        ``(n * (n // 2 + 1),)`` shell of every half-plane mode; 0 is left out. (Half-space modes of
        a volume, and so on.)
    weight
        The same shape: 1 or 2, how many modes of the full plane it stands for, 0 where left out.
    k_hmpc
        ``(n // 2,)`` mean wave number of each shell [h/Mpc].
    n_modes
        ``(n // 2,)`` modes of the full plane in each shell.
    norm
        ``L^2 / n^4`` [(Mpc/h)^2], of volumes ``L^3 / n^6`` [(Mpc/h)^3].
    dimensions
        Of space.
    sums
        ``(n // 2, n * (n // 2 + 1))`` weights of the modes in each shell: times a row of products
        they are its sums over shells, three times as fast as counted anew.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    k_hmpc: NDArray[np.float64]
    n_modes: NDArray[np.float64]
    norm: float
    dimensions: int
    sums: sparse.csr_array


def sides_of(n_pixels: int | Shape) -> Shape:
    """Pixels along the axes of space; of a number those of a square."""
    return (n_pixels, n_pixels) if isinstance(n_pixels, int) else n_pixels


def _radius(n_pixels: int | Shape) -> NDArray[np.float64]:
    """``|k|`` of each half-plane mode in units of the longest wave along the longer side."""
    *others, columns = sides_of(n_pixels)
    longest = max(*others, columns)
    along = [fft.fftfreq(side, 1.0 / longest) for side in others]
    along.append(np.arange(columns // 2 + 1) * (longest / columns))
    radius: NDArray[np.float64] = functools.reduce(np.hypot, np.ix_(*along))
    return radius


def shell_index(n_pixels: int | Shape) -> NDArray[np.int64]:
    """``round(|k| / (2 pi / L))`` of each half-plane mode, shape ``(n, n // 2 + 1)``."""
    index: NDArray[np.int64] = np.rint(_radius(n_pixels)).astype(np.int64)
    return index


def mode_weight(n_pixels: int | Shape) -> NDArray[np.float64]:
    """How many modes of the full plane each half-plane mode stands for, ``(n, n // 2 + 1)``."""
    # The half plane leaves out the conjugates of all columns but the first (and the Nyquist column
    # of even sizes), which hold their own.
    *others, columns = sides_of(n_pixels)
    weight: NDArray[np.float64] = np.full((*others, columns // 2 + 1), 2.0)
    weight[..., 0] = 1.0
    if columns % 2 == 0:
        weight[..., -1] = 1.0
    return weight


@functools.lru_cache(maxsize=16)
def build_shells(n_pixels: int | Shape, pixel_mpch: float) -> Shells:
    """Shells of a map of ``n_pixels`` a side, or along the axes of space, of some pixel.

    Raises
    ------
    ValueError
        If the map is smaller than 4 pixels a side.
    """
    sides = sides_of(n_pixels)
    longest = max(sides)
    if min(sides) < 4:
        raise ValueError(f"a spectrum needs at least 4 pixels a side, got {n_pixels}")
    index, weight = shell_index(n_pixels), mode_weight(n_pixels)
    inside = (index >= 1) & (index <= longest // 2)
    index = (index * inside).ravel()
    weight = np.where(inside, weight, 0.0).ravel()

    fundamental = 2.0 * np.pi / (longest * pixel_mpch)
    radius = _radius(n_pixels).ravel()
    n_modes = np.bincount(index, weight)[1:].astype(np.float64)
    k_hmpc = fundamental * np.bincount(index, weight * radius)[1:] / n_modes
    norm = math.prod(side * pixel_mpch for side in sides) / math.prod(sides) ** 2
    modes = np.flatnonzero(index)
    sums = sparse.csr_array(
        (weight[modes], (index[modes] - 1, modes)), shape=(longest // 2, index.size)
    )
    return Shells(index, weight, k_hmpc, n_modes, norm, len(sides), sums)


def fourier_modes(field: Array, dimensions: int = 2) -> Modes:
    """Half-plane modes ``(..., y, x // 2 + 1)`` of maps ``(..., y, x)``, their means removed.

    Of volumes, ``dimensions`` 3, those of ``(..., z, y, x)``.

    The mean is removed before the transform: in float32 a large mean would leave round-off in all
    other modes.

    Raises
    ------
    ValueError
        If there are no maps.
    """
    if field.ndim < dimensions:
        raise ValueError(f"expected maps (..., y, x), got shape {field.shape}")
    axes = tuple(range(-dimensions, 0))
    mean = field.mean(axis=axes, keepdims=True, dtype=np.float64)
    modes: NDArray[np.complexfloating] = fft.rfftn(field - mean.astype(field.dtype), axes=axes)
    return modes


def shell_power(a: Modes, b: Modes, shells: Shells) -> NDArray[np.float64]:
    """Cross power ``(..., n // 2)`` [(Mpc/h)^2 times the units of both maps] of two sets of modes.

    Parameters
    ----------
    a, b
        Modes from :func:`fourier_modes`; shapes broadcast. ``b = a`` gives the auto power.
    shells
        Shells of the same map size.
    """
    product = a.real * b.real + a.imag * b.imag
    flat = product.reshape(-1, shells.index.size)
    sums = [shells.sums @ row for row in flat]
    power = np.asarray(sums) * (shells.norm / shells.n_modes)
    return power.reshape(*product.shape[: -shells.dimensions], shells.k_hmpc.size)


def power_spectrum(
    field: xr.DataArray, other: xr.DataArray | None = None, *, pixel_mpch: float
) -> xr.DataArray:
    r"""Auto spectrum of maps, or the cross spectrum of two sets of maps.

    .. math:: P_{fg}(k) = \frac{L^2}{n^4} \langle \mathrm{Re}\, \hat f \hat g^* \rangle

    Parameters
    ----------
    field, other
        Dimensions ``(..., y, x)`` or ``(..., z, y, x)``, dimensionless (an overdensity, or mass in
        units of the mean). The leading dimensions of both must be the same.
    pixel_mpch
        Side of a pixel [Mpc/h].

    Returns
    -------
    Dimensions ``(..., k)``; units ``(Mpc/h)^2``, of volumes ``(Mpc/h)^3``; coordinates ``k``
    [h/Mpc] (mean of the shell) and ``n_modes``.

    Raises
    ------
    ValueError
        For maps smaller than 4 pixels.

    Notes
    -----
    Estimator: unweighted mean over the modes of a shell; unbiased for a periodic map, relative
    scatter ``sqrt(2 / n_modes)`` for a Gaussian field. One map is enough. Members of an ensemble
    must be transformed one by one: the spectrum of their mean misses their scatter.
    """
    space = space_in(field.dims)
    field, n = field.transpose(..., *space), len(space)
    shells = build_shells(tuple(field.sizes[axis] for axis in space), float(pixel_mpch))
    modes = fourier_modes(field.values, n)
    second = modes if other is None else fourier_modes(other.transpose(*field.dims).values, n)
    dims = field.dims[:-n]
    return xr.DataArray(
        shell_power(modes, second, shells),
        dims=(*dims, "k"),
        coords={
            **{name: field[name] for name in dims if name in field.coords},
            "k": ("k", shells.k_hmpc, {"units": str(Unit.WAVE_NUMBER)}),
            "n_modes": ("k", shells.n_modes, {"units": str(Unit.DIMENSIONLESS)}),
        },
        attrs={"units": matter_of(n).power, "long_name": "power spectrum"},
        name="power",
    )


def correlation_coefficient(
    cross: xr.DataArray, power_a: xr.DataArray, power_b: xr.DataArray
) -> xr.DataArray:
    r"""``r(k) = P_ab / sqrt(P_aa P_bb)``, within [-1, 1]; NaN where there is no power.

    Notes
    -----
    Average the three spectra over maps *before* the ratio: the mean of ratios is biased low.
    """
    product = power_a * power_b
    ratio = cross / np.sqrt(product.where(product > 0))
    ratio.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "correlation coefficient"}
    return ratio


def transfer_function(cross: xr.DataArray, power_input: xr.DataArray) -> xr.DataArray:
    r"""``T(k) = P_ab / P_aa``: the linear filter from ``a`` to ``b`` of least squared error."""
    ratio = cross / power_input.where(power_input > 0)
    ratio.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "transfer function"}
    return ratio


def power_ratio(power: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """``P / P_ref``, dimensionless: the suppression if ``reference`` is the DMO field.

    Zero over zero is NaN; positive over zero is infinite (so that a median still counts it).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = power / reference
    ratio.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "power ratio"}
    return ratio
