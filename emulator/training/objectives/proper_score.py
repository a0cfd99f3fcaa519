r"""The continuous ranked probability score of an ensemble, as a loss.

Of ``M`` members ``x_j`` and a truth ``y``, per value,

.. math:: \frac1M\sum_j |x_j - y|
          - \Big(1 - \frac{1-\alpha}{M}\Big)\frac{1}{2M(M-1)}\sum_{j,k}|x_j - x_k| .

With :math:`\alpha = 1` it is *fair*: its expectation is least where members and truth follow one
law, whatever ``M``. But then members may do anything while another one holds the balance:
one member alone and ``M - 1`` equal to each other are not distinguished from a good ensemble.
*Almost fair*, :math:`\alpha` a little below 1, removes the degeneracy at the price of a spread that
is too small by about :math:`2(1-\alpha)/M` of itself, where the truth is normal.

References
----------
Gneiting & Raftery (2007), JASA 102, 359; Ferro (2014), QJRMS 140, 1917 (fair scores); Lang et al.
(2024), arXiv:2412.15832, equation 4 (almost fair).
"""

from itertools import combinations

from torch import Tensor


def almost_fair_crps(members: Tensor, truth: Tensor, alpha: float) -> Tensor:
    """Score of each value.

    Parameters
    ----------
    members
        ``(batch, member, ...)``, two members or more.
    truth
        ``(batch, ...)``.
    alpha
        1 is the fair score, 0 that of the ensemble as it is.

    Returns
    -------
    ``(batch, ...)``, in the unit of the values.
    """
    n_members = members.shape[1]
    skill = (members - truth[:, None]).abs().mean(1)
    rows = members.unbind(1)
    # each pair stands twice in the double sum; a sort would do, and is many times slower
    pairs = 2.0 * sum((a - b).abs() for a, b in combinations(rows, 2))
    share = 1.0 - (1.0 - alpha) / n_members
    score: Tensor = skill - share * pairs / (2.0 * n_members * (n_members - 1))
    return score
