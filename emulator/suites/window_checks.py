r"""What must hold for ready windows, whose files say neither units nor order nor orientation.

There are invariants all the same: fields add up to the matter, the widest surroundings have about
the mean density, the middle of each context window is the condition at lower resolution, and
targets show the structures of their condition. Each check here looks at all windows of one
simulation and says what is probably wrong.
"""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from emulator.fields import CONDITION, Field
from emulator.io import DataError
from emulator.projection.budget import require_shares_of_matter
from emulator.projection.pyramid import block_mean
from emulator.suites.window_files import ReadyWindow
from emulator.units import CRITICAL_DENSITY

_BOX_AGREEMENT, _SURROUNDINGS = 0.05, 3.0
_CONTENT, _SHARES = 0.3, 0.2
_LEAST_CORRELATION = {"dark_matter": 0.8, "baryons": 0.3, "matter": 0.8}
_LEAST_CONTEXT = 0.9
_COARSE = 8
_LOOKED_AT = 4


def require_sound_windows(
    fields: Mapping[Field, NDArray[np.floating]],
    context: Mapping[int, NDArray[np.floating]],
    *,
    omega_m: float,
    omega_b: float,
    pixel_mpch: float,
    box_size_mpch: float,
    depth_mpch: float,
    where: str,
) -> None:
    """All checks on the windows of one simulation.

    Parameters
    ----------
    fields
        The condition and the targets, each ``(window, y, x)`` in its unit.
    context
        Factor -> ``(window, y, x)`` block means of the DMO mass around the same centres.
    omega_m, omega_b
        Of the simulation.
    pixel_mpch, box_size_mpch, depth_mpch
        Geometry that the config states.
    where
        The files, for messages.

    Raises
    ------
    DataError
        Another unit, fields or levels in another order, or turned targets; each says what it found.
    """
    factor = max(context, default=1)
    widest = context.get(factor, fields[CONDITION])
    side = widest.shape[-1] * factor * pixel_mpch
    require_mean_density(
        widest,
        omega_m,
        pixel_mpch**2,
        depth_mpch,
        is_box=math.isclose(side, box_size_mpch, rel_tol=1e-6),
        where=where,
    )
    require_content(fields, omega_b / omega_m, where)
    require_same_structures(fields, where)
    require_context(fields[CONDITION], context, where)


def require_mean_density(
    context: NDArray[np.floating], omega_m: float, area_mpch2: float, depth_mpch: float,
    *, is_box: bool, where: str,
) -> None:  # fmt: skip
    r"""Check the mean of the widest windows: :math:`\Omega_m\,\rho_c` times pixel and depth.

    Parameters
    ----------
    context
        ``(window, y, x)`` [Msun/h per pixel].
    omega_m
        Of the simulation.
    area_mpch2, depth_mpch
        Of a pixel [(Mpc/h)^2], and of the slab [Mpc/h].
    is_box
        Whether a window is the whole box, whose mean is known to 5 %; another lies where somebody
        has put it, and may hold up to three times more, or less.
    where
        The files, for the message.
    """
    expected = omega_m * CRITICAL_DENSITY * area_mpch2 * depth_mpch
    ratio = float(context.mean(dtype=np.float64)) / expected
    most = 1.0 + _BOX_AGREEMENT if is_box else _SURROUNDINGS
    if not 1.0 / most <= ratio <= most:
        raise DataError(
            where,
            f"a mean of Omega_m rho_c times pixel and depth, {expected:.4g} Msun/h per pixel "
            f"(to a factor of {most:g}, in the widest windows)",
            f"{ratio * expected:.4g}, {ratio:.4g} times that",
            _density_hint(context, expected, area_mpch2),
        )


def _density_hint(context: NDArray[np.floating], expected: float, area_mpch2: float) -> str:
    mean, largest = float(context.mean(dtype=np.float64)), float(context.max())
    if largest < 40 and 0.1 < 10.0 ** float(np.median(context)) / expected < 10.0:
        return "The values look like log10 of masses: store the masses themselves"
    mistakes = {
        1e-10: "masses are probably in 1e10 Msun/h: multiply them by 1e10",
        1e10: "masses are probably 1e10 too large",
        1.0 / area_mpch2: "values are probably surface densities: multiply them by the area of a "
        f"pixel, {area_mpch2:.4g} (Mpc/h)^2",
    }
    for factor, text in mistakes.items():
        if 1.0 / _SURROUNDINGS < mean / expected / factor < _SURROUNDINGS:
            return text
    return "Check units, suite.box_size_mpch, suite.depth_mpch, data.n_pixels and Omega_m"


