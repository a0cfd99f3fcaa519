"""Solvers against an independent library, azula, on data that are not Gaussian.

azula divides time evenly; its schedule is made so that gamma is linear in time. Its sampler ends
with the noised field at the last node, ours with the estimate of the data there.
"""

import pytest
import torch

from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma
from emulator.diffusion.solvers import build_solver, gamma_grid, solve
from emulator.diffusion.solvers.multistep import DataForm, Multistep

azula = pytest.importorskip("azula.sample", reason="azula is not installed: make install does")
from azula.denoise import Denoiser, DiracPosterior  # noqa: E402 - only where azula is there
from azula.noise import Schedule  # noqa: E402

START, END, N_STEPS = 13.0, -8.0, 24


class LinearGamma(Schedule):
    def __call__(self, t):
        return alpha_sigma(END + (START - END) * t)


class Bimodal(Denoiser):
    """E[x|z] of x = +-1 with equal odds."""

    def __init__(self):
        super().__init__()
        self.schedule = LinearGamma()

    def forward(self, x_t, t):
        alpha, sigma = self.schedule(t)
        return DiracPosterior(mean=torch.tanh(alpha * x_t / sigma**2))


def ours(z, gamma):
    alpha, sigma = alpha_sigma(gamma[:, None])
    return Prediction.of_data(torch.tanh(alpha * z / sigma**2), z, gamma)


@pytest.mark.parametrize(
    ("solver", "peer"),
    [
        (build_solver("ddim"), lambda d, **k: azula.DDIMSampler(d, eta=0.0, **k)),
        (build_solver("euler"), azula.EulerSampler),
        (build_solver("heun"), azula.HeunSampler),
        (build_solver("ab2"), lambda d, **k: azula.xEABSampler(d, order=2, **k)),
        (build_solver("ab3"), lambda d, **k: azula.xEABSampler(d, order=3, **k)),
        (Multistep(DataForm(), order=4), lambda d, **k: azula.xEABSampler(d, order=4, **k)),
    ],
    ids=["ddim", "euler", "heun", "ab2", "ab3", "ab4"],
)
def test_agreement_to_a_millionth_in_double_precision(solver, peer):
    z = torch.randn(256, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sampler = peer(Bimodal(), steps=N_STEPS, silent=True, dtype=torch.float64)
    expected = torch.tanh(
        sampler(z) * alpha_sigma(torch.tensor(END).double())[0] / torch.sigmoid(torch.tensor(END))
    )
    drawn = solve(solver, ours, z, gamma_grid(START, END, N_STEPS + 1), lambda: z)
    torch.testing.assert_close(drawn, expected, rtol=0, atol=1e-6)
    assert float(drawn.std()) > 0.9
