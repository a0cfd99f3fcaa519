"""Bispectra: what three modes know of each other."""

import xarray as xr

from emulator.report.figures.bispectrum import plot_bispectrum_ratio
from emulator.report.numbers import numbers_of
from emulator.report.page import Section, encode_figure
from emulator.report.text import BAND


def bispectrum_sections(metrics: xr.Dataset) -> list[Section]:
    """One section, if windows were large enough for a bispectrum."""
    if "bispectrum_ratio" not in metrics:
        return []
    long = float(metrics["triangle_k"][0])
    section = Section("bispectrum", "Bispectrum")
    section.pictures.append(
        encode_figure(
            plot_bispectrum_ratio(metrics),
            alt="Equilateral and squeezed bispectrum by field, members over truth",
            caption="Bispectrum of members over that of the truth, of equilateral triangles and of "
            f"squeezed ones, whose third side is k = {long:.2g} h/Mpc. Good: 1, also where the "
            "power spectrum is right already. Lost mass counts cubed. A gap: the truth's own may "
            f"be zero. Few massive halos make up most of it. No bar. {BAND}",
            numbers=numbers_of(metrics, "bispectrum_ratio"),
        )
    )
    return [section]
