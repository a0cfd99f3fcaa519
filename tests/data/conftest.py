"""Fixtures of the data tests."""

import os
from pathlib import Path

import numpy as np
import pytest
from data_samples import write_tiny_root

from emulator.config import DataConfig, DesignConfig, EmbeddedSuite


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def realdata():
    """Small real files that every clone has (``real/README.md`` names their sources)."""
    return Path(__file__).parent / "real"


@pytest.fixture(scope="session")
def larger_realdata():
    """Folder of larger real files, which a user's clone does not have."""
    default = Path(__file__).parents[3] / "shared" / "realdata"
    folder = Path(os.environ.get("EMULATOR_REALDATA", default))
    if not folder.is_dir():
        pytest.skip(f"no larger real data in {folder} (set EMULATOR_REALDATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_suite():
    """One simulation of 12^3 particles; the files are written by :func:`tiny_root`."""
    return EmbeddedSuite(
        n_particles=12, mesh=12, design=DesignConfig(sb_runs=0, cv_runs=1, be_draws=0)
    )


@pytest.fixture(scope="session")
def tiny_config():
    return DataConfig(n_pixels=32, window=8, context_factors=(2, 4), block_particles=500)


@pytest.fixture
def tiny_root(tmp_path, tiny_suite):
    """Snapshots, catalogue and tables of ``CV_0``, in the layout of the suite."""
    return write_tiny_root(tmp_path / "raw", tiny_suite)
