"""What no network gets below, and what the exact one pays for N(0, I): the mutual information."""

from ddpm_spec.formulas import bound, decoder, floors, forward, posterior, variance
from ddpm_spec.ops import exp, log, sqrt
from ddpm_spec.ops.typeset import letter, named, rows
from ddpm_spec.proofs.calculus import AtLeast, Calculus, DensityFalls, cdf, compared, density, slope
from ddpm_spec.proofs.decoder import EDGE_LEVELS, LEVELS, MINUS_ONE, MU, SIGMA_1_SQUARED, X_K
from ddpm_spec.proofs.engine import Derivation, Line, Normal, Value
from ddpm_spec.proofs.letters import AT, ONE, SIGMA_SQUARED, X_0, X_T, ZERO, positive
from ddpm_spec.proofs.scale import AT_T

__all__ = [
    "BETA",
    "BETA_TILDE",
    "CENTRE",
    "EDGE",
    "EDGE_SLOPE",
    "INFORMATION",
    "INFORMATION_LEFT",
    "INTERIOR_SLOPE",
    "LOSS",
    "STEP",
]


def _step() -> Derivation:
    mu = letter(r"\mu_\theta")
    beta_tilde = named(r"\tilde\beta_t", posterior.posterior_variance(AT))
    mu_tilde = named(r"\tilde\mu_t", posterior.posterior_mean(X_0, X_T, AT))
    names = (
        (r"\tilde\beta_t", posterior.posterior_variance(AT)),
        (r"\tilde\mu_t", posterior.posterior_mean(X_0, X_T, AT)),
    )
    ratio = beta_tilde / SIGMA_SQUARED
    square = (mu_tilde - mu) ** 2 / (2 * SIGMA_SQUARED)
    return Derivation(
        title="The floor of a step",
        nodes=("lemma-step-floor",),
        lines=(
            Line(
                Value(bound.step_term(X_0, X_T, mu, SIGMA_SQUARED, AT)),
                r"$L_{t-1}$ for any output $\mu_\theta$ of any network.",
            ),
            Line(
                Value(rows((ratio - 1 - log(ratio)) / 2, square)),
                r"With $\tilde\mu_t$ and $\tilde\beta_t$ of Eq. 7.",
                where=names,
            ),
            compared(
                Value((ratio - 1 - log(ratio)) / 2),
                r"Drop the square. It is 0 only where $\mu_\theta = \tilde\mu_t$.",
                AtLeast(square),
            ),
        ),
        end=Value(floors.step_floor(SIGMA_SQUARED, AT)),
        end_tex="L_{t-1}",
        formulas=(floors.step_floor, bound.step_term),
        assumptions=(
            r"$2 \le t \le T$, $\sigma_t^2$ fixed. Equality at all $x_t$ needs data at a single point.",
        ),
    )


def _beta() -> Derivation:
    beta_tilde = named(r"\tilde\beta_t", posterior.posterior_variance(AT))
    return Derivation(
        title=r"The floor of a step for $\sigma_t^2 = \beta_t$",
        nodes=("lemma-step-floor",),
        lines=(
            Line(
                Value((log(AT.beta / beta_tilde) + beta_tilde / AT.beta - 1) / 2),
                "The claim.",
                where=((r"\tilde\beta_t", posterior.posterior_variance(AT)),),
            ),
            Line(
                Value(
                    (
                        log(AT.one_minus_alpha_bar / AT.one_minus_alpha_bar_prev)
                        - AT.beta * AT.alpha_bar_prev / AT.one_minus_alpha_bar
                    )
                    / 2
                ),
                r"$\tilde\beta_t/\beta_t = (1-\bar\alpha_{t-1})/(1-\bar\alpha_t)$. Summed over "
                r"$t = 2, \dots, T$ the logarithms are $\tfrac12\log\frac{1-\bar\alpha_T}{1-\bar\alpha_1}$.",
            ),
        ),
        end=Value(floors.step_floor(forward.q_step_variance(AT), AT)),
        formulas=(floors.step_floor, posterior.posterior_variance),
    )


def _beta_tilde() -> Derivation:
    return Derivation(
        title=r"The floor of a step for $\sigma_t^2 = \tilde\beta_t$",
        nodes=("lemma-step-floor",),
        lines=(Line(Value(ZERO), "The variances agree, so a step costs nothing where the means do."),),
        end=Value(floors.step_floor(posterior.posterior_variance(AT), AT)),
        formulas=(floors.step_floor, posterior.posterior_variance),
    )


