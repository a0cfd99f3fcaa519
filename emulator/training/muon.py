r"""Muon for the matrices of a network, AdamW for all else, as one optimiser.

The momentum of a matrix is replaced by the nearest semi-orthogonal one, so that a step is of equal
size in every direction, also in those whose gradients are small:

.. math:: M \leftarrow \mu M + G, \qquad W \leftarrow (1 - \eta\lambda) W
          - 0.2\,\eta\sqrt{\max(m, n)}\;\mathrm{orth}(G + \mu M)

for an ``m x n`` matrix; a convolution's is ``outputs x (inputs * pixels)``. The factor gives a step
the root mean square of one of AdamW, whose learning rate and decay then serve for both. ``orth`` is
five steps of a Newton-Schulz iteration, which maps singular values to about one (0.7 to 1.2).

Left to AdamW: what reads the inputs and writes the outputs of the network
(:attr:`~emulator.networks.backbone.Backbone.ends`), biases and norms.

References
----------
Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks"; Liu et al. (2025),
arXiv:2502.16982 (the factor).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that is iterated: steep at zero, and never far from one above it."""

RMS = 0.2
"""Of a step, in units of the learning rate; about that of AdamW."""


def orthogonalise(matrix: Tensor, n_steps: int = 5) -> Tensor:
    """About ``U V^T`` of a matrix ``U S V^T``; singular values near zero may stay behind.

    In the precision of the matrix: half of it is enough, as the result is not exact anyway.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(n_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    near: Tensor = x.T if tall else x
    return near


class Muon(Optimizer):
    """See the module.

    Parameters
    ----------
    groups
        Parameter groups; those with ``orthogonal: True`` hold matrices.
    lr
        Learning rate of all groups.
    dtype
        Precision of the iteration: bfloat16 where the network is trained in it, which is four
        times faster on processors that have it.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        defaults = {
            "lr": lr, "momentum": 0.95, "betas": (0.9, 0.999), "eps": 1e-8,
            "weight_decay": 0.0, "orthogonal": False,
        }  # fmt: skip
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = self._orthogonal if group["orthogonal"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1.0 - group["lr"] * group["weight_decay"])
                    parameter.add_(update(parameter, parameter.grad, group), alpha=-group["lr"])
        return loss

    def _orthogonal(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum: Tensor = state["momentum"].mul_(group["momentum"]).add_(gradient)
        matrix = gradient.add(momentum, alpha=group["momentum"]).flatten(1)
        scale: float = RMS * max(matrix.shape) ** 0.5
        near = orthogonalise(matrix.to(self.dtype)).to(parameter.dtype)
        return near.reshape(parameter.shape) * scale

    def _adam(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["mean"].lerp_(gradient, 1.0 - beta1)
        state["square"].lerp_(gradient.square(), 1.0 - beta2)
        mean = state["mean"] / (1.0 - beta1 ** state["step"])
        square = state["square"] / (1.0 - beta2 ** state["step"])
        step: Tensor = mean / (square.sqrt() + group["eps"])
        return step
