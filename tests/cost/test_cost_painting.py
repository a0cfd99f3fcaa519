"""What painting asks for: the windows of the painter, and more for more work."""

from pathlib import Path

import pytest
from data_samples import write_tiny_root

from emulator.config import DesignConfig, EmbeddedSuite, parse_config, read_config
from emulator.cost.network import network_cost
from emulator.cost.painting import paint_request, painting_flop, painting_work, windows_of_box
from emulator.cost.predict import predict
from emulator.sampling.painting.tiles import Tiles
from emulator.suites import suite_of

DEMO = read_config(Path(__file__).parents[2] / "configs/demo.yaml")


def painted(**options):
    raw = DEMO.model_dump(mode="json")
    raw["painting"] |= options
    return parse_config(raw)


@pytest.mark.parametrize("overlap", [0.1, 0.5, 0.77])
@pytest.mark.parametrize("n_pixels", [32, 100, 128])
def test_windows_are_those_of_the_painter(overlap, n_pixels):
    window = DEMO.data.window
    stride = max(1, round(window * (1.0 - overlap)))
    tiles = Tiles((n_pixels, n_pixels), window, stride)
    assert windows_of_box(painted(overlap=overlap), n_pixels) == len(tiles.corners)


def test_arithmetic_is_that_of_all_evaluations():
    """64 windows of 20 evaluations, as docs/painting.md says."""
    flop = network_cost(DEMO).forward_flop
    assert painting_flop(DEMO, 128) == 64 * DEMO.sampling.most_steps * flop


@pytest.mark.parametrize(
    ("n_pixels", "options"),
    [(16384, {}), (4096, {"members_per_job": 1000}), (4096, {"overlap": 0.9})],
)
def test_more_work_asks_for_more(n_pixels, options):
    before, after = paint_request(DEMO, 4096), paint_request(painted(**options), n_pixels)
    assert after.memory_mb > before.memory_mb or after.minutes > before.minutes
    assert after.gpus == 1


def test_work_is_that_of_all_members_of_all_maps():
    """Four simulations of three maps, five members of each in three jobs."""
    config = painted(simulations=["CV"], n_members=5, members_per_job=2)
    work = painting_work(config, suite_of(config))
    assert work.jobs == 4 * 3 * 3
    assert work.flop == pytest.approx(4 * 3 * 5 * painting_flop(config, 128))
    assert work.disk_bytes == 4 * 3 * 5 * 4 * 4 * 128**2  # with the condition
    assert painting_work(DEMO, suite_of(DEMO)) is None


def test_targets_cost_their_projection_and_what_paints_them(tmp_path):
    """Nothing that learns; and without a model nothing that paints."""
    made = EmbeddedSuite(n_particles=12, mesh=12, design=DesignConfig(sb_runs=0, cv_runs=1))
    root = write_tiny_root(tmp_path, made)
    kinds = ("dmo_snapshot", "dmo_catalogue", "parameters", "ranges")
    layout = {kind: str(made.path(kind, root, "CV_0")) for kind in kinds}
    suite = {
        "kind": "snapshots", "name": "M", "root": str(root), "sets": {"CV": 1},
        "layout": {**layout, "hydro_snapshot": None},
    }  # fmt: skip
    data = {"n_pixels": 32, "window": 8, "block_particles": 500}
    found = predict(parse_config({"name": "t", "suite": suite, "data": data}), None, gpu_tflops=1.0)
    (project,) = found.stages
    assert (project.stage, project.jobs) == ("project", 1)
    assert project.disk_bytes == 3 * 32**2 * 4 * (1 + 1 / 4 + 1 / 16)
    assert "painting.model is not given" in found.notes[-1]
