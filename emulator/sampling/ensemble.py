"""`Emulator`: draw ensembles of fields from a bundle.

A member is a function of (bundle, condition, params, seed, member) alone; neither batch size nor
order enters, up to float32 rounding of the network.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.guidance import observed_pixels, reconstruction_guided
from emulator.diffusion.likelihood import log_likelihood
from emulator.diffusion.solvers import NonFiniteError, solve
from emulator.diffusion.spectrum import ModeStatistics, spectral_start
from emulator.io import EmulatorError
from emulator.metadata import provenance
from emulator.model.build import build_schedule
from emulator.model.card import ModelCard
from emulator.model.transforms import FieldTransform, network_channels
from emulator.networks.backbone import Backbone
from emulator.progress import Progress
from emulator.sampling.inputs import Inputs, Policy, check_fields, prepare_inputs
from emulator.sampling.masses import require_possible_masses
from emulator.sampling.noise import MemberNoise, member_key
from emulator.sampling.steering import Given, plan, steered_denoiser
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


class Emulator:
    """A trained model that draws hydrodynamic fields for dark-matter-only ones.

    Parameters
    ----------
    card
        Content of ``model.json``.
    network
        Its network.
    device
        ``"cpu"``, ``"cuda"``, ...; default: a GPU if there is one.
    """

    def __init__(
        self, card: ModelCard, network: Backbone, *, device: str | torch.device | None = None
    ) -> None:
        self.card = card
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device)
        self.transform = FieldTransform(card.normalisation)
        self.schedule = build_schedule(card.diffusion, card.schedule)

    @property
    def seed(self) -> int:
        """Seed that the model was trained from."""
        return self.card.facts.seed

    @property
    def channels(self) -> list[str]:
        """Names of the fields that are drawn."""
        return [channel.name for channel in self.card.normalisation.channels]

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
            See :func:`emulator.sampling.inputs.prepare_inputs`.
        n_members, first_member, seed
            How many members, the number of the first, and the seed of the ensemble: member ``k`` is
            the same whatever is drawn beside it.
        observed
            Masses that are known, ``(sample, channel, y, x)`` [Msun/h per pixel], NaN elsewhere:
            the members go through them, and the rest is drawn given them.
        observation_noise
            Standard deviation of what is known, in units of the normalised fields; not below
            ``exp(gamma_end / 2)``, where the solver ends.
        sampling
            Solver, number of network evaluations, end points in gamma, batch size, guidance.
        progress
            Print a progress line on standard error.

        Returns
        -------
        Dataset with ``fields (sample, member, channel, y, x)`` [Msun/h per pixel], the conditions,
        parameters, and the seed of the ensemble; ``model_seed`` and ``model_member`` say which
        model drew a member, and as which of its members.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model, for guidance by what it was not trained without,
            and if the network returns NaN or infinity (with evaluation, gamma, sample and member),
            or a mass that no field can have.
        """
        options = sampling or SamplingConfig()
        grid = self.card.grid
        inputs = prepare_inputs(
            condition, params, self.card.normalisation, grid,
            large_scale=large_scale, centres=centres, out_of_range=out_of_range,
        )  # fmt: skip
        self._require_trained_without(inputs.params)
        if observed is not None:
            inputs = inputs.with_observed(observed, len(self.channels), observation_noise)
        if n_members < 1:
            raise ValueError(f"n_members must be at least 1, got {n_members}")
        members = range(first_member, first_member + n_members)
        pairs = [(i, k) for i in range(len(inputs.condition)) for k in members]
        shape = (len(inputs.condition), n_members, len(self.channels), grid.window, grid.window)
        fields = np.empty(shape, np.float32)
        line = Progress("sample", len(pairs)) if progress else None
        for first in range(0, len(pairs), options.batch_size):
            batch = pairs[first : first + options.batch_size]
            drawn = self._draw(inputs, batch, seed, options)
            for (i, k), field in zip(batch, drawn, strict=True):
                fields[i, k - first_member] = field
            if line is not None:
                line.advance(len(batch))
        return self._label(fields, inputs, members, seed, options)

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
            ``(sample, channel, y, x)`` [Msun/h per pixel].
        condition, params, large_scale, centres, out_of_range
            As in :meth:`sample`.
        n_steps, n_probes, seed
            See :func:`emulator.diffusion.likelihood.log_likelihood`.

        Returns
        -------
        Dataset with ``log_likelihood (sample)`` [nats] and its ``standard_error`` from the probes.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model.

        Notes
        -----
        The density is that of the normalised network channels (smoothed by the noise of gamma_min);
        it differs from that of the masses by a factor of the fields alone. So *differences* between
        parameters for the same fields are those of the masses, and the values themselves are not.
        """
        import xarray as xr

        inputs = prepare_inputs(
            condition, params, self.card.normalisation, self.card.grid,
            large_scale=large_scale, centres=centres, out_of_range=out_of_range,
        )  # fmt: skip
        self._require_trained_without(inputs.params)
        masses = check_fields(fields, inputs, len(self.channels), "fields")
        given = self._given(inputs, range(len(masses)))
        target = torch.from_numpy(masses).to(self.device)
        result = log_likelihood(
            steered_denoiser(self._autocast, given, self.card.diffusion, SamplingConfig()),
            self.transform.transform(target, given.condition, given.baryon_fraction),
            gamma_min=self.schedule.gamma_min,
            gamma_max=self.schedule.gamma_max,
            n_steps=n_steps,
            n_probes=n_probes,
            generator=torch.Generator().manual_seed(seed),
        )
        units = {"units": str(Unit.NATS)}
        return xr.Dataset(
            {
                "log_likelihood": (("sample",), result.nats.cpu().numpy(), units),
                "standard_error": (("sample",), result.standard_error.cpu().numpy(), units),
            },
            attrs={"n_steps": n_steps, "n_probes": n_probes, "seed": seed},
        )

    @torch.no_grad()
    def _draw(
        self, inputs: Inputs, batch: Sequence[tuple[int, int]], seed: int, options: SamplingConfig
    ) -> np.ndarray:
        """Masses ``(batch, field, y, x)`` of pairs (sample, member)."""
        rows = [i for i, _ in batch]
        given = self._given(inputs, rows)
        keys = [
            member_key([inputs.condition[i], inputs.large_scale[i]], seed, k, self.seed)
            for i, k in batch
        ]
        n_channels = len(network_channels(self.card.normalisation.channels))
        noise = MemberNoise(keys, (n_channels, *given.condition.shape[1:]), self.device)
        denoise = steered_denoiser(self._autocast, given, self.card.diffusion, options)
        if inputs.observed is not None:
            observed = torch.from_numpy(inputs.observed[rows]).to(self.device)
            x, mask = self.transform.observe(observed, given.condition, given.baryon_fraction)
            denoise = reconstruction_guided(
                denoise,
                observed_pixels(mask),
                (x * mask).flatten(1),
                noise_std=inputs.observation_noise,
            )
        solver, gammas = plan(self.card.diffusion, self.schedule, options)
        z = noise()
        if options.start == "spectrum":
            z = spectral_start(z, given.fields[:, 0], self._modes(), gammas[0])
        try:
            x = solve(solver, denoise, z, gammas, noise)
        except NonFiniteError as error:
            faulty = ", ".join(f"sample {batch[i][0]} member {batch[i][1]}" for i in error.rows)
            raise EmulatorError(
                f"the network returned NaN or infinity at evaluation {error.step} (gamma "
                f"{error.gamma:.4g}) for {faulty} of seed {seed}; weights or inputs are not what "
                "the model was trained for"
            ) from error
        masses = self.transform.inverse_transform(x, given.condition, given.baryon_fraction)
        drawn: np.ndarray = masses.cpu().numpy()
        factors = self.card.normalisation.context_factors
        require_possible_masses(drawn, inputs, batch, self.channels, factors)
        return drawn

    def _given(self, inputs: Inputs, rows: Sequence[int]) -> Given:
        """Conditions of some rows as the network sees them."""
        encoded, known, fraction = self._encode(inputs.params[rows])
        condition = torch.from_numpy(inputs.condition[rows]).to(self.device)
        context = torch.from_numpy(inputs.large_scale[rows]).to(self.device)
        fields = self.transform.transform_condition(condition, context)
        return Given(fields, encoded, known, condition, fraction)

    def _require_trained_without(self, params: np.ndarray) -> None:
        """Refuse unknown parameters that the model was always told, or that the fields need."""
        unknown = np.isnan(params)
        names = [name for i, name in enumerate(self.params) if unknown[:, i].any()]
        if not names:
            return
        share, diffusion = self.card.normalisation.cosmic_share, self.card.diffusion
        needed = [name for name in names if name in (share.omega_m, share.omega_b)]
        if needed:
            raise EmulatorError(
                f"params: {', '.join(needed)} cannot be unknown: it sets the baryon fraction"
            )
        together = unknown.all(1) | ~unknown.any(1)
        if diffusion.drop_each_param == 0.0 and not (diffusion.drop_params > 0 and together.all()):
            raise EmulatorError(
                f"params: {', '.join(names)} unknown, but the model was never trained without "
                "single parameters; train it with diffusion.drop_each_param > 0"
            )

    def _modes(self) -> ModeStatistics:
        if self.card.modes is None:
            raise EmulatorError(
                "sampling.start: spectrum needs a model whose bundle holds the data's spectra"
            )
        return ModeStatistics.from_lists(self.card.modes)

    def _autocast(self, *args: Tensor) -> Tensor:
        """Run the network in the precision that it was trained in."""
        mixed = self.card.facts.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return self.network(*args)

    def _encode(self, params: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Scaled parameters and which are known, ``(batch, param)``; baryon fractions."""
        normalisation = self.card.normalisation
        rows = [dict(zip(self.params, row, strict=True)) for row in params]
        scaled = np.stack([normalisation.encode_params(row) for row in rows])
        fractions = [normalisation.cosmic_share.baryon_fraction(row) for row in rows]
        device = self.device
        known = torch.from_numpy(np.isfinite(scaled).astype(np.float32)).to(device)
        filled = torch.from_numpy(np.nan_to_num(scaled, nan=0.0)).to(device)
        return filled, known, torch.tensor(fractions, device=device)

    def _label(
        self,
        fields: np.ndarray,
        inputs: Inputs,
        members: Sequence[int],
        seed: int,
        options: SamplingConfig,
    ) -> "xr.Dataset":
        import xarray as xr

        mass = {"units": str(Unit.MASS_PER_PIXEL)}
        grid = self.card.grid
        coordinate = (np.arange(grid.window) + 0.5) * grid.pixel_mpch
        return xr.Dataset(
            {
                "fields": (("sample", "member", "channel", "y", "x"), fields, mass),
                "condition": (("sample", "y", "x"), inputs.condition, mass),
                "large_scale": (("sample", "level", "y", "x"), inputs.large_scale, mass),
                "params": (("sample", "parameter"), np.array(inputs.params)),
                "seed": ((), seed),
            },
            coords={
                "channel": self.channels,
                "member": list(members),
                "model_seed": ("member", [self.seed] * len(members)),
                "model_member": ("member", list(members)),
                "level": list(self.card.normalisation.context_factors),
                "parameter": self.params,
                "y": ("y", coordinate, {"units": str(Unit.LENGTH)}),
                "x": ("x", coordinate, {"units": str(Unit.LENGTH)}),
            },
            attrs={
                **grid.model_dump(),
                "solver": options.solver.name,
                "n_steps": options.n_steps,
                "sampling": json.dumps(_as_drawn(options, inputs, members, seed)),
                **_observation(inputs),
                **provenance("sample", model=self.card.name, weights=[self.card.weights_sha256]),
                **{k: v for k, v in self.card.attributes.items() if k == "notice"},
            },
        )


def _as_drawn(
    options: SamplingConfig, inputs: Inputs, members: Sequence[int], seed: int
) -> dict[str, Any]:
    """Options with what the call said itself, for the record."""
    facts = {
        "n_members": len(members),
        "windows_per_simulation": len(inputs.condition),
        "seed": seed,
    }
    return options.model_dump(mode="json") | facts


def _observation(inputs: Inputs) -> dict[str, float]:
    """Attributes of members that go through known values."""
    if inputs.observed is None:
        return {}
    known = float(np.isfinite(inputs.observed).mean())
    return {"observed_share": known, "observation_noise": inputs.observation_noise}
