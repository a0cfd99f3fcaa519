"""A member is a function of its condition, the seed and its number, and of nothing else."""

import json

import fabricated
import numpy as np
import pytest
import torch
import xarray as xr
from untrained import FACTORS, PARAMS, WINDOW, build_emulator

from emulator.config import DataConfig, SamplingConfig, WindowsSuite
from emulator.data.cutouts import extract
from emulator.data.dataset import WindowDataset
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError, write_dataset
from emulator.model.card import Grid
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.sampling.held_out import cut_windows, draw_members
from emulator.sampling.inputs import prepare_condition
from emulator.sampling.noise import MemberNoise, member_key
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation

FEW = SamplingConfig(n_steps=4, windows_per_simulation=5, n_members=3)
CENTRES = [(8, 8), (40, 3), (63, 31)]


def draw_held_out(emulator, maps_path, redraws, options, *, split):
    windows = cut_windows(emulator, maps_path, redraws, options, split=split)
    return draw_members(emulator, windows, options, range(options.n_members))


def draw(emulator, box, centres=CENTRES, **options):
    defaults = {"n_members": 3, "sampling": FEW}
    return emulator.sample(box, PARAMS, centres=centres, **(defaults | options))


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_batch_size_does_not_matter(emulator, box, batch_size):
    reference = draw(emulator, box).fields
    options = FEW.model_copy(update={"batch_size": batch_size})
    again = draw(emulator, box, sampling=options).fields
    np.testing.assert_allclose(again, reference, rtol=1e-3)


def test_order_and_company_do_not_matter(emulator, box):
    reference = draw(emulator, box).fields.values
    reverse = draw(emulator, box, CENTRES[::-1]).fields.values[::-1]
    alone = draw(emulator, box, CENTRES[1:2]).fields.values
    np.testing.assert_allclose(reverse, reference, rtol=1e-3)
    np.testing.assert_allclose(alone[0], reference[1], rtol=1e-3)


def test_more_members_keep_the_first(emulator, box):
    few, many = draw(emulator, box, n_members=2), draw(emulator, box, n_members=4)
    np.testing.assert_allclose(many.fields[:, :2], few.fields, rtol=1e-3)


def test_members_seeds_and_parameters_differ(emulator, box):
    first = draw(emulator, box).fields.values
    assert not np.allclose(first[:, 0], first[:, 1], rtol=1e-3)
    assert not np.allclose(first, draw(emulator, box, seed=1).fields, rtol=1e-3)
    other = emulator.sample(
        box, PARAMS | {"A_SN1": 0.9}, centres=CENTRES, n_members=3, sampling=FEW
    )
    assert not np.allclose(first, other.fields, rtol=1e-3)


def test_members_at_two_parameter_points_share_their_noise(folder, box):
    """A model that ignores the parameters draws the same fields, to the bit."""
    static = build_emulator(folder, zero=True)
    here, there = (
        static.sample(box, PARAMS | {"A_SN1": value}, centres=CENTRES, n_members=2, sampling=FEW)
        for value in (0.0125, 0.9)
    )
    np.testing.assert_array_equal(here.fields, there.fields)


def test_a_whole_box_of_another_density_is_refused(emulator, box):
    """Its mean is known: a hundredth more passes, h is noticed."""
    draw(emulator, 1.01 * box, CENTRES[:1], n_members=1)
    with pytest.raises(EmulatorError, match=r"to a factor of 1\.05.*0\.67 times that"):
        draw(emulator, 0.67 * box, CENTRES[:1], n_members=1)
    with pytest.warns(UserWarning, match=r"0\.67 times that"):
        draw(emulator, 0.67 * box, CENTRES[:1], n_members=1, out_of_range="warn")


def test_masses_that_cannot_be_are_refused(folder, box):
    """The message says which sample, member and field."""
    broken = build_emulator(folder, zero=True)
    normalisation = broken.card.normalisation
    std = (normalisation.target_std[0], 60.0, *normalisation.target_std[2:])
    normalisation = normalisation.model_copy(update={"target_std": std})
    broken.transform = FieldTransform(normalisation)
    with pytest.raises(EmulatorError, match=r"values that cannot be: .*sample 0 member 0 \(gas\)"):
        draw(broken, box, CENTRES[:1], n_members=1)


