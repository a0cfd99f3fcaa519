"""What a model was not made for, row by row of the table in docs/models.md: none is drawn."""

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner
from untrained import PARAMS, write_untrained

from emulator.cli import app
from emulator.io import EmulatorError, read_dataset, write_dataset

FEW = {"n_members": 1, "sampling": {"n_steps": 2}}
CENTRES = [(8, 8), (30, 40)]


@pytest.fixture
def labelled(box):
    """A map that says all that is known of it."""
    places = 0.2 * (np.arange(64) + 0.5)
    length = {"units": "Mpc/h"}
    return xr.DataArray(
        box, dims=("y", "x"), name="dmo",
        coords={axis: (axis, places, length) for axis in ("y", "x")},
        attrs={"units": "Msun/h per pixel", "pixel_mpch": 0.2, "depth_mpch": 12.8, "redshift": 0.0},
    )  # fmt: skip


@pytest.fixture
def knowing(emulator):
    """The same model, which knows its kernel."""
    from emulator.sampling.ensemble import Emulator

    grid = emulator.card.grid.model_copy(update={"deposit": "adaptive"})
    card = emulator.card.model_copy(update={"grid": grid})
    return Emulator(card, emulator.network, device="cpu")


def both_ways(model, source, params=PARAMS):
    """Draw windows of a map, and paint it."""
    yield lambda: model.sample(source, params, centres=CENTRES, **FEW)
    yield lambda: model.paint(source, params, **FEW)


ATTRIBUTES = [
    ({"pixel_mpch": 0.4}, r"pixel_mpch: expected 0\.2 as the model was trained, got 0\.4"),
    ({"depth_mpch": 6.4}, r"depth_mpch: expected 12\.8 .*got 6\.4"),
    ({"redshift": 0.5}, r"redshift: expected 0 .*got 0\.5"),
    ({"deposit": "cic"}, r"deposit: expected adaptive .*got cic"),
]


def test_a_map_that_fits_passes(knowing, labelled):
    for call in both_ways(knowing, labelled.assign_attrs(deposit="adaptive")):
        assert np.isfinite(call().fields).all()


@pytest.mark.parametrize(("attrs", "words"), [*ATTRIBUTES, ({"units": "Msun"}, "units.*'Msun'")])
def test_a_map_that_says_to_be_another_is_refused(knowing, labelled, attrs, words):
    for call in both_ways(knowing, labelled.assign_attrs(attrs)):
        with pytest.raises(EmulatorError, match=words):
            call()


def test_coordinates_say_the_pixel_too(emulator, labelled):
    bare = labelled.drop_attrs(deep=False)
    for call in both_ways(emulator, bare):
        call()
    wide = bare.assign_coords({axis: 2 * bare[axis] for axis in ("y", "x")})
    for axis in ("y", "x"):
        wide[axis].attrs["units"] = "Mpc/h"
    for call in both_ways(emulator, wide):
        with pytest.raises(EmulatorError, match=r"y: expected pixels of 0\.2 Mpc/h .*got 0\.4"):
            call()
    other = wide.copy()
    for axis in ("y", "x"):
        other[axis].attrs["units"] = "pixel"  # numbers of another kind say nothing
    for call in both_ways(emulator, other):
        call()


def test_windows_are_not_cut_across_the_edges_of_a_patch(emulator, labelled):
    patch = labelled.assign_attrs(periodic=0)
    with pytest.raises(EmulatorError, match=r"whole box, whose opposite edges touch, got a patch"):
        emulator.sample(patch, PARAMS, centres=CENTRES, **FEW)
    with pytest.raises(EmulatorError, match="got a patch"):
        emulator.sample(patch, PARAMS, centres_mpch=[(1.6, 1.6)], **FEW)


def test_the_unit_of_a_map_of_several_fields_is_that_of_the_dark_matter(emulator, folder, tmp_path):
    maps = xr.open_dataset(folder / "CV_0.h5", engine="h5netcdf").load()
    maps["maps"].attrs["units"] = "of each species: see unit"
    units = ["Msun/h per pixel", "Msun/h per pixel", "K", "K"]
    fits = maps.assign_coords(unit=("species", units))
    assert np.isfinite(emulator.paint(fits, PARAMS, **FEW).fields).all()
    with pytest.raises(EmulatorError, match=r"units.*'K'"):
        emulator.paint(maps.assign_coords(unit=("species", units[::-1])), PARAMS, **FEW)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"Omega_m": 1.5}, r"beyond the trained range: Omega_m = 1\.5 outside \[0, 1\]"),
        ({"sigma_8": 0.8}, r"unknown \['sigma_8'\]"),
        ({"A_SN1": None}, "never trained without"),
    ],
)
def test_parameters_that_it_does_not_know_are_refused(emulator, labelled, params, words):
    for call in both_ways(emulator, labelled, {**PARAMS, **params}):
        with pytest.raises(EmulatorError, match=words):
            call()


