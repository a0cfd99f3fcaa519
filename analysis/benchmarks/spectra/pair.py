"""Three spectra and r(k) of a pair of maps, against their transforms and against Pylians."""

import contextlib
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from analysis.benchmarks.spectra.timing import Seconds, least
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.metrics.power_spectrum import (
    build_shells,
    correlation_coefficient,
    fourier_modes,
    power_spectrum,
    shell_power,
)

try:
    import Pk_library as pylians
except ImportError:
    pylians = None

N, PIXEL_MPCH, N_PAIRS = 128, 0.2, 64
SIDE_MPCH = N * PIXEL_MPCH
Maps = NDArray[np.float64]
ABSENT = "not installed (extra `bench`)"


def measure() -> list[Measurement]:
    """All of this section: seconds."""
    pair, many = maps_of(), maps_of(N_PAIRS)
    work: dict[str, tuple[Callable[[], object], int]] = {
        "two real transforms (scipy), nothing else": (partial(fft.rfftn, pair, axes=(-2, -1)), 1),
        "three spectra and r, arrays": (partial(ours, pair), 1),
        "three spectra and r, labelled": (partial(labelled, pair), 1),
        f"transforms of {N_PAIRS} pairs": (partial(fft.rfftn, many, axes=(-2, -1)), N_PAIRS),
        f"three spectra and r of {N_PAIRS} pairs, arrays": (partial(ours, many), N_PAIRS),
        f"three spectra and r of {N_PAIRS} pairs, labelled": (partial(labelled, many), N_PAIRS),
    }
    found = {name: least(call, runs=200 // n + 5) for name, (call, n) in work.items()}
    each = {name: Seconds(*(t / work[name][1] for t in found[name])) for name in found}
    rows = [[name, *(f"{1e6 * value:.0f}" for value in each[name])] for name in each]
    bare, arrays, single, bare_many, batched, _ = (seconds.cpu for seconds in each.values())
    bars = [
        Bar("arrays: time over that of the two transforms", arrays / bare, -INFINITY, 2.0),
        Bar(f"{N_PAIRS} pairs, arrays: the same", batched / bare_many, -INFINITY, 2.0),
        Bar(
            "largest difference from sums mode by mode, relative", difference(pair), -INFINITY, 1e-6
        ),
    ]
    if pylians is None:
        rows.append(["Pylians' XPk_plane", ABSENT, ABSENT])
    else:
        peer = least(partial(theirs, pair), runs=50)
        rows.append(["Pylians' XPk_plane", *(f"{1e6 * value:.0f}" for value in peer)])
        bars += [
            Bar("Pylians' time over ours, arrays", peer.cpu / arrays, 4.0, INFINITY),
            Bar("Pylians' time over ours, labelled", peer.cpu / single, 4.0, INFINITY),
            Bar("largest difference of r(k) from Pylians", apart(pair), -INFINITY, 1e-6),
        ]
    note = (
        f"A pair of {N} x {N} maps in float64, one thread: both auto spectra, the cross spectrum "
        "and r(k), with means removed and shells known; [µs a pair]. Arrays are what metrics of "
        "windows work on; *labelled* takes and returns xarray, for a fixed time a call, and "
        "transforms maps anew for each spectrum. Pylians works in float32, and its shells are by "
        "the integer part of k: for the difference ours are summed in these."
    )
    return [Measurement("A pair of maps", note, bars, ["what", "processor", "wall"], rows)]


def maps_of(n_pairs: int | None = None, seed: int = 0) -> Maps:
    """``(2, [pair,] y, x)``: two maps that share half of their variance."""
    lead = () if n_pairs is None else (n_pairs,)
    shared, *own = np.random.default_rng(seed).normal(size=(3, *lead, N, N))
    return np.stack([shared + each for each in own])


def ours(maps: Maps) -> list[Maps]:
    """Both auto spectra, the cross spectrum, and r."""
    shells = build_shells((N, N), PIXEL_MPCH)
    a, b = fourier_modes(maps)
    auto_a, auto_b, cross = (shell_power(*two, shells) for two in ((a, a), (b, b), (a, b)))
    return [auto_a, auto_b, cross, cross / np.sqrt(auto_a * auto_b)]


def labelled(maps: Maps) -> xr.DataArray:
    """The same by the functions that metrics of whole boxes call; r."""
    dims = ("pair", "y", "x")[-maps[0].ndim :]
    a, b = (xr.DataArray(each, dims=dims) for each in maps)
    power = partial(power_spectrum, pixel_mpch=PIXEL_MPCH)
    return correlation_coefficient(power(a, b), power(a), power(b))


def theirs(maps: Maps) -> Any:
    """Pylians, which prints; its auto spectra, cross spectrum and r."""
    a, b = (np.ascontiguousarray(each, np.float32) for each in maps)
    with contextlib.redirect_stdout(io.StringIO()):
        return pylians.XPk_plane(a, b, SIDE_MPCH, "None", "None", 1)


def brute_force(maps: Maps, shell_of: Callable[[Maps], Maps]) -> list[Maps]:
    """Sums over all modes of the full plane, by complex transforms: of shells 1 to n / 2."""
    a, b = (np.fft.fft2(each - each.mean()) for each in maps)
    along = np.fft.fftfreq(N, 1.0 / N)
    shell = shell_of(np.sqrt(along[:, None] ** 2 + along**2)).astype(int)
    spectra = []
    for one, other in ((a, a), (b, b), (a, b)):
        product = (one * other.conj()).real
        means = [product[shell == each].mean() for each in range(1, N // 2 + 1)]
        spectra.append(np.array(means) * SIDE_MPCH**2 / N**4)
    return [*spectra, spectra[2] / np.sqrt(spectra[0] * spectra[1])]


def difference(maps: Maps) -> float:
    """Of all four from brute force, over its largest value."""
    pairs = zip(ours(maps), brute_force(maps, np.rint), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def apart(maps: Maps) -> float:
    """Of r, in shells by the integer part of k, from that of Pylians."""
    r = brute_force(maps, np.floor)[-1][: N // 2 - 1]
    return float(np.abs(np.asarray(theirs(maps).r)[: len(r)] - r).max())
