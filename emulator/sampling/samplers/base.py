"""What a sampler is: from a condition and noise to the network's channels."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.likelihood import LogLikelihood
from emulator.diffusion.parameterization import Denoiser
from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.field_transform import Encoded, network_channels


class Known(NamedTuple):
    """Network channels that members must go through."""

    x: Tensor  # (batch, channel, y, x)
    mask: Tensor  # of its shape: 1 where known, else 0
    noise_std: float


class Density(NamedTuple):
    """What is diffused of data, by which denoiser; its density times a volume is that of data."""

    denoise: Denoiser
    x: Tensor  # (batch, channel, y, x)
    log_volume: Tensor  # (batch,): ln p(data) = ln p(x) - log_volume
    gamma_max: float


class Sampler(ABC):
    """Draws from a network.

    Parameters
    ----------
    card
        Of its bundle.
    network
        ``network(z, gamma, fields, params, mask)``, in the precision that it was trained in.
    """

    def __init__(self, card: ModelCard, network: Callable[..., Tensor]) -> None:
        self.card, self.network = card, network
        self.n_channels = len(network_channels(card.normalisation.channels))
        self.noise_channels = self.n_channels

    def of_network(self, network: Callable[..., Tensor]) -> "Sampler":
        """The same sampler of another network: of whole boxes, say."""
        other = copy.copy(self)
        other.network = network
        return other

    @property
    def scaled_copies(self) -> tuple[int, ...]:
        """Copies of the noise, one after the other in its channels, that a calibration may scale.

        A copy has a noise for every channel of the network.
        """
        return tuple(range(self.noise_channels // self.n_channels))

    @abstractmethod
    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """Refuse what this family cannot do.

        Raises
        ------
        EmulatorError
            With what to do instead.
        """

    def refuse_evaluations(self, options: SamplingConfig) -> None:
        """Refuse what only a consistency model reads.

        Raises
        ------
        EmulatorError
            With what to do instead.
        """
        if options.evaluations is not None:
            raise EmulatorError(
                f"sampling.evaluations is {options.evaluations}, and {self.card.name} is no "
                "consistency model: leave it out (a diffusion takes sampling.n_steps)"
            )

    @abstractmethod
    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """Network channels ``(batch, channel, y, x)``.

        Parameters
        ----------
        given
            Condition of every row.
        noise
            Returns the next unit noise of the batch, ``(batch, noise_channels, y, x)``.
        options
            Of which each family reads its own.
        known
            What members must go through.

        Raises
        ------
        NonFiniteError
            If the network returns NaN or infinity.
        """

    @abstractmethod
    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """Log-density of network channels; see :mod:`emulator.diffusion.likelihood`."""

    def density(self, given: Encoded, x: Tensor) -> Density:
        """What the density of network channels ``x`` is one of; see :class:`Density`.

        Raises
        ------
        EmulatorError
            If the family has none.
        """
        raise EmulatorError(
            f"{self.card.name} is a {self.card.facts.objective} model, which has no likelihood: "
            "use method='simulation', or a diffusion"
        )

    @abstractmethod
    def passes(self, options: SamplingConfig) -> int:
        """Evaluations of the network that a draw takes."""

    @abstractmethod
    def recipe(self, options: SamplingConfig) -> dict[str, str | int]:
        """``solver`` and ``n_steps``, for the record."""
