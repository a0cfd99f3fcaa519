"""Snapshots and catalogues at their edges: short tables, precisions, seals, halos outside."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, write_catalogue, write_snapshot
from tolerances import refused

from emulator.config import DesignConfig, EmbeddedSuite
from emulator.io import append_seal
from emulator.projection.blocks import Part, mass_of, parts_of, read_blocks
from emulator.readers.catalogs import Halos, _require_plausible, read_halos
from emulator.readers.halo_tables import radius_200c
from emulator.readers.headers import Header
from emulator.readers.snapshots import open_snapshot
from emulator.suites import build_suite

HEADER = Header(25.0, 0.0, 0.3, 0.049, 0.6711, None, (), 1e-3, 1e10)


def dark_matter(n=10, **more):
    position = np.random.default_rng(0).uniform(0, BOX_KPCH, (n, 3))
    return {"Coordinates": position, **more}


def test_a_type_beyond_the_table_has_masses_of_its_own(tmp_path):
    groups = {1: dark_matter(Masses=np.full(10, 3.0))}
    for table in ((7.0,), (7.0, 0.0)):
        path = write_snapshot(tmp_path / "s.hdf5", groups, mass_table=table)
        assert mass_of(open_snapshot(path), 1) == 30e10


def test_black_holes_of_swift_have_dynamical_masses(tmp_path):
    holes = dark_matter(DynamicalMasses=np.full(10, 2.0), Masses=np.full(10, 99.0))
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {5: holes}))
    assert mass_of(snapshot, 5) == 20e10


@pytest.mark.parametrize(
    ("stored", "read"), [("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("f8", "f8"), ("i4", "f8")]
)
def test_single_precision_stays_single(tmp_path, stored, read):
    groups = {0: {"Coordinates": np.full((4, 3), 7, stored), "Masses": np.full(4, 3, stored)}}
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", groups))
    (block,) = read_blocks(parts_of(snapshot, 0)[0], 100)
    assert (block.position.dtype, block.mass.dtype) == (np.dtype(read), np.dtype(read))
    assert (block.position == 7).all()
    assert (block.mass == 3).all()
    assert block.box_size == pytest.approx(BOX_KPCH)


def test_blocks_say_where_they_begin(tmp_path):
    groups = {1: dark_matter(10)}
    snapshot = open_snapshot(
        write_snapshot(tmp_path / "s.hdf5", groups, mass_table=(0, 2.0, 0, 0, 0, 0))
    )
    part = Part(snapshot, 0, 1, 3, 9)
    sizes = [(b.start, len(b.mass)) for b in read_blocks(part, 4)]
    assert sizes == [(3, 4), (7, 2)]
    blocks = [b.position.copy() for b in read_blocks(part, 4)]
    np.testing.assert_array_equal(np.concatenate(blocks), groups[1]["Coordinates"][3:9])
    for count, lengths in ((2, (2, 4)), (6, (6, None)), (7, (6, None))):
        first, rest = part.split_at(count)
        assert (len(first), None if rest is None else len(rest)) == lengths
        assert rest is None or (first.stop, rest.stop) == (rest.start, part.stop)


@pytest.mark.parametrize(("x", "fault"), [(-25_000.0, False), (-25_001.0, True),
                                          (50_000.0, False), (50_001.0, True)])  # fmt: skip
def test_halos_lie_at_most_a_box_beside_the_box(tmp_path, x, fault):
    position = [[1.0, 2.0, 3.0], [x, 5.0, 6.0]]
    path = write_catalogue(tmp_path / "g.hdf5", position, [1.0, 2.0], [35.0, 44.0])
    assert refused(read_halos, path) == fault
    if not fault:
        np.testing.assert_allclose(read_halos(path).position_mpch[1], [0.0, 5e-3, 6e-3], rtol=1e-6)


def test_one_odd_radius_is_no_other_definition():
    """The median of many does not see it; the mean would."""
    mass = np.full(30, 1e12)
    radius = radius_200c(mass, 0.3, 0.0)
    radius[0] /= 10
    _require_plausible(Halos(np.zeros((30, 3)), mass, radius), HEADER, Path("g"))


def test_a_sealed_catalogue_that_was_damaged_is_refused(tmp_path):
    path = write_catalogue(tmp_path / "g.hdf5", np.ones((2, 3)), [1.0, 2.0], [35.0, 44.0])
    append_seal(path)
    assert len(read_halos(path).m200c_msunh) == 2
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-200] ^= 1
    path.write_bytes(flipped)
    assert refused(read_halos, path)


@pytest.mark.parametrize("kind", ["catalogue", "snapshot"])
def test_own_files_need_their_seal(tmp_path, kind):
    path = tmp_path / "g.hdf5"
    if kind == "catalogue":
        write_catalogue(path, np.ones((2, 3)), [1.0, 2.0], [35.0, 44.0])
        read = read_halos
    else:
        write_snapshot(path, {1: dark_matter()}, mass_table=(0, 2.0, 0, 0, 0, 0))
        read = open_snapshot
    assert not refused(read, path)
    with h5py.File(path, "r+") as handle:
        handle.attrs["emulator_version"] = "0"
    assert refused(read, path)
    append_seal(path)
    assert not refused(read, path)


@pytest.mark.parametrize("side", [0.0, -1.0, None])
def test_a_catalogue_needs_its_box(tmp_path, side):
    path = write_catalogue(tmp_path / "g.hdf5", np.ones((1, 3)), [1.0], [35.0])
    with h5py.File(path, "r+") as handle:
        del handle["Header"].attrs["BoxSize"]
        if side is not None:
            handle["Header"].attrs["BoxSize"] = side
    assert refused(read_halos, path)


def test_what_is_a_catalogue_without_halos(tmp_path):
    """Without groups, if the header counts them; or with groups, if it does not."""

    def write(header, group):
        path = tmp_path / "g.hdf5"
        with h5py.File(path, "w") as handle:
            handle.create_group("Header").attrs.update({"BoxSize": BOX_KPCH, **header})
            if group:
                handle.create_group("Group")
        return refused(read_halos, path)

    assert [write(h, False) for h in ({}, {"Ngroups_Total": 0}, {"Ngroups_ThisFile": 0})] == [
        True, False, False,
    ]  # fmt: skip
    assert [write(h, True) for h in ({}, {"Ngroups_Total": 0}, {"Ngroups_Total": 1})] == [
        False, False, True,
    ]  # fmt: skip


def test_runs_of_the_embedded_suite_are_those_of_its_design(tmp_path):
    suite = EmbeddedSuite(design=DesignConfig(sb_runs=2, sb_per_run=2, cv_runs=1, be_draws=1))
    runs = build_suite(suite, tmp_path).runs
    assert runs == suite.runs()
    assert [name for members in runs.values() for name in members] == list(suite.simulations())
