"""Transforms invert on their domain; statistics are those of the whole training split."""

import fabricated
import numpy as np
import pytest
import torch

from emulator.config import ChannelConfig, ModelConfig
from emulator.data.dataset import StepSampler, WindowDataset
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, write_json
from emulator.model.fit import RunningMoments, fit_normalisation
from emulator.model.normalisation import (
    CosmicShare,
    Normalisation,
    ParameterScale,
)
from emulator.model.transforms import FieldTransform, network_channels

FLOOR = 1.0e8
MODEL = ModelConfig(
    channels=(
        ChannelConfig(name="dm_hydro", transform="log_ratio"),
        ChannelConfig(name="gas", transform="log_ratio"),
        ChannelConfig(name="stars", transform="hurdle", floor_msunh=FLOOR),
    ),
    params=("Omega_m", "A_SN1"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=2, n_cv=0):
        fabricated.write_maps(path, simulation)
    return path


@pytest.fixture(scope="module")
def paths(folder):
    return sorted(folder.glob("*.h5"))


@pytest.fixture(scope="module")
def normalisation(paths):
    return fit_normalisation(paths, MODEL, (2, 4))


def all_fields(paths):
    maps = [read_maps(path) for path in paths]
    fields = np.concatenate([m.select(["dmo", "dm_hydro", "gas", "stars"]) for m in maps])
    fractions = np.repeat([m.attrs["omega_b"] / m.attrs["omega_m"] for m in maps], 3)
    return (
        torch.from_numpy(fields[:, 1:]).double(),
        torch.from_numpy(fields[:, 0]).double(),
        torch.from_numpy(fractions),
    )


def test_inverse_undoes_transform(normalisation, paths):
    target, dmo, fraction = all_fields(paths)
    target[:, 2][target[:, 2] <= FLOOR] = 0.0  # the domain of the hurdle
    transform = FieldTransform(normalisation)
    z = transform.transform(target, dmo, fraction)
    back = transform.inverse_transform(z, dmo, fraction)
    torch.testing.assert_close(back, target, rtol=1e-9, atol=1e-3)
    assert (back[:, 2] == 0).any()


@pytest.mark.parametrize("kind", ["log", "log_ratio"])
def test_zero_mass_survives(kind, normalisation):
    channel = ChannelConfig(name="gas", transform=kind)
    alone = normalisation.model_copy(
        update={"channels": (channel,), "target_mean": (1.0,), "target_std": (2.0,)}
    )
    x, dmo = torch.zeros(1, 1, 2, 2).double(), torch.full((1, 2, 2), 1e11).double()
    fraction = torch.tensor([0.16]).double()
    transform = FieldTransform(alone)
    back = transform.inverse_transform(transform.transform(x, dmo, fraction), dmo, fraction)
    torch.testing.assert_close(back, x, rtol=0, atol=1.0)  # of a floor of 1e8


def test_training_features_have_zero_mean_and_unit_variance(normalisation, paths):
    z = FieldTransform(normalisation).transform(*all_fields(paths))
    names = network_channels(normalisation.channels)
    assert names == ["dm_hydro", "gas", "stars_occupancy", "stars_amplitude"]
    for index in range(3):
        assert float(z[:, index].mean()) == pytest.approx(0.0, abs=1e-6)
        assert float(z[:, index].std(correction=0)) == pytest.approx(1.0, rel=1e-6)
    occupied = all_fields(paths)[0][:, 2] > FLOOR
    assert float(z[:, 3][occupied].std(correction=0)) == pytest.approx(1.0, rel=1e-6)
    assert (z[:, 3][~occupied] == 0).all()


def test_the_cosmic_share_is_removed():
    """Fields that follow the matter are constant, whatever the cosmology."""
    normalisation = Normalisation(
        channels=(
            ChannelConfig(name="dm_hydro", transform="log_ratio", floor_msunh=1e-3),
            ChannelConfig(name="gas", transform="log_ratio", floor_msunh=1e-3),
        ),
        target_mean=(0.0, 0.0), target_std=(1.0, 1.0), condition_floor_msunh=1.0,
        condition_mean=(0.0,), condition_std=(1.0,), context_factors=(), params={},
        cosmic_share=CosmicShare(omega_m=0.3, omega_b=0.05),
    )  # fmt: skip
    dmo = torch.rand(2, 4, 4).double() * 1e11
    fraction = torch.tensor([0.1, 0.5]).double()
    shares = torch.stack([1 - fraction, fraction], dim=1)[:, :, None, None]
    z = FieldTransform(normalisation).transform(shares * dmo[:, None], dmo, fraction)
    torch.testing.assert_close(z, torch.zeros_like(z), rtol=0, atol=1e-9)


def test_running_moments_against_numpy():
    rng = np.random.default_rng(0)
    parts = [rng.normal(3.0, 2.0, size) for size in (5, 100, 1000)]
    moments = RunningMoments(1)
    for part in parts:
        moments.add(0, part)
    (mean,), (std,) = moments.result(["a"])
    whole = np.concatenate(parts)
    assert mean == pytest.approx(whole.mean(), rel=1e-12)
    assert std == pytest.approx(whole.std(), rel=1e-9)


def test_channels_without_values_or_spread_are_refused():
    moments = RunningMoments(1)
    with pytest.raises(EmulatorError, match="no values for"):
        moments.result(["stars"])
    moments.add(0, np.ones(10))
    with pytest.raises(EmulatorError, match="do not vary"):
        moments.result(["stars"])


def test_parameter_scaling_is_by_name_and_in_log_where_flagged():
    linear = ParameterScale(minimum=0.1, maximum=0.5, fiducial=0.3, log=False)
    log = ParameterScale(minimum=0.25, maximum=4.0, fiducial=1.0, log=True)
    assert [linear.scale(v) for v in (0.1, 0.3, 0.5)] == pytest.approx([-1, 0, 1])
    assert [log.scale(v) for v in (0.25, 1.0, 4.0)] == pytest.approx([-1, 0, 1])
    with pytest.raises(EmulatorError, match="positive"):
        log.scale(0.0)


def test_parameters_are_encoded_in_the_models_order(normalisation):
    values = {"A_SN1": 1.0, "Omega_m": 0.5, "unused": 3.0}
    assert normalisation.encode_params(values) == pytest.approx([0.0, 1.0])
    with pytest.raises(EmulatorError, match="A_SN1"):
        normalisation.encode_params({"Omega_m": 0.5})


def test_json_round_trip_and_damage(normalisation, tmp_path):
    path = tmp_path / "n.json"
    normalisation.write(path)
    assert Normalisation.read(path) == normalisation
    write_json(path, {})
    with pytest.raises(DataError, match="normalisation"):
        Normalisation.read(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="ends in its checksum"):
        Normalisation.read(path)


def test_an_unknown_parameter_is_named(paths):
    with pytest.raises(DataError, match="A_XYZ"):
        fit_normalisation(paths, ModelConfig(params=("Omega_m", "A_XYZ")), (2, 4))


def test_a_cosmology_that_varies_must_be_a_parameter(paths):
    with pytest.raises(EmulatorError, match="Omega_m differs"):
        fit_normalisation(paths, ModelConfig(params=("A_SN1",)), (2, 4))


# ------------------------------------------------------------------------------------- batches


def dataset(paths, normalisation, **options):
    maps = [read_maps(path) for path in paths]
    defaults = {"window": 16, "batch_size": 8, "seed": 0}
    return WindowDataset(maps, normalisation, **(defaults | options))


@pytest.mark.parametrize(("accumulate", "world_size"), [(1, 2), (2, 1), (2, 2)])
def test_parts_and_devices_share_one_batch(paths, normalisation, accumulate, world_size):
    whole = dataset(paths, normalisation)[5]
    parts = [
        dataset(paths, normalisation, accumulate=accumulate, rank=rank, world_size=world_size)[
            5 * accumulate + part
        ]
        for part in range(accumulate)
        for rank in range(world_size)
    ]
    for name in whole._fields:
        joined = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(joined, getattr(whole, name))


def test_a_batch_is_a_function_of_seed_stream_and_step(paths, normalisation):
    first = dataset(paths, normalisation)[5]
    again = dataset(paths, normalisation)[5]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for other in ({"seed": 1}, {"stream": 1}):
        assert not torch.equal(first.target, dataset(paths, normalisation, **other)[5].target)
    assert not torch.equal(first.target, dataset(paths, normalisation)[6].target)


def test_every_window_is_somewhere_in_its_simulation(paths, normalisation):
    """Condition and target are cut at the same place and turned alike."""
    batch = dataset(paths, normalisation)[0]
    for condition, target in zip(batch.condition.numpy(), batch.target.numpy(), strict=True):
        found = 0
        for path in paths:
            maps = read_maps(path)
            hits = np.argwhere(maps.maps[:, 0] == condition[3, 4])
            for projection, row, col in hits:
                values = maps.maps[projection, 1:, row, col]
                found += bool(np.array_equal(values, target[:, 3, 4]))
        assert found == 1


def test_mass_tilt_prefers_massive_windows_and_none_is_uniform(paths, normalisation):
    def mean_mass(tilt):
        draws = dataset(paths, normalisation, batch_size=512, mass_tilt=tilt)[0]
        return float(draws.condition.double().mean())

    box = np.mean([read_maps(path).select(["dmo"]).mean(dtype=float) for path in paths])
    assert mean_mass(0.0) == pytest.approx(box, rel=0.05)
    assert mean_mass(2.0) > 1.05 * mean_mass(0.0)


def test_an_epoch_goes_on_from_the_current_step():
    done = [0]
    sampler = StepSampler(5, lambda: done[0])
    assert list(sampler) == [0, 1, 2, 3, 4]
    done[0] = 10
    assert list(sampler) == [10, 11, 12, 13, 14]
    assert len(sampler) == 5
