r"""The network of a whole box: what windows predict, blended.

What every family asks of a network is an output for a noised field. Here the field is a box and the
output the weighed mean of those of all windows that hold a pixel. All of them see the same ``z``
there, and a prediction is linear in ``z`` and the output, so the blend of outputs is the blend of
predictions; as it is taken in every evaluation, a solver carries one box and never sees a window.

References
----------
Bar-Tal et al. (2023), arXiv:2302.08113 (MultiDiffusion: windows fused in every step).
"""

import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from emulator.progress import Progress
from emulator.sampling.batches import Batches
from emulator.sampling.painting.tiles import Tiles, cut_window

CPU_PIXELS = 2**17
"""Pixels of windows that a CPU is given at once. More are not faster there, and what a network
holds of them grows with it: 50 MB for each layer of 96 channels."""

KEPT_PIXELS = 2**23
"""Pixels of the fields of all windows, layers included, that are kept from one evaluation to the
next: 32 MB. Of more they are cut anew each time."""


def windows_at_once(batch_size: int, window: int, device: torch.device) -> int:
    """Windows of a batch: as asked, but on a CPU no more than memory is well spent on."""
    if device.type != "cpu":
        return batch_size
    return min(batch_size, max(1, CPU_PIXELS // window**2))


class TiledNetwork:
    """Callable as the network of a window is, with boxes in place of windows.

    Parameters
    ----------
    network
        ``network(z, gamma, fields, params, mask)`` of windows.
    tiles
        Windows of the box.
    given
        Fields of windows as the network sees them, ``(tile, layer, y, x)``, by their numbers in
        ``tiles.corners``: those of a batch at a time, as all windows of a large box would fill
        memory.
    device
        Of the network.
    batches
        How many windows the network is given at once, at most. It changes results by rounding
        alone.
    progress
        Counts windows.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        tiles: Tiles,
        given: Callable[[Sequence[int]], Tensor],
        device: torch.device,
        batches: Batches,
        progress: Progress | None = None,
    ) -> None:
        self.network, self.tiles, self.given, self.batches = network, tiles, given, batches
        self.progress = progress
        self.weight, self.total = tiles.weight().to(device), tiles.total(device)
        self.at_once = windows_at_once(sys.maxsize, tiles.window, device)
        self.kept: Tensor | None = None
        count = len(tiles.corners)
        if count * given([0]).numel() <= KEPT_PIXELS:
            parts = [range(i, min(i + self.at_once, count)) for i in range(0, count, self.at_once)]
            self.kept = torch.cat([given(part) for part in parts])

    def __call__(
        self, z: Tensor, gamma: Tensor, fields: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Output of the shape of ``z``, ``(box, channel, y, x)``; ``fields`` is not read."""
        out = torch.zeros_like(z, dtype=torch.float32)
        noised, blended = z.unbind(), out.unbind()
        corners, size = self.tiles.corners, self.tiles.window
        pairs = [(box, tile) for box in range(len(z)) for tile in range(len(corners))]

        def evaluate(chosen: Sequence[tuple[int, int]]) -> Tensor:
            boxes, numbers = [box for box, _ in chosen], [tile for _, tile in chosen]
            windows = torch.stack(
                [cut_window(noised[box], *corners[tile], size) for box, tile in chosen]
            )
            given = self.given(numbers) if self.kept is None else self.kept[numbers]
            return self.network(windows, gamma[boxes], given, params[boxes], mask[boxes])

        def in_parts(chosen: Sequence[tuple[int, int]]) -> Tensor:
            starts = range(0, len(chosen), self.at_once)
            return torch.cat([evaluate(chosen[i : i + self.at_once]) for i in starts])

        for chosen, drawn in self.batches.over(pairs, in_parts):
            for (box, tile), window in zip(chosen, drawn.float() * self.weight, strict=True):
                self.tiles.add(blended[box], [corners[tile]], window[None])
            if self.progress is not None:
                self.progress.advance(len(chosen))
        return out / self.total
