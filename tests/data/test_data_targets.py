"""Dark-matter-only runs as targets: their maps are those that pairs have, and nothing else."""

import h5py
import numpy as np
import pytest
from data_samples import write_tiny_root

from emulator.config import SnapshotsSuite
from emulator.data.maps import read_maps
from emulator.io import DataError
from emulator.suites import build_suite
from emulator.suites.mapmaking import project_simulation


@pytest.fixture
def alone(tiny_suite, tiny_root):
    """The same files without the twin."""
    return without_twin(tiny_suite, tiny_root)


def without_twin(tiny_suite, root, **changes):
    kinds = ("dmo_snapshot", "dmo_catalogue", "parameters", "ranges")
    files = {kind: str(tiny_suite.path(kind, root, "CV_0")) for kind in kinds}
    layout = {**files, "hydro_snapshot": None, **changes}
    return SnapshotsSuite(name="Surrogate", root=str(root), sets={"CV": 1}, layout=layout)


def project(suite, root, config, output, **options):
    project_simulation(build_suite(suite, root), config, "CV_0", output, **options)
    return read_maps(output)


def test_maps_are_those_of_the_pair(tmp_path, tiny_suite, tiny_root, tiny_config, alone):
    pair = project(tiny_suite, tiny_root, tiny_config, tmp_path / "pair.h5")
    tiny_suite.path("hydro_snapshot", tiny_root, "CV_0").unlink()
    own = project(alone, tiny_root, tiny_config, tmp_path / "own.h5")
    assert own.species == ("dmo",)
    assert [field.name for field in own.fields] == ["dmo"]
    np.testing.assert_array_equal(own.select(["dmo"]), pair.select(["dmo"]))
    for factor, level in pair.context.items():
        np.testing.assert_array_equal(own.context[factor], level)
    np.testing.assert_array_equal(own.halo_position, pair.halo_position)
    assert own.params == pair.params
    of_box = (
        "box_size_mpch", "pixel_mpch", "depth_mpch", "periodic", "redshift", "hubble_h", "omega_m",
        "omega_b", "deposit", "mass_particles_dmo", "mass_map_dmo", "params", "param_ranges",
        "suite", "set", "simulation", "conventions",
    )  # fmt: skip
    assert {name: own.attrs[name] for name in of_box} == {name: pair.attrs[name] for name in of_box}
    assert not [name for name in own.attrs if name.endswith(("dm_hydro", "gas", "stars"))]
    total = own.select(["dmo"]).sum(axis=(1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(total, own.attrs["mass_particles_dmo"], rtol=1e-6)


def test_slabs_and_no_catalogue(tmp_path, tiny_suite, tiny_root, tiny_config):
    suite = without_twin(tiny_suite, tiny_root, dmo_catalogue=None)
    data = tiny_config.model_copy(update={"slabs": 2})
    maps = project(suite, tiny_root, data, tmp_path / "own.h5", workers=2)
    assert maps.projections == ("x0", "x1", "y0", "y1", "z0", "z1")
    assert build_suite(suite, tiny_root).projections(data) == maps.projections
    assert len(maps.halo_m200c) == 0
    assert build_suite(suite, tiny_root).box_and_depth_mpch(data) == (25.0, 12.5)


def test_nothing_is_learned_from_them(tmp_path, tiny_root, tiny_config, alone):
    maps = project(alone, tiny_root, tiny_config, tmp_path / "own.h5")
    with pytest.raises(DataError, match=r"'gas', got only dmo\. Maps of dark matter alone are pai"):
        maps.select(["gas"])


def test_a_target_is_dark_matter_alone(tmp_path, tiny_suite, tiny_root, tiny_config):
    hydro = str(tiny_suite.path("hydro_snapshot", tiny_root, "CV_0"))
    suite = without_twin(tiny_suite, tiny_root, dmo_snapshot=hydro)
    with pytest.raises(DataError, match=r"dark matter alone, got \d+ particles of gas as well"):
        project(suite, tiny_root, tiny_config, tmp_path / "own.h5")


def test_no_baryons_are_re_drawn_for_it(tmp_path, tiny_root, tiny_config, alone):
    with pytest.raises(DataError, match=r"hydro_snapshot is null: leave --redraw-baryons out"):
        project(alone, tiny_root, tiny_config, tmp_path / "own.h5", redraw=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header: header.__delitem__("OmegaBaryon"), "suite.header.omega_b"),
        (lambda header: header.__setitem__("Omega0", 0.4), "Omega_m"),
        (lambda header: header.__setitem__("BoxSize", 30_000.0), "the matter of the box"),
    ],
)
def test_its_header_is_that_of_its_universe(tmp_path, tiny_suite, tiny_config, change, words):
    root = write_tiny_root(tmp_path / "raw", tiny_suite)
    with h5py.File(tiny_suite.path("dmo_snapshot", root, "CV_0"), "r+") as handle:
        change(handle["Header"].attrs)
    with pytest.raises(DataError, match=words):
        project(without_twin(tiny_suite, root), root, tiny_config, tmp_path / "own.h5")
