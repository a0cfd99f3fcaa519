"""Painting of a whole box: seams, power beside other ways to one, time, and memory.

Needs the demo (`make demo`): its model, and the maps of two held-out runs. Writes ``painting.json``
and ``painting.md``.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from analysis.benchmarks.painting_modes import (
    PaintedBox,
    measure_large_scales,
    measure_modes,
    paste_box,
)
from analysis.benchmarks.runner import FOLDER
from analysis.benchmarks.tables import INFINITY, Bar, Measurement, to_markdown
from emulator.config import maps_file, maps_folder
from emulator.data.maps import Maps, read_maps
from emulator.io import write_json, write_text
from emulator.metrics.power_spectrum import power_spectrum
from emulator.sampling.batches import MOST
from emulator.sampling.ensemble import Emulator
from emulator.sampling.loading import load_bundle
from emulator.sampling.painting.network import windows_at_once
from emulator.sampling.painting.painter import Painter

MODEL = Path("results/demo/model/seed_0")
RUNS, AXES, MEMBERS = ("CV_0", "CV_1"), ("x", "z"), 4
FLOOR = 1.0e8
LEAD = """# Painting: whole boxes

Written by `make bench-painting` with the demo's model, on boxes of two held-out runs along two
axes."""


def main() -> None:
    """Measure, and write the page."""
    model = load_bundle(MODEL, device="cpu")
    found = [_box(model, run, axis) for run in RUNS for axis in AXES]
    measured = [
        _seams(model, found), measure_modes(model, found), measure_large_scales(model, found),
        _times(model), _memory(),
    ]  # fmt: skip
    sections = {"painting": [each.to_json() for each in measured]}
    write_json(FOLDER / "painting.json", sections, sealed=False)
    write_text(FOLDER / "painting.md", to_markdown(sections, LEAD))
    print(FOLDER / "painting.md")


def _box(model: Emulator, run: str, axis: str) -> PaintedBox:
    path = maps_file(maps_folder("demo"), run)
    maps = read_maps(path)
    painted = model.paint(path, projection=axis, n_members=MEMBERS)["fields"].values
    number = maps.projections.index(axis)
    truth = maps.select(model.channels)[number]
    pasted, oracle = paste_box(model, path, maps, axis, truth, MEMBERS)
    dmo = maps.select(["dmo"])[number, 0]
    return PaintedBox(dmo, truth, painted, _tiled(model, maps, number), pasted, oracle)


def _tiled(model: Emulator, maps: Maps, number: int) -> np.ndarray:
    """Windows drawn one by one and put side by side, ``(member, channel, y, x)``."""
    window, n = model.card.matter_grid.window, maps.n_pixels
    corners = [(y, x) for y in range(0, n, window) for x in range(0, n, window)]
    box = maps.select(["dmo"])[number, 0]
    centres = [(y + window // 2, x + window // 2) for y, x in corners]
    params = {name: maps.params[name] for name in model.params}
    drawn = model.sample(box, params, centres=centres, n_members=MEMBERS)["fields"].values
    whole = np.empty((MEMBERS, len(model.channels), n, n), np.float32)
    for (y, x), members in zip(corners, drawn, strict=True):
        whole[..., y : y + window, x : x + window] = members
    return whole


def _step_ratio(fields: np.ndarray, stride: int) -> np.ndarray:
    """Mean step of ln(mass) across multiples of ``stride`` over that elsewhere, by channel."""
    logs, ratios = np.log(fields.astype(np.float64) + FLOOR), []
    for axis in (-2, -1):
        steps = np.abs(logs - np.roll(logs, 1, axis=axis))
        others = tuple(i for i in range(steps.ndim) if i not in (steps.ndim - 3, steps.ndim + axis))
        by_place = steps.mean(axis=others)
        border = np.arange(by_place.shape[-1]) % stride == 0
        ratios.append(by_place[:, border].mean(1) / by_place[:, ~border].mean(1))
    ratio: np.ndarray = np.mean(ratios, axis=0)
    return ratio


def _power(fields: np.ndarray, pixel_mpch: float) -> xr.DataArray:
    array = xr.DataArray(fields.astype(np.float64), dims=("member", "channel", "y", "x"))
    return power_spectrum(array / array.mean(("y", "x")), pixel_mpch=pixel_mpch).mean("member")


def _seams(model: Emulator, boxes: list[PaintedBox]) -> Measurement:
    pixel, window = model.card.matter_grid.pixel_mpch, model.card.matter_grid.window
    steps = {
        name: np.mean([_step_ratio(getattr(box, name), window) for box in boxes], axis=0)
        for name in ("blend", "tiled", "truth")
    }
    spectra = [[_power(each, pixel) for each in (box.blend, box.tiled)] for box in boxes]
    ones, others = (xr.concat(part, "box").sum("box") for part in zip(*spectra, strict=True))
    ratio: xr.DataArray = ones / others
    masses = [box.blend.mean((0, 2, 3)) / box.truth.mean((1, 2)) for box in boxes]
    rows, bars = [], []
    for i, name in enumerate(model.channels):
        large = ratio.isel(channel=i).where(ratio.k < 1.0, drop=True)
        middle = ratio.isel(channel=i).where((ratio.k >= 1.0) & (ratio.k <= 8.0), drop=True)
        rows.append(
            [
                name,
                *(f"{steps[kind][i]:.3f}" for kind in ("blend", "tiled", "truth")),
                f"{float(large.min()):.3f} to {float(large.max()):.3f}",
                f"{float(middle.min()):.3f} to {float(middle.max()):.3f}",
                f"{np.mean([mass[i] for mass in masses]):.4f}",
            ]
        )
        if i < 2:
            apart = abs(steps["blend"][i] - steps["truth"][i])
            bars.append(Bar(f"steps across borders, painted - truth, {name}", apart, 0.0, 0.02))
    return Measurement(
        "Seams and power",
        "Step of ln(mass + 1e8) across borders of windows (every 32 pixels) over that elsewhere: "
        "painted, of windows drawn one by one and put side by side, and of the truth itself. P(k) "
        "of painted members over that of windows side by side, by range of k [h/Mpc]. "
        f"{len(boxes)} boxes, {MEMBERS} members.",
        bars,
        [
            "field",
            "step, painted",
            "side by side",
            "truth",
            "P, k < 1",
            "P, 1 to 8",
            "mass / truth",
        ],
        rows,
    )


def _times(model: Emulator) -> Measurement:
    """A member, and the passes of the network in it by themselves."""
    painter = Painter(model, maps_file(maps_folder("demo"), RUNS[0]), projection="z")
    painter.draw(0)
    box, tiles = painter.box, painter.box.tiles
    at_once = windows_at_once(MOST, tiles.window, model.device)
    n_windows = min(at_once, len(tiles.corners))
    condition = model.transform.encode(box.condition.repeat(n_windows))
    fields = model.transform.encode_layers(box.cut(range(n_windows)))
    given = condition._replace(fields=fields)
    z = torch.randn(len(given.fields), model.sampler.noise_channels, tiles.window, tiles.window)
    gamma = torch.zeros(len(z))
    batches = painter.passes / len(z)
    members, alone = [], []
    with torch.no_grad():
        for _ in range(3):  # in turn, so that both see the same machine
            began = time.perf_counter()
            painter.draw(0)
            members.append(time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(round(batches)):
                model._autocast(z, gamma, *given)
            alone.append(time.perf_counter() - began)
    member, network = min(members), min(alone)
    side = tiles.shape[0]
    of_256 = member * (256 / side) ** 2
    return Measurement(
        "Time",
        f"A member of a box of {side} x {side} pixels: {painter.passes} windows in all "
        f"evaluations; {torch.get_num_threads()} threads. Least of three, in turn.",
        [
            Bar("a member of 256 x 256 pixels [s], from that of this box", of_256, 0.0, 60.0),
            Bar("time over that of the network alone", member / network, -INFINITY, 1.1),
        ],
        ["", "seconds"],
        [["a member", f"{member:.2f}"], ["the network alone", f"{network:.2f}"]],
    )


def _memory() -> Measurement:
    """A large box in a process of its own, with a network of no training."""
    done = subprocess.run(
        [sys.executable, "-m", "analysis.benchmarks.painting_memory", str(MODEL)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split("|") for line in done.stdout.splitlines()]
    peak = max(float(row[-1]) for row in rows)
    return Measurement(
        "Memory",
        "Most memory of a process [GiB], torch included, that paints a member of a box of 1024 x "
        "1024 pixels by windows of 128 with three scales of context, in one evaluation; networks "
        "of no training.",
        [Bar("a member of 1024 x 1024 pixels [GiB]", peak, 0.0, 2.0)],
        ["", "GiB"],
        rows,
    )


if __name__ == "__main__":
    main()
