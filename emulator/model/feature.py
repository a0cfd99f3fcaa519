"""A transform: from one field to what the network sees of it, and back."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor


class Feature(NamedTuple):
    """One network channel before z-scoring, and where it is defined; elsewhere it holds zero."""

    values: Tensor
    defined: Tensor


class Transform(ABC):
    """From one field to its network channels and back."""

    suffixes: ClassVar[tuple[str, ...]] = ("",)
    """What is added to the field's name, for each network channel."""

    @abstractmethod
    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """Network channels of a field.

        Parameters
        ----------
        x
            The field, ``(..., y, x)``.
        reference
            What it would be if it followed the matter, plus the floor; of its shape.
        floor
            In its unit.
        """

    def empty_below(self, floor: float) -> float:
        """Value up to which a field comes back as zero; 0 where every value comes back."""
        return 0.0

    @abstractmethod
    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """Return the field; arguments as in :meth:`forward`."""

    def relaxed_inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """The values of :meth:`inverse`, with a gradient also where it is a step."""
        return self.inverse(features, reference, floor)

    def compress(self, mean: Tensor, floor: float, n_pixels: int) -> Tensor:
        """Of a mean over pixels, a number of which differences are comparable; to score means.

        Parameters
        ----------
        mean
            Of the field over ``n_pixels`` pixels, in its unit.
        floor
            As in :meth:`forward`.
        n_pixels
            How many; a single pixel at the floor shows in the mean of all.
        """
        return (mean + floor / n_pixels).log()
