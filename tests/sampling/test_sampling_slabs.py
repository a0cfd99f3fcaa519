"""Slabs of a deep box: each as if it were painted alone, with noise of its own."""

import json

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from data_samples import BOX_KPCH, write_snapshot
from typer.testing import CliRunner
from untrained import PARAMS, build_emulator, write_untrained

from emulator.cli import app
from emulator.config import SamplingConfig
from emulator.io import DataError, EmulatorError, read_dataset
from emulator.model.card import Grid
from emulator.sampling.painting.snapshot import project_slabs, project_snapshot

FEW = SamplingConfig(n_steps=3)
BOX = BOX_KPCH / 1000.0
GRID = Grid(pixel_mpch=BOX / 16, window=8, depth_mpch=BOX / 2, redshift=0.0, deposit="adaptive")


@pytest.fixture(scope="module")
def stack(box):
    return np.stack([box, np.roll(box, 9, axis=0), box])


@pytest.fixture(scope="module")
def model(folder):
    return build_emulator(folder, zero=True)


def test_slabs_are_painted_as_each_alone(model, stack):
    painted = model.paint(
        stack, PARAMS, slabs=True, n_members=2, noise_of="deep", origin=(3, 0), sampling=FEW
    )
    assert painted["fields"].dims == ("member", "slab", "channel", "y", "x")
    for number, field in enumerate(stack):
        alone = model.paint(
            field, PARAMS, n_members=2, noise_of=f"deep slab {number}", origin=(3, 0), sampling=FEW
        )
        own = painted.isel(slab=number)
        np.testing.assert_array_equal(own["fields"], alone["fields"])
        np.testing.assert_array_equal(own["condition"], alone["condition"])
        np.testing.assert_array_equal(own["mass"], alone["mass"])
    assert painted["fields"].attrs["units"] == "Msun/h per pixel"
    assert painted["params"].dims == ("parameter",)
    assert painted.attrs["mass_dmo_msunh"] == pytest.approx(stack.sum(dtype=np.float64))
    whole = painted["fields"].sum("slab")
    assert whole.dims == ("member", "channel", "y", "x")


def test_a_box_that_is_repeated_is_not_painted_alike_twice(model, stack):
    painted = model.paint(stack, PARAMS, slabs=True, sampling=FEW)["fields"]
    assert not np.allclose(painted.isel(slab=0), painted.isel(slab=2), rtol=0.1)
    again = model.paint(stack, PARAMS, slabs=True, sampling=FEW)["fields"]
    np.testing.assert_array_equal(painted, again)


def test_what_are_no_slabs_is_refused(folder, model, box, stack):
    for source, options, said in (
        (box, {"slabs": True}, r"slabs: expected maps \(slab, y, x\), got shape \(64, 64\)"),
        (stack, {"slabs": True, "mode": "halos"}, r"mode halos is of one map"),
        (box, {"drop_remainder": True}, r"drop_remainder is of slabs"),
        (folder / "CV_0.h5", {"slabs": True, "projection": "w"}, r"expected an axis of x, y, z"),
    ):
        with pytest.raises(EmulatorError, match=said):
            model.paint(source, PARAMS, sampling=FEW, **options)


def test_the_command_paints_slabs(folder, model, stack, tmp_path):
    write_untrained(tmp_path / "bundle", model)
    np.save(tmp_path / "slabs.npy", stack)
    words = ["paint", tmp_path / "bundle", tmp_path / "slabs.npy", "--output", tmp_path / "out"]
    words += ["--members", 2, "--slabs", "--param", "Omega_m=0.3", "--param", "A_SN1=0.0125"]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert read_dataset(tmp_path / "out/member_00001.nc")["fields"].shape == (1, 3, 3, 64, 64)
    again = CliRunner().invoke(app, list(map(str, words)))
    assert "0 members painted, 2 were there" in again.output
    few = [*map(str, words), "--only-summary"]
    assert CliRunner().invoke(app, few).exit_code == 0
    assert read_dataset(tmp_path / "out/summary.nc")["mean"].dims == ("slab", "channel", "y", "x")
    one = model.paint(folder / "CV_0.h5", slabs=True, projection="y", sampling=FEW)
    assert one["slab"].values.tolist() == ["y"]


