"""What each node says, as the box at its head prints it.

A right-hand side is a formula run on the paper's letters, or a line of a derivation. Typed here is what
neither of them knows: left-hand sides, the letters of laws and averages, the frame of an algorithm. An
equation is a list of pieces between which a line may break.
"""

from ddpm_spec.formulas import (
    bound,
    floors,
    forward,
    gaussian,
    interpolation,
    objective,
    posterior,
    reverse,
    sampling,
    variance,
)
from ddpm_spec.ops import log, sqrt
from ddpm_spec.ops.typeset import T, Term, letter, t
from ddpm_spec.proofs import autoregressive, coding, path, scale, score
from ddpm_spec.proofs import decoder as bins
from ddpm_spec.proofs import floors as least
from ddpm_spec.proofs.bound import divergence_bound, marginal_bound, path_bound
from ddpm_spec.proofs.bound.bayes import BAYES_GIVEN_X_0, BAYES_MARGINAL
from ddpm_spec.proofs.bound.divergences import L_STEP, L_T
from ddpm_spec.proofs.bound.laws import MU
from ddpm_spec.proofs.bound.mean_distance import ELIMINATED, TARGET
from ddpm_spec.proofs.engine import Derivation, Form, Line
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, SIGMA_SQUARED, X_0, X_PREV, X_T, positive
from ddpm_spec.site.mathematics.equations import deviations, pieces, summands

__all__ = ["ALGORITHMS", "EQUATIONS", "Equation", "says"]

Equation = list[str]


def says(left: str, right: Term | Form, *, relation: str = "=", note: str = "") -> Equation:
    """Left-hand side, right-hand side, and what the equation holds for."""
    first, *rest = summands(right.tex) if isinstance(right, Term) else pieces(right)
    return [left, f"{relation} {first}", *rest, *([rf"\quad ({note})"] if note else [])]


def _here(*lines: Line) -> tuple[Equation, ...]:
    """What the short names in these lines stand for."""
    return tuple(says(name, term) for line in lines for name, term in line.where)


def _labelled(derivation: Derivation) -> dict[str, tuple[Equation, ...]]:
    """The lines of a derivation that are equations of the paper, by id."""
    return {line.node: (says("L", line.form),) for line in derivation.lines if line.node}


V, RESIDUAL = positive("v"), positive("r")
MU_TILDE, BETA_TILDE = letter(r"\tilde\mu_t"), letter(r"\tilde\beta_t")
WEIGHT = letter(r"\lambda")

DISTANCE, BEST = "L_{t-1} - C", r"\sigma_t^{*2}"
NORMAL_DATA = r"x_0 \sim \mathcal{N}(0, v)"

X_T_OF_NOISE: Term = forward.q_sample(X_0, EPS, AT)
SQUARED_ERROR = (
    r"\bigl\lVert \epsilon",
    rf"{{}}- \epsilon_\theta\bigl({X_T_OF_NOISE.tex},\, t\bigr)\bigr\rVert^2",
)