def test_bare_maps_of_other_pixels_or_depth_have_another_mean(emulator, box):
    """Nothing says so but their mass: four times that of pixels half as wide, half of the depth."""
    for factor in (4.0, 0.5):
        for call in both_ways(emulator, factor * box):
            with pytest.raises(EmulatorError, match="expected a mean of Omega_m rho_c"):
                call()


def test_windows_of_another_size_are_refused(emulator):
    """As those of BIND: 128 pixels and three levels of context."""
    windows, context = np.full((2, 128, 128), 1e10), np.full((2, 3, 128, 128), 1e10)
    with pytest.raises(EmulatorError, match=r"\(sample, 16, 16\) as the model was trained"):
        emulator.sample(windows, PARAMS, large_scale=context, **FEW)
    with pytest.raises(EmulatorError, match=r"large_scale: expected shape \(2, 2, 16, 16\)"):
        emulator.sample(windows[:, :16, :16], PARAMS, large_scale=context[..., :16, :16], **FEW)


# ------------------------------------------------------------------------------ command line


def paint(model, source, tmp_path, *more):
    config = tmp_path / "few.yaml"
    config.write_text("name: few\nsampling: {n_steps: 2}\n")
    words = ["paint", model, source, "--output", tmp_path / "out", "--members", 1]
    return CliRunner().invoke(app, [*map(str, words), "--config", str(config), *more])


@pytest.mark.parametrize(("attrs", "words"), ATTRIBUTES)
def test_the_command_refuses_files_that_say_to_be_of_others(
    knowing, folder, tmp_path, attrs, words
):
    write_untrained(tmp_path / "model", knowing)
    write_dataset(read_dataset(folder / "CV_0.h5").assign_attrs(attrs), tmp_path / "other.h5")
    done = paint(tmp_path / "model", tmp_path / "other.h5", tmp_path)
    assert done.exit_code == 1
    with pytest.raises(EmulatorError, match=rf"other\.h5:{words}"):
        raise done.exception
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_files_that_are_no_maps(emulator, labelled, box, tmp_path):
    write_untrained(tmp_path / "model", emulator)
    given = [word for name, value in PARAMS.items() for word in ("--param", f"{name}={value}")]
    np.savez(tmp_path / "bind.npz", dm=np.ones((128, 128)))
    np.save(tmp_path / "plain.npy", box)
    labelled.assign_attrs(units="Msun").to_netcdf(tmp_path / "unit.nc", engine="h5netcdf")
    for name, options, words in (
        ("bind.npz", given, r"got \.npz.*sample\(windows, params, large_scale"),
        ("unit.nc", given, r"unit\.nc:units: expected 'Msun/h per pixel', got 'Msun'"),
        ("plain.npy", [], "params: expected Omega_m, A_SN1, got none"),
        ("plain.npy", [*given[:2], "--param", "A_SN1=2"], r"A_SN1 = 2 outside \[0, 1\]"),
    ):
        done = paint(tmp_path / "model", tmp_path / name, tmp_path, *options)
        assert done.exit_code == 1
        with pytest.raises(EmulatorError, match=words):
            raise done.exception


def test_ready_windows_are_named_with_what_draws_them(emulator, folder, tmp_path):
    whole = read_dataset(folder / "CV_0.h5")
    windows = {
        f"context_{f}": (("projection", "y", "x"), np.ones((3, 64, 64), np.float32)) for f in (2, 4)
    }
    ready = whole.drop_vars(["context_2", "context_4"]).assign(windows).assign_attrs(periodic=0)
    write_dataset(ready, tmp_path / "ready.h5")
    write_untrained(tmp_path / "model", emulator)
    done = paint(tmp_path / "model", tmp_path / "ready.h5", tmp_path)
    with pytest.raises(EmulatorError, match=r"whole box, got ready windows\. Windows are drawn as"):
        raise done.exception
    with pytest.raises(EmulatorError, match=r"got ready windows\. Windows are drawn as arrays"):
        emulator.sample(tmp_path / "ready.h5", PARAMS, centres=CENTRES, **FEW)
