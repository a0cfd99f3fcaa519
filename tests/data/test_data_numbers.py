"""Numbers as writers store them, in every reader; and what is no number, or no data at all."""

import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, write_catalogue, write_snapshot, write_swift

from emulator.io import DataError
from emulator.projection.blocks import mass_of, parts_of, read_blocks
from emulator.projection.deposit import deposit_maps, padded_shape, without_ghosts
from emulator.readers.catalogs import read_halos
from emulator.readers.headers import total_counts
from emulator.readers.numbers import integer, integers, number, numbers
from emulator.readers.snapshots import open_snapshot

FORMS = {
    "scalar": lambda v: v,
    "array of one": lambda v: np.array([v]),
    "nested": lambda v: np.array([[v]]),
    "big-endian": lambda v: np.array(v, ">f8"),
    "single": lambda v: np.float32(v),
    "extended": lambda v: np.longdouble(v),
    "half": lambda v: np.float16(v),
    "bytes of an integer": lambda v: np.array(v, ">i8"),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_number_in_every_form(form):
    attrs = {"a": FORMS[form](25)}
    assert number(attrs, "a", "f") == 25.0
    assert integer(attrs, "a", "f") == 25
    assert number(attrs, "b", "f") is integers(attrs, "b", "f") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("25", "a number"),
        (b"25", "a number"),
        (1 + 2j, "a number"),
        (h5py.Empty("f8"), "no value .a null dataspace."),
        (np.array([1.0, 2.0]), "one number, got 2"),
        (np.array([]), "one number, got 0"),
    ],
)
def test_what_is_no_number(value, words):
    for read in (number, integer):
        with pytest.raises(DataError, match=rf"f/a: expected .*{words}"):
            read({"a": value}, "a", "f")


@pytest.mark.parametrize("value", [2.5, np.nan, np.inf, 1e300])
def test_what_is_no_whole_number(value):
    assert numbers({"a": value}, "a", "f") is not None
    with pytest.raises(DataError, match="whole numbers"):
        integers({"a": value}, "a", "f")


def test_whole_numbers_keep_all_their_digits():
    exact = 2**62 + 1  # which no double holds
    assert integer({"a": np.uint64(exact)}, "a", "f") == exact


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([5, 0, 7], [1, 0, 2], (2**32 + 5, 0, 2**33 + 7)),
        ([5, 0, 7], [1], (2**32 + 5, 0, 7)),
        ([5, 7], [0, 0, 1], (5, 7, 2**32)),
        ([5, 7], None, (5, 7)),
        # newer codes write 64 bits into the first word, some with the high word beside it
        (np.array([2**33 + 1], np.uint64), [0], (2**33 + 1,)),
        (np.array([2**33 + 1], np.uint64), [2], (2**33 + 1,)),
        # an unsigned word in a signed attribute
        (np.array([-2], np.int32), [1], (2**33 - 2,)),
        (np.array([3.0, 4.0]), [0.0, 0.0], (3, 4)),
    ],
)
def test_totals_out_of_two_words(low, high, expected):
    attrs = {"NumPart_Total": np.asarray(low)}
    if high is not None:
        attrs["NumPart_Total_HighWord"] = np.asarray(high)
    assert total_counts(attrs, "f") == expected


def test_words_that_contradict_each_other():
    attrs = {"NumPart_Total": np.array([2**33 + 1]), "NumPart_Total_HighWord": np.array([1])}
    with pytest.raises(DataError, match=r"NumPart_Total: .*two words of 32 bits"):
        total_counts(attrs, "f")


@pytest.fixture
def gas(rng):
    return {"Coordinates": rng.uniform(0, BOX_KPCH, (50, 3)), "Masses": rng.uniform(1, 2, 50)}


