"""`Emulator`: draw ensembles of fields from a bundle.

A member is a function of (bundle, condition, params, seed, member) alone; neither batch size nor
order enters, up to float32 rounding of the network.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.data.transforms import FieldTransform, network_channels
from emulator.diffusion.solvers import SOLVERS, gamma_grid
from emulator.metadata import provenance
from emulator.networks.unet import UNetVDM
from emulator.progress import Progress
from emulator.sampling.inputs import Inputs, Policy, prepare_inputs
from emulator.sampling.noise import MemberNoise, member_seed
from emulator.training.build import bind_condition, denoiser
from emulator.training.bundle import ModelCard, read_bundle
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_MODEL = "results/demo/model"
"""Bundle of `emulator.sample`, unless the variable EMULATOR_MODEL names another."""


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
        self, card: ModelCard, network: UNetVDM, *, device: str | torch.device | None = None
    ) -> None:
        self.card = card
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device)
        self.transform = FieldTransform(card.normalisation)

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
        seed: int = 0,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """Draw an ensemble for every window.

        Parameters
        ----------
        condition, params, large_scale, centres, out_of_range
            See :func:`emulator.sampling.inputs.prepare_inputs`.
        n_members, seed
            Size and seed of the ensemble: member ``k`` is the same whatever ``n_members``.
        sampling
            Solver, number of network evaluations, end points in gamma, batch size.
        progress
            Print a progress line on standard error.

        Returns
        -------
        Dataset with ``fields (sample, member, channel, y, x)`` [Msun/h per pixel], the conditions,
        parameters, and the seed of the ensemble.

        Raises
        ------
        EmulatorError
            For inputs that do not fit the model.
        """
        options = sampling or SamplingConfig()
        normalisation, window = self.card.normalisation, self.card.grid.window
        inputs = prepare_inputs(
            condition, params, normalisation, window,
            large_scale=large_scale, centres=centres, out_of_range=out_of_range,
        )  # fmt: skip
        if n_members < 1:
            raise ValueError(f"n_members must be at least 1, got {n_members}")
        pairs = [(i, k) for i in range(len(inputs.condition)) for k in range(n_members)]
        shape = (len(inputs.condition), n_members, len(self.channels), window, window)
        fields = np.empty(shape, np.float32)
        line = Progress("sample", len(pairs)) if progress else None
        began = time.perf_counter()
        for first in range(0, len(pairs), options.batch_size):
            batch = pairs[first : first + options.batch_size]
            drawn = self._draw(inputs, batch, seed, options)
            for (i, k), field in zip(batch, drawn, strict=True):
                fields[i, k] = field
            if line is not None:
                line.advance(len(batch))
        seconds = (time.perf_counter() - began) / len(pairs)
        return self._label(fields, inputs, seed, options, seconds)

    @torch.inference_mode()
    def _draw(
        self, inputs: Inputs, batch: Sequence[tuple[int, int]], seed: int, options: SamplingConfig
    ) -> np.ndarray:
        """Masses ``(batch, field, y, x)`` of pairs (sample, member)."""
        rows = [i for i, _ in batch]
        encoded, fraction = self._encode(inputs.params[rows])
        condition = torch.from_numpy(inputs.condition[rows]).to(self.device)
        context = torch.from_numpy(inputs.large_scale[rows]).to(self.device)
        fields = self.transform.transform_condition(condition, context)
        seeds = [
            member_seed([inputs.condition[i], inputs.large_scale[i], inputs.params[i]], seed, k)
            for i, k in batch
        ]
        n_channels = len(network_channels(self.card.normalisation.channels))
        noise = MemberNoise(seeds, (n_channels, *condition.shape[1:]), self.device)
        diffusion = self.card.diffusion
        start = diffusion.gamma_max if options.gamma_start is None else options.gamma_start
        end = diffusion.gamma_min if options.gamma_end is None else options.gamma_end
        bound = denoiser(bind_condition(self._autocast, fields, encoded), diffusion.prediction)
        gammas = gamma_grid(start, end, options.n_steps)
        z = SOLVERS[options.solver](bound, noise(), gammas, noise)
        return self.transform.inverse_transform(z, condition, fraction).cpu().numpy()

    def _autocast(self, *args: Tensor) -> Tensor:
        """Run the network in the precision that it was trained in."""
        mixed = self.card.training.get("precision") == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return self.network(*args)

    def _encode(self, params: np.ndarray) -> tuple[Tensor, Tensor]:
        """Scaled parameters ``(batch, param)`` and baryon fractions ``(batch,)``."""
        normalisation = self.card.normalisation
        rows = [dict(zip(self.params, row, strict=True)) for row in params]
        scaled = np.stack([normalisation.encode_params(row) for row in rows])
        fractions = [normalisation.cosmic_share.baryon_fraction(row) for row in rows]
        device = self.device
        return torch.from_numpy(scaled).to(device), torch.tensor(fractions, device=device)

    def _label(
        self, fields: np.ndarray, inputs: Inputs, seed: int, options: SamplingConfig, seconds: float
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
                "member": np.arange(fields.shape[1]),
                "level": list(self.card.normalisation.context_factors),
                "parameter": self.params,
                "y": ("y", coordinate, {"units": str(Unit.LENGTH)}),
                "x": ("x", coordinate, {"units": str(Unit.LENGTH)}),
            },
            attrs={
                **grid.model_dump(),
                "solver": options.solver,
                "n_steps": options.n_steps,
                "seconds_per_member": seconds,
                **provenance("sample", model=self.card.name, weights=self.card.weights_sha256),
                **{k: v for k, v in self.card.attributes.items() if k == "notice"},
            },
        )


def load(path: str | Path, *, device: str | torch.device | None = None) -> Emulator:
    """Load a bundle (a folder with ``model.json`` and ``weights.safetensors``).

    Raises
    ------
    DataError
        If the bundle is missing, damaged, or of another format.
    """
    card, network = read_bundle(path)
    return Emulator(card, network, device=device)


def sample(condition: "np.ndarray | xr.Dataset", params: Any, **options: Any) -> "xr.Dataset":
    """Draw from the default model; see :meth:`Emulator.sample` for ``options``.

    The model is the bundle named by the variable ``EMULATOR_MODEL``, or else that of the demo.
    """
    return load(os.environ.get("EMULATOR_MODEL", DEFAULT_MODEL)).sample(
        condition, params, **options
    )
