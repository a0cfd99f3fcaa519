"""`emulator bundle ship`: half the bytes, the same members, and everything that goes along."""

import shutil
from pathlib import Path

import fabricated
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner
from untrained import build_emulator, write_untrained

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError
from emulator.model.bundle import read_bundle, read_card
from emulator.model.calibration import Calibration, read_calibration
from emulator.model.page import read_page
from emulator.model.rounding import round_weights
from emulator.model.validated import JudgedBar, Validated, read_validated
from emulator.sampling import shipping
from emulator.sampling.loading import load_bundle

TRAINED = Path(__file__).parents[1] / "regression/trained"


def ship(source, output, example, *more):
    words = ["bundle", "ship", source, "--output", output, "--example", example, *more]
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture(scope="module", autouse=True)
def _a_network_of_seconds_may_differ_more():
    """Its stars are fewer than those of a model that is worth handing on: 0.3 %."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipping, "LARGEST_DIFFERENCE", 0.02)
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A trained bundle that was calibrated and judged."""
    bundle = tmp_path_factory.mktemp("source") / "seed_0"
    shutil.copytree(TRAINED, bundle)
    card = read_card(bundle)
    names = tuple(
        channel.name
        for channel in card.normalisation.channels
        for _ in range(2 if channel.transform == "hurdle" else 1)
    )
    Calibration(
        weights_sha256=card.weights_sha256, fields=names, noise_scale=(1.1,) * len(names),
        shift=(0.0,) * len(names), sampling=SamplingConfig(), spread=(), occupied={},
        simulations=("SB_2",), windows=4, members=2,
    ).write(bundle)  # fmt: skip
    bar = JudgedBar(
        name="mass", field="gas", statistic="mass", value=0.01, comparison="<=", threshold=0.02,
        verdict="met",
    )  # fmt: skip
    Validated(
        weights_sha256=card.weights_sha256, sampling=SamplingConfig(n_steps=8), calibration="c",
        split="test", simulations=("CV_0",), runs=1, models=1, members=4, windows=2, bars=(bar,),
        commit="", data={},
    ).write(bundle)  # fmt: skip
    return bundle


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held_out")
    (simulation,) = fabricated.simulations(n_train=0, n_cv=1)
    fabricated.write_maps(folder, simulation)
    return folder / "CV_0.h5"


@pytest.fixture(scope="module")
def shipped(source, held_out, tmp_path_factory):
    output = tmp_path_factory.mktemp("shipped") / "reference"
    done = ship(source, output, held_out, "--projection", "z", "--members", 2)
    assert done.exit_code == 0, done.exception or done.output
    assert "float16" in done.output
    return output


def test_only_the_averaged_weights_go_along_and_they_are_rounded_once(source, shipped):
    before, after = (load_file(folder / "weights.safetensors") for folder in (source, shipped))
    assert set(after) == {name for name in before if name.startswith("ema.")}
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name].half())
    _, network = read_bundle(shipped)
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, after[f"ema.{name}"].float())
    assert (shipped / "weights.safetensors").stat().st_size < 0.3 * (
        source / "weights.safetensors"
    ).stat().st_size


def test_weights_that_do_not_stand_half_precision_stay_as_they_are(source, held_out, tmp_path):
    done = ship(
        source, tmp_path / "single", held_out, "--projection", "z", "--members", 1, "--single"
    )
    assert done.exit_code == 0, done.exception or done.output
    assert "weights in float32 (to 0.000%)" in done.output
    before, after = (load_file(f / "weights.safetensors") for f in (source, tmp_path / "single"))
    assert set(after) == {name for name in before if name.startswith("ema.")}
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())


def test_the_card_says_what_it_was_rounded_from(source, shipped):
    old, new = read_card(source), read_card(shipped)
    said = {"weights_rounded_to": "float16", "weights_rounded_from": old.weights_sha256}
    assert new.attributes == {**old.attributes, **said}
    assert new.weights_sha256 != old.weights_sha256
    same = {"attributes": old.attributes, "weights_sha256": old.weights_sha256}
    assert new.model_copy(update=same) == old
    page = (shipped / "README.md").read_text()
    assert page == read_page(shipped)
    assert f"to float16, from weights `{old.weights_sha256}`" in page
    done = CliRunner().invoke(app, ["bundle", "info", str(shipped)])
    assert old.weights_sha256 in done.output


def test_findings_go_along_and_are_of_the_new_weights(source, shipped):
    old, new = read_card(source).weights_sha256, read_card(shipped).weights_sha256
    for read in (read_calibration, read_validated):
        before, after = read(source, old), read(shipped, new)
        assert after.attributes["weights_rounded_from"] == old
        same = {"weights_sha256": old, "attributes": before.attributes}
        assert after.model_copy(update=same) == before
    model = load_bundle(shipped)
    assert model.options_for(None).n_steps == 8
    assert model.calibration.noise_scale[0] == 1.1


