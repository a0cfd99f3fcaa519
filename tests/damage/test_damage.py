"""Damaged files of every kind: a message that names the file, no traceback, no other values.

Each kind of file that this project writes is damaged in many ways and read as its stage reads it. A
damaged file is refused, whatever the damage. Files of others bear no checksum: of them it is asked
that what cannot be read is refused by name, too.

``EMULATOR_DAMAGES`` is the number of damaged copies of each kind.
"""

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import fabricated
import numpy as np
import pytest
from data_samples import write_catalogue, write_snapshot
from tiny import run
from window_files import make_sample

from emulator.config import DesignConfig, EmbeddedSuite, SamplingConfig, Setting, read_config
from emulator.data.maps import read_maps
from emulator.data.splits import read_splits
from emulator.io import EmulatorError, open_arrays, read_dataset, read_json
from emulator.manifest import check_manifest, write_manifest
from emulator.model.bundle import read_bundle
from emulator.model.calibration import Calibration, Occupied, Spread, read_calibration
from emulator.model.found_solver import FoundSolver, Measured, read_found
from emulator.model.normalisation import Normalisation
from emulator.model.validated import JudgedBar, Validated, read_validated
from emulator.projection.blocks import parts_of, read_blocks
from emulator.readers.catalogs import read_halos
from emulator.readers.headers import Header
from emulator.readers.parameter_table import read_table
from emulator.readers.parameters import parameters_of, read_ranges
from emulator.readers.snapshots import open_snapshot
from emulator.report.inputs import read_history
from emulator.simulate.simulate import simulate_run, write_tables
from emulator.suites.window_files import read_window, write_window
from emulator.training.state import last_state
from emulator.validation.evaluate import read_ensemble

COPIES = int(os.environ.get("EMULATOR_DAMAGES", "12"))
SUITE = EmbeddedSuite(
    n_particles=8, mesh=16, n_steps=3, design=DesignConfig(sb_runs=0, cv_runs=1, be_draws=0)
)


def flip(content, rng):
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)


def overwrite(content, rng):
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    end = min(start + length, len(content))
    content[start:end] = rng.bytes(end - start)


def blank(content, rng):
    start = int(rng.integers(len(content)))
    end = min(start + int(rng.integers(1, 5000)), len(content))
    content[start:end] = bytes(end - start)


def truncate(content, rng):
    del content[int(rng.integers(len(content))) :]


def lengthen(content, rng):
    content += rng.bytes(int(rng.integers(1, 100)))


DAMAGES = (flip, flip, flip, overwrite, blank, truncate, lengthen)


def read_particles(path):
    snapshot = open_snapshot(path)
    for kind in range(6):
        for part in parts_of(snapshot, kind):
            for _ in read_blocks(part, 1000):
                pass


def write_solver(folder):
    """What was found for the weights ``w``."""
    setting = Setting(solver="unipc3", n_steps=8)
    row = Measured(setting=setting, spectrum_error={"gas": 0.01}, ms_per_member=1.0,
                   spectrum_noise={"gas": 0.001}, crps_change={"gas": -0.002})  # fmt: skip
    FoundSolver(
        weights_sha256="w", sampling=SamplingConfig(**dict(setting)), within_budget=True,
        spectrum_budget=0.01, crps_budget=0.01, k_min_hmpc=1.0, k_max_hmpc=8.0,
        reference=Setting(solver="unipc3", n_steps=128), simulations=("SB_1",), windows=4,
        members=2, device="cpu", table=(row,),
    ).write(folder)  # fmt: skip
    return folder / "solver.json"


def write_calibration(folder):
    """A calibration of the weights ``w``."""
    Calibration(
        weights_sha256="w", fields=("gas", "stars", "stars"), noise_scale=(1.1, 0.9, 0.9),
        shift=(0.0, 0.2, 0.0), sampling=SamplingConfig(), simulations=("SB_1",), windows=4,
        members=2, spread=(Spread(field="gas", side=1, before=0.9, after=1.0),),
        occupied={"stars": Occupied(truth=0.1, before=0.2, after=0.1)},
    ).write(folder)  # fmt: skip
    return folder / "calibration.json"


