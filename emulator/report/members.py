"""Members of one window to step through, as strips of pictures without axes."""

import base64
import io

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.image import imsave

from emulator.report.figures import style
from emulator.report.figures.maps import color_map, color_scale
from emulator.report.inputs import Shown
from emulator.report.page import Strip, Viewer

MOST_BYTES = 1_500_000
"""Of all strips together; of large windows fewer members are kept."""


def member_viewer(shown: Shown, most_bytes: int = MOST_BYTES) -> Viewer:
    """All members of a window, or as many as fit, each beside the truth in the same colours.

    Parameters
    ----------
    shown
        ``fields (sample, member, channel, y, x)``, ``truth`` [unit of each field].
    most_bytes
        Of all strips as text of the page.
    """
    ensemble = shown.ensemble
    n_members = ensemble.sizes["member"]
    strips = _strips(shown, n_members)
    size = sum(len(strip.members) + len(strip.truth) for strip in strips)
    kept = max(1, min(n_members, int(n_members * most_bytes / size)))
    if kept < n_members:
        strips = _strips(shown, kept)
    nouns = style.domain_of_file(ensemble).nouns
    name = f"{ensemble.attrs['simulation']}, {nouns.window} {shown.sample}"
    which = "All members" if kept == n_members else f"The first {kept} of {n_members} members"
    return Viewer(
        strips,
        kept,
        name,
        f"{which} of {name}, the {shown.why} in {nouns.window_mass}, each beside the truth "
        f"(left) in the colours of the figure of this {nouns.window}. "
        f"{shown.slice_text}Good: members differ from each other as they differ from the truth. "
        "Pointing at a place marks it in both.",
    )


def _strips(shown: Shown, n_members: int) -> list[Strip]:
    window = shown.flat.isel(sample=shown.sample)
    strips = []
    for name, field in style.fields_of(shown.ensemble).items():
        here = window.sel(channel=name)
        truth = here["truth"].values
        members = here["fields"].transpose("member", "y", "x").values[:n_members]
        norm, colors = color_scale(truth, field), color_map(field)
        side_by_side = np.concatenate(members, axis=1)
        strips.append(
            Strip(field.label, _encode(truth, norm, colors), _encode(side_by_side, norm, colors))
        )
    return strips


def _encode(values: np.ndarray, norm: Normalize, colors: str) -> str:
    """One pixel a pixel; the page enlarges them."""
    inside = np.maximum(values, norm.vmin or 0.0)[::-1]  # the first row below
    buffer = io.BytesIO()
    # pillow wants the pixels in their order of memory, which origin="lower" would turn around
    imsave(buffer, colormaps[colors](norm(inside), bytes=True), format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