def require_content(
    fields: Mapping[Field, NDArray[np.floating]], baryon_fraction: float, where: str
) -> None:
    """Check masses and shares of the fields, summed over all windows of a simulation."""
    masses = {field: float(values.sum(dtype=np.float64)) for field, values in fields.items()}
    require_shares_of_matter(masses, baryon_fraction, where, shares=_SHARES, content=_CONTENT)


def require_same_structures(fields: Mapping[Field, NDArray[np.floating]], where: str) -> None:
    """Check that targets show the structures of their condition: turned or shuffled ones do not."""
    dmo = fields[CONDITION]
    factor = max(1, dmo.shape[-1] // _COARSE)
    side = dmo.shape[-1] // factor * factor

    def fluctuations(maps: NDArray[np.floating]) -> NDArray[np.float64]:
        coarse = block_mean(maps[:, :side, :side].astype(np.float64), factor).reshape(len(maps), -1)
        means = coarse.mean(axis=1, keepdims=True)
        return coarse / np.where(means > 0, means, 1.0) - 1.0

    one = fluctuations(dmo)
    for field, values in fields.items():
        if field.share is None or field.sparse:
            continue
        least, found = _LEAST_CORRELATION[field.share], _correlation(one, fluctuations(values))
        if not found >= least:
            raise DataError(
                f"{where}:target",
                f"{field.name} that follows the structures of its condition (correlation above "
                f"{least:g} on {side // factor} x {side // factor} pixels)",
                f"correlation {found:.2f}",
                "Were targets turned, flipped or shuffled, but not their conditions?",
            )


def require_context(
    condition: NDArray[np.floating], context: Mapping[int, NDArray[np.floating]], where: str
) -> None:
    """Check that the middle of a context window is the condition, in block means.

    Parameters
    ----------
    condition
        ``(window, y, x)`` [Msun/h per pixel].
    context
        Factor -> ``(window, y, x)`` block means around the same centre.
    where
        The files, for the message.

    Notes
    -----
    Blocks of a window may start up to one block beside those of its condition; the best place
    counts.
    """
    for factor, windows in context.items():
        if condition.shape[-1] < 4 * factor:
            continue  # too few blocks to say
        best = [
            max(
                _correlation(*_middles(condition[i], windows[i], factor, (row, col)))
                for row, col in product(range(1 - factor, factor), repeat=2)
            )
            for i in range(min(_LOOKED_AT, len(condition)))
        ]
        found = float(np.median(best))
        if found >= _LEAST_CONTEXT:
            continue
        raise DataError(
            f"{where}:large_scale",
            f"a window {factor} times as wide as the condition, whose middle is the condition in "
            f"means of {factor} x {factor} pixels (correlation above {_LEAST_CONTEXT:g})",
            f"correlation {found:.2f} (median over windows)",
            "Are the levels in the order of data.context_factors, and turned like the condition?",
        )


def require_halo_in_window(window: ReadyWindow, box_size_mpch: float, where: str) -> None:
    """Check the halo of a window, if it has one: lighter than the window, and inside the box.

    Raises
    ------
    DataError
        A mass or a position in another unit.
    """
    mass, around = float(window.halo_mass), float(window.condition.sum(dtype=np.float64))
    if mass > around:
        raise DataError(
            f"{where}:halo_mass",
            f"a halo lighter than its window, {around:.4g} Msun/h",
            f"{mass:.4g}",
            "Is it in Msun/h?",
        )
    position = window.halo_center
    if mass > 0 and not ((position >= 0).all() and (position <= box_size_mpch).all()):
        raise DataError(
            f"{where}:halo_center",
            f"a position in [0, {box_size_mpch:g}] Mpc/h",
            f"{position.tolist()}",
            "Is it in Mpc/h?",
        )


def _middles(
    condition: NDArray[np.floating],
    context: NDArray[np.floating],
    factor: int,
    rests: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Condition in the blocks of its context, and the context there, without their means, flat.

    ``rests`` are the pixels, along y and x, by which the context starts before the place where the
    two centres would agree exactly.
    """
    side = condition.shape[-1]
    n, inner, outer = side // factor - 1, [], []
    for rest in rests:
        distance = side * factor // 2 - side // 2 + rest  # from its first pixel to the condition's
        first = -(-distance // factor)  # its first block that lies in the condition
        start = first * factor - distance
        inner.append(slice(start, start + n * factor))
        outer.append(slice(first, first + n))
    blocks = block_mean(condition[*inner].astype(np.float64), factor)
    there = context[*outer].astype(np.float64)
    return blocks - blocks.mean(), there - there.mean()


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / norm) if norm > 0 else 0.0
