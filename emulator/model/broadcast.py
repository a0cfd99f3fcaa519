"""Numbers of channels or rows beside fields of any dimensions."""

from torch import Tensor


def over_space(values: Tensor, like: Tensor) -> Tensor:
    """``values (...)`` as ``(..., 1, 1)``: an axis of one for each axis of space.

    Parameters
    ----------
    values
        Numbers by channel, or by row and channel.
    like
        Fields ``(batch, channel, ...)``, whose precision and device they get.
    """
    return values.to(like).reshape(*values.shape, *(1,) * (like.ndim - 2))
