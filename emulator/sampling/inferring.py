"""What every trained model does with parameters: infer them, and say what they leave open."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from emulator.config import SamplingConfig
from emulator.diffusion.common_noise import NOISE
from emulator.inference.infer import infer
from emulator.inference.simulator import Simulator
from emulator.inference.summaries import NAMES
from emulator.sampling.inputs import Policy
from emulator.sampling.nested import draw_nested
from emulator.sampling.partly_known import Known, Ranges, prepare_known
from emulator.sampling.uncertainty import split_variance

if TYPE_CHECKING:
    import xarray as xr

    from emulator.inference.interface import Model


class InferringEmulator:
    """Infers the parameters of fields."""

    def simulator(
        self: "Model",
        condition: "np.ndarray | xr.Dataset",
        known: Known,
        *,
        prior: Ranges | None = None,
        summaries: Sequence[str] = NAMES,
        together: bool = True,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        out_of_range: Policy = "raise",
        progress: bool = False,
    ) -> Simulator:
        """The model as a simulator of summaries, with its prior: what `sbi` takes.

        Parameters
        ----------
        condition, large_scale, centres, sampling, out_of_range, progress
            As of :meth:`sample`.
        known
            Values of the parameters that are known, those of the dark-matter-only run at least; of
            all windows, or a mapping for each. All others are free.
        prior
            ``(low, high)`` of free parameters; default: their trained ranges. Uniform, in the
            logarithm where the model scales a parameter so.
        summaries
            Some of :data:`emulator.inference.summaries.NAMES`.
        together
            Whether all windows are of one set of parameters; see
            :class:`emulator.inference.simulator.Simulator`.
        seed
            Of the noise.

        Returns
        -------
        A callable ``theta (batch, param) -> x (batch, number)`` of tensors, with ``prior`` and
        ``observe(fields)``.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model.
        """
        given = prepare_known(
            self.card, condition, known, prior, large_scale=large_scale, centres=centres,
            out_of_range=out_of_range,
        )  # fmt: skip
        return Simulator(
            self, given.condition, given.known, ranges=prior, summaries=summaries,
            together=together, seed=seed, sampling=sampling, out_of_range=out_of_range,
            progress=progress,
        )  # fmt: skip

    def infer(
        self: "Model",
        fields: np.ndarray,
        condition: "np.ndarray | xr.Dataset",
        known: Known,
        *,
        method: Literal["simulation", "likelihood"] = "simulation",
        prior: Ranges | None = None,
        summaries: Sequence[str] = NAMES,
        together: bool = True,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        n_simulations: int = 2000,
        n_draws: int = 2000,
        n_noise: int = 128,
        noise: float = NOISE,
        truth: Known | None = None,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        out_of_range: Policy = "raise",
        progress: bool = False,
    ) -> "xr.Dataset":
        """Posterior of parameters, given fields and the dark matter that they belong to.

        Parameters
        ----------
        fields
            ``(sample, channel, y, x)``, in the units of the fields: of one window or several, or of
            places in a box (``centres``).
        condition, known, prior, summaries, together, large_scale, centres
            See :meth:`simulator`.
        method
            ``simulation``: a flow is trained on summaries of fields that the model draws
            (:mod:`emulator.inference.neural`; needs the extra ``inference``). ``likelihood``:
            draws of the prior, weighted by what the density of a diffusion says of all pixels
            (:mod:`emulator.inference.weighing`).
        n_simulations
            Fields to train on; of ``likelihood``, draws of the prior that are weighed.
        n_draws
            Draws of the posterior by ``simulation``.
        n_noise, noise
            Of ``likelihood``, see :meth:`compare_params`.
        truth
            Values of free parameters, where they are known, of all windows or of each: their ranks
            among the draws are said.
        seed
            Of simulations, training and draws.
        sampling, out_of_range, progress
            See :meth:`sample`.

        Returns
        -------
        See :func:`emulator.inference.posterior.label_posterior`.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model, and methods that it has not.
        """
        simulator = InferringEmulator.simulator(
            self, condition, known, prior=prior, summaries=summaries, together=together,
            large_scale=large_scale, centres=centres, seed=seed, sampling=sampling,
            out_of_range=out_of_range, progress=progress,
        )  # fmt: skip
        return infer(
            simulator, fields, method=method, n_simulations=n_simulations, n_draws=n_draws,
            n_noise=n_noise, noise=noise, truth=truth, seed=seed,
        )  # fmt: skip

    @property
    def parts(self: "Model") -> "Sequence[Model]":
        """The models that this one draws from: itself, or those of a mixture."""
        return [self]

    def uncertainty(
        self: "Model",
        condition: "np.ndarray | xr.Dataset",
        known: Known,
        *,
        of: str = "fields",
        prior: Ranges | None = None,
        large_scale: np.ndarray | None = None,
        centres: Sequence[tuple[int, int]] | None = None,
        n_points: int = 16,
        n_members: int = 4,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        out_of_range: Policy = "raise",
        progress: bool = False,
    ) -> "xr.Dataset":
        """What fields spread by: chance, differences of models, parameters that are not known.

        Parameters
        ----------
        condition, known, prior, large_scale, centres, sampling, out_of_range, progress
            See :meth:`simulator`. Where all parameters are known, none adds to the variance.
        of
            ``fields``, pixel by pixel; or a summary of each window, one of
            :data:`emulator.metrics.summaries.SUMMARIES`.
        n_points, n_members
            Draws of the parameters for each model, and members at each of them; two or more.
        seed
            Of parameters and members.

        Returns
        -------
        See :func:`emulator.sampling.uncertainty.split_variance`: ``sampling``, ``parameters``,
        ``between_models`` (of several models) and ``total``, with the dimensions of the fields but
        ``member``.

        Raises
        ------
        EmulatorError
            For what :meth:`sample` refuses, an unknown summary, and single points or members.
        """
        given = prepare_known(
            self.card, condition, known, prior, large_scale=large_scale, centres=centres,
            out_of_range=out_of_range,
        )  # fmt: skip
        values = draw_nested(
            self.parts, given, of=of, prior=prior, n_points=n_points, n_members=n_members,
            seed=seed, sampling=sampling, out_of_range=out_of_range, progress=progress,
        )  # fmt: skip
        return split_variance(values)