def test_windows_of_one_seed_do_not_share_noise():
    one, other = np.zeros((4, 4)), np.ones((4, 4))
    first = member_key([one], 0, 0, 0)
    assert first == member_key([one.copy()], 0, 0, 0)
    others = [member_key([other], 0, 0, 0)]
    others += [member_key([one], *numbers) for numbers in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert len({first, *others}) == 5


def test_member_noise_is_unit_and_uncorrelated():
    noise = MemberNoise(
        [member_key([], 0, k, 0) for k in range(50)], (4, 16, 16), torch.device("cpu")
    )
    drawn = torch.stack([noise(), noise()], dim=1).flatten(2)
    n = drawn.numel()
    assert float(drawn.mean()) == pytest.approx(0.0, abs=4 / n**0.5)
    assert float(drawn.var()) == pytest.approx(1.0, abs=4 * (2 / n) ** 0.5)
    correlation = torch.corrcoef(drawn.flatten(0, 1)) - torch.eye(100)
    assert float(correlation.abs().max()) < 6 / 1024**0.5


def test_a_whole_map_is_cut_as_in_training(emulator, box, folder):
    """`centres=` gives what the training batch holds, bit for bit."""
    maps = read_maps(folder / "CV_0.h5")
    result = draw(emulator, box)
    for i, centre in enumerate(CENTRES):
        cut = extract(maps, 0, centre, window=WINDOW, context_factors=FACTORS, species=["gas"])
        np.testing.assert_array_equal(result.condition[i], cut.condition)
        np.testing.assert_array_equal(result.large_scale[i], cut.large_scale)


def brute_force(maps, projection, centre, orientation=0):
    """Condition, context and targets by modulo indices and block means of the fine map."""

    def take(field, factor):
        half = WINDOW * factor // 2
        first = [(c - half) // factor * factor for c in centre]
        rows, cols = (np.arange(f, f + WINDOW * factor) % maps.n_pixels for f in first)
        return np.take(np.take(field, rows, axis=-2), cols, axis=-1)

    fields = maps.maps[projection]
    large_scale = [
        take(fields[0].astype(np.float64), f).reshape(WINDOW, f, WINDOW, f).mean((1, 3))
        for f in FACTORS
    ]
    parts = take(fields[0], 1), np.stack(large_scale).astype(np.float32), take(fields[1:], 1)
    turned = [np.rot90(part, orientation % 4, axes=(-2, -1)) for part in parts]
    return [part[..., ::-1] if orientation >= 4 else part for part in turned]


def test_training_sampling_and_brute_force_cut_the_same(emulator, folder, monkeypatch):
    """The same place seen by a training batch, by a held-out ensemble and by index arithmetic."""
    from emulator.data import dataset

    places = []

    def recorded(maps, projection, centre, **options):
        places.append((maps, projection, centre, options["orientation"]))
        return extract(maps, projection, centre, **options)

    monkeypatch.setattr(dataset, "extract", recorded)
    simulations = [read_maps(path, lazy=True) for path in sorted(folder.glob("*.h5"))]
    normalisation = emulator.card.normalisation
    batch = windows_for(normalisation, simulations, window=WINDOW, batch_size=40, seed=0)[7]
    fields = [field.numpy() for field in (*batch.condition[:2], batch.target)]
    edge = WINDOW // 2
    assert any(not edge <= c <= 64 - edge for _, _, centre, _ in places for c in centre)
    for i, (maps, *place) in enumerate(places):
        for field, expected in zip(fields, brute_force(read_maps(maps.path), *place), strict=True):
            np.testing.assert_array_equal(field[i], expected)

    maps = read_maps(folder / "CV_0.h5")
    drawn = draw_held_out(emulator, maps.path, [], FEW, split="test")
    for i in range(drawn.sizes["sample"]):
        projection, centre = int(drawn.projection[i]), tuple(drawn.centre.values[i])
        assert str(drawn.projection_label.values[i]) == "xyz"[projection]
        found = drawn.condition[i], drawn.large_scale[i], drawn.truth[i]
        for field, expected in zip(found, brute_force(maps, projection, centre), strict=True):
            np.testing.assert_array_equal(field, expected)
    grid = Grid(pixel_mpch=fabricated.PIXEL, window=WINDOW, depth_mpch=12.8, redshift=0.0)
    for centre in CENTRES:
        given = prepare_condition(maps.maps[0, 0], PARAMS, normalisation, grid, centres=[centre])
        for field, expected in zip(given[:2], brute_force(maps, 0, centre)[:2], strict=True):
            np.testing.assert_array_equal(field[0], expected)


def test_ready_windows_are_sampled_once_each(emulator, folder, tmp_path):
    from emulator.suites.window_files import ReadyWindow, write_window

    maps = read_maps(folder / "CV_0.h5")
    for i, centre in enumerate(CENTRES):
        condition, large_scale, target = brute_force(maps, i, centre)
        params = np.array(list(PARAMS.values()), np.float32)
        sample = ReadyWindow(condition, target, large_scale, params, np.float32(1e11), np.ones(3))
        write_window(tmp_path / f"CV/CV_0/{i}.npz", sample)
    (tmp_path / "ranges.csv").write_text(
        "ParamName,LogFlag,FiducialVal,MinVal,MaxVal\nOmega_m,0,0.3,0,1\nA_SN1,0,0.01,0,1\n"
    )
    suite = WindowsSuite(
        name="S", root=".", sets={"CV": 1}, parameter_names=tuple(PARAMS), box_size_mpch=12.8,
        depth_mpch=12.8, ranges=str(tmp_path / "ranges.csv"),
    )  # fmt: skip
    data = DataConfig(n_pixels=64, window=WINDOW, context_factors=FACTORS)
    project_simulation(build_suite(suite, tmp_path), data, "CV_0", tmp_path / "CV_0.h5")
    drawn = draw_held_out(emulator, tmp_path / "CV_0.h5", [], FEW, split="test")
    assert drawn.projection_label.values.tolist() == ["0", "1", "2"]
    for i, centre in enumerate(CENTRES):
        found = drawn.condition[i], drawn.large_scale[i], drawn.truth[i]
        for field, expected in zip(found, brute_force(maps, i, centre), strict=True):
            np.testing.assert_array_equal(field, expected)


def test_training_and_sampling_call_one_function_to_cut():
    from emulator.data import dataset
    from emulator.sampling import held_out, inputs

    assert dataset.extract is held_out.extract is inputs.extract is extract
    assert WindowDataset._draw.__globals__["extract"] is extract


def test_result_is_labelled_and_goes_to_a_file(emulator, box, tmp_path):
    result = draw(emulator, box)
    assert result.fields.dims == ("sample", "member", "channel", "y", "x")
    assert result.fields.attrs["units"] == "Msun/h per pixel"
    assert list(result.channel.values) == ["dm_hydro", "gas", "stars"]
    assert (result.fields >= 0).all()
    floors = {c.name: c.floor for c in emulator.card.normalisation.channels}
    empty = {"dm_hydro": 0.0, "gas": 0.0, "stars": floors["stars"]}
    assert json.loads(result.attrs["empty_below"]) == empty
    result.to_netcdf(tmp_path / "out.nc")
    xr.testing.assert_allclose(xr.load_dataset(tmp_path / "out.nc"), result)


def test_three_forms_of_the_same_input_agree(emulator, box):
    from_box = draw(emulator, box)
    arrays = emulator.sample(
        from_box.condition.values, [0.3, 0.0125], large_scale=from_box.large_scale.values,
        n_members=3, sampling=FEW,
    )  # fmt: skip
    dataset = emulator.sample(from_box, [PARAMS] * 3, n_members=3, sampling=FEW)
    np.testing.assert_array_equal(arrays.fields, from_box.fields)
    np.testing.assert_array_equal(dataset.fields, from_box.fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": {"Omega_m": 0.3}}, ["missing ['A_SN1']"]),
        ({"params": PARAMS | {"A_XY": 1.0}}, ["unknown ['A_XY']"]),
        ({"params": [0.3]}, ["expected 2 values", "got 1"]),
        ({"params": PARAMS | {"Omega_m": np.inf}}, ["infinity"]),
        ({"params": PARAMS | {"Omega_m": np.nan}}, ["Omega_m cannot be unknown"]),
        ({"params": PARAMS | {"A_SN1": None}}, ["A_SN1 unknown", "drop_each_param > 0"]),
        ({"params": PARAMS | {"Omega_m": 1.7}}, ["Omega_m = 1.7 outside [0, 1]", "out_of_range"]),
        ({"condition": np.ones((10, 10))}, ["(sample, 16, 16)", "(1, 10, 10)"]),
        ({"large_scale": None}, ["large_scale", "[2, 4]"]),
        ({"large_scale": np.ones((3, WINDOW, WINDOW))}, ["(1, 2, 16, 16)"]),
        ({"condition": np.full((WINDOW, WINDOW), np.nan)}, ["condition", "NaN"]),
        ({"condition": -np.ones((WINDOW, WINDOW))}, ["negative"]),
        ({"condition": xr.Dataset()}, ["no 'large_scale'"]),
        ({"large_scale": np.full((2, WINDOW, WINDOW), 4.0)}, ["probably in 1e10 Msun/h"]),
        ({"large_scale": np.full((2, WINDOW, WINDOW), 10.6)}, ["look like log10 of masses"]),
    ],
)
def test_wrong_inputs_are_refused_with_a_reason(emulator, change, words):
    arguments = {
        "condition": np.full((WINDOW, WINDOW), 4e10),
        "params": PARAMS,
        "large_scale": np.full((2, WINDOW, WINDOW), 4e10),
    } | change
    if isinstance(change.get("condition"), xr.Dataset):
        arguments["large_scale"] = None
    with pytest.raises(EmulatorError) as error:
        emulator.sample(
            arguments.pop("condition"), arguments.pop("params"), **arguments,
            n_members=1, sampling=FEW,
        )  # fmt: skip
    for word in words:
        assert word in str(error.value)


def test_extrapolation_is_a_choice(emulator, box):
    with (
        pytest.warns(UserWarning, match="Omega_m = 1.7"),
        pytest.warns(UserWarning, match="times that"),
    ):
        emulator.sample(
            box, PARAMS | {"Omega_m": 1.7}, centres=CENTRES[:1], n_members=1, sampling=FEW,
            out_of_range="warn",
        )  # fmt: skip


# ---------------------------------------------------------------------- held-out simulations


def test_held_out_ensemble_holds_its_truth(emulator, folder):
    redraws = [folder / "BE_0.h5", folder / "BE_1.h5"]
    result = draw_held_out(emulator, folder / "CV_0.h5", redraws, FEW, split="test")
    assert dict(result.sizes) | {"sample": 5, "member": 3, "draw": 2} == dict(result.sizes)
    maps = [read_maps(path) for path in (folder / "CV_0.h5", *redraws)]
    for i in range(5):
        row, col = result.centre.values[i]
        rows, cols = ((np.arange(c - 8, c + 8)) % 64 for c in (row, col))
        window = np.ix_([0, 1, 2, 3], rows, cols)
        fields = [m.maps[result.projection.values[i]][window] for m in maps]
        np.testing.assert_array_equal(result.condition[i], fields[0][0])
        np.testing.assert_array_equal(result.truth[i], fields[0][1:])
        np.testing.assert_array_equal(result.truth_redraw[:, i], [f[1:] for f in fields[1:]])
    places = np.column_stack([result.projection, result.centre])
    assert len(np.unique(places, axis=0)) == 5


def test_maps_of_another_grid_are_refused(emulator, folder, tmp_path):
    with xr.open_dataset(folder / "CV_0.h5", engine="h5netcdf") as maps:
        write_dataset(maps.load().assign_attrs(pixel_mpch=0.4), tmp_path / "x.h5")
    with pytest.raises(DataError, match="pixel_mpch"):
        draw_held_out(emulator, tmp_path / "x.h5", [], FEW, split="test")
