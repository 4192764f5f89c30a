"""A schedule belongs to a resolution (Hoogeboom et al. 2023; Chen 2023), and a threshold that moves."""

from ddpm_spec.followups.snr import snr
from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import Number, one, where

__all__ = ["dynamic_threshold", "pooled_snr", "shifted_alpha_bar"]


def shifted_alpha_bar(factor: Number, at: Step) -> Number:
    """ᾱ' = ᾱc/(1−ᾱ+ᾱc), whose SNR is c times that of ᾱ: λ_t + log c.

    `factor`: c = (64/d)² takes a schedule for 64×64 images to d×d; c = b² is an input scaled by b.
    """
    return at.alpha_bar * factor / (at.one_minus_alpha_bar + at.alpha_bar * factor)


def pooled_snr(side: Number, at: Step) -> Number:
    """The SNR after averaging side × side pixels of equal content: the noise loses a factor side²."""
    return side**2 * snr(at)


def dynamic_threshold(x_0: Number, threshold: Number) -> Number:
    """Clip x̂_0 to [−s, s] and divide by s (Imagen; Saharia et al. 2022). Shapes broadcast.

    `threshold`: the p-quantile of |x̂_0|; s is 1 where that is smaller, which is the fixed clip to [−1, 1].
    The result lies in [−1, 1].
    """
    s = where(threshold < 1, one(threshold), threshold)
    low = where(x_0 < -s, -s, x_0)
    return where(low > s, s, low) / s