def test_the_example_is_one_map_with_all_its_fields(shipped, held_out):
    whole, one = read_maps(held_out), read_maps(shipped / "example.h5")
    np.testing.assert_array_equal(one.maps[0], whole.maps[2])
    np.testing.assert_array_equal(one.context[4][0], whole.context[4][2])
    np.testing.assert_array_equal(one.halo_position, whole.halo_position)
    assert (one.projections, one.species) == (("z",), whole.species)
    assert (one.params, one.param_ranges) == (whole.params, whole.param_ranges)
    assert (shipped / "example.h5").stat().st_size < 1_000_000


def test_a_later_one_takes_the_place_of_a_former_one(source, shipped, held_out, tmp_path):
    output = tmp_path / "reference"
    shutil.copytree(shipped, output)
    bare = tmp_path / "bare"
    shutil.copytree(TRAINED, bare)
    assert ship(bare, output, held_out, "--members", 1).exit_code == 0
    assert not (output / "validated.json").exists()
    assert not (output / "calibration.json").exists()
    assert read_maps(output / "example.h5").projections == ("x",)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_the_difference_is_that_of_the_spectra(source, shipped, held_out):
    """By hand, with numpy's transform of every member; of a model and itself it is none."""
    first, second = (load_bundle(folder) for folder in (source, shipped))
    assert set(shipping.compare(first, first, held_out, 2).values()) == {0.0}
    found = shipping.compare(first, second, held_out, 2)
    box, centres = read_maps(held_out).maps[0, 0], [(r, c) for r in range(8, 64, 16) for c in
                                                  range(8, 64, 16)]  # fmt: skip
    power = []
    for model in (first, second):
        drawn = shipping._in_float32(model).sample(
            box, read_maps(held_out).params, centres=centres, n_members=2, seed=0
        )
        squares = np.abs(np.fft.fft2(drawn.fields.values.astype(float))) ** 2
        number = np.fft.fftfreq(16, 1 / 16)
        shell = np.rint(np.hypot(number[:, None], number)).astype(int)
        power.append(
            np.stack([squares[..., shell == s].mean((0, 1, 3)) for s in range(1, 9)], axis=-1)
        )
    expected = np.abs(power[1] / power[0] - 1).max(axis=-1)
    np.testing.assert_allclose([*found.values()], expected, rtol=1e-6, atol=1e-12)
    assert list(found) == ["dm_hydro", "gas", "stars"]
    assert 0 < max(found.values()) < 0.02
    assert found["gas"] < 1e-3


def test_the_precision_is_that_which_changes_the_weights_less():
    small = torch.randn(100, generator=torch.Generator().manual_seed(0))
    rounded = round_weights({"a": small, "b": torch.zeros(3), "n": torch.tensor(7)})
    assert rounded.precision == "float16"
    assert rounded.error == pytest.approx(
        float((small - small.half().float()).norm() / small.norm()), rel=1e-3
    )
    assert rounded.weights["n"].dtype == torch.int64
    large = round_weights({"a": 1e6 * small})  # beyond the range of float16
    assert large.precision == "bfloat16"
    assert torch.equal(large.weights["a"], (1e6 * small).bfloat16())


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("LARGEST_DIFFERENCE", 0.0, r"spectra of members within 0\.0%.*dm_hydro.*--members"),
        ("LARGEST_SIZE", 1000, r"at most 0\.001 MB, got .* MB.*smaller network"),
    ],
)
def test_what_departs_or_is_too_large_is_not_written(
    held_out, tmp_path, monkeypatch, limit, value, words
):
    monkeypatch.setattr(shipping, limit, value)
    done = ship(TRAINED, tmp_path / "out", held_out, "--members", 1)
    assert done.exit_code == 1
    with pytest.raises(EmulatorError, match=words):
        raise done.exception
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_handed_on_is_refused(source, held_out, folder, tmp_path):
    two = tmp_path / "two"
    for seed in (0, 1):
        shutil.copytree(TRAINED, two / f"seed_{seed}")
    refused = [
        ((two, tmp_path / "out", held_out), r"one bundle, got 2 \(seed_0, seed_1\)"),
        ((source, source, held_out), "another folder than that of the source"),
        ((source, tmp_path / "out", held_out, "--projection", "q"), "'q', got only x, y, z"),
        ((tmp_path / "none", tmp_path / "out", held_out), "a bundle"),
        ((source, tmp_path / "out", tmp_path / "none.h5"), "none.h5"),
    ]
    for arguments, words in refused:
        done = ship(*arguments)
        assert done.exit_code == 1
        with pytest.raises(DataError, match=words):
            raise done.exception
    assert not (tmp_path / "out").exists()


def test_an_example_that_the_training_saw_is_refused(folder, tmp_path):
    said = '{"splits": {"train": ["SB_0"], "validation": ["SB_1"], "test": ["CV_0"]}}'
    model = build_emulator(folder)
    card = model.card.model_copy(update={"attributes": {"provenance": said}})
    model.card = card
    write_untrained(tmp_path / "model", model)
    done = ship(tmp_path / "model", tmp_path / "out", folder / "SB_0.h5")
    assert done.exit_code == 1
    with pytest.raises(DataError, match=r"a held-out simulation .*got SB_0 of the split train"):
        raise done.exception
