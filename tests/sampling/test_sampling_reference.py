"""The default model and its example: where they are looked for, and the first picture."""

import shutil

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator, write_untrained

import emulator as package
from emulator.cli import app
from emulator.data.example import write_example
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError
from emulator.sampling import reference

FEW = {"n_members": 2, "sampling": {"n_steps": 2}}


@pytest.fixture
def places(folder, tmp_path, monkeypatch):
    """A package without and a checkout with a reference; nothing else is named."""
    checkout = tmp_path / "checkout"
    write_untrained(checkout, build_emulator(folder))
    write_example(folder / "CV_0.h5", checkout / "example.h5", "y")
    monkeypatch.setattr(reference, "PLACES", (tmp_path / "package", checkout))
    monkeypatch.delenv("EMULATOR_MODEL", raising=False)
    return reference.PLACES


def test_the_variable_comes_first_then_the_package_then_the_checkout(
    places, folder, tmp_path, monkeypatch
):
    assert reference.default_model() == places[1]
    shutil.copytree(places[1], places[0])
    assert reference.default_model() == places[0]
    other = tmp_path / "other"
    write_untrained(other, build_emulator(folder, seed=1))
    monkeypatch.setenv("EMULATOR_MODEL", str(other))
    assert reference.default_model() == other
    assert package.load().seed == 1
    _, params = package.example()  # there is none beside it: that of the reference
    assert params == PARAMS
    monkeypatch.setenv("EMULATOR_MODEL", "")
    assert package.load().seed == 0


def test_without_any_the_message_says_what_to_do(places, box, monkeypatch):
    shutil.rmtree(places[1])
    words = r"the reference model, got no such bundle.*results/NAME/model.*EMULATOR_MODEL.*make"
    for call in (package.load, package.example, lambda: package.sample(box, PARAMS)):
        with pytest.raises(DataError, match=words):
            call()
    done = CliRunner().invoke(app, ["bundle", "show", "reference"])
    assert done.exit_code == 1
    with pytest.raises(DataError, match=words):
        raise done.exception


def test_a_model_without_an_example_says_so(places):
    (places[1] / "example.h5").unlink()
    with pytest.raises(DataError, match=r"the example of the model.*bundle ship"):
        package.example()


def test_the_example_is_a_box_with_its_parameters(places, folder):
    box, params = package.example()
    np.testing.assert_array_equal(box.values, read_maps(folder / "CV_0.h5").maps[1, 0])
    assert params == PARAMS
    assert box.attrs["units"] == "Msun/h per pixel"
    assert (box.attrs["pixel_mpch"], box.attrs["redshift"]) == (0.2, 0.0)
    np.testing.assert_allclose(box.x.values, 0.2 * (np.arange(64) + 0.5))


def test_the_first_lines_of_the_readme_run(places, folder):
    box, params = package.example()
    drawn = package.sample(box, params, centres=[(40, 40)], seed=0, **FEW)
    model = package.load()
    plain = model.sample(box.values, params, centres=[(40, 40)], seed=0, **FEW)
    np.testing.assert_array_equal(drawn.fields, plain.fields)
    painted = model.paint(box, params, n_members=1, sampling={"n_steps": 2})
    assert painted.fields.shape[-2:] == (64, 64)


def test_the_word_reference_is_a_model_of_commands(places, tmp_path):
    done = CliRunner().invoke(app, ["bundle", "info", "reference"])
    assert done.exit_code == 0, done.exception
    assert str(places[1]) in done.output
    config = tmp_path / "few.yaml"
    config.write_text("name: few\nsampling: {n_steps: 2}\n")
    words = ["paint", "reference", places[1] / "example.h5", "--output", tmp_path / "painted"]
    done = CliRunner().invoke(app, [*map(str, words), "--members", "1", "--config", str(config)])
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "painted/member_00000.nc").is_file()


def test_a_folder_of_that_name_is_meant_first(places, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_untrained(tmp_path / "reference", build_emulator(folder, seed=3))
    done = CliRunner().invoke(app, ["bundle", "show", "reference"])
    assert "seed 3" in done.output


# ----------------------------------------------------------------------------------- pictures


def panels(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_a_window_is_pictured_with_the_truth_if_it_is_known(places, emulator, box):
    drawn = emulator.sample(box, PARAMS, centres=[(8, 8), (30, 30)], **FEW)
    known = ["DMO (condition)", "truth", "one member", "ensemble mean", "ensemble std"]
    assert panels(package.plot(drawn, 1)) == [known[0], *known[2:]]
    truth = drawn.fields.isel(member=0)
    assert panels(package.plot(drawn.assign(truth=truth))) == known


def test_without_a_truth_the_colours_are_those_of_the_members(emulator, box):
    drawn = emulator.sample(box, PARAMS, centres=[(8, 8)], **FEW)
    images = [ax.images[0] for ax in package.plot(drawn).axes if ax.images]
    gas = drawn.fields.isel(sample=0).sel(channel="gas").values
    row = images[1 + 3 : 1 + 6]  # behind the condition and the three of dark matter
    np.testing.assert_allclose(row[0].get_array(), np.maximum(gas[0], row[0].norm.vmin), rtol=1e-6)
    assert row[0].norm.vmax == pytest.approx(np.quantile(gas[gas > 0], 0.999), rel=1e-5)
    assert row[1].norm.vmax == row[0].norm.vmax


def test_what_cannot_be_pictured_is_refused(emulator, box, monkeypatch):
    drawn = emulator.sample(box, PARAMS, centres=[(8, 8)], **FEW)
    for arguments, words in (
        ((drawn.isel(member=[0]),), "two members or more"),
        ((drawn, 1), "sample 1 is not among the 1"),
        ((drawn, 0, 2), "member 2 is not among the 2"),
        ((drawn.drop_vars("fields"),), "an ensemble of maps"),
    ):
        with pytest.raises(EmulatorError, match=words):
            package.plot(*arguments)
    monkeypatch.setattr("emulator.io.extras.find_spec", lambda name: None)
    with pytest.raises(EmulatorError, match=r"emulator\.plot needs the package matplotlib.*report"):
        package.plot(drawn)


def test_the_first_command_draws_and_tells(places, tmp_path, monkeypatch):
    """The window is that of the most dark matter, and its truth lies beside the members."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["try", "--members", "2"])
    assert done.exit_code == 0, done.exception
    first, masses, seen = done.output.strip().splitlines()
    assert first.startswith("try.png: given dark matter of the held-out box CV_0")
    assert masses.count("truth") == 3
    assert "members agree" in seen
    assert matplotlib.image.imread(tmp_path / "try.png").shape[1] > 1000
