"""Scores of squares, windows and power against sums written out over members and pixels."""

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import find_fields
from emulator.metrics.base import Case
from emulator.metrics.forecasts import error_of
from emulator.metrics.power_scores import NOISE, PowerScores
from emulator.metrics.scores import Scores, scales_of, square_means

CHANNELS = ["gas", "stars"]
N, WINDOWS, MEMBERS, PIXEL, MEAN = 8, 3, 4, 0.5, 2.0
PIXELS = ("sample", "channel", "y", "x")


def make_case(n=N, k_range=(2.0, 5.0)):
    rng = np.random.default_rng(0)
    mass = rng.gamma(1.0, 2.0, size=(WINDOWS, MEMBERS + 3, 2, n, n))
    mass[0, :, 1] = 0.0  # a window without stars, in the truth and in all forecasts
    dims = ("sample", "member", "channel", "y", "x")
    ensemble = xr.Dataset(
        {
            "fields": (dims, mass[:, :MEMBERS]),
            "truth": (PIXELS, mass[:, MEMBERS]),
            "truth_redraw": (("draw", *PIXELS), np.moveaxis(mass[:, MEMBERS + 1 :], 1, 0)),
        },
        coords={"channel": CHANNELS},
    )
    other = xr.DataArray(
        rng.gamma(1.0, 2.0, size=(WINDOWS, 3, 1, n, n)), dims=dims, coords={"channel": ["stars"]}
    )
    flat = xr.full_like(ensemble["truth"], 1.5)
    return Case(
        ensemble=ensemble,
        fields=find_fields(CHANNELS),
        pixel_mpch=PIXEL,
        mean_dmo=MEAN,
        scales=xr.DataArray([MEAN, MEAN], dims="channel", coords={"channel": CHANNELS}),
        model_seed=np.zeros(MEMBERS, int),
        forecasts={
            "flat": flat.assign_attrs(long_name="a constant"),
            "other": other.assign_attrs(long_name="others"),
        },
        config=ValidationConfig(k_min_hmpc=k_range[0], k_max_hmpc=k_range[1]),
        generator=np.random.default_rng(0),
    )


def fair(members, truth):
    """Of one number."""
    pairs = [abs(a - b) for i, a in enumerate(members) for j, b in enumerate(members) if i != j]
    error = np.mean([abs(member - truth) for member in members])
    return error - np.mean(pairs) / 2


def squares(window, side):
    n = len(window)
    return [
        window[i : i + side, j : j + side].mean()
        for i in range(0, n, side)
        for j in range(0, n, side)
    ]


def expected_score(members, truth, numbers):
    """Mean over windows and numbers of a window ``(member, y, x)``."""
    scores = []
    for group, single in zip(members, truth, strict=True):
        found = [numbers(member) for member in group]
        scores += [fair(values, y) for *values, y in zip(*found, numbers(single), strict=True)]
    return np.mean(scores)


@pytest.fixture(scope="module")
def case():
    return make_case()


@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_squares_are_scored_as_the_sums_say(case, side):
    found = Scores().compute(case).sel(scale=side)
    ensemble = case.ensemble
    for channel in CHANNELS:
        truth = ensemble["truth"].sel(channel=channel).values
        members = ensemble["fields"].sel(channel=channel).values
        draws = ensemble["truth_redraw"].sel(channel=channel).transpose("sample", ...).values
        expected = expected_score(members, truth, lambda w: squares(w, side))
        assert float(found["score"].sel(forecast="model", channel=channel)) == pytest.approx(
            expected
        )
        oracle = expected_score(draws, truth, lambda w: squares(w, side))
        assert float(found["score_oracle"].sel(channel=channel)) == pytest.approx(oracle)
        constant = np.mean([[abs(v - 1.5) for v in squares(w, side)] for w in truth])
        assert float(found["score"].sel(forecast="flat", channel=channel)) == pytest.approx(
            constant
        )
    assert np.isnan(found["score"].sel(forecast="other", channel="gas"))
    assert found["forecast_label"].values.tolist() == ["model", "a constant", "others"]
    assert found["probabilistic"].values.tolist() == [True, False, True]


def log_power(window):
    """``ln(P + P_0)`` of all shells with 2 <= k <= 5 h/Mpc, from the whole plane of modes."""
    modes = np.fft.fft2(window / MEAN)
    frequency = np.fft.fftfreq(N, 1 / N)
    radius = np.hypot(frequency[:, None], frequency[None])
    power = np.abs(modes) ** 2 * (N * PIXEL) ** 2 / N**4
    found = []
    for shell in range(1, N // 2 + 1):
        inside = np.rint(radius) == shell
        k = 2 * np.pi / (N * PIXEL) * radius[inside].mean()
        if 2.0 <= k <= 5.0:
            found.append(np.log(power[inside].mean() + (NOISE * PIXEL) ** 2))
    return found


def test_power_is_scored_window_by_window_and_an_empty_one_counts(case):
    found = PowerScores().compute(case)
    assert len(log_power(np.eye(N))) == 2  # of four shells two are out of range
    for channel in CHANNELS:
        truth = case.ensemble["truth"].sel(channel=channel).values
        members = case.ensemble["fields"].sel(channel=channel).values
        expected = expected_score(members, truth, log_power)
        score = found["score_power"].sel(channel=channel)
        assert float(score.sel(forecast="model")) == pytest.approx(expected)
        # a constant has no power: the floor stands for it
        none = np.log((NOISE * PIXEL) ** 2)
        error = np.mean([[abs(p - none) for p in log_power(w)] for w in truth])
        assert float(score.sel(forecast="flat")) == pytest.approx(error)
    assert found["score_power"].attrs["units"] == "1"


def test_units_and_scales_are_said(case):
    found = Scores().compute(case)
    assert found["score"].attrs["units"] == found["score_oracle"].attrs["units"]
    assert found["score"].attrs["units"] == "Msun/h per pixel"
    assert found["scale"].values.tolist() == [1, 2, 4, 8]
    assert found["scale"].attrs["units"] == "pixel"


@pytest.mark.parametrize(
    ("window", "scales"),
    [(32, [1, 2, 4, 8, 32]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 12]), (15, [1, 15]), (6, [1, 2, 6])],
)
def test_squares_are_those_that_tile_the_window(window, scales):
    assert scales_of(window) == scales


def test_a_square_that_does_not_tile_the_window_is_refused(case):
    with pytest.raises(ValueError, match="8"):
        square_means(case.ensemble["truth"], 3)


def test_a_window_that_eight_does_not_divide_is_scored():
    found = Scores().compute(make_case(n=12))
    assert found["scale"].values.tolist() == [1, 2, 4, 12]
    assert np.isfinite(found["score"].sel(forecast=["model", "flat"])).all()


def test_the_score_of_an_ensemble_that_is_one_number_is_its_error():
    truth = xr.DataArray(np.arange(4.0), dims="x")
    ensemble = xr.DataArray(np.full((3, 4), 1.0), dims=("member", "x"))
    alone = ensemble.isel(member=0)
    np.testing.assert_allclose(error_of(ensemble, truth), error_of(alone, truth))


def test_the_crps_of_a_known_normal_law_is_0_71_of_the_error_of_its_mean():
    rng = np.random.default_rng(0)
    truth = xr.DataArray(rng.normal(size=100_000), dims="x")
    members = xr.DataArray(rng.normal(size=(8, 100_000)), dims=("member", "x"))
    ratio = error_of(members, truth).mean() / error_of(xr.zeros_like(truth), truth).mean()
    assert float(ratio) == pytest.approx(1 / np.sqrt(2), abs=0.01)
