"""The exact minimiser of Eq. 14 on finitely many images, which memorises them."""

from collections.abc import Sequence
from functools import reduce
from operator import add

from ddpm_spec.ops import Number, exp

__all__ = ["image_shares", "mean_image"]


def image_shares(log_q: Sequence[Number]) -> list[Number]:
    """The probability of each image given x_t: a softmax of log q(x_t | x_i).

    `log_q`: log q(x_t | x_i) of Eq. 4 for each of N equally likely images, summed over coordinates, up to a
    common constant; any common shape. Formed by differences, so that none of them overflows to nan.
    """
    return [1 / reduce(add, [exp(other - this) for other in log_q]) for this in log_q]


def mean_image(images: Sequence[Number], log_q: Sequence[Number]) -> Number:
    """E[x_0 | x_t] for data that are these images: their average with the weights of `image_shares`.

    `images`: one coordinate or a whole image each, broadcasting against `log_q`. Towards t = 0 it is the
    nearest image.
    """
    shares = image_shares(log_q)
    return reduce(add, [share * image for share, image in zip(shares, images, strict=True)])