# ----------------------------------------------------------------------------------------- the decoder

ZETA = positive(r"\zeta")


def _interior_slope() -> Derivation:
    sigma, half = sqrt(SIGMA_1_SQUARED), 1 / (LEVELS - 1) / sqrt(SIGMA_1_SQUARED)
    x_0, r = named("x_0", X_K), named("r", half)
    mu = x_0 - sigma * ZETA
    upper, lower = ZETA + r, ZETA - r
    mass = exp(decoder.log_bin_probability(x_0, mu, SIGMA_1_SQUARED, LEVELS))
    return Derivation(
        title="A bin inside loses when the mean moves",
        nodes=("lemma-decoder-floor",),
        lines=(
            Line(
                Value(slope(mass, ZETA)),
                r"The mass of a bin inside with the mean $\zeta > 0$ standard deviations below its middle.",
                where=(("x_0", X_K),),
            ),
            Line(
                Value(density(upper, ZERO, ONE) - density(lower, ZERO, ONE)),
                r"Differentiate at both ends, which are $\zeta \pm r$ with $r = \delta/\sigma_1$.",
                Calculus(),
                where=(("r", half),),
            ),
            compared(
                Value(ZERO),
                r"The logarithms of the two differ by $2\zeta r$. So the mass falls as the mean moves away, "
                r"by "
                "symmetry in either direction, and is largest with the mean in the middle.",
                DensityFalls(Normal(upper, ZERO, ONE), Normal(lower, ZERO, ONE), 2 * ZETA * r),
            ),
        ),
        end=Value(ZERO),
        formulas=(decoder.log_bin_probability,),
    )


def _centre() -> Derivation:
    x_0 = named("x_0", X_K)
    half = 1 / (LEVELS - 1) / sqrt(SIGMA_1_SQUARED)
    return Derivation(
        title="The floor of a pixel inside",
        nodes=("lemma-decoder-floor",),
        lines=(
            Line(
                Value(bound.decoder_term(x_0, x_0, SIGMA_1_SQUARED, LEVELS)),
                r"$L_0$ of a pixel inside with the mean in the middle of its bin, which is best.",
                where=(("x_0", X_K),),
            ),
            Line(
                Value(-log(2 * cdf(half) - 1)),
                r"$\Phi(-r) = 1 - \Phi(r)$ with $r = \delta/\sigma_1$.",
            ),
        ),
        end=Value(floors.interior_floor(SIGMA_1_SQUARED, LEVELS)),
        end_tex="L_0",
        formulas=(floors.interior_floor, bound.decoder_term, decoder.log_bin_probability),
        assumptions=(r"$\sigma_1^2$ fixed. The mean may depend on anything.",),
    )


def _edge_slope() -> Derivation:
    sigma = sqrt(SIGMA_1_SQUARED)
    lower = (ONE - 1 / (EDGE_LEVELS - 1) - MU) / sigma
    rate = density(lower, ZERO, ONE) / sigma
    return Derivation(
        title="An edge bin gains when the mean moves outwards",
        nodes=("lemma-decoder-floor",),
        lines=(
            Line(
                Value(slope(exp(decoder.log_bin_probability(ONE, MU, SIGMA_1_SQUARED, EDGE_LEVELS)), MU)),
                "The mass of the last bin, as the mean moves.",
            ),
            Line(Value(rate), "Differentiate at the one end that is finite.", Calculus()),
            compared(
                Value(ZERO),
                "A density is positive. So without a limit on the mean the floor of this pixel is 0, and "
                "with "
                r"$\mu \le 1$ the best mean is 1. At $-1$ it is the mirror image.",
                AtLeast(rate, strict=True),
            ),
        ),
        end=Value(ZERO),
        formulas=(decoder.log_bin_probability,),
    )


def _edge() -> Derivation:
    half = 1 / (EDGE_LEVELS - 1) / sqrt(SIGMA_1_SQUARED)
    return Derivation(
        title="The floor of an edge pixel under the clip",
        nodes=("lemma-decoder-floor",),
        lines=(
            Line(
                Value(bound.decoder_term(MINUS_ONE, MINUS_ONE, SIGMA_1_SQUARED, EDGE_LEVELS)),
                r"$L_0$ of a pixel at $-1$ with the mean there, which is best if $\mu \ge -1$.",
            ),
            Line(Value(-log(cdf(half))), "The bin reaches from $-\\infty$ to half a step above $-1$."),
            Line(
                Value(bound.decoder_term(ONE, ONE, SIGMA_1_SQUARED, EDGE_LEVELS)),
                r"The same at 1.",
            ),
        ),
        end=Value(floors.clipped_edge_floor(SIGMA_1_SQUARED, EDGE_LEVELS)),
        end_tex="L_0",
        formulas=(floors.clipped_edge_floor, bound.decoder_term, decoder.log_bin_probability),
        assumptions=(r"$\hat x_0$ is clipped to $[-1, 1]$; at $t = 1$ it is $\mu_\theta$.",),
    )


