"""The ensembles that tests feed to the judge are what they say: their one fault, and no other."""

import fabricated
import numpy as np
import pytest
import refused

SIMULATION = refused.simulations()[-1]
CHANNELS = list(fabricated.CHANNELS)


@pytest.fixture(scope="module")
def made():
    return {kind: refused.make_ensemble(SIMULATION, kind, n_windows=12) for kind in refused.KINDS}


def mass(ensemble):
    return ensemble["fields"].mean(("sample", "member", "y", "x")).values


def spread(ensemble):
    return np.sqrt(ensemble["fields"].var("member", ddof=1).mean(("sample", "y", "x"))).values


def test_truth_and_condition_are_those_of_every_kind(made):
    first = made["calibrated"]
    for ensemble in made.values():
        for name in ("truth", "condition", "centre", "projection", "params"):
            assert ensemble[name].equals(first[name])
        assert ensemble["fields"].dtype == np.float32
        assert float(ensemble["fields"].min()) >= 0


def test_the_noise_of_the_law_has_unit_variance_and_correlates_in_space():
    noise = refused.correlated_noise(np.random.default_rng(0), (200, 64, 64))
    assert noise.std() == pytest.approx(1.0, abs=0.01)
    block = noise.reshape(200, 16, 4, 16, 4).mean((2, 4))
    assert block.std() > 2 * 0.25  # independent pixels: a quarter


def test_windows_are_those_of_the_maps(made):
    ensemble, maps = made["calibrated"], refused.truth_maps(SIMULATION)
    row, column = ensemble["centre"].values[3] - fabricated.WINDOW // 2
    n = fabricated.N_PIXELS
    pixel = maps[int(ensemble["projection"][3]), :, row % n, column % n]
    found = [ensemble["condition"][3, 0, 0], *ensemble["truth"][3, :, 0, 0]]
    assert np.array(found) == pytest.approx(pixel, rel=1e-6)


def test_only_the_losing_ensemble_loses_mass(made):
    expected = mass(made["calibrated"])
    assert mass(made["mass_losing"]) == pytest.approx(0.9 * expected, rel=1e-5)
    for kind in ("under_dispersed", "blurred"):
        assert mass(made[kind]) == pytest.approx(expected, rel=1e-5)
    assert mass(made["over_dispersed"]) == pytest.approx(expected, rel=0.1)


def test_spreads_are_smaller_and_larger(made):
    expected = spread(made["calibrated"])
    assert spread(made["under_dispersed"]) == pytest.approx(0.5 * expected, rel=1e-5)
    assert (spread(made["over_dispersed"]) > 1.3 * expected).all()


def test_blurred_members_have_less_power_at_small_scales(made):
    def roughness(ensemble):
        return np.square(ensemble["fields"].diff("x")).mean(("sample", "member", "y", "x")).values

    assert (roughness(made["blurred"]) < 0.6 * roughness(made["calibrated"])).all()


def test_the_ignorant_ensemble_knows_the_map_and_not_the_parameters(made):
    """Window masses of gas and stars scatter with the parameters of its members."""
    masses = {kind: made[kind]["fields"].mean(("y", "x")) for kind in refused.KINDS}
    scatter = {
        kind: (m.std("member") / m.mean("member")).mean("sample") for kind, m in masses.items()
    }
    baryons = {"channel": CHANNELS[1:]}
    assert (scatter["ignorant"].sel(baryons) > 1.5 * scatter["calibrated"].sel(baryons)).all()
    for kind, related in (("ignorant", True), ("unconditional", False)):
        dm = masses[kind].sel(channel="dm_hydro").mean("member")
        correlation = np.corrcoef(dm, made[kind]["condition"].mean(("y", "x")))[0, 1]
        assert (correlation > 0.9) == related


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected one of"):
        refused.make_ensemble(SIMULATION, "perfect")