def write_verdict(folder):
    """A verdict on the weights ``w``."""
    Validated(
        weights_sha256="w", sampling=SamplingConfig(), calibration=None, split="test",
        simulations=("CV_0",), runs=1, models=1, members=4, windows=2, commit="",
        data={"maps": "0" * 64},
        bars=(JudgedBar(name="CRPS gain, gas", field="gas", statistic="crps_gain", value=0.1,
                        comparison=">=", threshold=0.02, verdict="met"),),
    ).write(folder)  # fmt: skip
    return folder / "validated.json"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One sound file of each kind, and how it is read: name -> (path, reader)."""
    root = tmp_path_factory.mktemp("sound")
    ensembles, maps_dir, _ = fabricated.write_suite(root / "suite", n_cv=1, n_windows=2, n_draws=0)
    run(maps_dir, root / "train")
    (state,) = (root / "train/state").glob("*/state.ckpt")
    model = root / "train/model"
    write_manifest(root / "manifest.json", [ensembles[0]])
    write_tables(SUITE, root / "raw")
    dmo, catalogue, hydro = simulate_run(SUITE, "CV0", root / "raw")
    write_window(root / "window.npz", make_sample())
    from emulator.io import write_json

    write_json(root / "splits.json", {"train": ["SB_0"], "validation": ["SB_1"], "test": ["CV_0"]})
    (root / "card").mkdir()
    shutil.copy(model / "weights.safetensors", root / "card")
    shutil.copy(model / "model.json", root / "card")
    (root / "state").mkdir()
    shutil.copy(state, root / "state/state.ckpt")
    Normalisation.parse(read_json(model / "model.json")["normalisation"], "card").write(
        root / "normalisation.json"
    )
    return {
        "maps": (maps_dir / "SB_0.h5", read_maps),
        "lazy maps": (maps_dir / "SB_0.h5", partial(read_maps, lazy=True)),
        "ensemble": (ensembles[0], read_ensemble),
        "dataset": (ensembles[0], read_dataset),
        "normalisation": (root / "normalisation.json", Normalisation.read),
        "splits": (root / "splits.json", read_splits),
        "manifest": (root / "manifest.json", check_manifest),
        "card": (root / "card/model.json", lambda path: read_bundle(path.parent)),
        "solver": (write_solver(root / "card"), lambda path: read_found(path.parent, "w")),
        "calibration": (
            write_calibration(root / "card"),
            lambda path: read_calibration(path.parent, "w"),
        ),
        # after these two, which remove it
        "verdict": (write_verdict(root / "card"), lambda path: read_validated(path.parent, "w")),
        "weights": (root / "card/weights.safetensors", lambda path: read_bundle(path.parent)),
        "state": (root / "state/state.ckpt", last_state),
        "snapshot": (hydro, read_particles),
        "twin": (dmo, read_particles),
        "catalogue": (catalogue, read_halos),
        "window": (root / "window.npz", read_window),
    }


def damaged(path, folder, number):
    """A copy of a file, in a folder with its siblings' copies, damaged in the way of its number."""
    folder.mkdir()
    for sibling in path.parent.iterdir():
        if sibling.is_file():
            shutil.copy(sibling, folder)
    rng = np.random.default_rng([7, number])
    content = bytearray(path.read_bytes())
    DAMAGES[number % len(DAMAGES)](content, rng)
    copy = folder / path.name
    copy.write_bytes(content)
    return copy, bytes(content) != path.read_bytes()


KINDS = (
    "maps", "lazy maps", "ensemble", "dataset", "normalisation", "splits", "manifest", "card",
    "weights", "solver", "calibration", "verdict", "state", "snapshot", "twin", "catalogue",
    "window",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_passes_and_none_breaks(files, tmp_path, kind):
    path, read = files[kind]
    read(path)
    silent, unnamed = [], []
    for number in range(COPIES):
        copy, changed = damaged(path, tmp_path / str(number), number)
        said = attempt(read, copy)
        if changed and not said and not is_harmless(kind, copy, path):
            silent.append(number)
        if said and copy.name not in said:
            unnamed.append(said)
    assert (silent, unnamed) == ([], [])


def attempt(read, path):
    """What a reader says of a file: nothing, or its message; anything else is raised."""
    try:
        read(path)
    except EmulatorError as error:
        return str(error)
    return ""


def is_harmless(kind, copy, path):
    """A zip archive has bytes that mean nothing; what is in it is checked by its own sums."""
    if kind != "window":
        return False
    return all(map(np.array_equal, read_window(copy), read_window(path)))


# ----------------------------------------------------------------------------- files of others


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("foreign"), np.random.default_rng(1)
    position = rng.uniform(0, 25_000, (200, 3))
    gas = {"Coordinates": position, "Masses": np.ones(200)}
    snapshot = write_snapshot(root / "s.hdf5", {0: gas, 1: gas, 4: gas})
    catalogue = write_catalogue(root / "g.hdf5", position[:20], np.ones(20), np.ones(20))
    texts = {
        "table": "#Name Omega_m sigma_8 seed\nLH_0 0.3 0.8 1\nLH_1 0.31 0.81 2\n",
        "ranges": "ParamName,MinVal,MaxVal,FiducialVal,LogFlag\nOmega_m,0.1,0.5,0.3,0\n",
        "rockstar": "#ID M200c X Y Z PID\n#a = 1.0\n#Box size: 25.0 Mpc/h\n1 1e12 1 2 3 -1\n",
        "config": (Path(__file__).parents[2] / "configs/test.yaml").read_text(),
        "history": "step,train_loss\n10,0.5\n20,0.4\n",
    }
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
    np.save(root / "maps.npy", np.ones((4, 16, 16), np.float32))
    header = Header(25.0, 0.0, 0.3, 0.049, 0.6711, None, (), 1e-3, 1e10)
    readers = {
        "table": read_parameters,
        "ranges": read_ranges,
        "rockstar": partial(read_halos, header=header),
        "config": read_config,
        "history": read_history,
    }
    found = {name: (root / f"{name}.txt", read) for name, read in readers.items()}
    return found | {
        "snapshot": (snapshot, read_particles),
        "catalogue": (catalogue, read_halos),
        "maps": (root / "maps.npy", read_maps_of_others),
    }


def read_parameters(path):
    parameters_of(read_table(path), "LH_1")


def read_maps_of_others(path):
    with open_arrays(path, mmap_mode="r") as array:
        np.asarray(array).sum()


OTHERS = (
    "snapshot", "catalogue", "maps", "table", "ranges", "rockstar", "config", "history",
)  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_files_of_others_are_refused_by_name_or_read(foreign, tmp_path, kind):
    """In a process of its own: HDF5 might crash, or never come back."""
    path, read = foreign[kind]
    refused = 0
    with ProcessPoolExecutor(1) as pool:
        for number in range(4 * COPIES):
            copy, _ = damaged(path, tmp_path / str(number), number)
            try:
                said = pool.submit(attempt, read, copy).result(timeout=60)
            except BrokenProcessPool as crash:
                raise AssertionError(f"crashed on {copy}, damage {number}") from crash
            assert not said or copy.name in said
            assert "Remove it" not in said
            refused += bool(said)
    assert refused
