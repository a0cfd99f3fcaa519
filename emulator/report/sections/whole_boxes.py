"""Whole boxes that were painted: power, correlation, where the mass is, and a picture."""

from typing import Any

import xarray as xr

from emulator.report.figures.whole_boxes import (
    plot_box_correlation,
    plot_box_power,
    plot_painted_box,
)
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, encode_figure
from emulator.report.sections.box_tables import box_tables
from emulator.report.text import join, k_range_of


def whole_boxes_section(audits: xr.Dataset, metrics: xr.Dataset, config: dict[str, Any]) -> Section:
    """Painted boxes of ``audits.nc``, beside what windows say (``metrics.nc``)."""
    boxes = audits["box"].values.astype(str).tolist()
    n_members, k_range = audits.sizes["box_member"], k_range_of(config)
    which = f"{len(boxes)} box{'es' if len(boxes) > 1 else ''} ({join(boxes)})"
    which += f", each of another run, {n_members} members of each"
    side = float(audits.attrs["box_size_mpch"])
    ends = f"k from {float(audits['k'][0]):.2g} (the longest wave of the box, {side:g} Mpc/h)"
    ends += f" to {float(audits['k'][-1]):.2g} h/Mpc (pixels)"
    named = ("power_ratio", "power_ratio_summed")
    correlated = ("correlation_members", "correlation_members_summed", "correlation_dmo",
                  "correlation_dmo_summed")  # fmt: skip
    section = Section(
        "whole-boxes",
        "Whole boxes",
        f"Held-out boxes are painted whole: {which}. The boxes are periodic, so no window enters "
        "the spectra, and waves are seen that no window holds. The scatter of the bands is that of "
        "members; that of the truth from box to box shows as the distance of the bands.",
        pictures=[
            encode_figure(
                plot_box_power(audits, metrics, k_range),
                alt="Power of painted boxes over that of the truth by field, with that of windows",
                caption=f"Power of painted members over that of the truth, {which}. Horizontal: "
                f"{ends}. Each band: one box, from its lowest to its highest member; solid: sums "
                "over boxes and members; dashed: sums over the windows of the same boxes that were "
                "judged. Beyond a few h/Mpc the power of a box is that of its few most massive "
                "halos, and boxes scatter by tens of percent. Ratios above 3 are cut. Good: 1 "
                "at every k. Shaded: the range of the bars; there is none here.",
                numbers=numbers_of(audits, *(f"box_{name}" for name in named)),
            ),
            encode_figure(
                plot_box_correlation(audits, metrics, k_range),
                alt="What the correlation of painted boxes with the truth lacks of 1, by field",
                caption=f"What the correlation r with the truth lacks of 1, {which}; lines and "
                "bands as above, lower is closer. Dotted: the DMO map itself. A member carries "
                "randomness of its own and may lie above the dotted line. Good: both fall together "
                "towards the longest waves, which windows do not see. No bar.",
                numbers=numbers_of(audits, *(f"box_{name}" for name in correlated)),
            ),
            _picture(audits, boxes[0]),
        ],
    )
    section.tables += box_tables(audits, k_range)
    return section


def _picture(audits: xr.Dataset, box: str) -> Any:
    block = int(audits.attrs["box_block"])
    pixels = "" if block == 1 else f" Shown are means over {block} x {block} pixels."
    return encode_figure(
        plot_painted_box(audits),
        raster=True,
        alt=f"The DMO map of {box}, and for each field the truth above a painted member",
        caption=f"The whole box {box}: the DMO map that is given, and for each field the truth "
        "above the first painted member, on one scale. Good: the same structures, as sharp as the "
        f"truth, no grid of windows.{pixels}",
    )
