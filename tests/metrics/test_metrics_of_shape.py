"""Cumulants, extrema and structural similarity: closed forms, brute force, a public package."""

import judged
import numpy as np
import pytest
import refused
import xarray as xr
from scipy import stats

from emulator.fields import Field, find_fields
from emulator.metrics.cumulants import Cumulants, cumulants
from emulator.metrics.extrema import Extrema, local_maxima
from emulator.metrics.log_maps import FLOOR, log_maps
from emulator.metrics.ssim import RANGE, StructuralSimilarity, ssim

METRICS = (Cumulants(), Extrema(), StructuralSimilarity())
SMOOTH = ["dm_hydro", "gas"]


def ensembles(kind, n_draws=0, n_windows=8):
    suite = refused.simulations(n_draws=n_draws)
    return [
        refused.make_ensemble(
            s, kind, redraws=[r for r in suite if r.run == s.run and r != s], n_windows=n_windows
        )
        for s in suite
        if s.name.startswith("CV")
    ]


@pytest.fixture(scope="module")
def found():
    kinds = ("calibrated", "blurred", "mass_losing", "over_dispersed", "ignorant")
    return {
        kind: judged.summarised(ensembles(kind, n_draws=kind == "calibrated"), *METRICS)
        for kind in kinds
    }


def value(summary, name, **where):
    return summary[name].sel(estimate="value", **where)


def test_the_logarithm_has_a_floor_and_signed_fields_have_none():
    wind = Field(name="wind", label="wind", unit="km/s", particles=("gas",), mean_of="V",
                 signed=True, transform="identity")  # fmt: skip
    fields = (*find_fields(["gas"]), wind)
    values = xr.DataArray(
        [[[[0.0, 2.0]], [[-6.0, 3.0]]]],
        dims=("sample", "channel", "y", "x"),
        coords={"channel": ["gas", "wind"]},
    )
    scales = xr.DataArray([2.0, 3.0], dims="channel", coords={"channel": ["gas", "wind"]})
    y = log_maps(values, scales, fields).values
    assert y == pytest.approx(np.array([[[[np.log(FLOOR), 0.0]], [[-2.0, 1.0]]]]))


def test_cumulants_are_those_of_scipy():
    y = np.random.default_rng(0).gamma(2.0, size=5000) + 3.0
    raw = xr.DataArray(
        [np.mean(y**order) for order in (1, 2, 3, 4)],
        dims="moment_order",
        coords={"moment_order": [1, 2, 3, 4]},
    )
    expected = [y.var(), stats.skew(y), stats.kurtosis(y)]
    assert cumulants(raw).values == pytest.approx(expected)
    constant = cumulants(raw * 0 + 3.0 ** raw["moment_order"])
    assert np.isnan(constant.values[1:]).all()


def lognormal(n_windows=40, sigma=0.7):
    rng = np.random.default_rng(1)
    maps = np.exp(sigma * rng.normal(size=(n_windows, 4, 2, 16, 16)))
    return xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), maps[:, 1:]),
            "truth": (("sample", "channel", "y", "x"), maps[:, 0]),
            "condition": (("sample", "y", "x"), maps[:, 0, 0]),
        },
        coords={"channel": SMOOTH},
    )


def test_a_lognormal_field_has_its_variance_and_no_more():
    summary = judged.summarised([lognormal(), lognormal()], Cumulants())
    for kind in ("truth", "members"):
        row = value(summary, f"cumulant_{kind}").sel(cumulant=["variance", "skewness", "kurtosis"])
        expected = np.array([0.49, 0.0, 0.0])
        assert np.abs(row.transpose("channel", ...).values - expected).max() < 0.09


def test_members_are_not_averaged_before_their_cumulants(found):
    """The mean of members would have less variance; draws of the law have that of the truth."""
    error = value(found["calibrated"], "cumulant_error", channel=SMOOTH, cumulant="variance")
    truth = value(found["calibrated"], "cumulant_truth", channel=SMOOTH, cumulant="variance")
    assert (np.abs(error) < 0.08 * truth).all()
    low, high = (value(found[kind], "cumulant_error", channel=SMOOTH, cumulant="variance")
                 for kind in ("blurred", "over_dispersed"))  # fmt: skip
    assert (low < -0.1 * truth).all()
    assert (high > error).all()


