"""Response sets: the same windows and the same noise, whatever a parameter moves."""

import dataclasses

import fabricated
import numpy as np
import one_parameter
import pytest
from untrained import PARAMS, WINDOW, build_emulator

from emulator.config import SamplingConfig
from emulator.io import DataError, EmulatorError, read_dataset
from emulator.sampling.growth import grow_ensemble
from emulator.sampling.held_out import cut_windows, response_options
from emulator.sampling.mixture import Mixture
from emulator.sampling.noise import member_key

FEW = SamplingConfig(n_steps=2, windows_per_simulation=3, n_members=2)


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one_parameter")
    for simulation in one_parameter.simulations():
        fabricated.write_maps(folder, simulation)
    return folder


@pytest.fixture(scope="module")
def still(folder):
    """A model whose members are their noise: the DMO field enters by the transform alone."""
    return build_emulator(folder, zero=True)


def grow(models, maps, path, *, response_set="1P", options=FEW):
    n_drawn = grow_ensemble(
        models, maps, [], options, split="test", response_set=response_set, path=path
    )
    return n_drawn, read_dataset(path)


def test_simulations_of_a_response_set_have_windows_and_noise_in_common(maps, tmp_path, still):
    drawn = {}
    for simulation in one_parameter.simulations():
        path = tmp_path / f"{simulation.name}.nc"
        drawn[simulation.name] = grow([still], maps / f"{simulation.name}.h5", path)[1]
    fiducial = drawn.pop("1P_p1_0")
    for name, ensemble in drawn.items():
        assert ensemble.attrs["response_set"] == "1P"
        for place in ("centre", "projection"):
            np.testing.assert_array_equal(ensemble[place], fiducial[place])
        # dark matter is a log ratio to DMO in units of the share, which omega_m decides
        ratio, expected = (
            each["fields"].sel(channel="dm_hydro")
            / each["condition"]
            / (1 - fabricated.OMEGA_B / each.attrs["omega_m"])
            for each in (ensemble, fiducial)
        )
        np.testing.assert_allclose(ratio, expected, rtol=1e-4)
        if name.startswith("1P_p1"):
            assert not np.allclose(ensemble["condition"], fiducial["condition"], rtol=0.1)


def test_without_names_another_dmo_field_has_other_noise(maps, tmp_path, still):
    drawn = [
        grow([still], maps / f"{name}.h5", tmp_path / f"{name}.nc", response_set=None)[1]
        for name in ("1P_p1_0", "1P_p2_1", "1P_p1_1")
    ]
    assert all("response_set" not in each.attrs for each in drawn)
    fiducial, same_matter, other_matter = drawn
    np.testing.assert_allclose(fiducial["fields"][:, :, :2], same_matter["fields"][:, :, :2])
    assert fiducial["centre"].values.tolist() != other_matter["centre"].values.tolist()


def test_an_ensemble_with_other_noise_is_drawn_anew(maps, tmp_path, still):
    source, path = maps / "1P_p1_0.h5", tmp_path / "a.nc"
    every = FEW.model_copy(update={"windows_per_simulation": 1000})  # the same windows
    counts = [
        grow([still], source, path, response_set=name, options=every)[0]
        for name in (None, "1P", "1P", None)
    ]
    assert counts == [2, 2, 0, 2]


def test_names_of_noise_are_one_a_sample(still, box, folder):
    windows = {"centres": [(8, 8), (40, 24)], "sampling": FEW, "n_members": 2}
    fields = still.sample(box, PARAMS, noise_of=["a", "a"], **windows)["fields"]
    other = still.sample(box, PARAMS, noise_of=["a", "b"], **windows)
    for ensemble, expected in ((fields, 1.0), (other["fields"], 0.0)):
        log_ratio = np.log(ensemble.sel(channel="gas") / other["condition"]).values
        correlation = np.corrcoef(log_ratio[0].ravel(), log_ratio[1].ravel())[0, 1]
        assert correlation == pytest.approx(expected, abs=0.2)  # a floor disturbs the faintest
    with pytest.raises(EmulatorError, match="noise_of: expected 2 names"):
        still.sample(box, PARAMS, noise_of=["a"], **windows)
    with pytest.raises(EmulatorError, match="noise_of: expected 2 names"):
        still.sample(box, PARAMS, noise_of="ab", **windows)
    mixture = Mixture({"0": still, "1": build_emulator(folder, zero=True, seed=1)})
    both = mixture.sample(box, PARAMS, noise_of=["a", "a"], **windows | {"n_members": 4})
    np.testing.assert_allclose(both["fields"][:, ::2], fields)
    assert not np.allclose(both["fields"][:, 1], both["fields"][:, 0])


@pytest.mark.parametrize(("n_members", "n_windows"), [(8, 12), (16, 12), (2, 5), (3, 1)])
def test_a_response_set_has_two_members_of_more_windows_for_no_more_work(n_members, n_windows):
    options = FEW.model_copy(
        update={"n_members": n_members, "windows_per_simulation": n_windows, "seed": 4}
    )
    found = response_options(options)
    work = found.n_members * found.windows_per_simulation
    assert found.n_members == 2
    assert n_members * n_windows - 2 < work <= n_members * n_windows
    assert (found.seed, found.n_steps) == (4, 2)


def test_a_name_is_no_field():
    field = np.zeros((WINDOW, WINDOW))
    keys = {member_key(window, 0, 1, 2) for window in ("a", "b", [field])}
    assert len(keys) == 3
    assert member_key("a", 0, 1, 2) == member_key("a", 0, 1, 2)


def test_ready_windows_have_no_places_in_common(maps, still, monkeypatch):
    import emulator.sampling.held_out as module

    read = module.read_maps

    def ready(path):
        found = read(path)
        return dataclasses.replace(found, attrs={**found.attrs, "periodic": 0})

    monkeypatch.setattr(module, "read_maps", ready)
    with pytest.raises(DataError, match="response_sets"):
        cut_windows(still, maps / "1P_p1_0.h5", [], FEW, split="test", response_set="1P")
