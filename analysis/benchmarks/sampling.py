"""Drawing of members: what is not network, a larger box, and a peer's cost with other solvers.

Needs the demo (`make demo`): its model, and the maps of a held-out run. Writes ``sampling.json``
and ``sampling.md``. Ratios are of times taken in turn.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from analysis.benchmarks.gaussian_field import build_field
from analysis.benchmarks.runner import FOLDER
from analysis.benchmarks.solvers import Row, errors
from analysis.benchmarks.tables import INFINITY, Bar, Measurement, to_markdown
from analysis.benchmarks.training.network import inputs
from emulator.config import UNetConfig, maps_file, maps_folder
from emulator.data.maps import read_maps
from emulator.diffusion.solvers import build_solver, build_spacing
from emulator.io import write_json, write_text
from emulator.networks.backbone import Interface
from emulator.networks.unet import UNetVDM
from emulator.sampling.ensemble import Emulator
from emulator.sampling.loading import load_bundle
from emulator.sampling.painting.painter import Painter

MODEL, RUN = Path("results/demo/model/seed_0"), "CV_0"
WINDOWS, REPEATS, SIDE = 16, 3, 256
PEER_STEPS, PEER_GFLOP = 250, 15.4
PEER_COST = UNetConfig(
    patch=2, widths=(80, 128, 160, 192), blocks=2, attention_levels=(3,), heads=8, embedding=256
)
LEAD = """# Drawing members: time and what it buys

Written by `make bench-sampling`, with the demo's model where nothing else is said."""


def main() -> None:
    """Measure, and write the page."""
    model = load_bundle(MODEL, device="cpu")
    with torch.no_grad():
        sections = {
            "sampling": [each.to_json() for each in (_windows(model), _box(model), _peer())]
        }
    write_json(FOLDER / "sampling.json", sections, sealed=False)
    write_text(FOLDER / "sampling.md", to_markdown(sections, LEAD))
    print(FOLDER / "sampling.md")


def _windows(model: Emulator) -> Measurement:
    """A batch of windows from the public call, and the evaluations in it by themselves."""
    maps = read_maps(maps_file(maps_folder("demo"), RUN))
    box, window = maps.select(["dmo"])[0, 0], model.card.matter_grid.window
    params = {name: maps.params[name] for name in model.params}
    places = range(window // 2, len(box), window)
    centres = [(y, x) for y in places for x in places][:WINDOWS]
    options = model.options_for(None)
    evaluations = model.passes(options)

    def draw() -> None:
        model.sample(box, params, centres=centres, n_members=1)

    alone = _network_alone(model, WINDOWS, evaluations)
    member, network = _least(draw, alone)
    return Measurement(
        "Windows",
        f"{WINDOWS} windows of {window} x {window} pixels in one batch, one member each, "
        f"{evaluations} evaluations ({options.solver.name}), {torch.get_num_threads()} threads; "
        f"from a map to labelled fields. Least of {REPEATS}, in turn with the network alone.",
        [Bar("`sample` over the network alone", member / network, -INFINITY, 1.05)],
        ["", "ms a member"],
        [
            ["`sample`", f"{1e3 * member / WINDOWS:.1f}"],
            ["the network alone", f"{1e3 * network / WINDOWS:.1f}"],
        ],
    )


def _box(model: Emulator) -> Measurement:
    """A member of a larger box: the demo's map repeated, which is periodic as well."""
    maps = read_maps(maps_file(maps_folder("demo"), RUN))
    box = maps.select(["dmo"])[0, 0]
    large = np.tile(box, (SIDE // len(box),) * 2)
    painter = Painter(model, large, {name: maps.params[name] for name in model.params})
    batch = 32
    painter.options = painter.options.model_copy(update={"batch_size": batch})
    alone = _network_alone(model, batch, round(painter.passes / batch))
    member, network = _least(lambda: painter.draw(0), alone)
    return Measurement(
        "A box",
        f"A member of a box of {SIDE} x {SIDE} pixels: {painter.passes} windows in all "
        f"evaluations, {torch.get_num_threads()} threads. Least of {REPEATS}, in turn with the "
        "network alone.",
        [
            Bar(f"a member of {SIDE} x {SIDE} pixels [s]", member, 0.0, 60.0),
            Bar("time over that of the network alone", member / network, -INFINITY, 1.10),
        ],
        ["", "seconds"],
        [["a member", f"{member:.2f}"], ["the network alone", f"{network:.2f}"]],
    )


def _peer() -> Measurement:
    """The same arithmetic an evaluation; 250 ancestral steps in fp32 beside what we take."""
    network = UNetVDM(PEER_COST, Interface(4, 3, 35)).requires_grad_(False).eval()
    given = inputs(1)
    with FlopCounterMode(display=False) as counter:
        network(*given)
    gflop = counter.get_total_flops() / 1e9

    def single() -> None:
        network(*given)

    def mixed() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network(*given)

    single()
    mixed()
    fp32, bf16 = _least(single, mixed)
    exact = build_field()
    # the defaults of the section `sampling`
    solver, evaluations = "unipc3", 20
    settings = [
        (f"ancestral, {PEER_STEPS}, fp32", Row("", build_solver("ancestral")), PEER_STEPS, fp32),
        (
            f"{solver}, {evaluations}, bf16 (default)",
            Row("", build_solver(solver)), evaluations, bf16,
        ),
        (
            "abm2 with its logistic grid, 16, bf16",
            Row("", build_solver("abm2"), build_spacing("logistic")), 16, bf16,
        ),
    ]  # fmt: skip
    costs = [n * seconds for _, _, n, seconds in settings]
    wrong = [float(errors(exact, row, (n,))[0]) for _, row, n, _ in settings]
    return Measurement(
        "A network of a peer's cost",
        f"A window of 128 x 128 pixels, our network at {gflop:.1f} GFLOP an evaluation (a peer's "
        f"takes {PEER_GFLOP}), {torch.get_num_threads()} threads: seconds are evaluations times "
        f"the least of {REPEATS} times of one, both precisions in turn. The error is that of P(k) "
        "on a Gaussian field whose answer is known (docs/solvers.md), so it is the solver's alone.",
        [
            Bar("GFLOP an evaluation", gflop, 0.95 * PEER_GFLOP, 1.05 * PEER_GFLOP),
            Bar("ancestral over the default: time", costs[0] / costs[1], 20.0, INFINITY),
            Bar("ancestral over the default: error of P(k)", wrong[0] / wrong[1], 1.0, INFINITY),
        ],
        ["solver, evaluations, precision", "seconds a member", "error of P(k) [%]"],
        [
            [label, f"{cost:.1f}", f"{100 * error:.2f}"]
            for (label, *_), cost, error in zip(settings, costs, wrong, strict=True)
        ],
    )


def _network_alone(model: Emulator, batch: int, evaluations: int) -> Callable[[], None]:
    """Evaluations of the network on windows that are encoded already."""
    window, condition = (
        model.card.matter_grid.window,
        1 + len(model.card.normalisation.context_factors),
    )
    n_params = len(model.params)
    z = torch.randn(batch, model.sampler.noise_channels, window, window)
    given = (
        torch.randn(batch, condition, window, window),
        torch.zeros(batch, n_params), torch.ones(batch, n_params),
    )  # fmt: skip

    def run() -> None:
        for _ in range(evaluations):
            model._autocast(z, torch.zeros(batch), *given)

    return run


def _least(*runs: Callable[[], object]) -> list[float]:
    """Least seconds of each, run in turn."""
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(REPEATS):
        for times, run in zip(found, runs, strict=True):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
    return [min(times) for times in found]


if __name__ == "__main__":
    main()
