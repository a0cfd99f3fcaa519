r"""The network of a whole box: what windows predict, blended.

What every family asks of a network is an output for a noised field. Here the field is a box and the
output the weighed mean of those of all windows that hold a pixel. All of them see the same ``z``
there, and a prediction is linear in ``z`` and the output, so the blend of outputs is the blend of
predictions; as it is taken in every evaluation, a solver carries one box and never sees a window.

References
----------
Bar-Tal et al. (2023), arXiv:2302.08113 (MultiDiffusion: windows fused in every step).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from emulator.model.field_transform import Encoded
from emulator.progress import Progress
from emulator.sampling.batches import Batches
from emulator.sampling.painting.tiles import Tiles


class TiledNetwork:
    """Callable as the network of a window is, with boxes in place of windows.

    Parameters
    ----------
    network
        ``network(z, gamma, fields, params, mask)`` of windows.
    tiles
        Windows of the box.
    given
        Conditions of all windows as the network sees them, in the order of ``tiles.corners``; the
        parameters of the call count, not theirs.
    batches
        How many windows the network is given at once. It changes results by rounding alone.
    progress
        Counts windows.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        tiles: Tiles,
        given: Encoded,
        batches: Batches,
        progress: Progress | None = None,
    ) -> None:
        self.network, self.tiles, self.given, self.batches = network, tiles, given, batches
        self.progress = progress
        device = given.fields.device
        self.weight, self.total = tiles.weight().to(device), tiles.total(device)

    def __call__(
        self, z: Tensor, gamma: Tensor, fields: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Output of the shape of ``z``, ``(box, channel, y, x)``; ``fields`` is not read."""
        out = torch.zeros_like(z, dtype=torch.float32)
        corners = self.tiles.corners
        pairs = [(box, tile) for box in range(len(z)) for tile in range(len(corners))]

        def evaluate(chosen: Sequence[tuple[int, int]]) -> Tensor:
            boxes, numbers = [box for box, _ in chosen], [tile for _, tile in chosen]
            windows = torch.cat([self.tiles.cut(z[box], [corners[tile]]) for box, tile in chosen])
            return self.network(
                windows, gamma[boxes], self.given.fields[numbers], params[boxes], mask[boxes]
            )

        for chosen, drawn in self.batches.over(pairs, evaluate):
            for (box, tile), window in zip(chosen, drawn.float() * self.weight, strict=True):
                self.tiles.add(out[box], [corners[tile]], window[None])
            if self.progress is not None:
                self.progress.advance(len(chosen))
        return out / self.total
