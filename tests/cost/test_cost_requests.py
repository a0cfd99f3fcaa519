"""What jobs ask for: against what networks and arrays are, and growing with the config."""

from functools import partial
from pathlib import Path

import pytest
from arrays import small

from emulator.config import SamplingConfig, blocks_of, parse_config, read_config
from emulator.cost.network import network_cost
from emulator.cost.requests import DAY, requests
from emulator.cost.sizes import ensemble_bytes, projection_bytes
from emulator.model.build import build_backbone, interface_of
from emulator.networks.summary import blank_inputs, summarise
from emulator.projection.deposit import mesh_side, padded_shape
from emulator.suites import suite_of

ROOT = Path(__file__).parents[2]
CONFIGS = {
    **{name: read_config(ROOT / f"configs/{name}.yaml") for name in ("test", "demo", "standard")},
    "camels": read_config(ROOT / "configs/camels_tng_sb35.yaml"),
    "dit": parse_config(
        {
            "name": "a",
            "data": {"window": 64, "n_pixels": 256},
            "model": {"network": {"kind": "dit", "width": 384, "depth": 6, "heads": 6}},
        }
    ),
    "per_field": parse_config({"name": "a", "model": {"network": {"per_field": True}}}),
}


def counted(config):
    """The same, counted on the network itself."""
    network, window = config.model.network, config.data.window
    n_context, n_params = len(config.data.context_factors), len(config.model.params)
    interface = interface_of(config.channels, n_context, n_params, config.diffusion)
    built = build_backbone(network, interface)
    inputs = partial(blank_inputs, interface, (window, window))
    return summarise(built, inputs, autocast=config.training.precision == "bf16")


@pytest.mark.parametrize("name", CONFIGS)
def test_networks_cost_about_what_is_counted_on_them(name):
    estimate, exact = network_cost(CONFIGS[name]), counted(CONFIGS[name])
    assert 0.7 < estimate.n_weights / exact.n_parameters < 1.4
    assert 0.7 < estimate.forward_flop / exact.forward_flop < 1.4
    assert 0.6 < estimate.activation_bytes / exact.activation_bytes < 2.0


def test_sizes_of_arrays_are_those_of_the_code():
    data = CONFIGS["camels"].data
    rows = padded_shape(3 * data.slabs, data.n_pixels)
    grids = 2 * 8 * rows[0] * rows[1] * rows[2]
    assert grids <= projection_bytes(data) < 3 * grids + 2e8
    assert mesh_side(10**9) == 256
    assert suite_of(CONFIGS["camels"]).maps_bytes(CONFIGS["camels"].data) == pytest.approx(
        55e6, rel=0.05
    )  # as the preset says


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("simulate", {"suite": {"n_particles": 128, "mesh": 256}}),
        ("simulate", {"suite": {"n_steps": 4000}}),
        ("simulate", {"blocks": {"runs": 400}}),
        ("project", {"data": {"n_pixels": 2048}}),
        ("fit", {"data": {"n_pixels": 2048}}),
        ("train", {"suite": {"design": {"sb_runs": 9000}}}),
        ("train", {"model": {"network": {"widths": [512, 1024], "blocks": 3}}}),
        ("train", {"training": {"max_steps": 5_000_000}}),
        ("sample", {"sampling": {"n_members": 5000}}),
        ("sample", {"training": {"seeds": list(range(500))}}),
        ("tune", {"sampling": {"solver": {"windows": 100_000}}}),
        ("tune", {"sampling": {"solver": {"evaluations": [60, 64]}, "guidance_scale": 2.0}}),
        ("calibrate", {"calibration": {"windows": 100_000}}),
        ("calibrate", {"calibration": {"rounds": 90}, "sampling": {"guidance_scale": 2.0}}),
        ("audit", {"audits": {"boxes": 40_000}}),
        ("audit", {"audits": {"windows": 100_000, "members": 40}}),
        ("validate", {"sampling": {"windows_per_simulation": 500}}),
    ],
)
def test_more_work_asks_for_more(stage, change):
    raw = CONFIGS["demo"].model_dump(mode="json")
    raw["calibration"]["enabled"] = stage == "calibrate"
    if stage == "tune":
        auto = SamplingConfig(solver="auto").model_dump(mode="json")
        raw["sampling"] = auto | {"solver": auto["solver"] | {"windows": 50_000}}
    more = parse_config(_merge(raw, change))
    before, after = (asked(config)[stage] for config in (parse_config(raw), more))
    assert after.memory_mb > before.memory_mb or after.minutes > before.minutes


def asked(config):
    suite = suite_of(config)
    if not suite.is_simulated:  # there are no files here that could say who shares phases
        suite.runs = {name: (name,) for name in suite.simulations}
    return requests(config, suite)


def _merge(base, change):
    if not isinstance(change, dict):
        return change
    return base | {key: _merge(base[key], value) for key, value in change.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_no_job_asks_for_more_than_a_day_or_for_nothing(name):
    for request in asked(CONFIGS[name]).values():
        assert 10 <= request.minutes <= DAY
        assert 400 <= request.memory_mb < 100_000


def test_windows_on_disk_need_no_memory_for_the_suite():
    config = CONFIGS["camels"]
    cached = config.model_copy(
        update={"training": config.training.model_copy(update={"cache": "memory"})}
    )
    disk, memory = (asked(c)["train"].memory_mb for c in (config, cached))
    maps = suite_of(config).maps_bytes(config.data)
    assert memory - disk == pytest.approx(1.2 * 1024 * maps / 1e6, rel=0.01)


def test_ensembles_are_as_large_as_their_members():
    config = CONFIGS["demo"]
    fields = 12 * 8 * 3 * 32**2 * 4
    assert fields < ensemble_bytes(config) < 1.4 * fields


def test_blocks_cut_names_in_order():
    assert blocks_of(["a", "b", "c"], 1) == {"a": ("a",), "b": ("b",), "c": ("c",)}
    assert blocks_of(["a", "b", "c"], 2) == {"a-b": ("a", "b"), "c": ("c",)}
    assert blocks_of([], 3) == {}


def test_what_arrays_ask_for_follows_from_their_shape(tmp_path):
    """A rectangle of twice the pixels costs twice the arithmetic and twice the ensemble."""
    one, two = (
        parse_config(small(data={"shape": [8, columns]}, suite={"root": str(tmp_path)}))
        for columns in (8, 16)
    )
    assert projection_bytes(one.data) == 0.0
    assert network_cost(two).forward_flop == pytest.approx(2 * network_cost(one).forward_flop)
    assert ensemble_bytes(two) == 2 * ensemble_bytes(one)
    suite = suite_of(one)
    assert suite.maps_bytes(one.data, {"rows": 5}) == 5 * 2 * 64 * 4
    assert {"project", "fit", "train", "sample", "audit", "validate", "report"} <= set(
        requests(one, suite)
    )
