"""`Regression`: the baseline that gives one mean, and the mean with a Gaussian residual."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emulator.data.condition import Condition
from emulator.diffusion.random_field import draw_field
from emulator.fields import Field
from emulator.io import DataError
from emulator.model.bundle import read_bundle, read_residual
from emulator.model.card import ModelCard
from emulator.model.conditional import bind_condition, one_pass
from emulator.model.field_transform import FieldTransform, network_channels
from emulator.model.lines import facts_of, lines_of
from emulator.networks.backbone import Backbone

BATCH = 64
"""Windows that the network sees at once."""


class Regression:
    """A trained regression.

    Parameters
    ----------
    card, network
        Of its bundle.
    residual
        Spectrum of what it left of the validation split, ``(shell, channel, channel)``, in network
        channels.
    """

    def __init__(self, card: ModelCard, network: Backbone, residual: Tensor) -> None:
        self.card, self.network, self.residual = card, network, residual
        self.transform = FieldTransform(card.normalisation)

    def __repr__(self) -> str:
        facts = facts_of(self.card) | {"gives": "one mean, and a Gaussian residual about it"}
        return lines_of(f"Regression {self.card.name}: seed {self.card.facts.seed}", facts)

    @classmethod
    def read(cls, folder: str | Path) -> "Regression":
        """Read its bundle.

        Raises
        ------
        DataError
            A bundle that is missing, damaged, or that of a model which draws.
        """
        card, network = read_bundle(folder)
        if card.facts.objective != "regression":
            raise DataError(
                Path(folder) / "model.json", "a regression", f"objective {card.facts.objective!r}",
                "Train one with `emulator regress`.",
            )  # fmt: skip
        n_channels = len(network_channels(card.normalisation.channels))
        return cls(card, network, read_residual(folder, n_channels))

    @property
    def fields(self) -> tuple[Field, ...]:
        """Rows of the fields that it forecasts."""
        return tuple(channel.field for channel in self.card.normalisation.channels)

    @property
    def seen(self) -> frozenset[str]:
        """Simulations that it was trained on."""
        return frozenset(json.loads(self.card.attributes["provenance"])["splits"]["train"])

    def channels_of(self, condition: Condition) -> Tensor:
        """Mean of the network channels, ``(batch, channel, y, x)``."""
        rows = range(0, len(condition.field), BATCH)
        return torch.cat(
            [self._mean(Condition(*(part[i : i + BATCH] for part in condition))) for i in rows]
        )

    @torch.no_grad()
    def _mean(self, condition: Condition) -> Tensor:
        given = self.transform.encode(condition)
        bound = bind_condition(self.network, given, self.card.diffusion)
        n_samples, *window = condition.field.shape
        z = given.fields.new_zeros(n_samples, len(self.transform.mean), *window)
        return one_pass(bound, z)

    def forecast(
        self, condition: Condition, n_members: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fields at the mean, and at the mean plus a field with the spectrum of the residual.

        Parameters
        ----------
        condition
            Windows and parameters, in physical units.
        n_members
            Draws of the Gaussian random field for each window.
        rng
            Draws the unit noise.

        Returns
        -------
        ``(batch, field, y, x)`` and ``(batch, member, field, y, x)``, float32 in the units of the
        fields.

        Notes
        -----
        The mean is that of the network channels. Of a logarithm it is about the median of a field:
        the absolute error is near its least, and powers and masses are low.
        """
        mean = self.channels_of(condition)
        members = []
        for _ in range(n_members):
            noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), np.float32))
            members.append(self._fields(mean + draw_field(noise, self.residual), condition))
        return self._fields(mean, condition), np.stack(members, axis=1)

    def _fields(self, channels: Tensor, condition: Condition) -> np.ndarray:
        values: np.ndarray = self.transform.inverse_transform(channels, condition).numpy()
        return values
