import h5py
import numpy as np
import pytest
from data_samples import BOX_KPCH, damage, write_snapshot

from emulator.io import DataError
from emulator.projection.blocks import parts_of, read_blocks
from emulator.readers.snapshots import open_snapshot


def blocks_of(snapshot, particle_type, block=1000, select="all"):
    for part in parts_of(snapshot, particle_type, select):
        yield from read_blocks(part, block)


def gather(snapshot, particle_type, block=1000, select="all"):
    """Positions [Mpc/h] and masses [Msun/h] of all blocks."""
    length = snapshot.header.length_mpch
    blocks = [
        (b.position.astype(float) * length, b.mass.astype(float) * b.mass_msunh)
        for b in blocks_of(snapshot, particle_type, block, select)
    ]
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


@pytest.fixture
def gas(rng):
    return {
        "Coordinates": rng.uniform(0, BOX_KPCH, (257, 3)),
        "Masses": rng.uniform(1, 2, 257).astype(np.float32),
    }


def write_family(folder, gas, edges, **kwargs):
    """Split into files at ``edges``; an empty part has no group at all."""
    parts = list(zip([0, *edges], [*edges, 257], strict=True))
    for i, (start, stop) in enumerate(parts):
        part = {key: values[start:stop] for key, values in gas.items()}
        groups = {0: part} if stop > start else {}
        path = folder / f"snap_099.{i}.hdf5"
        write_snapshot(path, groups, n_files=len(parts), totals=[257, 0, 0, 0, 0, 0], **kwargs)
    return folder / "snap_099.0.hdf5"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 100, 257, 10_000])
def test_units_and_blocks(tmp_path, gas, dtype, block):
    gas["Coordinates"] = gas["Coordinates"].astype(dtype)
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {0: gas}))
    sizes = [len(b.mass) for b in blocks_of(snapshot, 0, block)]
    assert max(sizes) <= block
    position, mass = gather(snapshot, 0, block)
    np.testing.assert_allclose(position, gas["Coordinates"].astype(float) / 1e3, rtol=1e-12)
    np.testing.assert_allclose(mass, gas["Masses"].astype(float) * 1e10, rtol=1e-12)
    assert snapshot.header.box_size_mpch == 25.0
    assert snapshot.header.omega_b == 0.049


def test_blocks_reuse_one_buffer(tmp_path, gas):
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {0: gas}))
    bases = {id(block.position.base) for block in blocks_of(snapshot, 0, 50)}
    assert len(bases) == 1


def test_mass_table_and_counts_beyond_32_bits(tmp_path, gas):
    path = write_snapshot(
        tmp_path / "s.hdf5",
        {1: {"Coordinates": gas["Coordinates"]}},
        mass_table=(0, 0.5, 0, 0, 0, 0),
    )
    assert (gather(open_snapshot(path), 1)[1] == 5e9).all()
    with h5py.File(path, "r+") as handle:
        handle["Header"].attrs["NumPart_Total_HighWord"] = np.array([0, 1, 0, 0, 0, 0])
    with pytest.raises(DataError, match=rf"got \[0, {257 + 2**32}"):
        open_snapshot(path)


def test_a_header_of_two_types_and_omega_in_parameters(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {1: gas}, drop=("Omega0", "OmegaBaryon"))
    with h5py.File(path, "r+") as handle:
        header = handle["Header"].attrs
        for name in ("MassTable", "NumPart_ThisFile", "NumPart_Total", "NumPart_Total_HighWord"):
            header[name] = header[name][:2]
        handle.create_group("Parameters").attrs["Omega0"] = 0.25
    snapshot = open_snapshot(path)
    assert snapshot.header.omega_m == 0.25
    assert snapshot.header.omega_b is None
    assert snapshot.count(4) == 0
    assert list(blocks_of(snapshot, 4, 10)) == []
    np.testing.assert_allclose(gather(snapshot, 1)[1], gas["Masses"] * 1e10, rtol=1e-6)


def test_wind_is_not_stars(tmp_path, gas, rng):
    times = rng.choice([-0.5, 0.0, 0.3], 257)
    stars = {**gas, "GFM_StellarFormationTime": times}
    snapshot = open_snapshot(write_snapshot(tmp_path / "s.hdf5", {4: stars}))
    masses = gas["Masses"].astype(float) * 1e10
    for block in (40, 1000):
        np.testing.assert_array_equal(
            gather(snapshot, 4, block, select="stars")[1], masses[times > 0]
        )
        position, mass = gather(snapshot, 4, block, select="wind")
        np.testing.assert_array_equal(mass, masses[times <= 0])
        np.testing.assert_allclose(position, gas["Coordinates"][times <= 0] / 1e3)
    plain = open_snapshot(write_snapshot(tmp_path / "p.hdf5", {4: gas}))
    assert len(gather(plain, 4, select="stars")[1]) == 257
    assert list(blocks_of(plain, 4, select="wind")) == []


