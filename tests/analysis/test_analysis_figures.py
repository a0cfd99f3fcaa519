"""Figures draw the numbers of the file, not others."""

import numpy as np
import pytest
import xarray as xr

from emulator.fields import find_fields
from emulator.io import read_dataset
from emulator.report.figures.box import plot_box
from emulator.report.figures.correlation import plot_identity
from emulator.report.figures.crps import places_of, plot_crps, plot_gains
from emulator.report.figures.maps import color_scale, plot_maps
from emulator.report.figures.power import plot_power_ratio
from emulator.report.figures.suppression import plot_suppression
from emulator.report.figures.training import plot_training
from emulator.report.page import encode_figure


@pytest.fixture(scope="module")
def metrics(results):
    return read_dataset(results[0] / "metrics.nc")


@pytest.fixture(scope="module")
def ensemble(results):
    return read_dataset(results[0] / "ensembles" / "test" / "CV_0.nc")


def line(ax, label):
    found = next(item for item in ax.get_lines() if item.get_label() == label)
    return np.asarray(found.get_ydata())


def test_power_ratio_lines_are_the_values_of_the_file(metrics):
    figure = plot_power_ratio(metrics, {"gas": 0.25}, (2.0, 12.0))
    for ax, name in zip(figure.axes, metrics["field"].values, strict=True):
        expected = metrics["power_ratio_summed"].sel(estimate="value", field=name)
        assert line(ax, "summed over windows") == pytest.approx(expected.values)
    assert "bar: within 25%" in [t.get_text() for t in figure.axes[1].get_legend().get_texts()]


def test_suppression_and_identity_lines(metrics):
    ax = plot_suppression(metrics, (2.0, 12.0)).axes[0]
    expected = metrics["suppression_truth"].sel(estimate="value").values
    assert line(ax, "truth") == pytest.approx(expected)
    ax = plot_identity(metrics, (2.0, 12.0)).axes[0]
    expected = metrics["correlation_member_member"].sel(estimate="value")[0].values
    assert line(ax, "member with member") == pytest.approx(1.0 - expected)


def test_the_same_numbers_give_the_same_bytes(metrics):
    first, second = (
        encode_figure(plot_suppression(metrics, (2.0, 12.0)), alt="a", caption="c")
        for _ in range(2)
    )
    assert first == second


def test_truth_member_and_mean_share_one_scale(ensemble):
    figure = plot_maps(ensemble, 1)
    panels = [ax for ax in figure.axes if ax.images]
    window = ensemble.isel(sample=1)
    for row, name in enumerate(ensemble["channel"].values):
        # the condition is drawn once, before the first row
        truth, member, mean = (panels[4 * row + i].images[0] for i in (1, 2, 3))
        assert truth.norm is member.norm is mean.norm
        field = window["fields"].sel(channel=name)
        floor = truth.norm.vmin
        assert np.asarray(member.get_array()) == pytest.approx(np.maximum(field[0].values, floor))
        assert np.asarray(mean.get_array()) == pytest.approx(
            np.maximum(field.mean("member").values, floor), rel=1e-5
        )


def test_maps_of_an_empty_channel_can_be_drawn(ensemble):
    empty = ensemble.copy(deep=True)
    empty["truth"][:, 2] = 0.0
    empty["fields"][:, :, 2] = 0.0
    plot_maps(empty, 0).canvas.draw()


def test_windows_are_outlined_on_their_own_projection(ensemble):
    fields = np.random.default_rng(0).lognormal(size=(3, 64, 64))
    dmo = xr.DataArray(fields, dims=("projection", "y", "x"), coords={"projection": list("xyz")})
    figure = plot_box(dmo, ensemble)
    for axis in range(3):
        count = int((ensemble["projection"].values == axis).sum())
        assert len(figure.axes[axis].patches) == 4 * count
        assert figure.axes[axis].get_title() == f"summed along {'xyz'[axis]}"


def test_of_many_projections_three_with_windows_are_drawn(ensemble):
    fields = np.random.default_rng(0).lognormal(size=(15, 64, 64))
    labels = [str(i) for i in range(15)]
    dmo = xr.DataArray(fields, dims=("projection", "y", "x"), coords={"projection": labels})
    places = np.resize([12, 3, 7], ensemble.sizes["sample"])
    figure = plot_box(dmo, ensemble.assign(projection=("sample", places)))
    assert [ax.get_title() for ax in figure.axes[:3]] == ["map 3", "map 7", "map 12"]


def test_best_ensemble_has_height_one(metrics):
    figure = plot_crps(metrics, 0.1)
    for ax, name in zip(figure.axes, metrics["channel"].values, strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        gain = float(metrics["crps_gain"].sel(estimate="value", scale=1, channel=name))
        assert heights[0] == pytest.approx(1 - gain)
        ensembles = [bar.get_height() for bar in ax.patches[1:] if not bar.get_hatch()]
        assert min(ensembles) == pytest.approx(1.0)


def test_gains_are_drawn_from_pixels_to_power(metrics):
    places = places_of(metrics)
    assert places == ["pixel", "2 x 2", "4 x 4", "8 x 8", "window", "P(k)"]
    (ax,) = plot_gains(metrics, dict.fromkeys(places, 0.1)).axes
    for points, name in zip(ax.containers, metrics["channel"].values, strict=True):
        gains = metrics.sel(estimate="value", channel=name)
        expected = [*gains["crps_gain"].values, float(gains["crps_power_gain"])]
        assert points.lines[0].get_ydata() == pytest.approx(expected)


def test_training_curves_skip_what_was_not_measured():
    history = {"step": [1, 2, 3], "train_loss": [3, 2, 1], "val_loss": [np.nan, 2.0, np.nan]}
    figure = plot_training({"seed 0": history, "seed 1": history})
    assert [text.get_text() for text in figure.axes[0].get_legend().texts] == [
        "training", "validation",
    ]  # fmt: skip
    assert len(figure.axes[0].lines) == 4
    assert list(line(figure.axes[0], "validation")) == [2.0]
    assert list(line(figure.axes[0], "training")) == [3, 2, 1]


def test_a_single_occupied_pixel_stands_out_from_what_is_empty():
    (stars,) = find_fields(["stars"])
    scale = color_scale(np.array([[0.0, 0.0], [5.0e8, 0.0]]), stars)
    assert (scale.vmin, scale.vmax) == pytest.approx((5.0e7, 5.0e8))
    two = color_scale(np.array([4.0e8, 5.0e8]), stars)
    assert two.vmin == pytest.approx(4.02e8)