# --------------------------------------------------------------------------- the loss, and information


def _loss() -> Derivation:
    v, a = positive("v"), letter("a")
    v_t_value = variance.marginal_variance(v, AT)
    v_t = named("V_t", v_t_value)
    square = v_t * (a - sqrt(AT.one_minus_alpha_bar) / v_t) ** 2
    where = (("V_t", v_t_value),)
    return Derivation(
        title="The floor of the training loss for normal data",
        nodes=("lemma-loss-floor",),
        lines=(
            Line(
                Value((1 - a * sqrt(AT.one_minus_alpha_bar)) ** 2 + a**2 * (AT.alpha_bar * v)),
                r"The error of the guess $a x_t$ of the noise: $\epsilon - a x_t$ is "
                r"$(1 - a\sqrt{1-\bar\alpha_t})\,\epsilon$ less an independent part. Data of mean 0.",
            ),
            Line(
                Value(rows(square, AT.alpha_bar * v / v_t)),
                "Complete the square in $a$.",
                where=where,
            ),
            compared(
                Value(AT.alpha_bar * v / v_t),
                "Drop the square. For normal data the conditional mean is such a guess, and it is the best "
                "of all.",
                AtLeast(square),
                where=where,
            ),
        ),
        end=Value(floors.loss_floor(v, AT)),
        end_tex=r"\mathbb{E}(\epsilon - \epsilon_\theta)^2",
        formulas=(floors.loss_floor, variance.marginal_variance),
        assumptions=(
            r"$x_0 \sim \mathcal{N}(m, v)$. For another law of variance $v$ this bounds the minimum from "
            r"above.",
            "Among all functions of $x_t$ the conditional mean has the least squared error.",
        ),
    )


def _information() -> Derivation:
    v, v_prev = AT.one_minus_alpha_bar, AT.one_minus_alpha_bar_prev
    return Derivation(
        title=r"The rate of unit normal data is information: a step",
        nodes=("lemma-information",),
        lines=(
            Line(
                Value(-(log(v_prev) / 2) + log(v) / 2),
                r"What $x_{t-1}$ tells about $x_0$ and $x_t$ no longer does: for $x_0 \sim \mathcal{N}(0, "
                r"I)$ the "
                r"mutual information is $I(x_0; x_t) = -\tfrac12\log(1-\bar\alpha_t)$ a coordinate.",
            ),
            Line(
                Value(log(v / v_prev) / 2),
                r"This is $\tfrac12\log(\beta_t/\tilde\beta_t)$.",
            ),
        ),
        end=Value(variance.best_step_term(variance.optimal_variance(ONE, AT), AT)),
        end_tex=r"\mathbb{E}_q[L_{t-1}]",
        formulas=(variance.best_step_term, variance.optimal_variance),
        assumptions=(
            r"The exact denoiser with $\sigma_t^2 = \beta_t$, which for $\mathcal{N}(0, I)$ is exact too.",
        ),
    )


def _information_left() -> Derivation:
    return Derivation(
        title=r"The rate of unit normal data is information: $L_T$",
        nodes=("lemma-information",),
        lines=(
            Line(
                Value(-(log(AT_T.one_minus_alpha_bar) / 2)),
                r"$I(x_0; x_T)$ for $x_0 \sim \mathcal{N}(0, I)$, a coordinate.",
            ),
        ),
        end=Value(bound.prior_term(ONE, AT_T)),
        end_tex=r"\mathbb{E}[L_T]",
        formulas=(bound.prior_term,),
        assumptions=(r"$L_T$ is linear in $x_0^2$ (claim C1), whose mean is 1.",),
    )


STEP = _step()
BETA = _beta()
BETA_TILDE = _beta_tilde()
INTERIOR_SLOPE = _interior_slope()
CENTRE = _centre()
EDGE_SLOPE = _edge_slope()
EDGE = _edge()
LOSS = _loss()
INFORMATION = _information()
INFORMATION_LEFT = _information_left()
