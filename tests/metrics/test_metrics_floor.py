"""What lies below the floor of a hurdle is counted once, and is what its transform loses."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from emulator.domain import MATTER
from emulator.fields import find_fields
from emulator.metrics.floor import Floor
from emulator.metrics.jackknife import Jackknife
from emulator.model.transforms import TRANSFORMS

FIELDS = find_fields(["gas", "stars"])
LIMITS = {"gas": 0.0, "stars": 2.0}


def stats_of(*truths, limits=LIMITS):
    """``compute`` of maps ``(sample, channel, y, x)``, concatenated."""
    attrs = {} if limits is None else {"empty_below": json.dumps(limits)}
    rows = []
    for truth in truths:
        dims = ("sample", "channel", "y", "x")
        ensemble = xr.Dataset(
            {"truth": (dims, np.asarray(truth, np.float32))},
            coords={"channel": [field.name for field in FIELDS]},
            attrs=attrs,
        )
        rows.append(
            Floor().compute(SimpleNamespace(ensemble=ensemble, fields=FIELDS, domain=MATTER))
        )
    return xr.concat(rows, "simulation")


def share(stats):
    runs = xr.DataArray(np.arange(stats.sizes["simulation"]), dims="simulation")
    return Floor().summarise(Jackknife(runs), stats, FIELDS)["mass_below_floor"]


def test_the_share_is_that_of_the_mass_up_to_the_floor():
    maps = [[[[0.0, 1.0], [2.0, 3.0]]] * 2]
    found = share(stats_of(maps, np.multiply(maps, 2.0))).sel(estimate="value")
    # stars: 1 + 2 of 6, then 2 of 12; the sums are divided, not the shares averaged
    assert found.values.tolist() == [0.0, pytest.approx(5 / 18)]


def test_it_is_what_the_transform_and_back_loses():
    rng = np.random.default_rng(0)
    truth = (rng.lognormal(0.0, 2.0, (3, 2, 8, 8)) * (rng.random((3, 2, 8, 8)) < 0.4)).astype(
        np.float32
    )
    found = share(stats_of(truth)).sel(estimate="value")
    for i, (field, floor) in enumerate(zip(FIELDS, (1.0, 2.0), strict=True)):
        x, transform = torch.from_numpy(truth[:, i]), TRANSFORMS[field.transform]
        reference = torch.full_like(x, 3.0)
        features = [feature.values for feature in transform.forward(x, reference, floor)]
        back = transform.inverse(features, reference, floor)
        lost = 1.0 - float(back.sum()) / float(x.sum())
        assert float(found[i]) == pytest.approx(lost, abs=1e-5)
    assert float(found[1]) > 0.01


def test_an_ensemble_that_does_not_say_its_floor_has_no_number():
    stats = stats_of(np.ones((1, 2, 4, 4)), limits=None)
    assert not stats.data_vars
    assert Floor().summarise(None, stats, FIELDS) == {}


def test_a_field_without_mass_has_no_share():
    assert np.isnan(share(stats_of(np.zeros((1, 2, 4, 4)), np.zeros((1, 2, 4, 4))))).all()
