"""What painting asks for: the windows of the painter, and more for more work."""

from pathlib import Path

import pytest

from emulator.config import parse_config, read_config
from emulator.cost.network import network_cost
from emulator.cost.painting import paint_request, painting_flop, windows_of_box
from emulator.sampling.painting.tiles import Tiles

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
