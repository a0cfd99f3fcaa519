"""The design: ranges, uniqueness, stability, and tables that hold what was run."""

import csv
from pathlib import Path

import numpy as np
import pytest

from emulator.config import ConfigError, DesignConfig, EmbeddedSuite
from emulator.simulate.design import COSMOLOGY, FIDUCIAL, PARAMETERS, build_design
from emulator.simulate.tables import write_tables


def suite(**design: object) -> EmbeddedSuite:
    return EmbeddedSuite(design=DesignConfig(**design), seed=3)


def test_design_names_what_the_config_names() -> None:
    config = suite(sb_runs=3, sb_per_run=2, cv_runs=2, be_draws=2)
    built = build_design(config)
    assert {run: tuple(s.name for s in sims) for run, sims in built.items()} == config.runs()
    for run, simulations in built.items():
        assert {s.run for s in simulations} == {run}
        assert len({s.ic_seed for s in simulations}) == 1
        assert [s.baryon_seed for s in simulations] == [1 + i for i in range(len(simulations))]
        assert len({tuple(s.params[p.name] for p in COSMOLOGY) for s in simulations}) == 1


def test_values_fill_their_ranges_and_differ() -> None:
    built = build_design(suite(sb_runs=64, sb_per_run=2, cv_runs=2, be_draws=1))
    simulations = [s for sims in built.values() for s in sims if s.set == "SB"]
    for parameter in PARAMETERS:
        values = np.array([s.params[parameter.name] for s in simulations])
        scaled = (values - parameter.minimum) / (parameter.maximum - parameter.minimum)
        if parameter.log:
            ratio = parameter.maximum / parameter.minimum
            scaled = np.log(values / parameter.minimum) / np.log(ratio)
        assert scaled.min() >= 0
        assert scaled.max() <= 1
        # A Sobol sequence of 2^m points puts equally many into each eighth.
        counts = np.histogram(scaled, np.linspace(0, 1, 9))[0]
        np.testing.assert_array_equal(counts, len(values) // 8)
    assert len({tuple(s.params.values()) for s in simulations}) == len(simulations)
    assert len({sims[0].ic_seed for sims in built.values()}) == len(built)
    others = [s for sims in built.values() for s in sims if s.set != "SB"]
    assert all(s.params == FIDUCIAL for s in others)


def test_adding_runs_changes_no_other_simulation() -> None:
    small = build_design(suite(sb_runs=3, sb_per_run=2, cv_runs=0))
    large = build_design(suite(sb_runs=9, sb_per_run=2, cv_runs=3, be_draws=2))
    assert all(large[run] == simulations for run, simulations in small.items())
    other = build_design(EmbeddedSuite(design=DesignConfig(sb_runs=3, sb_per_run=2), seed=4))
    assert all(other[run] != simulations for run, simulations in small.items())


def test_tables_hold_the_design(tmp_path: Path) -> None:
    config = suite(sb_runs=2, sb_per_run=6, cv_runs=2, be_draws=1)
    *tables, ranges = write_tables(config, tmp_path)
    built = {s.name: s for sims in build_design(config).values() for s in sims}
    rows = {}
    for table in tables:
        header, *lines = table.read_text().splitlines()
        assert header == "#Name Omega_m sigma_8 A_SN1 A_AGN1 A_SN2 A_AGN2 seed"
        for line in lines:
            name, *values, seed = line.split()
            rows[name] = dict(zip(header.split()[1:-1], map(float, values), strict=True))
            assert int(seed) == built[name].ic_seed
            assert config.path("parameters", tmp_path, name) == table
    assert rows == {name: simulation.params for name, simulation in built.items()}

    with ranges.open() as handle:
        found = {row["ParamName"]: row for row in csv.DictReader(handle)}
    for parameter in PARAMETERS:
        row = found[parameter.name]
        assert float(row["MinVal"]) == parameter.minimum
        assert float(row["MaxVal"]) == parameter.maximum
        assert float(row["FiducialVal"]) == parameter.fiducial
        assert bool(int(row["LogFlag"])) == parameter.log


def test_one_parameter_moves_at_a_time_in_equal_universes() -> None:
    config = suite(sb_runs=0, cv_runs=0, one_p_steps=2, fiducial={"A_AGN1": 2.0})
    built = build_design(config)
    simulations = {s.name: s for sims in built.values() for s in sims}
    assert {run: tuple(s.name for s in sims) for run, sims in built.items()} == config.runs()
    assert len(simulations) == 1 + 4 * len(PARAMETERS)
    fiducial = simulations["1P_p1_0"].params
    assert fiducial == FIDUCIAL | {"A_AGN1": 2.0}
    assert len({(s.ic_seed, s.baryon_seed) for s in simulations.values()}) == 1
    for number, parameter in enumerate(PARAMETERS, start=1):
        values = []
        for step in ("n2", "n1", "1", "2"):
            params = simulations[f"1P_p{number}_{step}"].params
            assert {k for k in params if params[k] != fiducial[k]} == {parameter.name}
            values.append(params[parameter.name])
        assert (values[0], values[-1]) == (parameter.minimum, parameter.maximum)
        middle = fiducial[parameter.name]
        for end, step in ((values[0], values[1]), (values[-1], values[2])):
            expected = np.sqrt(end * middle) if parameter.log else 0.5 * (end + middle)
            np.testing.assert_allclose(step, expected, atol=1e-5)
    # A run shares its cosmology.
    for sims in built.values():
        assert len({tuple(s.params[p.name] for p in COSMOLOGY) for s in sims}) == 1


def test_fiducial_points_outside_the_design_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"A_AGN1: expected .* \[0.25, 4.0\], got 9.0"):
        build_design(suite(fiducial={"A_AGN1": 9.0}))
    with pytest.raises(ConfigError, match="A_BH: no such parameter; there are Omega_m"):
        build_design(suite(fiducial={"A_BH": 1.0}))
