"""What a user passes in a wrong form is refused in one sentence, or read as it is meant."""

import fabricated
import numpy as np
import pytest
import torch
import xarray as xr
from untrained import FACTORS, PARAMS, WINDOW

from emulator.config import SamplingConfig
from emulator.config.section import ConfigError
from emulator.io import EmulatorError, read_json, write_json
from emulator.model.card import FORMAT_VERSION
from emulator.sampling.loading import load

FEW = SamplingConfig(n_steps=2)
CENTRES = [(8, 8), (40, 3)]
MISSING = object()


def draw(emulator, condition, params=PARAMS, **options):
    places = {} if {"centres", "centres_mpch"} & options.keys() else {"centres": CENTRES}
    options = {k: v for k, v in options.items() if v is not MISSING}
    return emulator.sample(
        condition, params, **({"n_members": 1, "sampling": FEW} | places | options)
    )


def fields_of(emulator, condition, params=PARAMS, **options):
    return draw(emulator, condition, params, **options)["fields"].values


def refusal(emulator, condition, params=PARAMS, **options):
    with pytest.raises(EmulatorError) as error:
        draw(emulator, condition, params, **options)
    return str(error.value)


@pytest.mark.parametrize("how", ["paint", "sample"])
def test_masked_pixels_are_refused_and_a_mask_of_none_is_not(emulator, box, how):
    masked = np.ma.masked_less(box, np.quantile(box, 0.01))
    call = {"paint": emulator.paint, "sample": lambda *a, **k: draw(emulator, *a, **k)}[how]
    with pytest.raises(EmulatorError, match=rf"{masked.mask.sum()} of {box.size} values are mask"):
        call(masked, PARAMS)
    whole, plain = (
        call(map_, PARAMS, n_members=1, sampling=FEW) for map_ in (np.ma.masked_less(box, -1), box)
    )
    np.testing.assert_array_equal(whole.fields, plain.fields)


def test_what_is_masked_of_observations_has_its_own_remedy(emulator, box):
    observed = np.ma.masked_less(np.full((2, 3, WINDOW, WINDOW), 1e9), 2e9)
    assert "observed: 1536 of 1536" in (said := refusal(emulator, box, observed=observed))
    assert "filled(nan)" in said


@pytest.mark.parametrize(
    ("centres", "words"),
    [
        ((8, 8), ["list of pairs", "single pair (8, 8)", "centres=[(8, 8)]"]),
        (np.array([8, 8]), ["single pair"]),
        ([(8, 8, 8)], ["shape (1, 3)"]),
        ([(8, 8), (8,)], ["centres: expected an array"]),
        ([], ["empty"]),
        ([(8, 8), (8.5, 3)], ["as integers", "(8.5, 3)", "centres_mpch"]),
        ([(8, np.nan)], ["finite", "(8, nan)"]),
        ([("a", "b")], ["real numbers"]),
        ([(8, 8), (64, 8)], ["(64, 8)", "64 x 64"]),
        ([(-1, 8)], ["(-1, 8)", "modulo"]),
    ],
)
def test_centres_that_are_no_pixels_of_the_box_are_refused(emulator, box, centres, words):
    said = refusal(emulator, box, centres=centres)
    assert [word for word in words if word not in said] == []


def test_whole_floats_are_pixels(emulator, box):
    found = fields_of(emulator, box, centres=np.array(CENTRES, float))
    np.testing.assert_array_equal(found, fields_of(emulator, box))


def test_positions_stand_for_the_pixel_that_holds_them(emulator, box):
    inside = np.add(CENTRES, [[0.01, 0.99], [0.5, 0.0]]) * fabricated.PIXEL
    found = fields_of(emulator, box, centres_mpch=inside)
    np.testing.assert_array_equal(found, fields_of(emulator, box))
    assert "centres_mpch: pixel (64, 0)" in refusal(emulator, box, centres_mpch=[(12.8, 0.0)])
    assert "not both" in refusal(emulator, box, centres=CENTRES, centres_mpch=inside)


def test_centres_need_a_box(emulator, box):
    windows = np.stack([box[:WINDOW, :WINDOW]] * 2)
    assert "centres: expected one whole-box map" in refusal(emulator, windows, centres=CENTRES)


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (np.full((64, 64), 1.0 + 1.0j), "complex128"),
        (np.full((64, 64), "1e9"), "<U3"),
        (np.full((64, 64), None), "object"),
        (np.ones((64, 64), bool), "bool"),
        ([[1.0, 2.0], [3.0]], "condition: expected an array of numbers"),
        (np.ones((0, 64)), "empty array of shape (0, 64)"),
        (np.full((64, 64), np.nan), "map: expected finite values"),
        (np.full((64, 64), -1.0), "zero or more"),
        (torch.ones(64, 64, requires_grad=True), "differentiable=True"),
    ],
)
def test_boxes_that_are_no_masses_are_refused(emulator, condition, word):
    assert word in refusal(emulator, condition)


