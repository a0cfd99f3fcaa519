"""`PerField`: a network of its own for each field, all of which see everything.

Each one gets the whole of ``z``, condition, context and parameters, and writes the channels of its
field alone: fields share no weights, and the gradient of one does not pull at those of another.
"""

from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from emulator.networks.backbone import Backbone, Interface


class PerField(Backbone):
    """Backbones side by side, one for each field of the interface.

    Parameters
    ----------
    build
        Makes a backbone for an interface.
    interface
        Channels, and which field each belongs to; context windows and parameters.
    """

    order: Tensor

    def __init__(self, build: Callable[[Interface], Backbone], interface: Interface) -> None:
        super().__init__()
        owned = interface.channels_of_fields
        networks = [build(interface.for_outputs(len(channels))) for channels in owned]
        self.networks = nn.ModuleList(networks)
        self.feature_width = sum(network.feature_width for network in networks)
        self.ends = tuple(f"networks.{i}.{end}" for i, n in enumerate(networks) for end in n.ends)
        # where each channel stands among the outputs of one network after the other
        order = torch.tensor([channel for channels in owned for channel in channels]).argsort()
        self.register_buffer("order", order, persistent=False)

    def features(self, z: Tensor, condition: Tensor) -> Tensor:
        """Features of all networks, one after the other."""
        return torch.cat([network.features(z, condition) for network in self._backbones()], dim=1)

    def forward(
        self, z: Tensor, gamma: Tensor, condition: Tensor, params: Tensor, mask: Tensor
    ) -> Tensor:
        """Each network's channels, put where they stand in ``z``."""
        outputs = [network(z, gamma, condition, params, mask) for network in self.networks]
        return torch.cat(outputs, dim=1).index_select(1, self.order)

    def _backbones(self) -> Iterable[Backbone]:
        return cast("Iterable[Backbone]", self.networks)