EQUATIONS: dict[str, tuple[Equation, ...]] = {
    "eq-1": (
        says(r"p_\theta(x_{0:T})", path.JOINT),
        [
            r"p_\theta(x_{t-1} \mid x_t)",
            r"= \mathcal{N}\bigl(x_{t-1};\ \mu_\theta(x_t, t),\ \Sigma_\theta(x_t, t)\bigr)",
        ],
        ["p(x_T)", r"= \mathcal{N}(x_T;\ 0,\ I)"],
    ),
    "eq-2": (
        says(r"q(x_{1:T} \mid x_0)", path.FORWARD),
        [r"q(x_t \mid x_{t-1})", r"= \mathcal{N}\bigl(x_t;\ \sqrt{\alpha_t}\,x_{t-1},\ \beta_t I\bigr)"],
        says(r"\mathbb{E}[x_t \mid x_{t-1}]", forward.q_step_mean(X_PREV, AT)),
        says(r"\operatorname{Var}[x_t \mid x_{t-1}]", forward.q_step_variance(AT)),
        says(r"\alpha_t", forward.alpha(AT.beta)),
    ),
    "eq-3": (
        [
            *pieces(path_bound.PATH.lines[0].form),
            *says("", path_bound.PATH.lines[2].form, relation=r"\le")[1:],
            "=: L",
        ],
        says("L", path_bound.PATH.lines[4].form),
    ),
    "eq-4": (
        [r"q(x_t \mid x_0)", r"= \mathcal{N}\bigl(x_t;\ \sqrt{\bar\alpha_t}\,x_0,\ (1-\bar\alpha_t) I\bigr)"],
        says(r"\mathbb{E}[x_t \mid x_0]", forward.q_mean(X_0, AT)),
        says(r"\operatorname{Var}[x_t \mid x_0]", forward.q_variance(AT)),
        says(r"x_t(x_0, \epsilon)", X_T_OF_NOISE),
        says(r"\bar\alpha_t", forward.alpha_bar(AT.alpha, AT.alpha_bar_prev)),
        says(r"1-\bar\alpha_t", forward.one_minus_alpha_bar(AT.beta, AT.one_minus_alpha_bar_prev)),
    ),
    "eq-5": (
        ["L", r"= \mathbb{E}_q\bigl[L_T", r"{}+ \sum_{t=2}^T L_{t-1}", r"{}+ L_0\bigr]"],
        says("L_T", L_T(T)),
        says("L_{t-1}", L_STEP(t)),
        says("L_0", -log(path.P(1))),
    ),
    "eq-6": (
        [
            r"q(x_{t-1} \mid x_t, x_0)",
            r"= \mathcal{N}\bigl(x_{t-1};\ \tilde\mu_t(x_t, x_0),\ \tilde\beta_t I\bigr)",
        ],
    ),
    "eq-7": (
        says(r"\tilde\mu_t(x_t, x_0)", posterior.posterior_mean(X_0, X_T, AT)),
        says(r"\tilde\beta_t", posterior.posterior_variance(AT)),
    ),
    "eq-8": (
        says("L_{t-1}", bound.mean_distance(MU_TILDE, MU, SIGMA_SQUARED) + letter("C")),
        says("C", bound.variance_mismatch(BETA_TILDE, SIGMA_SQUARED)),
    ),
    "eq-9": (says(DISTANCE, ELIMINATED.lines[-1].form), *_here(ELIMINATED.lines[-1])),
    "eq-10": (says(DISTANCE, TARGET.end),),
    "eq-11": (says(r"\mu_\theta(x_t, t)", reverse.mean_from_eps(X_T, EPS_HAT, AT)),),
    "eq-12": (
        [
            DISTANCE,
            rf"= \mathbb{{E}}_{{x_0, \epsilon}}\Bigl[{objective.eps_weight(SIGMA_SQUARED, AT).tex}\,",
            SQUARED_ERROR[0],
            SQUARED_ERROR[1] + r"\Bigr]",
        ],
    ),
    "eq-13": (
        [
            r"p_\theta(x_0 \mid x_1)",
            r"= \prod_{i=1}^{D} \int_{\delta_-(x_0^i)}^{\delta_+(x_0^i)}"
            r" \mathcal{N}\bigl(x;\ \mu_\theta^i(x_1, 1),\ \sigma_1^2\bigr)\, dx",
        ],
        [
            r"\delta_+(x)",
            r"= \begin{cases} \infty & x = 1 \\ x + \frac{1}{L-1} & x < 1 \end{cases}",
        ],
        [
            r"\delta_-(x)",
            r"= \begin{cases} -\infty & x = -1 \\ x - \frac{1}{L-1} & x > -1 \end{cases}",
        ],
    ),
    "eq-14": (
        [
            r"L_{\mathrm{simple}}(\theta)",
            r"= \mathbb{E}_{t, x_0, \epsilon}",
            *SQUARED_ERROR,
        ],
    ),
    "eq-15": (says(r"\hat x_0", reverse.predict_x_0(X_T, EPS_HAT, AT)),),
    "eq-16": (says("L", marginal_bound.MARGINAL.lines[-1].form),),
    **_labelled(divergence_bound.SUM),
    **_labelled(marginal_bound.MARGINAL),
    "c-1": (says("L_T", scale.PRIOR.lines[-1].form),),
    "c-2": (
        [BEST, r"= \beta_t", r"\quad (x_0 \sim \mathcal{N}(0, 1))"],
        [BEST, r"= \tilde\beta_t", r"\quad (x_0 \text{ at one point})"],
        says(BEST, variance.optimal_variance(V, AT), note=NORMAL_DATA),
        says(BEST, variance.explained_variance(RESIDUAL, AT), note=r"\text{any data}"),
    ),
    "c-3": (
        [r"\tilde\beta_t", rf"\le {BEST}", r"\le \beta_t", r"\quad (\operatorname{Var} x_0 \le 1)"],
        [BEST, r"> \beta_t", rf"\quad ({NORMAL_DATA},\ v > 1)"],
    ),
    "c-4": (
        says(r"\mu_\theta(x_t, t)", score.LANGEVIN.lines[0].form),
        says(DISTANCE, score.SCORE_MATCHING.lines[0].form),
        *_here(
            score.LANGEVIN.lines[0],
            score.TWEEDIE.lines[-1],
            score.SCORE_MATCHING.lines[0],
            score.SCORE_MATCHING.lines[-1],
        ),
    ),
    "c-5": (
        [r"\textstyle\sum_{x_0} p_\theta(x_0 \mid x_1)", "= 1"],
        [r"\textstyle\sum_{x_0} e^{-L(x_0)}", r"\le 1"],
    ),
    "c-6": (
        says(r"L_0", bins.AS_NOISE.end, relation=r"\approx"),
        [bins.LOWER.end.tex, r"\le \log p_\theta(x_0 \mid x_1) - \ell", rf"\le {bins.UPPER.end.tex}"],
        [r"r = \delta / \sigma_1,", r"\quad \zeta = (x_0 - \mu_\theta) / \sigma_1"],
    ),
    "c-7": (
        says("L", coding.MESSAGES.lines[-1].form),
        [
            r"D_{\mathrm{KL}}",
            r"\le \mathbb{E}[\text{bits}]",
            r"\le D_{\mathrm{KL}} + 2 + 2 \log_2 (D_{\mathrm{KL}} + 2)",
        ],
    ),
    "c-8": (says("L", autoregressive.FROM_PATH.end),),
    "c-9": (
        says(r"\bar x_t", interpolation.mix(X_T, letter("x_t'"), WEIGHT)),
        says(
            r"\operatorname{Var}\bigl[(1-\lambda)\,\epsilon + \lambda\,\epsilon'\bigr]",
            interpolation.mixed_noise(WEIGHT),
        ),
    ),
    "c-10": (
        says("V_t", variance.marginal_variance(V, AT)),
        says("V_t - 1", scale.TOWARDS_ONE.lines[0].form),
    ),
    "lemma-gaussian-sum": (
        [r"x = \sqrt{a} y + z,", r"\quad y \sim \mathcal{N}(m, r),", r"\quad z \sim \mathcal{N}(0, s)"],
        says(r"\mathbb{E}[x]", gaussian.linear_mean(letter("m"), sqrt(positive("a")))),
        says(r"\operatorname{Var}[x]", gaussian.linear_variance(positive("r"), positive("a"), positive("s"))),
    ),
    "lemma-jensen": ([r"-\log \mathbb{E}[R]", r"\le \mathbb{E}[-\log R]", r"\quad (R > 0)"],),
    "lemma-bayes": (
        says(BAYES_GIVEN_X_0.lines[0].tex, BAYES_GIVEN_X_0.end, note=r"t \ge 2"),
        says(BAYES_MARGINAL.lines[0].tex, BAYES_MARGINAL.end),
    ),
    "lemma-gaussian-kl": (
        says(
            r"D_{\mathrm{KL}}\bigl(\mathcal{N}(m, v) \,\|\, \mathcal{N}(m_p, v_p)\bigr)",
            gaussian.kl(letter("m"), positive("v"), letter("m_p"), positive("v_p")),
        ),
    ),
    "lemma-vincent": (
        says(r"\mathbb{E}[x_0 \mid x_t]", score.TWEEDIE.lines[-1].form),
        *_here(score.TWEEDIE.lines[-1]),
        says(score.VINCENT.end_tex, score.VINCENT.end),
        *_here(score.VINCENT.lines[1]),
    ),
    "lemma-step-floor": (
        says("L_{t-1}", bound.variance_mismatch(BETA_TILDE, SIGMA_SQUARED), relation=r"\ge"),
    ),
    "lemma-decoder-floor": (
        says("L_0", least.CENTRE.lines[-1].form, relation=r"\ge", note=r"-1 < x_0 < 1"),
        says("L_0", least.EDGE.lines[1].form, relation=r"\ge", note=r"x_0 = \pm 1,\ |\mu_\theta| \le 1"),
    ),
    "lemma-loss-floor": (
        says(least.LOSS.end_tex, floors.loss_floor(V, AT), relation=r"\ge", note=NORMAL_DATA),
    ),
    "lemma-information": (
        says(r"\mathbb{E}_q[L_{t-1}]", least.INFORMATION.lines[-1].form),
        says(r"\mathbb{E}[L_T]", least.INFORMATION_LEFT.lines[0].form),
    ),
}
"""The equations of every node but the algorithms."""

