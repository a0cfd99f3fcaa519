"""One-point statistics on fields whose distribution is known."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from emulator.metrics import one_point
from emulator.units import Unit


def channel(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values[None], dims=("channel", "y", "x"), coords={"channel": ["gas"]})


def test_pdf_of_a_lognormal_field_is_the_gaussian_of_its_logarithm():
    rng = np.random.default_rng(0)
    values = 10.0 ** rng.normal(10.0, 0.5, size=(400, 400))
    pdf = one_point.log_mass_pdf(channel(values))[0]
    edges = one_point.LOG_MASS_EDGES
    expected = np.diff(stats.norm(10.0, 0.5).cdf(edges)) / np.diff(edges)
    assert pdf.values == pytest.approx(expected, abs=0.01)


def test_pdf_falls_short_of_one_by_the_empty_share():
    values = np.full((10, 10), 1e9)
    values[:3] = 0.0
    pdf = one_point.log_mass_pdf(channel(values))
    widths = np.diff(one_point.LOG_MASS_EDGES)
    assert float((pdf[0] * widths).sum()) == pytest.approx(0.7)
    assert float(one_point.occupancy(channel(values))[0]) == pytest.approx(0.7)
    values[3:5] = 1e8
    assert float(one_point.occupancy(channel(values), 5e8)[0]) == pytest.approx(0.5)


def test_mass_ratio_of_sums_and_units():
    values = np.random.default_rng(1).random((8, 8)).astype(np.float32)
    mean = one_point.mean_mass(channel(values))
    assert mean.attrs["units"] == Unit.MASS_PER_PIXEL
    assert float(one_point.mass_ratio(3 * mean, mean)[0]) == pytest.approx(3.0)
    assert np.isnan(one_point.mass_ratio(mean, 0 * mean)).all()


def test_the_edges_are_quarters_of_a_dex_either_side_of_one():
    edges = one_point.LOG_MASS_EDGES
    assert (edges[0], edges[-1], len(edges)) == (-16.0, 16.0, 129)
    assert np.diff(edges) == pytest.approx(0.25)


def test_pdf_counts_pixels_in_each_bin_over_all_pixels_and_maps():
    field = xr.DataArray(
        [[[[0.0, 10.0], [1e3, 1e3]]], [[[1e2, 1e5], [50.0, 0.5]]]],
        dims=("member", "channel", "y", "x"),
        coords={"channel": ["gas"]},
    )
    pdf = one_point.log_mass_pdf(field, np.array([0.0, 1.5, 2.5, 3.5]))
    assert pdf.dims == ("channel", "log_mass")
    assert pdf["log_mass"].values.tolist() == [0.75, 2.0, 3.0]
    # of 8 pixels 1, 2 and 2 lie in bins that are 1.5, 1 and 1 dex wide
    assert pdf.values[0] == pytest.approx([1 / 8 / 1.5, 2 / 8, 2 / 8])
    assert pdf.attrs["units"] == Unit.DIMENSIONLESS


def test_each_channel_has_its_own_pdf_and_occupancy():
    values = np.stack([np.full((4, 4), 1e6), np.zeros((4, 4))])
    field = xr.DataArray(values, dims=("channel", "y", "x"), coords={"channel": ["gas", "stars"]})
    pdf = one_point.log_mass_pdf(field)
    assert pdf["channel"].values.tolist() == ["gas", "stars"]
    assert pdf.sum("log_mass").values.tolist() == pytest.approx([4.0, 0.0])
    occupied = one_point.occupancy(field)
    assert occupied.values.tolist() == [1.0, 0.0]
    assert occupied.attrs["units"] == Unit.DIMENSIONLESS
    assert one_point.occupancy(field, 1e6).values.tolist() == [0.0, 0.0]  # more than, not from


def test_mean_mass_is_summed_in_double_precision():
    values = np.full((512, 512), 0.1, dtype=np.float32)
    values[0, 0] = 2.0**24
    mean = one_point.mean_mass(channel(values))
    assert mean.dtype == np.float64
    assert float(mean[0]) == pytest.approx(values.astype(np.float64).mean(), rel=1e-14)


def test_the_mass_ratio_is_defined_for_any_positive_mass():
    small, none = xr.DataArray(0.25), xr.DataArray(0.0)
    assert float(one_point.mass_ratio(2 * small, small)) == 2.0
    assert float(one_point.mass_ratio(none, small)) == 0.0
    assert one_point.mass_ratio(small, small).attrs["units"] == Unit.DIMENSIONLESS