@pytest.mark.parametrize("suffix", [".nc", ".fits"])
def test_slabs_are_gathered_into_one_file(folder, model, stack, tmp_path, suffix):
    """By the command, in two goes: what Python returns, and what is there is not painted again."""
    write_untrained(tmp_path / "bundle", model)
    np.save(tmp_path / "slabs.npy", stack)
    path, summary = tmp_path / f"box{suffix}", tmp_path / f"summary{suffix}"
    words = ["paint", tmp_path / "bundle", tmp_path / "slabs.npy", "--slabs"]
    words += ["--param", "Omega_m=0.3", "--param", "A_SN1=0.0125", "--overlap", 0.05]
    for output, options, said in (
        (path, ["--members", 1, "--first-member", 1], "1 members painted"),
        (path, ["--members", 2], "1 members painted, 1 were there"),
        (path, ["--members", 2], "0 members painted, 2 were there"),
        (summary, ["--members", 2, "--only-summary"], str(summary)),
    ):
        given = [*words, "--output", output, *options]
        done = CliRunner().invoke(app, list(map(str, given)))
        assert done.exit_code == 0, done.output
        assert said in done.output
    wanted = model.paint(stack, PARAMS, slabs=True, n_members=2, overlap=0.05)
    mean = wanted["fields"].mean("member")
    if suffix == ".nc":
        found = read_dataset(path)
        xr.testing.assert_equal(found, wanted)
        assert {k: found[k].attrs for k in found} == {k: wanted[k].attrs for k in wanted}
        np.testing.assert_allclose(read_dataset(summary)["mean"], mean, rtol=1e-5)
        return
    with fits.open(path) as found, fits.open(summary) as summed:
        found.verify("exception")
        for number, name in enumerate(("DM_HYDRO", "GAS", "STARS")):
            np.testing.assert_array_equal(found[name].data, wanted["fields"][:, :, number])
            np.testing.assert_allclose(summed[f"{name}_MEAN"].data, mean[:, number], rtol=1e-5)
        np.testing.assert_array_equal(found["CONDITION"].data, stack)
        header = found["GAS"].header
        assert [header[f"CTYPE{axis}"] for axis in (1, 2, 3, 4)] == ["X", "Y", "SLAB", "MEMBER"]
        assert (json.loads(header["SLABS"]), json.loads(header["MEMBERS"])) == (
            ["0", "1", "2"], [0, 1],
        )  # fmt: skip


def test_an_open_stack_is_painted_as_open_maps(model, folder):
    """Attribute ``periodic`` of slabs is that of each: one place decides."""
    from emulator.sampling.painting.painter import Painter
    from emulator.sampling.painting.slabs import SlabPainter

    wide = np.ones((2, 160, 160), np.float32) * 4.263e10
    for said in (False, [1, 0]):
        labelled = xr.DataArray(wide, dims=("slab", "y", "x"), attrs={"periodic": said})
        slabs = SlabPainter(model, labelled, PARAMS, sampling=FEW)
        alone = Painter(model, labelled[0], PARAMS, sampling=FEW)
        assert {each.box.periodic for each in slabs.painters} == {alone.box.periodic}
        assert not all(alone.box.periodic)


# ---------------------------------------------------------------------------------- snapshots


@pytest.fixture
def snapshot(tmp_path):
    particles = np.random.default_rng(0).uniform(0.0, BOX_KPCH, (500, 3)).astype(np.float32)
    table = (0.0, 3.0, 0.0, 0.0, 0.0, 0.0)
    groups = {1: {"Coordinates": particles}}
    return write_snapshot(tmp_path / "s.hdf5", groups, mass_table=table, Redshift=0.0)


def test_a_deep_snapshot_gives_its_slabs(snapshot):
    labels, maps = project_slabs(snapshot, GRID, "y")
    assert labels == ("y0", "y1")
    for label, field in zip(labels, maps, strict=True):
        np.testing.assert_array_equal(field, project_snapshot(snapshot, GRID, label))
    same = project_slabs(snapshot, GRID, "y", drop_remainder=True)[1]
    np.testing.assert_array_equal(maps, same)


def test_what_is_no_whole_slab_is_left_out_on_demand(snapshot):
    """A box of two and a half depths: two slabs, each of two fifths of it."""
    deep = GRID.model_copy(update={"depth_mpch": BOX * 0.4})
    with pytest.raises(
        DataError, match=r"depth_mpch: expected a box of a multiple .* \(--drop-rem"
    ):
        project_slabs(snapshot, deep, "z")
    labels, maps = project_slabs(snapshot, deep, "z", drop_remainder=True)
    assert (labels, maps.shape) == (("z0", "z1"), (2, 16, 16))
    fifths = project_slabs(snapshot, GRID.model_copy(update={"depth_mpch": BOX / 5}), "z")[1]
    np.testing.assert_allclose(maps[1], fifths[2] + fifths[3], rtol=1e-6)
    for depth in (2 * BOX, BOX / np.pi):
        with pytest.raises(DataError, match=r"depth_mpch: expected a box of"):
            project_slabs(
                snapshot, GRID.model_copy(update={"depth_mpch": depth}), drop_remainder=True
            )


def test_labelled_slabs_say_what_they_are(model, stack):
    labelled = xr.DataArray(stack, dims=("slab", "y", "x"), attrs={"redshift": 1.0})
    with pytest.raises(DataError, match=r"redshift: expected 0"):
        model.paint(labelled, PARAMS, slabs=True, sampling=FEW)