_STEP: Term = sampling.p_sample(
    reverse.mean_from_eps(X_T, letter(r"\epsilon_\theta(x_t, t)"), AT), SIGMA_SQUARED, letter("z")
)


ALGORITHMS: dict[str, tuple[str, ...]] = {
    "alg-1": (
        "Until converged, repeat:",
        r"&emsp;draw $x_0 \sim q(x_0)$;",
        r"&emsp;draw $t$ uniformly from $1, \dots, T$;",
        r"&emsp;draw $\epsilon \sim \mathcal{N}(0, I)$;",
        rf"&emsp;step along the gradient $\nabla_\theta {' '.join(SQUARED_ERROR)}$.",
    ),
    "alg-2": (
        r"Draw $x_T \sim \mathcal{N}(0, I)$.",
        r"For $t = T, \dots, 1$:",
        r"&emsp;draw $z \sim \mathcal{N}(0, I)$, but $z = 0$ at $t = 1$;",
        "&emsp;set "
        + " ".join(rf"$\displaystyle {deviations(piece)}$" for piece in says("x_{t-1}", _STEP))
        + ".",
        "Return $x_0$.",
    ),
    "alg-3": (
        r"Send a draw $x_T \sim q(x_T \mid x_0)$ by means of $p(x_T)$.",
        r"For $t = T-1, \dots, 1$: send a draw $x_t \sim q(x_t \mid x_{t+1}, x_0)$ by means of "
        r"$p_\theta(x_t \mid x_{t+1})$.",
        r"Send $x_0$ itself by means of $p_\theta(x_0 \mid x_1)$.",
    ),
    "alg-4": (
        r"Receive $x_T$ by means of $p(x_T)$.",
        r"For $t = T-1, \dots, 1$: receive $x_t$ by means of $p_\theta(x_t \mid x_{t+1})$.",
        r"Receive $x_0$ by means of $p_\theta(x_0 \mid x_1)$ and return it.",
    ),
}
"""The lines of the algorithms, as Markdown."""
