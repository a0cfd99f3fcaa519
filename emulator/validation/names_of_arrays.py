"""Variables of arrays: without what only matter has, and under names that do not say DMO."""

import xarray as xr

from emulator.domain import Domain

_OF_MASSES = ("occupancy_", "occupied_", "pdf_", "density_")
"""Starts of the variables that only masses have: shares of occupied pixels, histograms of mass."""
_NAMES = {"dmo_density": "condition_class"}


def name_for(metrics: xr.Dataset, domain: Domain) -> xr.Dataset:
    """Statistics of arrays with ``condition`` for ``dmo`` in their names; those of matter as is."""
    if domain.is_matter:
        return metrics
    absent = [str(name) for name in metrics.data_vars if str(name).startswith(_OF_MASSES)]
    kept = metrics.drop_vars([*absent, "log_mass"], errors="ignore")
    named = [name for name in map(str, (*kept.variables, *kept.dims)) if "dmo" in name]
    return kept.rename({name: _NAMES.get(name, name.replace("dmo", "condition")) for name in named})
