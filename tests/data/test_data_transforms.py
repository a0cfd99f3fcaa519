"""Transforms invert on their domain; statistics are those of the whole training split."""

import fabricated
import numpy as np
import pytest
import torch
from fitted import fit

from emulator.config import ChannelConfig, ModelConfig
from emulator.config.channels import resolve_channels
from emulator.data.condition import Condition
from emulator.data.dataset import StepSampler
from emulator.data.maps import read_maps
from emulator.fields import FIELDS
from emulator.io import DataError, EmulatorError, write_json
from emulator.model.field_transform import FieldTransform, network_channels
from emulator.model.fit import RunningMoments
from emulator.model.normalisation import (
    CosmicShare,
    Normalisation,
    ParameterScale,
)
from emulator.model.windows import windows_for

FLOOR = 1.0e8
MODEL = ModelConfig(
    channels=(
        ChannelConfig(name="dm_hydro", transform="log_ratio"),
        ChannelConfig(name="gas", transform="log_ratio"),
        ChannelConfig(name="stars", transform="hurdle", floor=FLOOR),
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
    return fit(paths, MODEL, (2, 4))


def all_fields(paths):
    maps = [read_maps(path) for path in paths]
    fields = np.concatenate([m.select(["dmo", "dm_hydro", "gas", "stars"]) for m in maps])
    params = np.repeat([[m.params[name] for name in MODEL.params] for m in maps], 3, axis=0)
    dmo = torch.from_numpy(fields[:, 0]).double()
    condition = Condition(dmo, dmo[:, None, :0], torch.from_numpy(params))
    return torch.from_numpy(fields[:, 1:]).double(), condition


def test_inverse_undoes_transform(normalisation, paths):
    target, condition = all_fields(paths)
    target[:, 2][target[:, 2] <= FLOOR] = 0.0  # the domain of the hurdle
    transform = FieldTransform(normalisation)
    z = transform.transform(target, condition)
    back = transform.inverse_transform(z, condition)
    torch.testing.assert_close(back, target, rtol=1e-9, atol=1e-3)
    assert (back[:, 2] == 0).any()


@pytest.mark.parametrize("kind", ["log", "log_ratio"])
def test_zero_mass_survives(kind, normalisation):
    channels = resolve_channels([ChannelConfig(name="gas", transform=kind)], [FIELDS["gas"]])
    alone = normalisation.model_copy(
        update={"channels": channels, "target_mean": (1.0,), "target_std": (2.0,)}
    )
    x, dmo = torch.zeros(1, 1, 2, 2).double(), torch.full((1, 2, 2), 1e11).double()
    condition = Condition(dmo, dmo[:, None, :0], torch.tensor([[0.3, 1.0]]).double())
    transform = FieldTransform(alone)
    back = transform.inverse_transform(transform.transform(x, condition), condition)
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
        channels=resolve_channels(
            [ChannelConfig(name=name, floor=1e-3) for name in ("dm_hydro", "gas")],
            [FIELDS["dm_hydro"], FIELDS["gas"]],
        ),
        target_mean=(0.0, 0.0), target_std=(1.0, 1.0), condition_floor_msunh=1.0,
        condition_mean=(0.0,), condition_std=(1.0,), context_factors=(),
        params={"Omega_m": ParameterScale(minimum=0.1, maximum=0.5, fiducial=0.3, log=False)},
        cosmic_share=CosmicShare(omega_m="Omega_m", omega_b=0.05),
    )  # fmt: skip
    dmo = torch.rand(2, 4, 4).double() * 1e11
    fraction = torch.tensor([0.1, 0.5]).double()
    condition = Condition(dmo, dmo[:, None, :0], 0.05 / fraction[:, None])
    shares = torch.stack([1 - fraction, fraction], dim=1)[:, :, None, None]
    z = FieldTransform(normalisation).transform(shares * dmo[:, None], condition)
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
    for scale, values in ((linear, [0.1, 0.3, 0.5]), (log, [0.25, 1.0, 4.0])):
        scaled = scale.scale(torch.tensor(values, dtype=torch.float64))
        assert scaled.tolist() == pytest.approx([-1, 0, 1])


def test_parameters_are_encoded_in_the_models_order(normalisation):
    values = {"A_SN1": 1.0, "Omega_m": 0.5, "unused": 3.0}
    ordered = normalisation.order_params(values)
    assert ordered.tolist() == [0.5, 1.0]
    scaled = normalisation.scale_params(torch.from_numpy(ordered)[None])
    assert scaled[0].tolist() == pytest.approx([0.0, 1.0])
    with pytest.raises(EmulatorError, match="A_SN1"):
        normalisation.order_params({"Omega_m": 0.5})
    log = ParameterScale(minimum=0.25, maximum=4.0, fiducial=1.0, log=True)
    logarithmic = normalisation.model_copy(update={"params": {"A_SN1": log}})
    with pytest.raises(EmulatorError, match="A_SN1 is scaled by its logarithm"):
        logarithmic.order_params({"A_SN1": 0.0})


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
        fit(paths, ModelConfig(params=("Omega_m", "A_XYZ")), (2, 4))


def test_a_cosmology_that_varies_must_be_a_parameter(paths):
    with pytest.raises(EmulatorError, match="Omega_m differs"):
        fit(paths, ModelConfig(params=("A_SN1",)), (2, 4))


# ------------------------------------------------------------------------------------- batches


def dataset(paths, normalisation, **options):
    maps = [read_maps(path) for path in paths]
    defaults = {"window": 16, "batch_size": 8, "seed": 0}
    return windows_for(normalisation, maps, **(defaults | options))


def tensors(batch):
    return {**batch.condition._asdict(), "target": batch.target}


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
    for name, expected in tensors(whole).items():
        assert torch.equal(torch.cat([tensors(part)[name] for part in parts]), expected)


def test_a_batch_is_a_function_of_seed_stream_and_step(paths, normalisation):
    first = dataset(paths, normalisation)[5]
    again = dataset(paths, normalisation)[5]
    assert all(torch.equal(tensors(again)[name], value) for name, value in tensors(first).items())
    for other in ({"seed": 1}, {"stream": 1}):
        assert not torch.equal(first.target, dataset(paths, normalisation, **other)[5].target)
    assert not torch.equal(first.target, dataset(paths, normalisation)[6].target)


def test_every_window_is_somewhere_in_its_simulation(paths, normalisation):
    """Condition and target are cut at the same place and turned alike."""
    batch = dataset(paths, normalisation)[0]
    fields = batch.condition.field.numpy(), batch.target.numpy()
    for condition, target in zip(*fields, strict=True):
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
        return float(draws.condition.field.double().mean())

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
