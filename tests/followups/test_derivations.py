"""Every derivation of what came later holds, on the functions as they are; a wrong one is refused."""

from collections.abc import Callable
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest
from reading import printed, read_back

from ddpm_spec import followups, ops
from ddpm_spec.evidence import Evidence, Recorder
from ddpm_spec.followups import (
    absorbing,
    consistency,
    ddim,
    diffusion_limit,
    finite_data,
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
from ddpm_spec.formulas.forward import q_mean
from ddpm_spec.formulas.interpolation import mix
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.literature import FOLLOWUPS, GAPS, MODULES
from ddpm_spec.paper import NODES
from ddpm_spec.proofs import DERIVATIONS as OF_THE_PAPER
from ddpm_spec.proofs import Derivation, FalseStep
from ddpm_spec.proofs import followups as proofs
from ddpm_spec.proofs.followups import DERIVATIONS

TITLES = [derivation.title for derivation in DERIVATIONS]


@pytest.mark.first
@pytest.mark.parametrize("derivation", DERIVATIONS, ids=TITLES)
def test_derivation_is_proved(recorder: Recorder, derivation: Derivation) -> None:
    proof = recorder.prove(derivation)
    assert proof.proved, [check.verdict for check in proof.checks]


def test_titles_are_told_apart() -> None:
    titles = [derivation.title for derivation in (*OF_THE_PAPER, *DERIVATIONS)]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("derivation", DERIVATIONS, ids=TITLES)
def test_derivation_belongs_to_the_index(derivation: Derivation) -> None:
    assert derivation.nodes
    assert set(derivation.nodes) <= FOLLOWUPS.keys()
    for node in derivation.nodes:
        stated = set(FOLLOWUPS[node].formulas)
        assert not derivation.formulas or stated & set(derivation.formulas), node


def test_the_index_is_apart_from_the_papers() -> None:
    assert len(NODES) == 49
    assert not FOLLOWUPS.keys() & NODES.keys()
    assert {node.gap for node in FOLLOWUPS.values()} <= GAPS.keys()
    assert len(GAPS) == 13
    derived = {node for derivation in DERIVATIONS for node in derivation.nodes}
    assert derived == FOLLOWUPS.keys(), "every one of them is derived"


@pytest.mark.parametrize("room", [followups, proofs], ids=["formulas", "proofs"])
def test_every_module_has_its_entry_and_its_proofs(room: ModuleType) -> None:
    """The proofs are found by the index: a module that it does not name would be left out unseen."""
    assert {module.name for module in iter_modules(room.__path__)} == set(MODULES)


def test_every_derivation_that_a_module_makes_is_collected() -> None:
    titles = {derivation.title for derivation in (*OF_THE_PAPER, *DERIVATIONS)}
    made = [d for name in MODULES for d in vars(getattr(proofs, name)).values() if isinstance(d, Derivation)]
    assert {derivation.title for derivation in made} <= titles


def test_a_status_follows_from_what_ran() -> None:
    recorder = Recorder()
    assert Evidence().beyond()["beyond-ddim"] == "no evidence"
    for derivation in DERIVATIONS:
        if "beyond-ddim" in derivation.nodes:
            recorder.prove(derivation)
    record = Evidence(tuple(recorder.observations.values()))
    assert record.beyond()["beyond-ddim"] == "proved"
    assert set(record.statuses().values()) == {"no evidence"}, "nothing of the paper has been shown by it"


# What a formula could be instead; the body of the function is replaced, everything else stays.
WRONG: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[], Derivation]]] = {
    "DDIM without its σ": (
        ddim.ddim_mean,
        lambda x_0, x_t, variance, at: (
            ops.sqrt(at.alpha_bar_prev) * x_0
            + ops.sqrt(at.one_minus_alpha_bar_prev)
            / ops.sqrt(at.one_minus_alpha_bar)
            * (x_t - q_mean(x_0, at))
        ),
        proofs.ddim._marginal,
    ),
    "DDIM, σ for σ²": (
        ddim.ddim_mean,
        lambda x_0, x_t, variance, at: (
            ops.sqrt(at.alpha_bar_prev) * x_0
            + ops.sqrt(at.one_minus_alpha_bar_prev - ops.sqrt(variance))
            / ops.sqrt(at.one_minus_alpha_bar)
            * (x_t - q_mean(x_0, at))
        ),
        proofs.ddim._member,
    ),
    "the noise behind x_t, not scaled": (
        ddim.implied_noise,
        lambda x_0, x_t, at: x_t - q_mean(x_0, at),
        proofs.ddim._member,
    ),
    "DDIM, β_t for σ²": (ddim.ddim_variance, lambda eta, at: eta**2 * at.beta, proofs.ddim._eta_one),
    "a long step without its division": (
        ddim.skip,
        lambda at, earlier: at._replace(beta=at.one_minus_alpha_bar - earlier.one_minus_alpha_bar),
        proofs.ddim._skip,
    ),
    "DPM-Solver, the whole log-SNR": (
        ddim.solver_step,
        lambda x_t, eps, at: (
            ops.sqrt(at.alpha_bar_prev / at.alpha_bar) * x_t
            - ops.sqrt(at.one_minus_alpha_bar_prev)
            * (at.alpha_bar_prev / at.one_minus_alpha_bar_prev / (at.alpha_bar / at.one_minus_alpha_bar) - 1)
            * eps
        ),
        proofs.ddim._solver,
    ),
    "PNDM, a coefficient off": (
        multistep.four_step_noise,
        lambda eps, eps_1, eps_2, eps_3: (55 * eps - 59 * eps_1 + 36 * eps_2 - 8 * eps_3) / 24,
        proofs.multistep._cubic,
    ),
    "the time of noise for that of data": (
        flow_matching.path_time,
        lambda at: (
            ops.sqrt(at.one_minus_alpha_bar) / (ops.sqrt(at.alpha_bar) + ops.sqrt(at.one_minus_alpha_bar))
        ),
        proofs.flow_matching._line,
    ),
    "the straight path backwards": (
        flow_matching.straight_path,
        lambda x_0, eps, time: mix(x_0, eps, time),
        proofs.flow_matching._line,
    ),
    "the speed backwards": (
        flow_matching.straight_velocity,
        lambda x_0, eps: eps - x_0,
        proofs.flow_matching._speed,
    ),
    "the SNR weight without its half": (
        snr.eps_snr_weight,
        lambda at: snr_before(at) / snr_(at) - 1,
        proofs.snr._eps_weight,
    ),
    "the SNR weight the other way round": (
        snr.x_0_snr_weight,
        lambda at: (snr_(at) - snr_before(at)) / 2,
        proofs.snr._x_0_weight,
    ),
    "the SNR before, of this step": (
        snr.snr_prev,
        lambda at: at.alpha_bar / at.one_minus_alpha_bar,
        proofs.snr._eps_weight,
    ),
    "the SNR by roots": (
        snr.snr,
        lambda at: ops.sqrt(at.alpha_bar / at.one_minus_alpha_bar),
        proofs.snr._errors,
    ),
    "the bound in continuous time without the data": (
        snr.snr_bound,
        lambda data_variance, snr_max, snr_min: ops.log((1 + snr_max) / (1 + snr_min)) / 2,
        proofs.snr._continuous,
    ),
    "the learned variance on a plain scale": (
        learned_variance.interpolated_variance,
        lambda v, small, large: mix(small, large, v),
        proofs.learned_variance._middle,
    ),
    "the learned variance, the ends swapped": (
        learned_variance.interpolated_variance,
        lambda v, small, large: ops.exp(mix(ops.log(large), ops.log(small), v)),
        lambda: proofs.learned_variance._end("a test", 1, "swapped"),
    ),
    "the hybrid loss with a term for the sum": (
        learned_variance.hybrid_loss,
        lambda simple, term, weight, T: simple + weight * term,
        proofs.learned_variance._hybrid,
    ),
    "the hybrid loss, both weighed": (
        learned_variance.hybrid_loss,
        lambda simple, term, weight, T: weight * (simple + T * term),
        proofs.learned_variance._hybrid,
    ),
    "the hybrid loss, the variance pushed away": (
        learned_variance.hybrid_loss,
        lambda simple, term, weight, T: simple - weight * (T * term),
        proofs.learned_variance._moved,
    ),
    "the gain without α": (
        learned_variance.noise_gain,
        lambda at: at.beta**2 / at.one_minus_alpha_bar,
        proofs.learned_variance._analytic,
    ),
    "an imperfect mean that asks for less": (
        learned_variance.imperfect_variance,
        lambda eps_error, at: (
            posterior_variance(at) - at.beta**2 / (at.alpha * at.one_minus_alpha_bar) * eps_error
        ),
        proofs.learned_variance._imperfect,
    ),
    "the best variance from the score itself": (
        learned_variance.analytic_variance,
        lambda score_square, at: posterior_variance(at) + score_square,
        proofs.learned_variance._analytic,
    ),
    "the error of the exact noise, not scaled": (
        learned_variance.noise_error,
        lambda score_square, at: 1 - score_square,
        proofs.learned_variance._upper,
    ),
    "a gain without the noise that stays": (
        learned_variance.family_gain,
        lambda variance, at: at.one_minus_alpha_bar / at.alpha,
        proofs.learned_variance._family,
    ),
    "a gain of the sum": (
        learned_variance.family_gain,
        lambda variance, at: (
            (ops.sqrt(at.one_minus_alpha_bar / at.alpha) + ops.sqrt(at.one_minus_alpha_bar_prev - variance))
            ** 2
        ),
        proofs.learned_variance._family,
    ),
    "the best variance of the family without its own": (
        learned_variance.family_variance,
        lambda eps_error, variance, at: at.beta * eps_error,
        proofs.learned_variance._member,
    ),
    "data in an interval, the whole width": (
        learned_variance.bounded_variance,
        lambda width, at: (
            posterior_variance(at) + at.alpha_bar_prev * at.beta**2 / at.one_minus_alpha_bar**2 * width**2
        ),
        proofs.learned_variance._bounded,
    ),
    "a rescaled schedule that does not end at 0": (
        schedules.zero_terminal_root,
        lambda root, root_1, root_T: root * root_1 / (root_1 - root_T),
        lambda: proofs.schedules._at("a test", "T", "0"),
    ),
    "a rescaled schedule that moves its start": (
        schedules.zero_terminal_root,
        lambda root, root_1, root_T: root - root_T,
        lambda: proofs.schedules._at("a test", "1", "1"),
    ),
    "β_t as the quotient": (
        schedules.beta_between,
        lambda alpha_bar, alpha_bar_prev: alpha_bar / alpha_bar_prev,
        proofs.schedules._beta,
    ),
    "ᾱ(t) with the whole square": (
        diffusion_limit.limit_alpha_bar,
        lambda time, first, last: ops.exp(-(time * first) - time**2 * (last - first)),
        proofs.diffusion_limit._mean,
    ),
    "a rate that is its own mean": (
        diffusion_limit.limit_rate,
        lambda time, first, last: (first + last) / 2,
        proofs.diffusion_limit._mean,
    ),
    "a drift without its half": (
        diffusion_limit.sde_drift,
        lambda x, rate: -(rate * x),
        proofs.diffusion_limit._same_slope,
    ),
    "a variance that goes to 0": (
        diffusion_limit.variance_slope,
        lambda variance, rate: -(rate * variance),
        proofs.diffusion_limit._one_step,
    ),
    "the drift of the reverse SDE": (
        diffusion_limit.flow_velocity,
        lambda x, score, rate: -(rate * x) / 2 - rate * score,
        proofs.diffusion_limit._same_slope,
    ),
    "a flow by variances": (
        diffusion_limit.flow,
        lambda x, variance_from, variance_to: x * variance_to / variance_from,
        proofs.diffusion_limit._flow,
    ),
    "a perturbation that is scaled like the data": (
        perturbation.perturbed_sample,
        lambda x_0, eps, xi, gamma, at: q_mean(x_0 + gamma * xi, at) + ops.sqrt(at.one_minus_alpha_bar) * eps,
        proofs.perturbation._input,
    ),
    "γ for γ²": (
        perturbation.perturbed_noise_variance,
        lambda gamma, at: at.one_minus_alpha_bar * (1 + gamma),
        proofs.perturbation._ratio,
    ),
    "the weight of v on x_0": (
        weights.v_weight,
        lambda at: 1 / at.one_minus_alpha_bar,
        proofs.weights._v_loss,
    ),
    "a weight on x_0, divided": (
        weights.on_x_0,
        lambda weight, at: weight / snr_(at),
        proofs.weights._on_x_0,
    ),
    "a weight on v, unchanged": (weights.on_v, lambda weight, at: weight, proofs.weights._unit_of_v),
    "Min-SNR, the larger of the two": (
        weights.min_snr_weight,
        lambda gamma, at: ops.where(snr_(at) > gamma, ops.one(gamma), gamma / snr_(at)),
        proofs.weights._clipped,
    ),
    "Min-SNR on x_0 for that on the noise": (
        weights.min_snr_weight,
        lambda gamma, at: ops.where(snr_(at) < gamma, snr_(at), gamma),
        proofs.weights._kept,
    ),
    "P2 of the other sign": (
        weights.p2_weight,
        lambda k, gamma, at: ops.exp(gamma * ops.log(k + snr_(at))),
        proofs.weights._p2,
    ),
    "the log-SNR of the cosine schedule, halved": (
        weights.cosine_log_snr,
        lambda time: ops.log(ops.cos(ops.two_pi(time) / 4 * time) / ops.sin(ops.two_pi(time) / 4 * time)),
        proofs.weights._cosine,
    ),
    "the implied weight without π": (
        weights.cosine_weight,
        lambda log_snr: 1 / (ops.exp(log_snr / 2) + ops.exp(-log_snr / 2)),
        proofs.weights._cosine,
    ),
    "a weighted bound whose prior has no weight": (
        weights.weighted_bound,
        lambda prior, steps, weights, last: prior + ops.total(weights * steps),
        proofs.weights._mixture,
    ),
    "a mixture by falls": (
        weights.mixture_of_bounds,
        lambda whole, later, first, weights, weights_prev: (
            first * whole + ops.total((weights_prev - weights) * later)
        ),
        proofs.weights._mixture,
    ),
    "a mixture by the weights themselves": (
        weights.mixture_of_bounds,
        lambda whole, later, first, weights, weights_prev: first * whole + ops.total(weights * later),
        proofs.weights._shares,
    ),
    "a step of L_w, the whole length": (
        weights.log_snr_weight,
        lambda weight, at: weight * ops.log(snr_before(at) / snr_(at)),
        proofs.weights._below,
    ),
    "v of the other sign": (
        v_prediction.velocity,
        lambda x_0, eps, at: ops.sqrt(at.one_minus_alpha_bar) * x_0 - ops.sqrt(at.alpha_bar) * eps,
        proofs.v_prediction._x_0_back,
    ),
    "x_0 from v, added": (
        v_prediction.x_0_from_v,
        lambda x_t, v, at: ops.sqrt(at.alpha_bar) * x_t + ops.sqrt(at.one_minus_alpha_bar) * v,
        proofs.v_prediction._x_0_back,
    ),
    "the noise from v, the roots swapped": (
        v_prediction.eps_from_v,
        lambda x_t, v, at: ops.sqrt(at.alpha_bar) * x_t + ops.sqrt(at.one_minus_alpha_bar) * v,
        proofs.v_prediction._eps_back,
    ),
    "a turn the other way": (
        v_prediction.rotated,
        lambda x_t, v, at: (
            ops.sqrt(at.alpha_bar_prev) * ops.sqrt(at.alpha_bar) * x_t
            + ops.sqrt(at.one_minus_alpha_bar) * ops.sqrt(at.alpha_bar_prev) * v
        ),
        proofs.v_prediction._turn,
    ),
    "EDM, the skip of the noise": (
        preconditioning.skip_scale,
        lambda noise, data: noise / (noise + data),
        proofs.preconditioning._least_output,
    ),
    "EDM, c_out squared": (
        preconditioning.output_scale,
        lambda noise, data: noise * data / (noise + data),
        proofs.preconditioning._output,
    ),
    "EDM, c_in of the noise alone": (
        preconditioning.input_scale,
        lambda noise, data: 1 / ops.sqrt(noise),
        proofs.preconditioning._input,
    ),
    "EDM, a quarter of log σ²": (
        preconditioning.noise_label,
        lambda noise: ops.log(noise) / 4,
        proofs.preconditioning._label,
    ),
    "EDM, c_out² for λ": (
        preconditioning.edm_weight,
        lambda noise, data: noise * data / (noise + data),
        proofs.preconditioning._weight,
    ),
    "EDM, the network without c_out": (
        preconditioning.denoised,
        lambda y, network, noise, data: data / (noise + data) * y + network,
        proofs.preconditioning._bridge,
    ),
    "a score that is not scaled": (
        guidance.score,
        lambda eps, at: -(eps * eps) / at.one_minus_alpha_bar,
        proofs.guidance._score,
    ),
    "guidance by 1 + w of both": (
        guidance.guided_eps,
        lambda conditional, unconditional, weight: (1 + weight) * (conditional - unconditional),
        proofs.guidance._score,
    ),
    "a classifier that pushes away": (
        guidance.classifier_eps,
        lambda eps, gradient, scale, at: eps + scale * ops.sqrt(at.one_minus_alpha_bar) * gradient,
        proofs.guidance._mean,
    ),
    "a mean that moves by σ": (
        guidance.classifier_mean,
        lambda mean, variance, gradient, scale: mean + scale * ops.sqrt(variance) * gradient,
        proofs.guidance._two_rules,
    ),
    "a guided law that widens": (
        guidance.guided_variance,
        lambda contrast, weight: (1 - contrast) / (1 - weight * contrast),
        proofs.guidance._law,
    ),
    "a denoiser that answers by the signal alone": (
        steering.denoiser_slope,
        lambda residual, at: ops.sqrt(at.alpha_bar) * residual,
        proofs.steering._denoiser,
    ),
    "a measurement that pushes away": (
        steering.measurement_score,
        lambda y, x_0, slope, variance: slope * (x_0 - y) / variance,
        proofs.steering._score,
    ),
    "DPS, the excess upside down": (
        steering.dps_excess,
        lambda residual, noise_variance: noise_variance / (noise_variance + residual),
        proofs.steering._excess,
    ),
    "DPS, the excess of the other variance": (
        steering.dps_excess,
        lambda residual, noise_variance: (noise_variance + residual) / residual,
        proofs.steering._measured,
    ),
    "a step along the norm without its length": (
        steering.norm_step,
        lambda step, norm: 2 * step,
        proofs.steering._norm,
    ),
    "ILVR that keeps its own low frequencies": (
        steering.ilvr_step,
        lambda proposal, low, reference_low: proposal + reference_low,
        proofs.steering._low,
    ),
    "ILVR that loses its detail": (
        steering.ilvr_step,
        lambda proposal, low, reference_low: reference_low,
        proofs.steering._rest,
    ),
    "consistency, the skip of EDM": (
        consistency.boundary_skip,
        lambda sigma, sigma_min, data: data / (sigma**2 + data),
        proofs.consistency._boundary,
    ),
    "consistency, the output of EDM": (
        consistency.boundary_output,
        lambda sigma, sigma_min, data: sigma * ops.sqrt(data / (sigma**2 + data)),
        proofs.consistency._boundary,
    ),
    "consistency without its scalings": (
        consistency.consistent,
        lambda x, network, sigma, sigma_min, data: x + network,
        proofs.consistency._boundary,
    ),
    "a path that runs towards the noise": (
        consistency.path_speed,
        lambda x, denoised, sigma: (denoised - x) / sigma,
        proofs.consistency._path,
    ),
    "a flow that goes too far": (
        diffusion_limit.flow,
        lambda x, variance_from, variance_to: x * variance_to,
        proofs.consistency._constant,
    ),
    "a flow that never rests": (
        diffusion_limit.flow,
        lambda x, variance_from, variance_to: x * ops.sqrt(variance_to),
        proofs.consistency._start,
    ),
    "FID by variances": (
        metrics.frechet,
        lambda mean, deviation, mean_p, deviation_p: (
            (mean - mean_p) ** 2 + (deviation**2 - deviation_p**2) ** 2
        ),
        proofs.metrics._of_the_mean,
    ),
    "FID's bias, the deviation counted once": (
        metrics.scaled_bias,
        lambda c_4, count: 1 + count * (1 - c_4),
        proofs.metrics._bias,
    ),
    "FID's bias, not scaled": (
        metrics.scaled_bias,
        lambda c_4, count: 1 + 2 * (1 - c_4),
        proofs.metrics._least,
    ),
    "FID's bias, of N²": (
        metrics.scaled_bias,
        lambda c_4, count: 1 + 2 * count**2 * (1 - c_4),
        proofs.metrics._most,
    ),
    "c_4 of one draw more": (
        metrics.next_deviation_mean,
        lambda c_4, count: ops.sqrt(count / (count + 1)) / c_4,
        proofs.metrics._next,
    ),
    "c_4 that starts at 1": (
        metrics.deviation_mean,
        lambda count, like: ops.one(like),
        proofs.metrics._first,
    ),
    "a distance to the sum": (
        metrics.kernel_distance,
        lambda within, within_p, between: within + within_p - between,
        proofs.metrics._mean,
    ),
    "a distance with a mean of its own": (
        metrics.kernel_distance,
        lambda within, within_p, between: within - between,
        proofs.metrics._with_diagonal,
    ),
    "KID with its diagonal": (
        metrics.off_diagonal_mean,
        lambda total, diagonal, count: total / count**2,
        proofs.metrics._mean,
    ),
    "a kernel of the second power": (
        metrics.cubic_kernel,
        lambda product, dimension: (product / dimension + 1) ** 2,
        proofs.metrics._cubic,
    ),
    "a threshold that does not divide": (
        resolution.dynamic_threshold,
        lambda x_0, threshold: ops.where(x_0 > threshold, threshold, x_0),
        lambda: proofs.resolution._threshold(
            "a test",
            *(proofs.resolution.ABOVE + proofs.resolution.BEYOND, proofs.resolution.ABOVE),
            proofs.resolution.ONE,
            "clipped",
        ),
    ),
    "a shift by the root": (
        resolution.shifted_alpha_bar,
        lambda factor, at: (
            at.alpha_bar * ops.sqrt(factor) / (at.one_minus_alpha_bar + at.alpha_bar * ops.sqrt(factor))
        ),
        proofs.resolution._shift,
    ),
    "pooling along one side": (
        resolution.pooled_snr,
        lambda side, at: side * at.alpha_bar / at.one_minus_alpha_bar,
        proofs.resolution._restored,
    ),
    "blanks, a step late": (
        absorbing.absorbing_beta,
        lambda t, T: ops.one(t) / (T - t),
        proofs.absorbing._kept,
    ),
    "a blank that returns by ᾱ_t": (
        absorbing.unmask_probability,
        lambda at: at.beta * at.alpha_bar / at.one_minus_alpha_bar,
        proofs.absorbing._return,
    ),
    "the cost of a blank, not reweighted": (
        absorbing.absorbing_term,
        lambda log_p, at: -log_p,
        proofs.absorbing._term,
    ),
    "the farthest image": (
        finite_data.image_shares,
        lambda log_q: [1 / (1 + ops.exp(log_q[0] - log_q[1])), 1 / (1 + ops.exp(log_q[1] - log_q[0]))],
        proofs.finite_data._average,
    ),
    "an average without its shares": (
        finite_data.mean_image,
        lambda images, log_q: (images[0] + images[1]) / 2,
        proofs.finite_data._best,
    ),
}