@pytest.mark.parametrize("form", ["array of one", "big-endian", "extended"])
def test_every_reader_takes_every_form(tmp_path, gas, form):
    wrap = FORMS[form]
    names = ("BoxSize", "Redshift", "Time", "Omega0", "HubbleParam", "NumFilesPerSnapshot")
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with h5py.File(path, "r+") as handle:
        for name in names:
            handle["Header"].attrs[name] = wrap(handle["Header"].attrs[name])
    header = open_snapshot(path).header
    assert (header.box_size_mpch, header.redshift, header.omega_m) == (25.0, 0.0, 0.3)
    catalogue = write_catalogue(tmp_path / "g.hdf5", np.ones((2, 3)), [1.0, 2.0], [35.0, 44.0])
    with h5py.File(catalogue, "r+") as handle:
        for name in ("BoxSize", "NumFiles", "Ngroups_Total"):
            handle["Header"].attrs[name] = wrap(handle["Header"].attrs[name])
    assert len(read_halos(catalogue, header).m200c_msunh) == 2


@pytest.mark.parametrize("dtype", [">f8", ">f4", "<f4", "f2", "g", "i4", "u2"])
def test_particles_of_every_precision_and_byte_order(tmp_path, dtype, rng):
    """Against float64: as exact as the numbers that were stored."""
    position = np.round(rng.uniform(0, 2000, (300, 3)))
    mass = np.round(rng.uniform(1, 9, 300))
    maps = []
    for name, kind in (("a", "f8"), ("b", dtype)):
        stored = {"Coordinates": position.astype(kind), "Masses": mass.astype(kind)}
        exact = {key: values.astype("f8") for key, values in stored.items()}
        groups = {0: stored if name == "b" else exact}
        snapshot = open_snapshot(write_snapshot(tmp_path / f"{name}.hdf5", groups))
        grids = np.zeros(padded_shape(3, 8))
        for part in parts_of(snapshot, 0):
            for block in read_blocks(part, 17):
                deposit_maps(block, grids, "cic")
        maps.append(without_ghosts(grids).copy())
    rounding = 2e-3 if dtype == "f2" else 1e-6
    np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=rounding * maps[0].max())


# -------------------------------------------------------------------------------- absences


def virtual(path, sources, shape, *, mapped=None):
    """Dataset ``PartType0/Coordinates`` put together from rows of other files."""
    layout = h5py.VirtualLayout(shape, "f8")
    rows = shape[0] // len(sources)
    for i, (name, dataset) in enumerate(sources[:mapped]):
        layout[i * rows : (i + 1) * rows] = h5py.VirtualSource(name, dataset, (rows, *shape[1:]))
    with h5py.File(path, "r+") as handle:
        del handle["PartType0/Coordinates"]
        handle["PartType0"].create_virtual_dataset("Coordinates", layout)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "p1.h5").unlink(), r"the source p1\.h5 of this virtual dataset"),
        (lambda folder: rename(folder / "p1.h5", "x", "y"), r"p1\.h5:/x: expected a dataset"),
        (lambda folder: shorten(folder / "p1.h5", "x", 10), r"25 rows of p1\.h5:x|p1\.h5:x, got"),
    ],
)
def test_a_virtual_dataset_with_a_hole(tmp_path, gas, break_it, words):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    for i in range(2):
        with h5py.File(tmp_path / f"p{i}.h5", "w") as handle:
            handle["x"] = gas["Coordinates"][25 * i : 25 * (i + 1)]
    virtual(path, [("p0.h5", "x"), ("p1.h5", "x")], (50, 3))
    block = next(read_blocks(parts_of(open_snapshot(path), 0)[0], 100))
    np.testing.assert_array_equal(block.position, gas["Coordinates"])
    break_it(tmp_path)
    with pytest.raises(DataError, match=words):
        next(read_blocks(parts_of(open_snapshot(path), 0)[0], 100))


