"""Frozen bundles: one of an older format, and one of a network that is trained."""

from pathlib import Path

import fabricated
import numpy as np
import pytest
import torch
from untrained import PARAMS

import emulator
from emulator.config import SamplingConfig
from emulator.model.bundle import read_bundle

FROZEN = Path(__file__).parents[1] / "regression"
CENTRES = [(8, 8), (40, 3), (30, 52)]


def test_a_bundle_of_format_2_computes_what_it_did():
    _, network = read_bundle(FROZEN / "bundle_format_2")
    with np.load(FROZEN / "network.npz") as kept:
        arrays = [kept[name] for name in ("z", "gamma", "condition", "params")]
        expected = kept["output"]
    with torch.no_grad():
        output = network(*map(torch.from_numpy, arrays), torch.ones(2, 2))
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def trained():
    return emulator.load(FROZEN / "trained", device="cpu")


@pytest.fixture(scope="module")
def truth():
    """Maps ``(species, y, x)`` of a simulation that it was not trained on."""
    simulation = next(s for s in fabricated.simulations() if s.name == "CV_1")
    return fabricated.truth_maps(simulation)[0]


def windows_of(field):
    rows = [np.arange(c - 8, c + 8) % 64 for c, _ in CENTRES]
    cols = [np.arange(c - 8, c + 8) % 64 for _, c in CENTRES]
    return np.stack([field[..., r[:, None], c] for r, c in zip(rows, cols, strict=True)])


@pytest.mark.parametrize("solver", ["unipc3", "ddim", "sde-dpm++2m"])
def test_a_trained_network_goes_through_known_pixels(trained, truth, solver):
    """At high noise its derivative is no covariance; masses stay those of this universe."""
    observed = windows_of(truth[1:])
    wanted = observed.copy()
    observed[..., 8:] = np.nan
    options = SamplingConfig(solver=solver, n_steps=20)
    box = truth[0].astype(np.float32)
    drawn, free = (
        trained.sample(box, PARAMS, centres=CENTRES, n_members=8, sampling=options, **more)
        for more in ({"observed": observed}, {})
    )
    for channel, within in (("dm_hydro", 0.01), ("gas", 0.03)):
        index = list(drawn.channel.values).index(channel)
        logs = np.log(drawn.fields.sel(channel=channel).values)
        known = logs[..., :8] - np.log(wanted[:, None, index, :, :8])
        assert np.sqrt((known**2).mean()) < within
        others = np.log(free.fields.sel(channel=channel).values)
        # pixels of this suite are independent: what is not known is drawn as ever
        assert logs[..., 8:].mean() == pytest.approx(others[..., 8:].mean(), abs=0.05)
        spreads = [values[..., 8:].std(axis=1).mean() for values in (logs, others)]
        assert spreads[0] == pytest.approx(spreads[1], rel=0.25)
    stars = drawn.fields.sel(channel="stars").values[..., :8]
    occupied = wanted[:, None, 2, :, :8] > 1e9
    assert ((stars > 1e9) == occupied).mean() > 0.95