def test_a_family_is_one_snapshot(tmp_path, gas):
    first = write_family(tmp_path, gas, [100, 100, 220])
    whole = open_snapshot(write_snapshot(tmp_path / "whole.hdf5", {0: gas}))
    expected = gather(whole, 0)
    for path in (first, tmp_path / "snap_099.2.hdf5", tmp_path / "snap_099.hdf5"):
        for got, want in zip(gather(open_snapshot(path), 0, 64), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_missing_file_of_the_family_is_named(tmp_path, gas):
    first = write_family(tmp_path, gas, [100, 100, 220])
    (tmp_path / "snap_099.2.hdf5").unlink()
    with pytest.raises(DataError, match=r"snap_099\.2\.hdf5: expected all 4 files"):
        open_snapshot(first)


def test_a_family_needs_numbered_names(tmp_path, gas):
    with pytest.raises(DataError, match=r"such as snap\.0\.hdf5"):
        open_snapshot(write_snapshot(tmp_path / "snap.hdf5", {0: gas}, n_files=3))


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_snapshot(tmp_path / "s.hdf5")


@pytest.mark.parametrize("keep", [10, 3000, 0.9])
def test_a_truncated_file(tmp_path, gas, keep):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    content = path.read_bytes()
    path.write_bytes(content[: keep if keep > 1 else int(keep * len(content))])
    with pytest.raises(DataError, match="truncated"):
        open_snapshot(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.pop("PartType0/Coordinates"), "PartType0/Coordinates: expected a dataset"),
        (lambda h: h.pop("PartType0/Masses"), "PartType0/Masses.*MassTable"),
        (lambda h: h.pop("PartType0"), "a group with 257 particles"),
    ],
)
def test_damaged_particles(tmp_path, gas, change, message):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    damage(path, change)
    snapshot = open_snapshot(path)
    with pytest.raises(DataError, match=message):
        gather(snapshot, 0, 100)


def test_a_dataset_of_another_length(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {0: {**gas, "Masses": gas["Masses"][:-1]}})
    with pytest.raises(DataError, match=r"shape \(257,\) \(NumPart_ThisFile\), got \(256,\)"):
        gather(open_snapshot(path), 0)


def test_damaged_compressed_data(tmp_path, gas):
    path = write_snapshot(tmp_path / "s.hdf5", {0: gas})
    with h5py.File(path, "r+") as handle:
        del handle["PartType0/Coordinates"]
        handle.create_dataset(
            "PartType0/Coordinates", data=gas["Coordinates"], compression="gzip", fletcher32=True
        )
        offset = handle["PartType0/Coordinates"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"Coordinates: expected a readable HDF5 file, got .*damaged"
    ):
        gather(open_snapshot(path), 0)


def test_real_snapshot_with_missing_files(realdata):
    with pytest.raises(DataError, match=r"snap_2332\.1\.hdf5.*8 missing"):
        open_snapshot(realdata / "tng50-4_subbox0_snap2332" / "snap_2332.0.hdf5")


def complete(paths, folder):
    """Copies of ``paths`` as a snapshot of that many files whose totals fit."""
    targets = [folder / f"snap.{i}.hdf5" for i in range(len(paths))]
    counts = []
    for path, target in zip(paths, targets, strict=True):
        target.write_bytes(path.read_bytes())
        with h5py.File(target) as handle:
            counts.append(handle["Header"].attrs["NumPart_ThisFile"])
    total = np.sum(counts, axis=0)
    for target in targets:
        with h5py.File(target, "r+") as handle:
            handle["Header"].attrs["NumFilesPerSnapshot"] = len(paths)
            handle["Header"].attrs["NumPart_Total"] = total
    return open_snapshot(targets[0]), total


def test_real_particles(realdata, tmp_path):
    source = realdata / "tng50-4_subbox0_snap2332"
    paths = [source / f"snap_2332.{i}.hdf5" for i in (0, 2, 8)]
    snapshot, total = complete(paths, tmp_path)
    assert list(total) == [42, 55, 0, 41, 0, 0]
    assert [sum(counts) for counts in snapshot.chunk_counts].count(0) == 1
    with h5py.File(paths[0]) as first, h5py.File(paths[2]) as last:
        dark_matter = first["Header"].attrs["MassTable"][1] * 1e10
        parts = [handle["PartType0/Masses"][:].astype(float) * 1e10 for handle in (first, last)]
        places = [handle["PartType0/Coordinates"][:] / 1e3 for handle in (first, last)]
    position, mass = gather(snapshot, 0)
    np.testing.assert_allclose(mass, np.concatenate(parts), rtol=1e-6)
    np.testing.assert_allclose(position, np.concatenate(places), rtol=1e-6)
    np.testing.assert_allclose(gather(snapshot, 1)[1], np.full(55, dark_matter), rtol=1e-12)
    assert next(blocks_of(snapshot, 1)).position.dtype == np.float64


def test_more_real_particles(larger_realdata, tmp_path):
    """A region that is complete holds the cosmic share of baryons."""
    source = larger_realdata / "tng50-4_subbox0_snap2332"
    with pytest.raises(DataError, match=r"snap_2332\.7\.hdf5.*1 missing"):
        open_snapshot(source / "snap_2332.0.hdf5")
    paths = [source / f"snap_2332.{i}.hdf5" for i in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10)]
    snapshot, total = complete(paths, tmp_path)
    # files 2 and 8 of the ten (2 and 9 of the release) hold nothing at all
    assert [sum(counts) for counts in snapshot.chunk_counts].count(0) == 2
    share = {}
    for kind, number in (("gas", 0), ("dm", 1), ("stars", 4)):
        position, mass = gather(snapshot, number, 4096)
        assert len(mass) == total[number]
        share[kind] = mass[(position[:, 0] > 26.25) & (position[:, 0] < 28.0)].sum()
    baryons = share["gas"] + share["stars"]
    assert baryons / (baryons + share["dm"]) == pytest.approx(0.157, abs=0.01)
