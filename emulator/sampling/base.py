"""What every trained model can do, one or several: draw, and tell how likely fields are."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.fields import Field
from emulator.io import EmulatorError
from emulator.model.card import Grid
from emulator.sampling.array_inputs import prepare_arrays
from emulator.sampling.boxes import BoxEmulator
from emulator.sampling.inputs import (
    Observed,
    Policy,
    check_observed,
    check_values,
    prepare_condition,
)

if TYPE_CHECKING:
    import xarray as xr


class BaseEmulator(BoxEmulator):
    """Draws fields of a hydrodynamic run for dark-matter-only ones."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Rows of the fields that are drawn."""
        return tuple(channel.field for channel in self.card.normalisation.channels)

    @property
    def channels(self) -> list[str]:
        """Names of the fields that are drawn."""
        return [field.name for field in self.fields]

    @property
    def params(self) -> list[str]:
        """Names of the conditioning parameters, in the order of arrays."""
        return list(self.card.normalisation.params)

    def sample(
        self,
        condition: "np.ndarray | xr.Dataset",
        params: Any,
        *,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        n_members: int = 8,
        first_member: int = 0,
        seed: int = 0,
        noise_of: Sequence[str] | None = None,
        out_of_range: Policy = "raise",
        observed: np.ndarray | None = None,
        observation_noise: float = 0.02,
        sampling: SamplingConfig | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """Draw an ensemble for every window.

        Parameters
        ----------
        condition, params, large_scale, centres, out_of_range
            See :func:`emulator.sampling.inputs.prepare_condition`, of a model of arrays
            :func:`emulator.sampling.array_inputs.prepare_arrays`.
        n_members, first_member, seed
            How many members, the number of the first, and the seed of the ensemble: member ``k`` is
            the same whatever is drawn beside it. Of several models, member ``k`` is member
            ``k // n`` of model ``k % n``.
        noise_of
            A name for each sample: samples of one name have the same noise, whatever their DMO
            fields. Default: noise is a function of the DMO fields. For differences between
            simulations with the same phases, whose noise should cancel.
        observed
            Values that are known, ``(sample, channel, y, x)`` in the units of the fields, NaN
            elsewhere: the members go through them, and the rest is drawn given them.
        observation_noise
            Standard deviation of what is known, in units of the normalised fields; not below
            ``exp(gamma_end / 2)``, where the solver ends.
        sampling
            Solver, number of network evaluations, end points in gamma, batch size, guidance.
            Default: those that were found for the model, if its bundle says so (``solver.json``),
            else the defaults of the config.
        progress
            Print a progress line on standard error.

        Returns
        -------
        Dataset with ``fields (sample, member, channel, y, x)`` in the units of the fields, the
        conditions, parameters, and the seed of the ensemble; ``model_seed`` and ``model_member``
        say which model drew a member, and as which of its members.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model, another number of names than of samples, for
            guidance by what it was not trained without,
            and if the network returns NaN or infinity (with evaluation, gamma, sample and member),
            or a value that no field can have.
        """
        prepared = self._prepare(condition, params, large_scale, centres, out_of_range)
        known = (
            None
            if observed is None
            else check_observed(observed, prepared, self.fields, observation_noise)
        )
        if n_members < 1:
            raise ValueError(f"n_members must be at least 1, got {n_members}")
        n_samples = len(prepared.field)
        if noise_of is not None and (isinstance(noise_of, str) or len(noise_of) != n_samples):
            raise EmulatorError(f"noise_of: expected {n_samples} names, got {noise_of!r}")
        members = range(first_member, first_member + n_members)
        return self._ensemble(prepared, known, members, seed, noise_of, sampling, progress)

    def log_likelihood(
        self,
        fields: np.ndarray,
        condition: "np.ndarray | xr.Dataset",
        params: Any,
        *,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        out_of_range: Policy = "raise",
        n_steps: int = 64,
        n_probes: int = 8,
        seed: int = 0,
    ) -> "xr.Dataset":
        """Log-density of given fields, by the probability-flow ODE.

        Parameters
        ----------
        fields
            ``(sample, channel, y, x)`` in the units of the fields.
        condition, params, large_scale, centres, out_of_range
            As in :meth:`sample`.
        n_steps, n_probes, seed
            See :func:`emulator.diffusion.likelihood.log_likelihood`.

        Returns
        -------
        Dataset with ``log_likelihood (sample)`` [nats] and its ``standard_error`` from the probes.
        Of several models, the density is the mean of theirs.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model.

        Notes
        -----
        The density is that of the normalised network channels (smoothed by the noise of gamma_min);
        it differs from that of the fields by a factor of the fields alone. So *differences* between
        parameters for the same fields are those of the fields, and the values themselves are not.
        Where a channel holds noise (``empty_amplitude`` of a hurdle field) that noise is drawn once
        from ``seed`` and its own density divided out. It is the density of the model as it was
        trained: a calibration (``calibration.json``) changes draws, and no density.
        """
        prepared = self._prepare(condition, params, large_scale, centres, out_of_range)
        values = check_values(fields, prepared, self.fields, "fields")
        return self._log_density(values, prepared, n_steps, n_probes, seed)

    def _prepare(
        self,
        condition: "np.ndarray | xr.Dataset",
        params: Any,
        large_scale: np.ndarray | None,
        centres: Sequence[tuple[int, int]] | None,
        out_of_range: Policy,
    ) -> Condition:
        grid = self.card.grid
        if isinstance(grid, Grid):
            prepared = prepare_condition(
                condition, params, self.card.normalisation, grid,
                large_scale=large_scale, centres=centres, out_of_range=out_of_range,
            )  # fmt: skip
        elif centres is not None:
            raise EmulatorError("centres: arrays are drawn whole, and have no places to cut at")
        else:
            prepared = prepare_arrays(
                condition, params, self.card.normalisation, grid,
                large_scale=large_scale, out_of_range=out_of_range,
            )  # fmt: skip
        self.card.require_trained_without(prepared.params)
        return prepared

    @abstractmethod
    def _ensemble(
        self,
        condition: Condition,
        observed: Observed | None,
        members: Sequence[int],
        seed: int,
        noise_of: Sequence[str] | None,
        asked: SamplingConfig | None,
        progress: bool,
    ) -> "xr.Dataset":
        """Draw members of every window; see :meth:`sample`."""

    @abstractmethod
    def _log_density(
        self, values: np.ndarray, condition: Condition, n_steps: int, n_probes: int, seed: int
    ) -> "xr.Dataset":
        """Log-density of fields; see :meth:`log_likelihood`."""
