"""`emulator.sample`: the model that a variable names, read again only if it changes."""

import os

import numpy as np
import pytest
from untrained import PARAMS, build_emulator, write_untrained

import emulator as package
from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling import loading

OPTIONS = {"centres": [(8, 8)], "n_members": 2, "sampling": SamplingConfig(n_steps=2)}


def test_the_default_model_is_read_once_and_again_after_a_change(
    folder, box, tmp_path, monkeypatch
):
    monkeypatch.setenv("EMULATOR_MODEL", str(tmp_path / "model"))
    models = [build_emulator(folder, seed=seed) for seed in (0, 1)]
    for model in models:
        write_untrained(tmp_path / "model", model)
        expected = model.sample(box, PARAMS, **OPTIONS).fields
        for _ in range(2):
            drawn = package.sample(box, PARAMS, **OPTIONS).fields
            np.testing.assert_allclose(drawn, expected, rtol=1e-3)
        stamp = os.stat(tmp_path / "model/model.json")
        os.utime(tmp_path / "model/model.json", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 10**9))
    assert loading._load_once.cache_info().hits >= 2
    monkeypatch.setenv("EMULATOR_MODEL", str(tmp_path / "none"))
    with pytest.raises(EmulatorError, match=r"none: expected a bundle"):
        package.sample(box, PARAMS, **OPTIONS)
