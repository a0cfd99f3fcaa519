r"""Between the values of a field and what the network sees; every transform inverts on its domain.

=========== ======== ========================================== ================================
transform   channels forward                                    inverse
=========== ======== ========================================== ================================
log         1        :math:`\log(x + f)`                        :math:`\max(0, e^u - f)`
log_ratio   1        :math:`\log(x + f) - \log(s d + f)`        :math:`\max(0, (sd+f) e^u - f)`
asinh_ratio 1        :math:`\mathrm{asinh}(r/w)` with            :math:`r = w \sinh u`,
                     :math:`r = (x + f)/(s d + f) - 1`          :math:`\max(0, (sd+f)(1+r) - f)`
hurdle      2        occupancy :math:`o = \pm 1`; and          :math:`(sd+f) e^a` where
                     :math:`a = \log x - \log(s d + f)` where   :math:`o > 0`, else 0
                     occupied, its mean elsewhere
asinh       1        :math:`\mathrm{asinh}(x / f)`              :math:`f \sinh u`
identity    1        :math:`x`                                  :math:`u`
quantile    1        lines through fitted knots                 the same lines
                     (:mod:`emulator.model.quantile`)
=========== ======== ========================================== ================================

``x`` is the field in its unit, ``d`` the DMO mass, ``s`` the cosmic share of the field (``f_b`` of
baryons, ``1 - f_b`` of dark matter), ``f`` the floor. Without the share, the spread of ``f_b``
between cosmologies would hide what happens inside halos. A pixel is occupied when ``x > f``: less
than the floor counts as empty (that is the hurdle's domain: 0 or above ``f``). The maximum with
zero is part of the inverse: it projects onto masses, and never acts on the image of the forward
transform. Then every network channel is z-scored with statistics of the training split; but not
occupancies that are analog bits (:mod:`emulator.model.hurdle`).
"""

from typing import ClassVar

import torch
from torch import Tensor

from emulator.fields import TransformName
from emulator.model.feature import Feature, Transform
from emulator.model.quantile import Quantile


class Log(Transform):
    """Logarithm above the floor."""

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        return [_everywhere((x + floor).log())]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        return (features[0].exp() - floor).clamp(min=0.0)


class LogRatio(Transform):
    """Logarithm of the ratio to what the field would be if it followed the matter."""

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        return [_everywhere((x + floor).log() - reference.log())]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        return (reference * features[0].exp() - floor).clamp(min=0.0)


class AsinhRatio(Transform):
    r"""Departure from what follows the matter: linear within a width, logarithmic beyond it.

    The logarithm of a ratio is Gaussian only as far as its tails are lognormal. Ratios of heavier
    tails, on either side of one, are the case of Johnson's (1949) system S_U: asinh of the variable
    over its width. With the standard deviation of the ratio as the width (what is fitted where the
    config says none) the core is seen as it is, and an error of u anywhere is one of
    :math:`\sqrt{w^2 + r^2}\,du` of the ratio: it never falls below w, where that of a logarithm
    vanishes with the ratio.

    Parameters
    ----------
    linear_width
        ``w`` of the table.

    References
    ----------
    Johnson (1949), Biometrika 36, 149; Lupton, Gunn & Szalay (1999), AJ 118, 1406 (asinh
    magnitudes).
    """

    def __init__(self, linear_width: float = 1.0) -> None:
        self.linear_width = linear_width

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        return [_everywhere((((x + floor) / reference - 1.0) / self.linear_width).asinh())]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        ratio = 1.0 + self.linear_width * features[0].sinh()
        return (reference * ratio - floor).clamp(min=0.0)


class Hurdle(Transform):
    """Whether a pixel is occupied; and by how much, where it is."""

    suffixes: ClassVar[tuple[str, ...]] = ("_occupancy", "_amplitude")

    def empty_below(self, floor: float) -> float:
        """The floor itself counts as empty."""
        return floor

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        occupied = x > floor
        amplitude = torch.where(occupied, x, 1.0).log() - reference.log()
        return [
            _everywhere(occupied.to(x.dtype) * 2 - 1),
            Feature(torch.where(occupied, amplitude, 0.0), occupied),
        ]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        occupancy, amplitude = features
        return torch.where(occupancy > 0, reference * amplitude.exp(), 0.0)

    def relaxed_inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """Straight through: the step forward, the slope of a sigmoid backward.

        An empty pixel has the slope of one that would be filled with its amplitude, which itself
        gets none there.
        """
        occupancy, amplitude = features
        occupied = occupancy > 0
        soft = torch.sigmoid(2.0 * occupancy)
        gate = occupied.to(soft) + (soft - soft.detach())
        return gate * reference * torch.where(occupied, amplitude, amplitude.detach()).exp()


class Asinh(Transform):
    """Linear within the floor, logarithmic beyond it, of either sign."""

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        return [_everywhere((x / floor).asinh())]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        return floor * features[0].sinh()

    def compress(self, mean: Tensor, floor: float, n_pixels: int) -> Tensor:
        """As a pixel."""
        return (mean / floor).asinh()


class Identity(Transform):
    """The values themselves."""

    def forward(self, x: Tensor, reference: Tensor, floor: float) -> list[Feature]:
        """See the table."""
        return [_everywhere(x)]

    def inverse(self, features: list[Tensor], reference: Tensor, floor: float) -> Tensor:
        """See the table."""
        return features[0]

    def compress(self, mean: Tensor, floor: float, n_pixels: int) -> Tensor:
        """The mean itself."""
        return mean


TRANSFORMS: dict[TransformName, Transform] = {
    "log": Log(),
    "log_ratio": LogRatio(),
    "asinh_ratio": AsinhRatio(),
    "hurdle": Hurdle(),
    "asinh": Asinh(),
    "identity": Identity(),
    "quantile": Quantile(),
}
"""Transforms by their name in the config; those with fitted numbers as they are before that."""


def _everywhere(values: Tensor) -> Feature:
    return Feature(values, torch.ones_like(values, dtype=torch.bool))
