"""What a member costs, beside the simulation that it stands for."""

import numpy as np
import xarray as xr

from emulator.report.inputs import Inputs
from emulator.report.page import Table
from emulator.report.text import UNKNOWN


def draws_table(inputs: Inputs) -> Table:
    """Seconds of a member of a window, of all windows of a simulation, and of the simulation.

    Both are wall times of the jobs, their start included; of rules without a benchmark, a dash.
    """
    seconds = {row["rule"]: row["seconds"] for row in inputs.benchmarks}
    drawn, attrs = n_drawn(inputs.metrics), inputs.metrics.attrs
    member = seconds["sample"] / drawn if "sample" in seconds else np.nan
    made = len({name for names in (inputs.splits or {}).values() for name in names})
    simulation = seconds["simulate"] / made if "simulate" in seconds and made else np.nan
    rows = [["a member of a window", _said(member), f"{drawn} members"]]
    if inputs.domain.is_matter:
        side = inputs.shown[0].ensemble.sizes["x"] * float(attrs["pixel_mpch"])
        windows = (float(attrs["box_size_mpch"]) / side) ** 2
        whole = f"a member of a whole map, {windows:.3g} windows"
        rows.append([whole, _said(windows * member), "the same"])
    what = "a simulation, with its twin" if inputs.domain.is_matter else "a simulation"
    rows.append([what, _said(simulation), f"{made} simulations"])
    caption = "Wall time of the jobs over what they made. Of short jobs the start is most of it."
    if "simulate" not in seconds:
        caption += (
            f" {UNKNOWN}: the simulations were not made by this workflow, so what they cost is "
            "not known here."
        )
    elif str(attrs.get("notice", "")):
        caption += (
            " The simulations are of a surrogate (see the note on the data); real ones cost far "
            "more."
        )
    return Table(["what", "time [s]", "measured on"], rows, caption)


def n_drawn(metrics: xr.Dataset) -> int:
    """Members of all windows of all simulations, response sets among them."""
    sizes = metrics.sizes
    held_out = sizes["simulation"] * sizes["sample"] * sizes["member"]
    moved = sizes.get("response", 0) * sizes.get("window", 0) * sizes.get("response_member", 0)
    return int(held_out + moved)


def _said(seconds: float) -> str:
    return f"{seconds:.3g}" if np.isfinite(seconds) else UNKNOWN
