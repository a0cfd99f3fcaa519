"""Numbers of arrays under names of their own: those of matter speak of masses and a DMO map."""

import xarray as xr

from emulator.domain import Domain
from emulator.wording import say

_OF_MASSES = ("occupancy_", "occupied_", "pdf_", "density_")
"""Starts of the variables that only masses have: shares of occupied pixels, histograms of mass."""
_NAMES = {"dmo_density": "condition_class"}


def in_words_of(metrics: xr.Dataset, domain: Domain) -> xr.Dataset:
    """Statistics without what only matter has, in the words of the domain; those of matter as is.

    ``dmo`` in a name becomes ``condition``.
    """
    if domain.is_matter:
        return metrics
    absent = [str(name) for name in metrics.data_vars if str(name).startswith(_OF_MASSES)]
    kept = metrics.drop_vars([*absent, "log_mass"], errors="ignore")
    names = [str(name) for name in (*kept.variables, *kept.dims)]
    renamed = {
        name: _NAMES.get(name, name.replace("dmo", "condition")) for name in names if "dmo" in name
    }
    said = kept.rename(renamed)
    for variable in said.variables.values():
        texts = {key: say(text, domain) for key, text in variable.attrs.items() if _is_text(text)}
        variable.attrs |= texts
    return said


def _is_text(value: object) -> bool:
    return isinstance(value, str)