def test_a_virtual_dataset_that_is_mapped_in_part(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with h5py.File(tmp_path / "p0.h5", "w") as handle:
        handle["x"] = gas["Coordinates"][:25]
    virtual(path, [("p0.h5", "x"), ("p0.h5", "x")], (50, 3), mapped=1)
    with pytest.raises(DataError, match="all data, 150 values, got sources of 75"):
        next(read_blocks(parts_of(open_snapshot(path), 0)[0], 100))


def rename(path, old, new):
    with h5py.File(path, "r+") as handle:
        handle.move(old, new)


def shorten(path, name, rows):
    with h5py.File(path, "r+") as handle:
        values = handle[name][:rows]
        del handle[name]
        handle[name] = values


@pytest.mark.parametrize("chunks", [None, (10, 3)])
def test_data_that_were_never_written(tmp_path, gas, chunks):
    """A writer that was interrupted: HDF5 would read zeros, which are good coordinates."""
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with h5py.File(path, "r+") as handle:
        del handle["PartType0/Coordinates"]
        dataset = handle["PartType0"].create_dataset("Coordinates", (50, 3), "f8", chunks=chunks)
        if chunks:
            dataset[:20] = gas["Coordinates"][:20]
    words = "5 chunks, got 2" if chunks else "1200 bytes, got none"
    with pytest.raises(DataError, match=f"Coordinates: expected all data, {words}"):
        next(read_blocks(parts_of(open_snapshot(path), 0)[0], 100))


def test_raw_data_in_a_file_that_is_gone_or_short(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    raw = tmp_path / "raw.bin"
    raw.write_bytes(gas["Masses"].tobytes())
    with h5py.File(path, "r+") as handle:
        del handle["PartType0/Masses"]
        handle["PartType0"].create_dataset(
            "Masses", (50,), "f8", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)]
        )
    raw.write_bytes(raw.read_bytes()[:200])
    with pytest.raises(DataError, match=r"Masses: expected 400 bytes in .*raw\.bin, got 200"):
        mass_of(open_snapshot(path), 0)
    raw.unlink()
    with pytest.raises(DataError, match=r"Masses: expected the file raw\.bin .*no such file"):
        mass_of(open_snapshot(path), 0)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (h5py.SoftLink("/nowhere"), "a link to /nowhere, which is not there"),
        (h5py.ExternalLink("gone.h5", "/x"), r"a link to gone\.h5:/x, which is not there"),
        (h5py.SoftLink("/PartType0"), "expected a dataset, got a group"),
        (np.array([b"a", b"b"]), "expected numbers, got"),
    ],
)
def test_links_that_lead_nowhere_and_other_objects(tmp_path, gas, link, words):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with h5py.File(path, "r+") as handle:
        del handle["PartType0/Masses"]
        handle["PartType0/Masses"] = link
    with pytest.raises(DataError, match=rf"s\.hdf5:PartType0/Masses: .*{words}"):
        mass_of(open_snapshot(path), 0)


def test_what_is_a_catalogue_and_what_is_not(tmp_path, gas):
    snapshot = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    swift = write_swift(tmp_path / "w.hdf5", {0: gas})
    for path in (snapshot, swift):
        with pytest.raises(DataError, match="a group of halos, or their number in the header"):
            read_halos(path)
    none = tmp_path / "none.hdf5"
    for make in ("no group", "empty group", "null dataspaces"):
        with h5py.File(none, "w") as handle:
            handle.create_group("Header").attrs.update(BoxSize=25e3, Ngroups_Total=0, NumFiles=1)
            if make != "no group":
                handle.create_group("Group")
            if make == "null dataspaces":
                for name in ("GroupPos", "Group_M_Crit200", "Group_R_Crit200"):
                    handle["Group"].create_dataset(name, data=h5py.Empty("f4"))
        assert len(read_halos(none).m200c_msunh) == 0


@pytest.mark.parametrize(
    ("mass", "radius", "words"),
    [
        (1e10, 1.0, "lighter than the matter of the box"),
        (0.6711, 1.0, "masses 0.6711 times as large"),
        (1.0, 0.6711, r"masses 3\.30\d times as large"),
        (1.0, 1e-3, "times as large"),
    ],
)
def test_catalogues_in_another_unit(tmp_path, mass, radius, words):
    from test_data_catalogs import HEADER

    from emulator.readers.halo_tables import radius_200c

    masses = np.geomspace(1, 1000, 12)
    radii = 1e3 * radius_200c(1e10 * masses, 0.3, 0.0)
    path = write_catalogue(tmp_path / "g.hdf5", np.ones((12, 3)), masses, radii)
    assert len(read_halos(path, HEADER).m200c_msunh) == 12
    write_catalogue(path, np.ones((12, 3)), mass * masses, radius * radii)
    with pytest.raises(DataError, match=words):
        read_halos(path, HEADER)
