"""What every trained model can do, one or several: draw, and tell how likely fields are."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.diffusion.common_noise import NOISE
from emulator.fields import Field
from emulator.io import EmulatorError
from emulator.model.card import Grid
from emulator.progress import Progress
from emulator.sampling.asked import prepare_asked, read_asked
from emulator.sampling.boxes import BoxEmulator
from emulator.sampling.cf import describe
from emulator.sampling.comparison import check_points
from emulator.sampling.differentiable import detached, with_gradients
from emulator.sampling.given.array_fields import require_plain_call
from emulator.sampling.given.options import as_sampling, require_numbers
from emulator.sampling.inferring import InferringEmulator
from emulator.sampling.inputs import (
    Observed,
    Policy,
    check_observed,
    check_values,
)
from emulator.sampling.labels import label_call
from emulator.sampling.sums import check_sums, hold_sums, with_sums

if TYPE_CHECKING:
    import xarray as xr


class BaseEmulator(BoxEmulator, InferringEmulator):
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

    @overload
    def sample(
        self, condition: Any, params: Any = ..., *, differentiable: Literal[True], **options: Any
    ) -> Tensor: ...

    @overload
    def sample(
        self,
        condition: Any,
        params: Any = ...,
        *,
        differentiable: Literal[False] = ...,
        **options: Any,
    ) -> "xr.Dataset": ...

    # the overloads say what comes back; which options there are is said here, once
    def sample(  # type: ignore[misc]
        self,
        condition: Any,
        params: Any = None,
        *,
        large_scale: Any = None,
        centres: Any = None,
        centres_mpch: Any = None,
        projection: str | None = None,
        n_members: int = 8,
        first_member: int = 0,
        seed: int = 0,
        noise_of: Sequence[str] | None = None,
        out_of_range: Policy = "raise",
        observed: np.ndarray | None = None,
        observation_noise: float = 0.02,
        constraints: Mapping[str, Any] | None = None,
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
        differentiable: bool = False,
        progress: bool = False,
    ) -> "xr.Dataset | Tensor":
        """Draw an ensemble for every window.

        Parameters
        ----------
        condition
            DMO mass [Msun/h per pixel]: windows ``(y, x)`` or ``(sample, y, x)`` together with
            ``large_scale``; a Dataset that holds ``condition`` and ``large_scale``; or a periodic
            whole-box map ``(y, x)`` together with centres, which is an array, or a file or another
            source that :func:`~emulator.sampling.painting.source.read_source` reads. The attributes
            of xarray objects (``units``, ``pixel_mpch``, ``depth_mpch``, ``redshift``), where there
            are any, must be those of the training. An astropy Quantity is converted, with h where
            it needs one (:mod:`emulator.sampling.given.quantities`). Of a model of arrays see
            :func:`emulator.sampling.given.array_fields.read_arrays`.
        params
            Mapping of names (or a table row), ``(param,)`` or ``(sample, param)`` in the bundle's
            order, or one mapping for each sample. None or NaN is an unknown value. Default: those
            of a maps file.
        large_scale
            Context windows, ``(level, y, x)`` or ``(sample, level, y, x)``: block means of the DMO
            mass around the same centre, in the bundle's factors.
        centres
            Pixels ``[(row, col), ...]`` of a whole-box map, one for each window; or a Quantity of
            lengths.
        centres_mpch
            The same as positions ``[(y, x), ...]`` [Mpc/h] from the corner of the first pixel; a
            window is centred on the pixel that holds its position.
        projection
            Which map of a file, see :meth:`paint`; default: the first.
        out_of_range
            What to do with a parameter outside the trained range, or masses of another mean density
            than that of the universe: ``raise`` or ``warn``.
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
        constraints
            Known masses of each window [Msun/h], ``{"total": value}`` or by the name of a field,
            one number or one for each sample: members are scaled to hold them
            (:mod:`emulator.sampling.sums`).
        sampling
            Solver, number of network evaluations, end points in gamma, batch size, guidance; a
            mapping is read as the section ``sampling`` of a config.
            Default: those that the model was judged with (``validated.json``), else those that were
            found for it (``solver.json``), else the defaults of the config.
        differentiable
            Return a tensor with gradients with respect to the tensors among ``condition``,
            ``large_scale`` and ``params`` (:mod:`emulator.sampling.differentiable`).
        progress
            Print a progress line on standard error.

        Returns
        -------
        Dataset with ``fields (sample, member, channel, y, x)`` in the units of the fields, the
        conditions, parameters, and the seed of the ensemble; ``model_seed`` and ``model_member``
        say which model drew a member, and as which of its members. ``centre (sample, axis)`` and
        the attributes ``call`` and ``sampling`` say what was asked for, and drawn with. If
        ``differentiable``, a tensor ``(sample, member, channel, y, x)`` in the units of the fields.
        ``condition_score (sample)`` is the share of training windows that are more unusual than a
        window, 0 beyond all of them, if the bundle knows (format 7):
        :mod:`emulator.model.seen_conditions`.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model, among them eight windows or more of which most
            look unlike those of the training, another number of names than of samples, numbers
            of members and seeds that are none, guidance by what it was not trained without; and if
            the network returns NaN or infinity (with evaluation, gamma, sample and member), or a
            value that no field can have.
        """
        require_numbers(n_members=n_members, first_member=first_member, seed=seed)
        asked = as_sampling(sampling)
        if not isinstance(self.card.grid, Grid):
            require_plain_call(constraints=constraints, differentiable=differentiable or None)
        given = read_asked(
            detached(condition) if differentiable else condition,
            detached(params) if differentiable else params, self.card,
            large_scale=detached(large_scale) if differentiable else large_scale,
            centres=centres, centres_mpch=centres_mpch, projection=projection,
        )  # fmt: skip
        prepared, scores = prepare_asked(given, self.card, out_of_range)
        n_samples = len(prepared.field)
        if noise_of is not None and (isinstance(noise_of, str) or len(noise_of) != n_samples):
            raise EmulatorError(f"noise_of: expected {n_samples} names, got {noise_of!r}")
        sums = check_sums(constraints, self.fields, n_samples)
        if sums and observed is not None:
            raise EmulatorError(
                "constraints: members cannot go through observed values and be scaled: give one of "
                "them"
            )
        members = range(first_member, first_member + n_members)
        if differentiable:
            if observed is not None:
                raise EmulatorError(
                    "observed: members that are led through known values have no gradients (the "
                    "correction is computed without): leave out observed=, or differentiable=True"
                )
            live = with_gradients(
                prepared, condition, params, large_scale, centres=given.centres, names=self.params,
                factors=self.card.normalisation.context_factors, dtype=self.dtype,
            )  # fmt: skip
            drawn = self._tensors(prepared, live, members, seed, noise_of, asked)
            return hold_sums(drawn, sums, self.fields, out_of_range)[0] if sums else drawn
        known = (
            None
            if observed is None
            else check_observed(observed, prepared, self.fields, observation_noise)
        )
        ensemble = self._ensemble(prepared, known, members, seed, noise_of, asked, progress)
        labelled = label_call(
            ensemble, n_members=n_members, first_member=first_member, seed=seed, noise_of=noise_of,
            centres=given.centres, scores=scores,
        )  # fmt: skip
        summed = with_sums(labelled, sums, self.fields, out_of_range) if sums else labelled
        return describe(summed)

    def log_likelihood(
        self,
        fields: np.ndarray,
        condition: Any,
        params: Any = None,
        *,
        large_scale: Any = None,
        centres: Any = None,
        centres_mpch: Any = None,
        projection: str | None = None,
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
        condition, params, large_scale, centres, centres_mpch, projection, out_of_range
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
        require_numbers(seed=seed)
        given = read_asked(
            condition, params, self.card, large_scale=large_scale, centres=centres,
            centres_mpch=centres_mpch, projection=projection,
        )  # fmt: skip
        prepared, _ = prepare_asked(given, self.card, out_of_range)
        values = check_values(fields, prepared, self.fields, "fields")
        return self._log_density(values, prepared, n_steps, n_probes, seed)

    def compare_params(
        self,
        fields: np.ndarray,
        condition: Any,
        params: Any,
        points: np.ndarray,
        *,
        large_scale: Any = None,
        centres: Any = None,
        noise: float = NOISE,
        n_noise: int = 128,
        seed: int = 0,
        out_of_range: Policy = "raise",
        progress: bool = False,
    ) -> "xr.Dataset":
        """Log-likelihoods of parameters given fields, with common noise: for their differences.

        Parameters
        ----------
        fields, condition, params, large_scale, centres, out_of_range
            As of :meth:`log_likelihood`.
        points
            ``(point, param)``: all parameters of the model, physical values in its order.
        noise
            Standard deviation of noise that the fields are taken to have, in units of the
            normalised ones (of a residual, of its spread). What a model says of finer noise, its
            draws do not show: with 0.05, posteriors of its own members were too narrow.
        n_noise
            Levels of noise; even. The error falls as their root.
        seed
            Of the noise.
        progress
            Print a progress line on standard error.

        Returns
        -------
        Dataset with ``log_likelihood (sample, point)`` [nats] and ``standard_error``, that of the
        difference to the likeliest point of the sample; see
        :mod:`emulator.diffusion.common_noise`. Of several models the density is the mean of
        theirs.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model, and models without a density.
        """
        given = read_asked(
            condition, params, self.card, large_scale=large_scale, centres=centres, projection=None
        )
        prepared, _ = prepare_asked(given, self.card, out_of_range)
        values = check_values(fields, prepared, self.fields, "fields")
        table = check_points(points, self.params, noise, n_noise)
        line = Progress("compare", len(values)) if progress else None
        return self._compare(values, prepared, table, noise, n_noise, seed, line)

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the weights."""

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
    def _tensors(
        self,
        condition: Condition,
        live: Condition,
        members: Sequence[int],
        seed: int,
        noise_of: Sequence[str] | None,
        asked: SamplingConfig | None,
    ) -> Tensor:
        """Members ``(sample, member, channel, y, x)`` with gradients with respect to ``live``."""

    @abstractmethod
    def _log_density(
        self, values: np.ndarray, condition: Condition, n_steps: int, n_probes: int, seed: int
    ) -> "xr.Dataset":
        """Log-density of fields; see :meth:`log_likelihood`."""

    @abstractmethod
    def _compare(
        self,
        values: np.ndarray,
        condition: Condition,
        points: np.ndarray,
        noise: float,
        n_noise: int,
        seed: int,
        line: Progress | None,
    ) -> "xr.Dataset":
        """Log-likelihoods of parameters; see :meth:`compare_params`."""