def snr_(at: Any) -> Any:
    """SNR(t), for the wrong versions that need a right one."""
    return at.alpha_bar / at.one_minus_alpha_bar


def snr_before(at: Any) -> Any:
    """SNR(t−1)."""
    return at.alpha_bar_prev / at.one_minus_alpha_bar_prev


@pytest.mark.parametrize(("formula", "wrong", "derive"), WRONG.values(), ids=WRONG)
def test_wrong_formula_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    formula: Callable[..., Any],
    wrong: Callable[..., Any],
    derive: Callable[[], Derivation],
) -> None:
    derive().check()
    for name, value in {
        "ops": ops,
        "snr_": snr_,
        "snr_before": snr_before,
        "q_mean": q_mean,
        "mix": mix,
        "posterior_variance": posterior_variance,
    }.items():
        monkeypatch.setitem(formula.__globals__, name, value)
    monkeypatch.setattr(formula, "__code__", wrong.__code__)
    with pytest.raises(FalseStep):
        derive().check()


def test_every_formula_that_is_proved_has_a_wrong_version() -> None:
    proved = {formula for derivation in DERIVATIONS for formula in derivation.formulas}
    stated = {formula for node in FOLLOWUPS.values() for formula in node.formulas}
    refused = {formula for formula, _, _ in WRONG.values()}
    assert not {formula.__name__ for formula in proved & stated - refused}


@pytest.mark.parametrize(("title", "tex", "term", "names"), printed(DERIVATIONS))
def test_what_is_printed_is_what_was_proved(title: str, tex: str, term: Any, names: dict[str, Any]) -> None:
    """Every line, read back from its LaTeX at a point, has the value that the proof compared."""
    read, proved = read_back(tex, term, names)
    assert read == pytest.approx(proved, rel=1e-9)
