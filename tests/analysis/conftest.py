import sys
from pathlib import Path

import pytest

# The fabricated suite is shared with the tests of validation.
sys.path.insert(0, str(Path(__file__).parents[1] / "validation"))


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """A results folder with all required files and no optional one, and its maps folder."""
    import fabricated

    from emulator.config import ValidationConfig
    from emulator.validation.evaluate import validate

    root = tmp_path_factory.mktemp("report")
    paths, maps_dir, splits = fabricated.write_suite(root, n_cv=3, n_windows=3, n_draws=0)
    folder = root / "results"
    config = ValidationConfig(k_min_hmpc=2.0, k_max_hmpc=12.0, bars={"spread_skill": (1.9, 2.0)})
    files = (folder / "metrics.nc", folder / "acceptance.json")
    validate(paths, maps_dir, splits, config, *files)
    (folder / "splits.json").unlink()
    return folder, maps_dir


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Results of a calibrated model, and of one that scatters too much and mutes parameters."""
    import trained

    root = tmp_path_factory.mktemp("compare")
    laws = {"right": {}, "wrong": {"scatter": 2.5, "knowing": 0.5}}
    return {
        name: trained.write_results(root / name, trained.evaluated(root / f"of_{name}", **law))
        for name, law in laws.items()
    }


@pytest.fixture(scope="session")
def comparison(folders):
    from emulator.report.compare.comparison import compare

    return compare([folders["right"], folders["wrong"]])
