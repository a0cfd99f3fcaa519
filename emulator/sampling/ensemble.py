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
from emulator.config.names import SOLVED
from emulator.data.condition import Condition
from emulator.diffusion.solvers import NonFiniteError
from emulator.io import EmulatorError
from emulator.model.calibration import CALIBRATION_FILE, Calibration
from emulator.model.card import ModelCard
from emulator.model.field_transform import FieldTransform, of_network
from emulator.model.found_solver import FoundSolver
from emulator.model.gaps import Gaps
from emulator.model.kinds import KINDS
from emulator.model.lines import facts_of, lines_of, say_options
from emulator.model.validated import Validated
from emulator.networks.backbone import Backbone
from emulator.progress import Progress
from emulator.sampling.base import BaseEmulator
from emulator.sampling.batches import Batches
from emulator.sampling.chosen import choose_options, is_found, own_options
from emulator.sampling.comparison import compare_points
from emulator.sampling.devices import chosen_device
from emulator.sampling.differentiable import checkpointed
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
    validated
        Its ``validated.json``, if there is one.
    """

    def __init__(
        self,
        card: ModelCard,
        network: Backbone,
        *,
        device: str | torch.device | None = None,
        found: FoundSolver | None = None,
        validated: Validated | None = None,
    ) -> None:
        self.card, self.found, self.validated = card, found, validated
        self.device = chosen_device(device)
        self.network = network.to(self.device)
        self.transform = FieldTransform(card.normalisation)
        self.sampler: Sampler = build_sampler(card, self._autocast)
        self.calibration: Calibration | None = None
        self._found_batches: dict[tuple[int | str, bool], Batches] = {}

    def __repr__(self) -> str:
        kind = KINDS[self.card.facts.objective]
        facts = {**facts_of(self.card), "draws with": self.draws_with}
        if self.validated is not None:
            facts["judged"] = self.validated.said
        return lines_of(f"Emulator {self.card.name}: {kind}, seed {self.seed}", facts)

    @property
    def draws_with(self) -> str:
        """Solver, evaluations and calibration of a draw that names none, in words."""
        said = say_options(self.card, self.options_for(None))
        if self.card.facts.objective in SOLVED:
            found = "as was found" if self.found else "the default"
            said += f" ({'as it was judged' if self.validated else found})"
        return f"{said}, calibrated" if self.calibration else said

    @property
    def seed(self) -> int:
        """Seed that the model was trained from."""
        return self.card.facts.seed

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.network.parameters()).dtype

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
        return choose_options(asked, self.found, self.card.name, self.validated)

    @property
    def names_options(self) -> bool:
        """Whether the bundle says what it is drawn from with."""
        return own_options(self.found, self.validated) is not None

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
        batches = self._batches(options)

        def draw(places: Sequence[tuple[int, int]]) -> np.ndarray:
            batch = [(i, members[k]) for i, k in places]
            return self._draw(condition, observed, batch, seed, noise_of, options)

        for places, fields in batches.over(pairs, draw):
            for place, field in zip(places, fields, strict=True):
                values[place] = field
            if line is not None:
                line.advance(len(places))
        options = options.model_copy(update={"batch_size": batches.size})
        labelled = label_ensemble(values, condition, observed, members, seed, options, self.card)
        drawn = labelled.assign_attrs(self.sampler.recipe(options))
        drawn = label_calibration(drawn, self.calibration, self.seed)
        return label_setting(drawn, options) if is_found(asked, self.found) else drawn

    def _batches(self, options: SamplingConfig, *, differentiable: bool = False) -> Batches:
        """Sizes of batches; what was found to fit is kept."""
        key = (options.batch_size, differentiable)
        if key not in self._found_batches:
            self._found_batches[key] = Batches(options.batch_size, self.network)
        return self._found_batches[key]

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

        def given(numbers: Sequence[int]) -> Tensor:
            return self.transform.encode_layers(box.cut(numbers).to(self.device))

        batches = self._batches(options)
        network = TiledNetwork(self._autocast, box.tiles, given, self.device, batches, progress)
        shape = (self.sampler.noise_channels, *box.condition.field.shape[1:])
        key = member_key(f"box {box.name}", seed, member, self.seed)
        noise = BoxNoise([key], shape, self.device, box.first_cell)
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
        noise = self._noise(condition, batch, seed, noise_of)
        given = condition.rows([i for i, _ in batch]).to(self.device)
        drawn = self._fields(self.sampler, given, observed, batch, noise, seed, options)
        values: np.ndarray = drawn.cpu().numpy()
        self._require_possible(values, condition, batch)
        return values

    def _tensors(
        self,
        condition: Condition,
        live: Condition,
        members: Sequence[int],
        seed: int,
        noise_of: Sequence[str] | None,
        asked: SamplingConfig | None,
    ) -> Tensor:
        options = self.options_for(asked)
        self.sampler.require(options)
        sampler = self.sampler.of_network(checkpointed(self._autocast))
        pairs = [(i, k) for i in range(len(condition.field)) for k in members]

        def draw(batch: Sequence[tuple[int, int]]) -> Tensor:
            noise = self._noise(condition, batch, seed, noise_of)
            given = live.rows([i for i, _ in batch]).to(self.device)
            drawn = self._fields(sampler, given, None, batch, noise, seed, options)
            self._require_possible(drawn.detach().cpu().numpy(), condition, batch)
            return drawn

        parts = [
            drawn for _, drawn in self._batches(options, differentiable=True).over(pairs, draw)
        ]
        return torch.cat(parts).reshape(len(condition.field), len(members), *parts[0].shape[1:])

    def _fields(
        self,
        sampler: Sampler,
        given: Condition,
        observed: Observed | None,
        batch: Sequence[tuple[int, int]],
        noise: MemberNoise,
        seed: int,
        options: SamplingConfig,
    ) -> Tensor:
        """Fields ``(batch, field, y, x)`` of the conditions of pairs (sample, member)."""
        encoded = self.transform.encode(given)
        known = None
        if observed is not None:
            values = torch.from_numpy(observed.values[[i for i, _ in batch]]).to(self.device)
            known = Known(*self.transform.observe(values, given), observed.noise)
        try:
            x = sampler.draw(encoded, lambda: noise().to(given.field), options, known)
        except NonFiniteError as error:
            faulty = ", ".join(f"sample {batch[i][0]} member {batch[i][1]}" for i in error.rows)
            raise EmulatorError(
                f"the network returned NaN or infinity at evaluation {error.step} (gamma "
                f"{error.gamma:.4g}) for {faulty} of seed {seed}; weights or inputs are not what "
                "the model was trained for"
            ) from error
        return self.transform.inverse_transform(x, given)

    def _require_possible(
        self, drawn: np.ndarray, condition: Condition, batch: Sequence[tuple[int, int]]
    ) -> None:
        given = condition.rows([i for i, _ in batch])
        require_possible(drawn, given, batch, self.fields, self.card.normalisation.context_factors)

    def _noise(
        self,
        condition: Condition,
        batch: Sequence[tuple[int, int]],
        seed: int,
        names: Sequence[str] | None,
    ) -> MemberNoise:
        """Noise of each pair, a function of its window, the seeds and the member's number."""
        fields, context = condition.field.numpy(), condition.context.numpy()
        keys = [
            member_key(
                [fields[i], context[i]] if names is None else names[i], seed, member, self.seed
            )
            for i, member in batch
        ]
        return MemberNoise(keys, (self.sampler.noise_channels, *fields.shape[1:]), self.device)

    def _autocast(self, *args: Tensor) -> Tensor:
        """Run the network in the precision that it was trained in."""
        mixed = self.card.facts.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            out: Tensor = self.network(*args)
            return out
