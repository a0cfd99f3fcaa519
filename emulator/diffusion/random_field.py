r"""Gaussian random fields of several channels: their spectrum, measured and drawn.

Per Fourier mode, in units of white noise of unit pixel variance, the channels ``i, j`` of an
isotropic field have the matrix

.. math:: S_{ij}(k) = \langle \mathrm{Re}\, \hat x_i \hat x_j^* \rangle / N

over the modes of a shell ``round(|k|)`` of ``N`` pixels. Its diagonal is the power of a channel,
its other elements say how channels vary together. With :math:`S = L L^T` the field

.. math:: \hat x(k) = L(k)\, \hat n(k)

of unit noise ``n`` has this matrix. ``L`` is the symmetric root, which exists where a channel does
not vary or two are equal, and a Cholesky factor does not.

Not guaranteed: a field on a window is drawn as if it were periodic, with the spectrum that the
window's own (periodic) Fourier transform has. What is homogeneous and Gaussian about it is an
assumption, of which the spectrum knows nothing.
"""

import torch
from torch import Tensor

from emulator.diffusion.spectrum import mode_shells


def cross_spectrum(x: Tensor) -> Tensor:
    """Matrix of every shell, about zero.

    Parameters
    ----------
    x
        ``(sample, channel, ...)``.

    Returns
    -------
    ``(shell, channel, channel)`` in float64, symmetric, no eigenvalue below zero but for rounding;
    shell 0 is the mean over the window.

    Notes
    -----
    An unbiased estimate; the relative error of a diagonal element is ``sqrt(2 / n)`` with ``n`` the
    number of independent real numbers among samples and modes of the shell.
    """
    axes = tuple(range(2, x.ndim))
    shell = mode_shells(x.shape[2:], x.device).flatten()
    modes = torch.fft.fftn(x.double(), dim=axes).flatten(2)
    products = torch.einsum("nip,njp->pij", modes, modes.conj()).real / (len(x) * modes.shape[-1])
    count = torch.bincount(shell).to(products)
    sums = products.new_zeros(len(count), *products.shape[1:])
    spectrum: Tensor = sums.index_add_(0, shell, products) / count[:, None, None]
    return spectrum


def draw_field(noise: Tensor, spectrum: Tensor) -> Tensor:
    """Gaussian random field from unit noise.

    Parameters
    ----------
    noise
        ``(sample, channel, ...)``.
    spectrum
        ``(shell, channel, channel)`` of :func:`cross_spectrum`, for windows of the same size.

    Returns
    -------
    As ``noise``, in its precision.
    """
    axes = tuple(range(2, noise.ndim))
    shell = mode_shells(noise.shape[2:], noise.device)
    values, vectors = torch.linalg.eigh(spectrum.to(noise.device, torch.float64))
    root = (vectors * values.clamp(min=0.0).sqrt()[:, None, :]) @ vectors.mT
    modes = torch.fft.fftn(noise.double(), dim=axes)
    mixed = torch.einsum("...ij,nj...->ni...", root[shell].to(modes), modes)
    field: Tensor = torch.fft.ifftn(mixed, dim=axes).real.to(noise.dtype)
    return field
