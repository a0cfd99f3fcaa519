"""What a network costs: weights, arithmetic, memory; counted on the network itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from emulator.networks.backbone import Backbone, Interface

BYTES_A_WEIGHT = 20
"""Single precision: the weight, its gradient, two moments of Adam, and the moving average."""


@dataclass(frozen=True)
class Summary:
    """Costs of one network for one window.

    Attributes
    ----------
    n_parameters
        Weights that are trained.
    forward_flop
        Floating-point operations of a forward pass of one window (a multiply-add counts as two);
        a training step takes about three times as many.
    activation_bytes
        What is kept of one window for the backward pass.
    """

    n_parameters: int
    forward_flop: int
    activation_bytes: int

    def training_bytes(self, batch: int) -> int:
        """Memory of training with a batch: weights, their optimiser, and activations."""
        return self.n_parameters * BYTES_A_WEIGHT + batch * self.activation_bytes

    def __str__(self) -> str:
        return (
            f"{self.n_parameters / 1e6:.2f} M weights, {self.forward_flop / 1e9:.3g} GFLOP a "
            f"window and forward pass, {self.activation_bytes / 1e6:.3g} MB of activations a window"
        )


def blank_inputs(interface: Interface, window: Sequence[int], batch: int) -> list[Tensor]:
    """Arguments of a backbone, to count and to time with: zeros, all parameters known."""
    fields = [
        torch.zeros(batch, n, *window) for n in (interface.n_channels, 1 + interface.n_context)
    ]
    params = torch.zeros(batch, interface.n_params)
    return [fields[0], torch.zeros(batch), fields[1], params, torch.ones_like(params)]


def summarise(
    network: Backbone,
    make_inputs: Callable[[int], Sequence[Tensor]],
    *,
    autocast: bool = False,
) -> Summary:
    """Count the costs of a network by running it on one window.

    Parameters
    ----------
    network
        In any mode; it is left in that mode, without gradients.
    make_inputs
        ``make_inputs(batch)`` returns the arguments of the network.
    autocast
        Whether it is trained in bfloat16, which halves most activations.
    """
    arguments = make_inputs(1)
    was_training = network.training
    network.train()
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.enable_grad(),
        torch.autocast(arguments[0].device.type, torch.bfloat16, enabled=autocast),
        FlopCounterMode(display=False) as counter,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        output = network(*arguments)
    del output
    network.train(was_training)
    n_parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Summary(n_parameters, counter.get_total_flops(), sum(kept.values()))
