"""Known values, and networks whose derivative is no covariance: members stay fields."""

import numpy as np
import pytest
import torch
from untrained import PARAMS, WINDOW, build_emulator

from emulator.config import DiffusionConfig

CENTRES = [(8, 8)]


@pytest.fixture(scope="module")
def truth(folder, box):
    """Of the network that returns 0: lognormal fields."""
    still = build_emulator(folder, zero=True)
    return still.sample(box, PARAMS, centres=CENTRES, n_members=1).fields.values[:, 0]


def half_of(values):
    observed = values.copy()
    observed[..., WINDOW // 2 :] = np.nan
    return observed


def few_of(values):
    rng = np.random.default_rng(0)
    return np.where(rng.random(values.shape) < 0.05, values, np.nan).astype(np.float32)


@pytest.mark.parametrize("known", [half_of, few_of])
@pytest.mark.parametrize(("prediction", "std"), [("v", 0.3), ("v", 1.0), ("x", 0.3), ("x", 1.0)])
def test_members_of_wild_networks_stay_possible(folder, box, truth, known, prediction, std):
    """Random weights, ten times larger than a training leaves: what draws alone draws with them."""
    wild = build_emulator(folder, DiffusionConfig(prediction=prediction))
    torch.manual_seed(1)
    for parameter in wild.network.parameters():
        torch.nn.init.normal_(parameter, std=std)
    alone = wild.sample(box, PARAMS, centres=CENTRES, n_members=2).fields.values
    observed = known(truth)
    led = wild.sample(box, PARAMS, centres=CENTRES, n_members=2, observed=observed).fields.values
    assert led.max() < 2 * max(alone.max(), truth.max())
    there = np.isfinite(observed[0])

    def distance(members):
        apart = np.log((members[0] + 1e8) / (truth + 1e8))
        return np.abs(apart)[:, there].mean()

    # an estimate that z hardly enters cannot be led: there, possible is all that is asked
    assert prediction == "x" or distance(led) < 0.5 * distance(alone)
