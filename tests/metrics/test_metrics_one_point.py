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
