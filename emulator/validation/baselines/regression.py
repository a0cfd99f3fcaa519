"""The regression: the network of the model as one mean, and that with a Gaussian residual.

It is trained before (``emulator regress``); its bundle is read here. The probabilistic forecast
adds to the mean a Gaussian random field that has, shell by shell, the power of each network channel
and the correlations between them of what the regression left of the *validation* split, and maps
the sum back to the fields.

Not guaranteed: a residual that is the same everywhere and Gaussian, which that of halos is not.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.data.cutouts import sides_of
from emulator.data.maps import Maps
from emulator.domain import space_in
from emulator.io import DataError
from emulator.validation.baselines.base import Baseline, Forecast, Training

if TYPE_CHECKING:
    from emulator.data.condition import Condition
    from emulator.sampling.regression import Regression as Network


class Regression(Baseline):
    """A network that was trained to the mean; nothing without ``training.regression``.

    Attributes
    ----------
    network
        The trained regression, if there is one.
    """

    forecasts = (
        Forecast("regression_gaussian", "regression + Gaussian residual", probabilistic=True),
        Forecast("regression", "regression", probabilistic=False),
    )

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self.network: Network | None = None

    def fit(self) -> None:
        """Read the bundle.

        Raises
        ------
        DataError
            If it is missing or damaged, or forecasts other fields or windows.
        """
        folder = self.training.regression
        if folder is None:
            return
        # only with a regression does validation need torch
        from emulator.sampling.regression import Regression as Network

        self.network = Network.read(folder)
        found = [field.name for field in self.network.fields], self.network.card.grid.shape
        expected = [field.name for field in self.training.fields], (sides_of(self.training.window))
        if found != expected:
            raise DataError(
                folder / "model.json", f"fields and window of the ensembles, {expected}",
                f"{found}", "Train it again with `emulator regress`.",
            )  # fmt: skip

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        if self.network is None:
            return {}
        simulation = str(ensemble.attrs["simulation"])
        if simulation in self.network.seen:
            raise DataError(
                f"{self.training.regression}/model.json",
                f"a regression that has not seen {simulation}",
                "one that was trained on it",
                "Train it again with `emulator regress`.",
            )
        condition = _condition(ensemble, list(self.network.card.normalisation.params))
        truth = ensemble["truth"].transpose("sample", "channel", *maps.domain.axes)
        mean, members = self.network.forecast(condition, ensemble.sizes["member"], rng)
        gaussian = xr.DataArray(
            members,
            dims=("sample", "member", "channel", *maps.domain.axes),
            coords={"channel": truth["channel"]},
        )
        return {"regression_gaussian": gaussian, "regression": truth.copy(data=mean)}


def _condition(ensemble: xr.Dataset, params: list[str]) -> "Condition":
    """What the model was conditioned on in an ensemble, parameters in the order of a network."""
    import torch

    from emulator.data.condition import Condition

    if "large_scale" not in ensemble:
        raise DataError(
            f"ensemble of {ensemble.attrs['simulation']}", "variable 'large_scale'",
            ", ".join(map(str, ensemble.data_vars)), "Draw the ensembles again.",
        )  # fmt: skip
    space = space_in(ensemble["condition"].dims)
    field = ensemble["condition"].transpose("sample", *space)
    context = ensemble["large_scale"].transpose("sample", "level", *space)
    values = ensemble["params"].sel(parameter=params).transpose("sample", "parameter")
    return Condition(
        torch.from_numpy(field.values.astype(np.float32)),
        torch.from_numpy(context.values.astype(np.float32)),
        torch.from_numpy(values.values.astype(np.float64)),
    )