def test_a_tensor_is_an_array(emulator, box):
    params = torch.tensor(list(PARAMS.values()), dtype=torch.float64)
    found = fields_of(emulator, torch.from_numpy(np.array(box)), params)
    np.testing.assert_array_equal(found, fields_of(emulator, box))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (None, ["Omega_m, A_SN1", "got none"]),
        ([], ["params", "empty"]),
        ({}, ["missing ['Omega_m', 'A_SN1']"]),
        (PARAMS | {"A_SN1": "1.0 "}, ["A_SN1", "one number", "1.0 "]),
        (PARAMS | {"A_SN1": [0.1, 0.2]}, ["A_SN1", "a mapping for each"]),
        (["0.3", "0.1"], ["real numbers"]),
        (np.ma.masked_greater([0.3, 0.1], 0.2), ["1 of 2 values are masked", "None"]),
        (np.zeros((1, 1, 2)), ["(1, 1, 2)"]),
    ],
)
def test_parameters_that_are_no_numbers_are_refused(emulator, box, params, words):
    said = refusal(emulator, box, params)
    assert [word for word in words if word not in said] == []


def test_a_mapping_of_options_is_the_section_of_a_config(emulator, box):
    found = fields_of(emulator, box, sampling={"solver": "ddim", "n_steps": 3})
    section = SamplingConfig(solver="ddim", n_steps=3)
    np.testing.assert_array_equal(found, fields_of(emulator, box, sampling=section))
    painted = emulator.paint(box, PARAMS, sampling={"n_steps": 1})
    assert painted.attrs["n_steps"] == 1
    for wrong, said in (({"solvers": "ddim"}, "solvers: unknown key"), ({"n_steps": 0}, "n_steps")):
        with pytest.raises(ConfigError, match=said):
            draw(emulator, box, sampling=wrong)
    assert "expected a SamplingConfig or a mapping" in refusal(emulator, box, sampling="ddim")


@pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf])
def test_noise_of_observations_is_a_positive_number(emulator, box, noise):
    observed = np.full((2, 3, WINDOW, WINDOW), np.nan)
    said = refusal(emulator, box, observed=observed, observation_noise=noise)
    assert "observation_noise: expected a positive" in said


def labelled(box, **attrs):
    return xr.DataArray(box, dims=("y", "x"), attrs=attrs)


def test_labels_of_a_map_are_read(emulator, box):
    good = labelled(box, units="Msun/h per pixel", pixel_mpch=fabricated.PIXEL, redshift=0.0)
    np.testing.assert_array_equal(fields_of(emulator, good), fields_of(emulator, box))
    assert "condition:pixel_mpch" in refusal(emulator, labelled(box, pixel_mpch=0.1))
    said = refusal(emulator, labelled(box, units="Msun"))
    assert "expected units 'Msun/h per pixel', got 'Msun'" in said


def test_labels_of_windows_are_read(emulator, box):
    windows = draw(emulator, box)
    for name, value in (("pixel_mpch", 0.1), ("redshift", 1.0)):
        assert f"condition:{name}" in refusal(
            emulator, windows.assign_attrs({name: value}), centres=MISSING
        )
    windows["large_scale"].attrs["units"] = "Msun"
    assert "large_scale: expected units" in refusal(emulator, windows, centres=MISSING)


def test_a_file_of_maps_brings_its_parameters(emulator, folder, box):
    path = folder / "CV_0.h5"
    own = {k: v for k, v in xr.load_dataset(path, engine="h5netcdf").attrs.items() if k == "params"}
    assert own
    from_file = draw(emulator, path, None, projection="x")
    params = dict(zip(from_file["parameter"].values, from_file["params"].values[0], strict=True))
    np.testing.assert_array_equal(from_file["fields"], fields_of(emulator, box, params))
    other = fields_of(emulator, str(path), params, projection="y")
    assert not np.allclose(other, from_file["fields"], rtol=1e-2)
    assert "projection" in refusal(emulator, path, projection="w")
    assert "centres=" in refusal(emulator, path, centres=MISSING)
    assert "projection: names a map of a file" in refusal(emulator, box, projection="x")


def test_a_truncated_bundle_is_refused_by_name(tmp_path, frozen):
    for name in ("weights.safetensors", "model.json"):
        folder = tmp_path / name
        folder.mkdir()
        for file in frozen.iterdir():
            content = file.read_bytes()
            kept = len(content) // 2 if file.name == name else len(content)
            (folder / file.name).write_bytes(content[:kept])
        with pytest.raises(EmulatorError, match=name):
            load(folder)


def test_a_newer_bundle_says_what_to_do(tmp_path, frozen):
    for file in frozen.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    newer = read_json(frozen / "model.json") | {"format_version": FORMAT_VERSION + 1}
    write_json(tmp_path / "model.json", newer)
    with pytest.raises(EmulatorError, match=r"A newer bundle needs a newer version of this pack"):
        load(tmp_path)


@pytest.fixture
def frozen(request):
    return request.config.rootpath / "tests/regression/trained"


def test_context_is_asked_for_by_its_factors(emulator, box):
    said = refusal(emulator, box[:WINDOW, :WINDOW], centres=MISSING)
    assert f"factors {list(FACTORS)}" in said
