"""Bispectra against brute force over triangles, Gaussian and quadratic fields, and one fault."""

import itertools

import judged
import numpy as np
import pytest
import refused

from emulator.metrics.bispectrum import bispectra, build_triangles
from emulator.metrics.bispectrum_ratio import BispectrumRatio
from emulator.metrics.power_spectrum import fourier_modes

PIXEL = 0.2


def bins_of(n, triangles):
    """Wave vectors of the full plane in each bin, from the half plane and its conjugates."""
    found = []
    for mask in triangles.masks:
        half = [(r if r < n / 2 else r - n, c) for r, c in np.argwhere(mask)]
        found.append({*half, *((-r, -c) for r, c in half)})
    return found


@pytest.mark.parametrize("n", [8, 12, 13])
def test_every_closed_triangle_counts_once(n):
    triangles = build_triangles(n, PIXEL)
    field = np.random.default_rng(n).gamma(1.0, size=(n, n))
    found = bispectra(fourier_modes(field), triangles)
    full = np.fft.fft2(field - field.mean())
    bins = bins_of(n, triangles)
    norm = (n * PIXEL) ** 4 / n**6
    for b, third in itertools.product(range(len(bins)), (None, 0)):
        if third == 0 and b == 0:
            continue
        total, count = 0.0, 0
        for p, q in itertools.product(bins[b], repeat=2):
            r = (-p[0] - q[0], -p[1] - q[1])
            if r in bins[b if third is None else 0]:
                total += (full[p] * full[q] * full[r]).real
                count += 1
        value = found[third is not None and third == 0][b]
        assert value == pytest.approx(norm * total / count)
        sums = triangles.equilateral if third is None else triangles.squeezed
        assert sums[b] * n**4 == pytest.approx(count)
    assert np.isnan(found[1][0])


def red_noise(rng, shape):
    white = np.fft.rfft2(rng.normal(size=shape))
    n = shape[-1]
    k = np.hypot(np.fft.fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1)[None])
    return np.fft.irfft2(white / (1 + k), s=shape[-2:])


def test_a_gaussian_field_has_none_and_the_scatter_of_the_closed_form():
    n = 24
    triangles = build_triangles(n, PIXEL)
    fields = np.random.default_rng(0).normal(size=(3000, n, n))
    equilateral, squeezed = bispectra(fourier_modes(fields), triangles)
    for values in (equilateral, squeezed[:, 1:]):
        error = values.std(0) / np.sqrt(len(values))
        assert (np.abs(values.mean(0)) < 4 * error).all()
    power, area = PIXEL**2, (n * PIXEL) ** 2
    expected = np.sqrt(6 * power**3 * area / (triangles.equilateral * n**4))
    assert equilateral.std(0) == pytest.approx(expected, rel=0.06)
    red = bispectra(fourier_modes(red_noise(np.random.default_rng(1), (2000, n, n))), triangles)[0]
    assert (np.abs(red.mean(0)) < 4 * red.std(0) / np.sqrt(2000)).all()


def test_white_noise_has_its_third_moment():
    """Independent pixels of an exponential law: kappa_3 = 2, B = 2 (L / n)^4 of any triangle."""
    n = 24
    triangles = build_triangles(n, PIXEL)
    fields = np.random.default_rng(2).exponential(size=(4000, n, n))
    for values in bispectra(fourier_modes(fields), triangles):
        values = values[:, 1:]
        error = values.std(0) / np.sqrt(len(values))
        assert values.mean(0) == pytest.approx(2 * PIXEL**4, abs=4 * error.max())
        assert error.max() < 0.05 * 2 * PIXEL**4


def test_a_local_quadratic_field_has_the_sum_of_products_of_power():
    """Of g + f (g^2 - <g^2>): 2 f (P1 P2 + P2 P3 + P3 P1), for small f, of single modes."""
    n, f, rng = 24, 0.05, np.random.default_rng(3)
    g = red_noise(rng, (6000, n, n))
    g /= g.std()
    triangles = build_triangles(n, PIXEL)
    found = bispectra(fourier_modes(g + f * g**2), triangles)
    # the difference of f and -f has no scatter of the Gaussian part
    other = bispectra(fourier_modes(g - f * g**2), triangles)
    power = (np.abs(np.fft.fft2(g)) ** 2).mean(0) * PIXEL**2 / n**2
    bins = bins_of(n, triangles)
    for shape, third in ((0, None), (1, 0)):
        for b in range(1, len(bins)):
            products = []
            for p, q in itertools.product(bins[b], repeat=2):
                r = (-p[0] - q[0], -p[1] - q[1])
                if r in bins[b if third is None else 0]:
                    a, c, d = power[p], power[q], power[r]
                    products.append(a * c + c * d + d * a)
            values = (found[shape][:, b] - other[shape][:, b]) / 2
            error = values.std() / np.sqrt(len(values))
            expected = 2 * f * np.mean(products)
            assert error < 0.04 * expected
            assert values.mean() == pytest.approx(expected, rel=0.02, abs=4 * error)


def test_small_maps_are_refused_and_left_out():
    with pytest.raises(ValueError, match="at least 6 pixels a side, got 5"):
        build_triangles(5, PIXEL)
    ensemble = refused.make_ensemble(refused.simulations()[-1]).isel(y=slice(5), x=slice(5))
    summary = judged.summarised([ensemble, ensemble], BispectrumRatio())
    assert not [name for name in summary.data_vars if "bispectrum" in str(name)]


def ratio(kind, **where):
    suite = [s for s in refused.simulations() if s.name.startswith("CV")]
    ensembles = [refused.make_ensemble(s, kind, n_windows=12) for s in suite]
    summary = judged.summarised(ensembles, BispectrumRatio())
    return summary["bispectrum_ratio"].sel(triangle="equilateral", **where)


def test_faults_of_members_show():
    """Draws of the law have its triangles, lost mass counts cubed, blur counts most."""
    found = {
        kind: ratio(kind, estimate="value", field=["dm_hydro", "total"]).isel(triangle_k=-1).values
        for kind in ("calibrated", "mass_losing", "blurred")
    }
    assert found["calibrated"] == pytest.approx(1.0, abs=0.15)
    assert found["mass_losing"] == pytest.approx(0.9**3 * found["calibrated"], rel=1e-4)
    assert (found["blurred"] < 0.75).all()


def test_one_run_has_no_interval_and_a_truth_that_may_be_zero_no_ratio():
    suite = [s for s in refused.simulations() if s.name.startswith("CV")][:3]
    rng = np.random.default_rng(4)
    ensembles = []
    for simulation in suite:
        ensemble = refused.make_ensemble(simulation)
        noise = rng.normal(size=ensemble["truth"].shape)
        ensembles.append(ensemble.assign(truth=ensemble["truth"].copy(data=10 + noise)))
    summary = judged.summarised(ensembles, BispectrumRatio())
    ends = summary["bispectrum_truth"]
    spans = (ends.sel(estimate="low") * ends.sel(estimate="high")) <= 0
    assert spans.any()
    assert np.isnan(summary["bispectrum_ratio"].sel(estimate="value").where(spans)).all()
    one = judged.summarised(ensembles[:1], BispectrumRatio())["bispectrum_ratio"]
    assert np.isnan(one.sel(estimate=["low", "high"])).all()
    assert np.isfinite(one.sel(estimate="value", triangle="equilateral")).all()
