"""What each result of the later literature says, as the box at its head prints it.

As in `statements`, a right-hand side is a formula run on letters, and typed here are left-hand sides.
"""

from ddpm_spec.followups import (
    absorbing,
    consistency,
    ddim,
    diffusion_limit,
    flow_matching,
    guidance,
    learned_variance,
    metrics,
    multistep,
    perturbation,
    preconditioning,
    resolution,
    schedules,
    snr,
    steering,
    v_prediction,
    weights,
)
from ddpm_spec.ops.typeset import Level, Term, letter
from ddpm_spec.proofs.engine import Form
from ddpm_spec.proofs.followups.absorbing import END, NOW
from ddpm_spec.proofs.followups.consistency import LEAST, SIGMA
from ddpm_spec.proofs.followups.diffusion_limit import FIRST, LAST, TIME
from ddpm_spec.proofs.followups.learned_variance import HYBRID
from ddpm_spec.proofs.followups.metrics import COUNT
from ddpm_spec.proofs.followups.preconditioning import DATA, NOISE
from ddpm_spec.proofs.followups.schedules import ROOT, ROOT_1, ROOT_T
from ddpm_spec.proofs.followups.weights import MIXTURE
from ddpm_spec.proofs.letters import AT, EPS, EPS_HAT, X_0, X_T, positive
from ddpm_spec.site.mathematics.equations import pieces
from ddpm_spec.site.mathematics.statements import Equation, says

__all__ = ["EQUATIONS"]

X_0_HAT, V, GRADIENT, SCALE = letter(r"\hat x_0"), letter("v"), letter("g"), letter("s")
VARIANCE, SCORE, ERROR = positive("V"), positive("s"), positive("m")
SIGMA_SQUARED, SIGMA_SQUARED_Y = positive(r"\sigma^2"), positive(r"\sigma_y^2")
GAMMA, WEIGHT, FACTOR = positive(r"\gamma"), letter("w"), positive("c")

TO_S = AT._replace(
    beta=letter(r"\beta_{t|s}", AT.beta.value),
    alpha_bar_prev=letter(r"\bar\alpha_s", AT.alpha_bar_prev.value),
    one_minus_alpha_bar_prev=letter(r"1-\bar\alpha_s", AT.one_minus_alpha_bar_prev.value, level=Level.SUM),
)
"""A step from t to any s < t."""

SNRS = {r"\mathrm{SNR}(t-1)": snr.snr_prev(AT), r"\mathrm{SNR}(t)": snr.snr(AT)}
LOG_SNRS = {r"\lambda_s": snr.log_snr_prev(TO_S), r"\lambda_t": snr.log_snr(TO_S)}


def _short(term: Term, names: dict[str, Term]) -> Term:
    """The term with names for parts of it that would be too small to read where they stand."""
    tex = term.tex
    for name, part in names.items():
        tex = tex.replace(part.tex, name)
    if tex == term.tex:
        raise ValueError(f"{tex} holds none of {', '.join(names)}")
    return Term(tex, term.value, term.level)


def _after_equals(form: Form) -> list[str]:
    """What a chain goes on with."""
    first, *rest = pieces(form)
    return [f"= {first}", *rest]