def test_lost_mass_changes_no_cumulant(found):
    """A factor shifts a logarithm; masses and spectra see it."""
    lost, right = (
        value(found[kind], "cumulant_members", channel=SMOOTH)
        for kind in ("mass_losing", "calibrated")
    )
    assert lost.values == pytest.approx(right.values, abs=2e-4)


def test_maxima_are_those_of_a_loop():
    maps = np.random.default_rng(2).integers(0, 6, size=(2, 9, 11)).astype(float)
    found = local_maxima(maps)
    assert found.shape == (2, 7, 9)
    for i, y, x in np.ndindex(found.shape):
        around = maps[i, y : y + 3, x : x + 3].copy()
        centre, around[1, 1] = around[1, 1], -np.inf
        assert found[i, y, x] == (centre > around.max())


def test_one_of_nine_pixels_of_white_noise_is_a_peak():
    """Of nine independent values each is the largest equally often."""
    fields = np.random.default_rng(3).normal(size=(300, 32, 32))
    assert local_maxima(fields).mean() == pytest.approx(1 / 9, abs=0.002)


def test_blur_takes_peaks_away_and_the_law_keeps_them(found):
    right = value(found["calibrated"], "maxima_ratio", channel=SMOOTH, height="1 to 2")
    assert right.values == pytest.approx(1.0, abs=0.15)
    for height in ("-1 to 0", "0 to 1"):
        blurred = value(found["blurred"], "maxima_ratio", channel=SMOOTH, height=height)
        assert (blurred < 0.8).all()
    minima = value(found["calibrated"], "minima_ratio", channel=SMOOTH, height="-1 to 0")
    assert minima.values == pytest.approx(1.0, abs=0.15)


def test_classes_of_few_extrema_are_gaps():
    summary = judged.summarised([lognormal(3), lognormal(3)], Extrema())
    assert np.isnan(value(summary, "maxima_ratio", height="below -2")).all()
    assert np.isfinite(value(summary, "maxima_ratio", height="1 to 2")).all()


def test_ssim_is_that_of_torchmetrics():
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    rng = np.random.default_rng(4)
    a = rng.normal(size=(5, 3, 20, 24))
    b = a + 0.4 * rng.normal(size=a.shape)
    for data_range in (RANGE, 3.0):
        for i in range(5):
            for j in range(3):
                expected = structural_similarity_index_measure(
                    torch.tensor(a[i, j])[None, None],
                    torch.tensor(b[i, j])[None, None],
                    data_range=data_range,
                )
                assert ssim(a[i, j], b[i, j], data_range) == pytest.approx(float(expected))
    assert ssim(a, a) == pytest.approx(1.0)


def test_a_draw_is_as_similar_to_the_truth_as_to_another_draw(found):
    truth, member, redraw = (
        value(found["calibrated"], f"ssim_{pair}", channel=SMOOTH).values
        for pair in ("member_truth", "member_member", "truth_redraw")
    )
    assert truth == pytest.approx(member, abs=0.02)
    assert truth == pytest.approx(redraw, abs=0.02)
    for kind, sign in (("over_dispersed", -1), ("ignorant", -1)):
        wrong = value(found[kind], "ssim_member_truth", channel=SMOOTH).values
        assert (sign * (wrong - truth) > 0).all()


def test_blurred_members_are_more_like_each_other_than_like_the_truth(found):
    gap = [
        value(found[kind], "ssim_member_member", channel=SMOOTH)
        - value(found[kind], "ssim_member_truth", channel=SMOOTH)
        for kind in ("calibrated", "blurred")
    ]
    assert (np.abs(gap[0]) < 0.02).all()
    assert (gap[1] > 0.02).all()


def test_what_is_missing_is_a_gap(found):
    assert np.isnan(found["blurred"]["ssim_truth_redraw"]).all()
    small = ensembles("calibrated", n_windows=2)[0].isel(y=slice(8), x=slice(9, 17))
    summary = judged.summarised([small, small], *METRICS)
    assert not [name for name in summary.data_vars if "ssim" in str(name)]
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(np.zeros((8, 8)), np.zeros((8, 8)))
    odd = small.isel(y=slice(7), x=slice(7))
    rows = judged.summarised([odd, odd], Cumulants())["cumulant_truth"]
    assert np.isnan(rows.sel(cumulant="variance, squares of 4")).all()
    assert np.isfinite(rows.sel(cumulant="variance", estimate="value")).all()
    one = judged.summarised([small], Cumulants(), Extrema())
    assert np.isnan(one["cumulant_error"].sel(estimate="low")).all()
