"""`Emulator`: draw ensembles of fields from a bundle.

A member is a function of (bundle, condition, params, seed, member) alone; neither batch size nor
order enters, up to float32 rounding of the network.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.data.condition import Condition
from emulator.diffusion.solvers import NonFiniteError
from emulator.io import EmulatorError
from emulator.model.calibration import CALIBRATION_FILE, Calibration
from emulator.model.card import ModelCard
from emulator.model.field_transform import FieldTransform, of_network
from emulator.model.found_solver import FoundSolver
from emulator.model.gaps import Gaps
from emulator.networks.backbone import Backbone
from emulator.progress import Progress
from emulator.sampling.base import BaseEmulator
from emulator.sampling.chosen import choose_options, is_found
from emulator.sampling.comparison import compare_points
from emulator.sampling.inputs import Observed
from emulator.sampling.labels import label_calibration, label_ensemble, label_setting
from emulator.sampling.noise import MemberNoise, member_key
from emulator.sampling.painting.box import Box
from emulator.sampling.painting.labels import Drawn
from emulator.sampling.painting.network import TiledNetwork
from emulator.sampling.painting.noise import BoxNoise
from emulator.sampling.possible import require_possible
from emulator.sampling.samplers import CalibratedSampler, Known, Sampler, build_sampler
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


class Emulator(BaseEmulator):
    """A trained model that draws hydrodynamic fields for dark-matter-only ones.

    Parameters
    ----------
    card
        Content of ``model.json``.
    network
        Its network.
    device
        ``"cpu"``, ``"cuda"``, ...; default: a GPU if there is one.
    found
        Its ``solver.json``, if there is one.
    """

    def __init__(
        self,
        card: ModelCard,
        network: Backbone,
        *,
        device: str | torch.device | None = None,
        found: FoundSolver | None = None,
    ) -> None:
        self.card, self.found = card, found
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device)
        self.transform = FieldTransform(card.normalisation)
        self.sampler: Sampler = build_sampler(card, self._autocast)
        self.calibration: Calibration | None = None

    @property
    def seed(self) -> int:
        """Seed that the model was trained from."""
        return self.card.facts.seed

    def calibrated_by(
        self, calibration: Calibration, source: str | Path = CALIBRATION_FILE
    ) -> "Emulator":
        """The same model, whose draws are corrected.

        Parameters
        ----------
        calibration
            Content of ``calibration.json``.
        source
            Where it was read, for messages.

        Raises
        ------
        DataError
            If it is of other channels.
        """
        plain, channels = self.uncalibrated(), self.card.normalisation.channels
        names = [channel.name for channel in of_network(channels)]
        calibration.require_fits(source, names, plain.sampler.noise_channels)
        plain.calibration = calibration
        plain.sampler = CalibratedSampler(
            plain.sampler, torch.tensor(calibration.noise_scale), torch.tensor(calibration.shift)
        )
        return plain

    def uncalibrated(self) -> "Emulator":
        """The same model, which draws as it was trained."""
        plain = copy.copy(self)
        if isinstance(self.sampler, CalibratedSampler):
            plain.sampler = self.sampler.sampler
        plain.calibration = None
        return plain

    def options_for(self, asked: SamplingConfig | None) -> SamplingConfig:
        """Options that members are drawn with; see :func:`choose_options`."""
        return choose_options(asked, self.found, self.card.name)

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
        options = self.options_for(asked)
        self.sampler.require(options, observed=observed is not None)
        pairs = [(i, k) for i in range(len(condition.field)) for k in range(len(members))]
        shape = (len(condition.field), len(members), len(self.fields))
        values = np.empty((*shape, *condition.field.shape[1:]), np.float32)
        line = Progress("sample", len(pairs)) if progress else None
        for first in range(0, len(pairs), options.batch_size):
            places = pairs[first : first + options.batch_size]
            batch = [(i, members[k]) for i, k in places]
            fields = self._draw(condition, observed, batch, seed, noise_of, options)
            for place, field in zip(places, fields, strict=True):
                values[place] = field
            if line is not None:
                line.advance(len(batch))
        labelled = label_ensemble(values, condition, observed, members, seed, options, self.card)
        drawn = labelled.assign_attrs(self.sampler.recipe(options))
        drawn = label_calibration(drawn, self.calibration, self.seed)
        return label_setting(drawn, options) if is_found(asked, self.found) else drawn

    def passes(self, options: SamplingConfig) -> int:
        """Evaluations of the network that a member takes."""
        return self.sampler.passes(options)

    def drawn_by(self, member: int, options: SamplingConfig) -> Drawn:
        """Every member is of this model."""
        recipe = self.sampler.recipe(options)
        return Drawn(self.seed, self.card.weights_sha256, recipe, self.calibration)

    @torch.no_grad()
    def paint_member(
        self, box: Box, member: int, seed: int, options: SamplingConfig, progress: Progress | None
    ) -> np.ndarray:
        """Fields ``(channel, y, x)`` of a whole box; see :meth:`paint`."""
        self.sampler.require(options)
        if options.guidance_scale != 1.0 and "context" in options.guidance_drops:
            raise EmulatorError(
                "sampling.guidance_drops: context is not dropped from a box, whose windows have a "
                "context each: set it to [params], or guidance_scale to 1"
            )
        here = box.condition.to(self.device)
        network = TiledNetwork(
            self._autocast, box.tiles, self.transform.encode(box.windows.to(self.device)),
            options.batch_size, progress,
        )  # fmt: skip
        shape = (self.sampler.noise_channels, *box.condition.field.shape[1:])
        key = member_key(f"box {box.name}", seed, member, self.seed)
        noise = BoxNoise([key], shape, self.device)
        try:
            x = self.sampler.of_network(network).draw(
                self.transform.encode(here), noise, options, None
            )
        except NonFiniteError as error:
            raise EmulatorError(
                f"the network returned NaN or infinity at evaluation {error.step} (gamma "
                f"{error.gamma:.4g}) for member {member} of seed {seed}; weights or inputs are not "
                "what the model was trained for"
            ) from error
        drawn: np.ndarray = self.transform.inverse_transform(x, here).cpu().numpy()
        require_possible(drawn, box.condition, [(0, member)], self.fields, ())
        values: np.ndarray = drawn[0]
        return values

    def _log_density(
        self, values: np.ndarray, condition: Condition, n_steps: int, n_probes: int, seed: int
    ) -> "xr.Dataset":
        import xarray as xr

        here = condition.to(self.device)
        target = torch.from_numpy(values).to(self.device)
        encoded = self.transform.encode(here)
        generator, gaps = torch.Generator().manual_seed(seed), Gaps(self.transform)
        left = gaps.leave(target, here)
        x = gaps.fill_from(left, generator)
        result = self.sampler.log_likelihood(
            encoded,
            x,
            n_steps=n_steps,
            n_probes=n_probes,
            generator=generator,
        )
        nats = result.nats - gaps.log_density(left, x)
        units = {"units": str(Unit.NATS)}
        return xr.Dataset(
            {
                "log_likelihood": (("sample",), nats.cpu().numpy(), units),
                "standard_error": (("sample",), result.standard_error.cpu().numpy(), units),
            },
            attrs={"n_steps": n_steps, "n_probes": n_probes, "seed": seed},
        )

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
        return compare_points(
            self.sampler.of_network(self.network), self.transform, values, condition, points,
            noise=noise, n_noise=n_noise, seed=seed, device=self.device, line=line,
        )  # fmt: skip

    @torch.no_grad()
    def _draw(
        self,
        condition: Condition,
        observed: Observed | None,
        batch: Sequence[tuple[int, int]],
        seed: int,
        noise_of: Sequence[str] | None,
        options: SamplingConfig,
    ) -> np.ndarray:
        """Fields ``(batch, field, y, x)`` of pairs (sample, member)."""
        rows = [i for i, _ in batch]
        given = condition.rows(rows)
        here = given.to(self.device)
        encoded = self.transform.encode(here)
        names = None if noise_of is None else [noise_of[i] for i in rows]
        noise = self._noise(given, [k for _, k in batch], seed, names)
        known = None
        if observed is not None:
            values = torch.from_numpy(observed.values[rows]).to(self.device)
            known = Known(*self.transform.observe(values, here), observed.noise)
        try:
            x = self.sampler.draw(encoded, noise, options, known)
        except NonFiniteError as error:
            faulty = ", ".join(f"sample {batch[i][0]} member {batch[i][1]}" for i in error.rows)
            raise EmulatorError(
                f"the network returned NaN or infinity at evaluation {error.step} (gamma "
                f"{error.gamma:.4g}) for {faulty} of seed {seed}; weights or inputs are not what "
                "the model was trained for"
            ) from error
        drawn: np.ndarray = self.transform.inverse_transform(x, here).cpu().numpy()
        factors = self.card.normalisation.context_factors
        require_possible(drawn, given, batch, self.fields, factors)
        return drawn

    def _noise(
        self, given: Condition, members: Sequence[int], seed: int, names: Sequence[str] | None
    ) -> MemberNoise:
        """Noise of each row, a function of its window, the seeds and the member's number."""
        fields, context = given.field.numpy(), given.context.numpy()
        keys = [
            member_key(
                [fields[row], context[row]] if names is None else names[row],
                seed,
                member,
                self.seed,
            )
            for row, member in enumerate(members)
        ]
        return MemberNoise(keys, (self.sampler.noise_channels, *fields.shape[1:]), self.device)

    def _autocast(self, *args: Tensor) -> Tensor:
        """Run the network in the precision that it was trained in."""
        mixed = self.card.facts.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            out: Tensor = self.network(*args)
            return out