EQUATIONS: dict[str, tuple[Equation, ...]] = {
    "beyond-ddim": (
        says(r"\mathbb{E}_\sigma[x_s \mid x_t, x_0]", ddim.ddim_mean(X_0, X_T, SIGMA_SQUARED, TO_S)),
        says(r"\sigma^2", ddim.ddim_variance(letter(r"\eta"), TO_S)),
    ),
    "beyond-solver": (
        says("x_s", ddim.ddim_mean(X_0_HAT, X_T, SIGMA_SQUARED, TO_S), note=r"\sigma^2 = 0"),
        says("x_s", _short(ddim.solver_step(X_T, EPS_HAT, TO_S), LOG_SNRS)),
        says(r"\lambda_t", snr.log_snr(AT)),
    ),
    "beyond-multistep": (
        says(
            r"\epsilon'",
            multistep.four_step_noise(
                *(letter(rf"\epsilon_{{{time}}}") for time in ("t", r"t-\delta", r"t-2\delta", r"t-3\delta"))
            ),
        ),
    ),
    "beyond-straight": (
        says(
            r"x_t / (\sqrt{\bar\alpha_t} + \sqrt{1-\bar\alpha_t})",
            flow_matching.straight_path(X_0, EPS, letter(r"\tau")),
        ),
        says(r"\tau", flow_matching.path_time(AT)),
        says("u", flow_matching.straight_velocity(X_0, EPS)),
    ),
    "beyond-consistency": (
        [
            r"f(x, \sigma)",
            r"= c_{\mathrm{skip}}\,x + c_{\mathrm{out}}\,F(x, \sigma)",
        ],
        says(r"c_{\mathrm{skip}}", consistency.boundary_skip(SIGMA, LEAST, DATA)),
        says(r"c_{\mathrm{out}}", consistency.boundary_output(SIGMA, LEAST, DATA)),
        says(
            r"\frac{dx}{d\sigma}",
            consistency.path_speed(letter("x"), letter(r"D(x, \sigma)"), SIGMA),
        ),
    ),
    "beyond-snr": (
        [
            "L_{t-1}",
            rf"= {_short(snr.x_0_snr_weight(AT), SNRS).tex}\,(x_0 - \hat x_0)^2",
            rf"= {_short(snr.eps_snr_weight(AT), SNRS).tex}\,(\epsilon - \epsilon_\theta)^2",
        ],
        says(r"\mathrm{SNR}(t)", snr.snr(AT)),
    ),
    "beyond-ends": (
        says(
            r"L_\infty",
            snr.snr_bound(positive("v"), positive(r"\nu_{\max}"), positive(r"\nu_{\min}")),
            note=r"x_0 \sim \mathcal{N}(0, v)",
        ),
    ),
    "beyond-learned-variance": (
        says(
            r"\Sigma_\theta",
            learned_variance.interpolated_variance(V, letter(r"\tilde\beta_t"), letter(r"\beta_t")),
        ),
    ),
    "beyond-hybrid": ([*says(HYBRID.end_tex, HYBRID.lines[0].form), f"= {HYBRID.lines[-1].form.tex}"],),
    "beyond-best-variance": (
        says(r"\sigma_t^{*2}", learned_variance.analytic_variance(SCORE, AT)),
        [r"\tilde\beta_t", r"\le \sigma_t^{*2}", r"\le \beta_t/\alpha_t"],
        says(
            r"\sigma_t^{*2}",
            learned_variance.bounded_variance(positive("w"), AT),
            relation=r"\le",
            note=r"x_0 \in [a, a+w]",
        ),
        says(
            r"\sigma_t^{*2}",
            learned_variance.family_variance(ERROR, letter(r"\lambda^2"), AT),
            note=r"\text{DDIM's family}",
        ),
    ),
    "beyond-imperfect-mean": (
        says(
            r"\sigma_t^{*2}",
            learned_variance.imperfect_variance(ERROR, AT),
            note=r"m = \mathbb{E}(\epsilon - \epsilon_\theta)^2",
        ),
    ),
    "beyond-zero-snr": (says(r"\sqrt{\bar\alpha_t'}", schedules.zero_terminal_root(ROOT, ROOT_1, ROOT_T)),),
    "beyond-limit": (
        ["dx", r"= -\tfrac12\beta(t)\,x\,dt + \sqrt{\beta(t)}\,dw"],
        says(r"\beta(t)", diffusion_limit.limit_rate(TIME, FIRST, LAST)),
        says(r"\bar\alpha(t)", diffusion_limit.limit_alpha_bar(TIME, FIRST, LAST)),
        says("V'", diffusion_limit.variance_slope(VARIANCE, letter(r"\beta(t)"))),
    ),
    "beyond-flow": (
        says(
            r"\frac{dx}{dt}",
            diffusion_limit.flow_velocity(letter("x"), letter(r"\nabla\log p_t(x)"), letter(r"\beta(t)")),
        ),
        says(
            "x(t)",
            diffusion_limit.flow(letter("x(0)"), positive("v"), VARIANCE),
            note=r"x_0 \sim \mathcal{N}(0, v)",
        ),
    ),
    "beyond-perturbation": (
        says("x_t", perturbation.perturbed_sample(X_0, EPS, letter(r"\xi"), GAMMA, AT)),
        says(
            r"\operatorname{Var}[x_t \mid x_0]", perturbation.perturbed_noise_variance(letter(r"\gamma"), AT)
        ),
    ),
    "beyond-weights": (
        says(r"\text{on } v:\ w", weights.v_weight(AT)),
        says(r"\text{Min-SNR: } w", _short(weights.min_snr_weight(GAMMA, AT), SNRS)),
        says(r"\text{P2: } w", _short(weights.p2_weight(positive("k"), GAMMA, AT), SNRS)),
        [
            r"w\,(\epsilon - \epsilon_\theta)^2",
            rf"= {_short(weights.on_x_0(WEIGHT, AT), SNRS).tex}\,(x_0 - \hat x_0)^2",
        ],
        says(r"\mathrm{SNR}(t)", snr.snr(AT)),
    ),
    "beyond-velocity": (
        says("v", v_prediction.velocity(X_0, EPS, AT)),
        says(r"\hat x_0", v_prediction.x_0_from_v(X_T, letter(r"v_\theta"), AT)),
        says(r"\epsilon_\theta", v_prediction.eps_from_v(X_T, letter(r"v_\theta"), AT)),
    ),
    "beyond-edm": (
        says(
            r"D",
            letter(r"c_{\mathrm{skip}}") * letter("y") + letter(r"c_{\mathrm{out}}") * letter("F"),
        ),
        says(r"c_{\mathrm{skip}}", preconditioning.skip_scale(NOISE, DATA)),
        says(r"c_{\mathrm{out}}", preconditioning.output_scale(NOISE, DATA)),
        says(r"c_{\mathrm{in}}", preconditioning.input_scale(NOISE, DATA)),
        says(r"\lambda(\sigma)", preconditioning.edm_weight(NOISE, DATA)),
    ),
    "beyond-implied-weight": (says(r"w(\lambda)", weights.cosine_weight(letter(r"\lambda"))),),
    "beyond-weighted-bound": (
        [*says(MIXTURE.end_tex, MIXTURE.lines[0].form), *_after_equals(MIXTURE.end)],
        ["K_t", r"= L_T + \textstyle\sum_{s>t} L_{s-1}"],
    ),
    "beyond-guidance": (
        says(
            r"\tilde\epsilon",
            guidance.guided_eps(letter(r"\epsilon_\theta(x_t, c)"), letter(r"\epsilon_\theta(x_t)"), WEIGHT),
        ),
    ),
    "beyond-classifier": (
        says(r"\hat\epsilon", guidance.classifier_eps(EPS_HAT, GRADIENT, SCALE, AT)),
        says(
            r"\hat\mu",
            guidance.classifier_mean(letter(r"\mu_\theta"), letter(r"\sigma_t^2"), GRADIENT, SCALE),
        ),
    ),
    "beyond-guided-law": (
        says(
            r"\operatorname{Var}",
            guidance.guided_variance(letter("u"), WEIGHT),
            note=r"u = \bar\alpha_t(1-\tau^2)",
        ),
    ),
    "beyond-dps": (
        says(
            r"\nabla\log p(y \mid x_t)",
            steering.measurement_score(letter("y"), X_0_HAT, letter("a"), SIGMA_SQUARED_Y),
            relation=r"\approx",
        ),
        says("a", steering.denoiser_slope(VARIANCE, AT), note=r"V = \operatorname{Var}(x_0 \mid x_t)"),
        says(
            r"\frac{\text{DPS}}{\text{exact}}",
            steering.dps_excess(VARIANCE, SIGMA_SQUARED_Y),
            note=r"x_0 \sim \mathcal{N}(0, v)",
        ),
    ),
    "beyond-ilvr": (
        says(
            "x_{t-1}",
            steering.ilvr_step(letter("x'_{t-1}"), letter(r"\phi(x'_{t-1})"), letter(r"\phi(y_{t-1})")),
        ),
    ),
    "beyond-fid-bias": (
        says(
            r"N\,\mathbb{E}[\mathrm{FID}_N]",
            metrics.scaled_bias(letter("c_4(N)"), COUNT),
            note=r"\mathcal{N}(0, 1) \text{ against itself}",
        ),
        says("c_4(N+1)", metrics.next_deviation_mean(letter("c_4(N)"), COUNT)),
        says("c_4(2)", metrics.deviation_mean(2, letter("1"))),
    ),
    "beyond-kid": (
        says("k(x, y)", metrics.cubic_kernel(letter(r"x^\top y"), letter("D"))),
        says(
            r"\mathrm{KID}",
            metrics.kernel_distance(
                letter(r"\overline{k(x_i, x_j)}"),
                letter(r"\overline{k(y_i, y_j)}"),
                letter(r"\overline{k(x_i, y_j)}"),
            ),
            note=r"i \ne j \text{ within a set}",
        ),
    ),
    "beyond-shift": (
        says(r"\bar\alpha_t'", resolution.shifted_alpha_bar(FACTOR, AT), note=r"c = (64/d)^2"),
        [r"\mathrm{SNR}'(t)", r"= c\,\mathrm{SNR}(t)"],
    ),
    "beyond-threshold": (
        [
            r"\hat x_0",
            r"\leftarrow \operatorname{clip}(\hat x_0, -s, s) / s",
            r"\quad (s = \max(1,\ p\text{-quantile of } \lvert\hat x_0\rvert))",
        ],
    ),
    "beyond-absorbing": (
        says(r"\beta_t", absorbing.absorbing_beta(NOW, END)),
        says(r"q(x_{t-1} = x_0 \mid x_t = \mathrm{blank}, x_0)", absorbing.unmask_probability(AT)),
        says("L_{t-1}", absorbing.absorbing_term(letter(r"\log \tilde p_\theta(x_0 \mid x_t)"), AT)),
    ),
    "beyond-memory": (
        [
            r"\mathbb{E}[x_0 \mid x_t]",
            r"= \sum_i \operatorname{softmax}_i\bigl(\log q(x_t \mid x^{(i)})\bigr)\, x^{(i)}",
        ],
    ),
}
"""The equations of every result."""
