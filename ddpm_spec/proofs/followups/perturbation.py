"""Input perturbation: the SNR that the network sees."""

from ddpm_spec.followups import perturbation, snr
from ddpm_spec.formulas import forward, gaussian
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, EPS, ONE, X_0, positive

__all__ = ["DERIVATIONS", "INPUT", "RATIO", "VARIANCE"]

GAMMA = positive(r"\gamma")


def _input() -> Derivation:
    xi = letter(r"\xi")
    return Derivation(
        title="The perturbed input",
        nodes=("beyond-perturbation",),
        lines=(
            Line(
                Value(forward.q_sample(X_0, EPS, AT) + sqrt(AT.one_minus_alpha_bar) * GAMMA * xi),
                r"Eq. 4 and a little independent noise $\xi$ on top.",
            ),
        ),
        end=Value(perturbation.perturbed_sample(X_0, EPS, xi, GAMMA, AT)),
        formulas=(perturbation.perturbed_sample, forward.q_sample),
    )


def _variance() -> Derivation:
    v = AT.one_minus_alpha_bar
    return Derivation(
        title="The noise in it",
        nodes=("beyond-perturbation",),
        lines=(
            Line(
                Value(gaussian.linear_variance(ONE, v, v * GAMMA**2)),
                r"The sum of two independent normals, of variance $1-\bar\alpha_t$ and "
                r"$(1-\bar\alpha_t)\gamma^2$.",
            ),
        ),
        end=Value(perturbation.perturbed_noise_variance(GAMMA, AT)),
        formulas=(perturbation.perturbed_noise_variance, gaussian.linear_variance),
    )


def _ratio() -> Derivation:
    return Derivation(
        title="The SNR in it",
        nodes=("beyond-perturbation",),
        lines=(
            Line(
                Value(AT.alpha_bar / perturbation.perturbed_noise_variance(GAMMA, AT)),
                r"The signal is that of Eq. 4.",
            ),
        ),
        end=Value(snr.snr(AT) / (1 + GAMMA**2)),
        formulas=(perturbation.perturbed_noise_variance, snr.snr),
    )


INPUT = _input()
VARIANCE = _variance()
RATIO = _ratio()

DERIVATIONS = (INPUT, VARIANCE, RATIO)
