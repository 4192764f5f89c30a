"""Line 4 of Algorithm 2: what it draws has the law of the reverse process."""

from ddpm_spec.formulas import gaussian, sampling
from ddpm_spec.ops import log, two_pi
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value
from ddpm_spec.proofs.letters import SIGMA_SQUARED, Z

__all__ = ["DRAW"]


def _draw() -> Derivation:
    mu = letter(r"\mu_\theta")
    x = sampling.p_sample(mu, SIGMA_SQUARED, Z)
    return Derivation(
        title="The law of a draw",
        nodes=(),
        lines=(
            Line(
                Value(-(Z**2) / 2 - log(two_pi(Z)) / 2 - log(SIGMA_SQUARED) / 2),
                r"The log-density of $z$, less $\log\sigma_t$: $x_{t-1}$ is $z$ stretched by $\sigma_t$ and "
                "moved.",
                where=(("x", x),),
            ),
        ),
        end=Normal(named("x", x), mu, SIGMA_SQUARED),
        end_tex=r"\log p_\theta(x_{t-1} \mid x_t)",
        formulas=(sampling.p_sample, gaussian.log_density),
        assumptions=(r"$z$ is standard normal.",),
    )


DRAW = _draw()
