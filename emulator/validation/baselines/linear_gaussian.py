r"""Least squares, mode by mode, of arrays on their conditions; and that with a Gaussian residual.

With modes :math:`a` of all conditions and :math:`b` of all fields, less their means over training
rows,

.. math:: \hat b(\mathbf k) = T(\mathbf k)\,a(\mathbf k), \qquad
          T = S_{ba} (S_{aa} + \lambda)^{-1}, \quad
          R = S_{bb} - T S_{ab} - S_{ba} T^\dagger + T S_{aa} T^\dagger,

where :math:`S` are means over training rows. The residual is drawn as a Gaussian field of
covariance :math:`R(\mathbf k)`, joint in the fields. Where fields are a periodic linear filter of
their conditions and stationary Gaussian noise, this is the law itself: no forecast is better.

With fewer than :data:`ROWS_PER_CONDITION` rows for each condition, :math:`S` are the real parts
averaged over shells of wave number: fewer numbers to learn, and no direction.

Not guaranteed: a law that is not Gaussian, or differs from place to place, has no covariance of
this form; parameters are not looked at.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import fft

from emulator.data.maps import Maps
from emulator.metrics.power_spectrum import shell_index
from emulator.validation.baselines.base import Baseline, Forecast, Training
from emulator.validation.baselines.windows import cut_species

Modes = NDArray[np.complex128]

ROWS_PER_CONDITION = 50
"""Training rows for each condition from which on every mode has numbers of its own."""
RIDGE = 1.0e-6
"""Of the mean power of a condition."""


class LinearGaussian(Baseline):
    """Mean and draws of the linear Gaussian law.

    Attributes
    ----------
    transfer
        ``(y, k_x, field, condition)``.
    root
        ``(y, k_x, field, field)`` square root of the residual's covariance, over white noise.
    means
        ``(condition + field, y, x)`` over training rows.
    """

    forecasts = (
        Forecast("linear_gaussian", "least squares + Gaussian residual", probabilistic=True),
        Forecast("linear", "least squares", probabilistic=False),
    )
    transfer: Modes
    root: Modes
    means: NDArray[np.float64]

    def __init__(self, training: Training) -> None:
        super().__init__(training)
        self._rows = 0
        self._sum: NDArray[np.float64] | None = None
        self._products: Modes | None = None

    def add(self, maps: Maps) -> None:
        """See :meth:`Baseline.add`."""
        names = (*maps.conditions, *(field.name for field in self.training.fields))
        values = maps.select(names).astype(np.float64)
        modes = fft.rfft2(values, axes=(-2, -1))
        products = np.einsum("riyx,rjyx->yxij", modes, modes.conj())
        if self._sum is None or self._products is None:
            self._sum, self._products = values.sum(axis=0), products
        else:
            self._sum, self._products = self._sum + values.sum(axis=0), self._products + products
        self._rows += len(values)

    def fit(self) -> None:
        """Transfer and residual from the sums over all rows."""
        if self._sum is None or self._products is None:
            return
        self.means = self._sum / self._rows
        centre = fft.rfft2(self.means, axes=(-2, -1))
        spectra = self._products / self._rows - np.einsum("iyx,jyx->yxij", centre, centre.conj())
        n_fields = len(self.training.fields)
        n_given = len(self.means) - n_fields
        if self._rows < ROWS_PER_CONDITION * n_given:
            spectra = _by_shell(spectra, self.means.shape[-2:])
        aa, ba = spectra[..., :n_given, :n_given], spectra[..., n_given:, :n_given]
        bb = spectra[..., n_given:, n_given:]
        power = np.einsum("yxii->i", aa).real / (aa.shape[0] * aa.shape[1])
        ridge = np.diag(RIDGE * power + np.finfo(float).tiny)
        self.transfer = np.linalg.solve((aa + ridge).swapaxes(-1, -2), ba.swapaxes(-1, -2))
        self.transfer = self.transfer.swapaxes(-1, -2)
        adjoint = self.transfer.conj().swapaxes(-1, -2)
        left = self.transfer @ ba.conj().swapaxes(-1, -2)
        residual = bb - left - left.conj().swapaxes(-1, -2) + self.transfer @ aa @ adjoint
        size = self.means.shape[-2] * self.means.shape[-1]
        self.root = _square_root(residual * (self._rows / max(self._rows - n_given - 1, 1)) / size)
        self._sum = self._products = None

    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """See :meth:`Baseline.forecast`."""
        truth = ensemble["truth"].transpose("sample", "channel", "y", "x")
        given = cut_species(maps, ensemble, maps.conditions).astype(np.float64)
        n_given, shape = given.shape[1], (truth.sizes["y"], truth.sizes["x"])
        # truth and windows are whole rows, which periodic ones do not move in a test
        modes = fft.rfft2(given - self.means[:n_given], axes=(-2, -1))
        mean = self.means[n_given:] + fft.irfft2(
            np.einsum("yxfc,scyx->sfyx", self.transfer, modes), s=shape, axes=(-2, -1)
        )
        n_members = ensemble.sizes["member"]
        white = rng.standard_normal((len(mean), n_members, *mean.shape[1:]))
        noise = fft.irfft2(
            np.einsum("yxfg,smgyx->smfyx", self.root, fft.rfft2(white, axes=(-2, -1))),
            s=shape,
            axes=(-2, -1),
        )
        least = [-np.inf if field.signed else 0.0 for field in self.training.fields]
        floor = np.array(least)[:, None, None]
        members = xr.DataArray(
            np.maximum(mean[:, None] + noise, floor).astype(np.float32),
            dims=("sample", "member", "channel", "y", "x"),
            coords={"channel": truth["channel"]},
        )
        single = truth.copy(data=np.maximum(mean, floor).astype(np.float32))
        return {"linear_gaussian": members, "linear": single}


def _by_shell(spectra: Modes, shape: tuple[int, ...]) -> Modes:
    """Real parts of spectra, each mode's by the mean of its shell."""
    index = shell_index((int(shape[0]), int(shape[1])))
    counts = np.bincount(index.ravel())[index][..., None, None]
    flat = spectra.real.reshape(-1, *spectra.shape[-2:])
    sums = np.zeros((int(index.max()) + 1, *spectra.shape[-2:]))
    np.add.at(sums, index.ravel(), flat)
    means: Modes = (sums[index] / counts).astype(np.complex128)
    return means


def _square_root(covariance: Modes) -> Modes:
    """Hermitian root of matrices that are covariances but for rounding."""
    values, vectors = np.linalg.eigh((covariance + covariance.conj().swapaxes(-1, -2)) / 2)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    root: Modes = scaled @ vectors.conj().swapaxes(-1, -2)
    return root
