"""Bispectra of members over those of the truth: structure that no power spectrum sees."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.base import Case, Metric
from emulator.metrics.bispectrum import SMALLEST_SIDE, bispectra, build_triangles
from emulator.metrics.channels import names_with_total
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.spectra import scaled_modes
from emulator.units import Unit

SHAPES = ("equilateral", "squeezed")
KINDS = ("truth", "members")


class BispectrumRatio(Metric):
    """Equilateral ``B(k, k, k)`` and squeezed ``B(k, k, k_long)``, members over truth.

    Of square windows of matter alone. No bar: few massive halos make up most of it, and runs
    scatter accordingly.
    """

    name = "bispectrum"
    label = "Bispectrum"
    estimator = (
        "ratio of means over windows and runs of mean triangles, of each member by itself; a gap "
        "where the interval of the truth holds 0; unbiased to first order for any ensemble size"
    )
    variables = (
        *(f"bispectrum_{kind}" for kind in KINDS),
        "bispectrum_ratio",
    )
    panels = ()
    smallest_ensemble = 1
    place = 45.0

    def compute(self, case: Case) -> xr.Dataset:
        """Means ``(field, triangle, triangle_k)``; empty of small windows, and of arrays."""
        side = min(case.shape)
        if side < SMALLEST_SIDE or side < max(case.shape) or not case.domain.is_matter:
            return xr.Dataset()
        triangles = build_triangles(side, case.pixel_mpch)
        n_windows, n_members = case.ensemble.sizes["sample"], case.n_members
        rows = (len(names_with_total(case.fields)), len(SHAPES), len(triangles.k_hmpc))
        sums = {kind: np.zeros(rows) for kind in KINDS}
        for i in range(n_windows):
            window = case.ensemble.isel(sample=i)
            truth = bispectra(scaled_modes(case, window["truth"]), triangles)
            sums["truth"] += np.stack(truth, axis=1) / n_windows
            for modes in scaled_modes(case, window["fields"]):
                each = np.stack(bispectra(modes, triangles), axis=1)
                sums["members"] += each / (n_windows * n_members)
        dims = ("field", "triangle", "triangle_k")
        attrs = {"units": str(Unit.BISPECTRUM_2D)}
        k = ("triangle_k", triangles.k_hmpc, {"units": str(Unit.WAVE_NUMBER)})
        return xr.Dataset(
            {
                f"mean_bispectrum_{kind}": (dims, values, attrs | {"long_name": "bispectrum"})
                for kind, values in sums.items()
            },
            coords={
                "field": names_with_total(case.fields),
                "triangle": list(SHAPES),
                "triangle_k": k,
            },
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Bispectra and their ratio ``(estimate, field, triangle, triangle_k)``."""
        if "mean_bispectrum_truth" not in stats:
            return {}
        means = {kind: runs.mean(stats[f"mean_bispectrum_{kind}"]) for kind in KINDS}
        found = {
            f"bispectrum_{kind}": runs.estimate(
                values, f"bispectrum, {kind}", str(Unit.BISPECTRUM_2D)
            )
            for kind, values in means.items()
        }
        ends = found["bispectrum_truth"]
        low, high = ends.sel(estimate="low", drop=True), ends.sel(estimate="high", drop=True)
        # a quotient by what may be 0 is no number; one run has no interval
        known = ~(low * high <= 0)
        ratio = means["members"] / means["truth"].where(means["truth"] != 0)
        meaning = "bispectrum, members over truth"
        return found | {"bispectrum_ratio": runs.estimate(ratio.where(known), meaning)}
