"""What every backbone offers, and the head that reads parameters off its first layer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Interface:
    """What a backbone must fit, whatever is inside.

    Attributes
    ----------
    n_channels
        Channels of ``z``, and of the output unless ``n_outputs`` says how many.
    n_context
        Context windows beside the condition.
    n_params
        Conditioning parameters.
    gamma_min, gamma_max
        Range of gamma that its embedding is made for.
    n_outputs
        Channels of the output of a network that is not the only one; None: those of ``z``.
    fields
        Number of the field that each channel of ``z`` belongs to; empty: all are of one field.
    ndim
        Dimensions of space: 2 of maps, 3 of volumes.
    """

    n_channels: int
    n_context: int
    n_params: int
    gamma_min: float = -13.3
    gamma_max: float = 13.0
    n_outputs: int | None = None
    fields: tuple[int, ...] = ()
    ndim: int = 2

    def __post_init__(self) -> None:
        if self.fields and len(self.fields) != self.n_channels:
            raise ValueError(
                f"fields: expected one for each of {self.n_channels} channels, got {self.fields}"
            )

    @property
    def n_written(self) -> int:
        """Channels of the output."""
        return self.n_channels if self.n_outputs is None else self.n_outputs

    @property
    def channels_of_fields(self) -> list[list[int]]:
        """Channels of each field, in the order in which they stand in ``z``."""
        fields = self.fields or (0,) * self.n_channels
        return [[i for i, f in enumerate(fields) if f == field] for field in sorted(set(fields))]

    def for_outputs(self, n_outputs: int) -> "Interface":
        """The same for a network that sees all channels and writes only so many."""
        return replace(self, n_outputs=n_outputs)


class Backbone(nn.Module, ABC):
    """Function of (z, gamma, condition, params, mask), with the channels of ``z``.

    Shapes: ``z (batch, channel, ...)``; ``gamma (batch,)``; ``condition (batch, field, ...)``, the
    normalised condition followed by its context windows; ``params`` and ``mask`` ``(batch,
    param)``, scaled parameters and 1 where they are known.
    """

    feature_width: int
    """Channels of :meth:`features`."""
    ends: tuple[str, ...] = ("stem.", "out.")
    """Prefixes of the weights that read the inputs and write the output."""

    @abstractmethod
    def features(self, z: Tensor, condition: Tensor) -> Tensor:
        """Features ``(batch, feature_width, ...)`` that gamma and parameters do not modulate."""

    @abstractmethod
    def forward(
        self, z: Tensor, gamma: Tensor, condition: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Output with the shape of ``z``."""

    @staticmethod
    def require_multiple(z: Tensor, factor: int) -> None:
        """Refuse fields whose sides are not multiples of ``factor``."""
        if any(side % factor for side in z.shape[2:]):
            raise ValueError(f"field {tuple(z.shape[2:])} is not a multiple of {factor} pixels")


class ParameterHead(nn.Module):
    """Regression of the parameters from un-modulated features.

    It helps the first layer to see what depends on parameters. It cannot read the answer: nothing
    it sees has been modulated by them.

    Parameters
    ----------
    width
        Channels of the features.
    n_params
        Number of parameters.
    """

    def __init__(self, width: int, n_params: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, n_params))

    def forward(self, features: Tensor) -> Tensor:
        """Estimate ``(batch, param)`` from mean and scatter of ``features (batch, width, ...)``."""
        flat = functional.silu(features).flatten(2)
        moments = torch.cat([flat.mean(-1), flat.var(-1, unbiased=False).add(1e-6).sqrt()], dim=1)
        estimate: Tensor = self.mlp(moments)
        return estimate
