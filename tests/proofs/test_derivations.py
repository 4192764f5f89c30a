"""Every derivation holds, on the functions that train; a wrong function or a wrong step is refused."""

from typing import Any

import pytest
import sympy as sp
from reading import printed, read_back
from refused import Wrong, check_refused

from ddpm_spec import ops
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import (
    bound,
    coding,
    decoder,
    floors,
    forward,
    gaussian,
    objective,
    posterior,
    reverse,
    sampling,
    schedule,
    variance,
)
from ddpm_spec.formulas.bound import variance_mismatch
from ddpm_spec.formulas.forward import q_mean, q_variance
from ddpm_spec.formulas.gaussian import kl, linear_variance
from ddpm_spec.formulas.posterior import posterior_variance
from ddpm_spec.formulas.variance import marginal_variance
from ddpm_spec.ops import exact as exact
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.paper import NODES
from ddpm_spec.proofs import DERIVATIONS, Derivation, FalseStep
from ddpm_spec.proofs import coding as coding_proofs
from ddpm_spec.proofs import decoder as decoder_proofs
from ddpm_spec.proofs import floors as floors_proofs
from ddpm_spec.proofs import forward as forward_proofs
from ddpm_spec.proofs import gaussian as gaussian_proofs
from ddpm_spec.proofs import objective as objective_proofs
from ddpm_spec.proofs import posterior as posterior_proofs
from ddpm_spec.proofs import reverse as reverse_proofs
from ddpm_spec.proofs import sampling as sampling_proofs
from ddpm_spec.proofs import scale as scale_proofs
from ddpm_spec.proofs import schedule as schedule_proofs
from ddpm_spec.proofs import score as score_proofs
from ddpm_spec.proofs import variance as variance_proofs
from ddpm_spec.proofs.bound import bits_per_dim
from ddpm_spec.proofs.engine import (
    By,
    Expectation,
    Form,
    Integral,
    IntegrateOut,
    Line,
    Moments,
    Normal,
    Value,
)
from ddpm_spec.proofs.letters import AT, Z, positive
from ddpm_spec.proofs.sums import has_steps

TITLES = [derivation.title for derivation in DERIVATIONS]


@pytest.mark.first
@pytest.mark.parametrize("derivation", DERIVATIONS, ids=TITLES)
def test_derivation_is_proved(recorder: Recorder, derivation: Derivation) -> None:
    proof = recorder.prove(derivation)
    assert proof.proved, [check.verdict for check in proof.checks]


@pytest.mark.parametrize("derivation", DERIVATIONS, ids=TITLES)
def test_derivation_belongs_to_the_index(derivation: Derivation) -> None:
    assert set(derivation.nodes) <= NODES.keys()
    stated = {formula for node in derivation.nodes for formula in NODES[node].formulas}
    algorithm = all(NODES[node].kind == "algorithm" for node in derivation.nodes)
    assert algorithm or stated & set(derivation.formulas), "it runs a formula of a node that it claims"


# What a formula could be instead. Each replaces the body of the function that trains, so the proof has to
# fail on that function; the arguments and everything else stay.


def _wrong_sign(x_0: Any, x_t: Any, at: Any) -> Any:
    return (
        ops.sqrt(at.alpha_bar_prev) * at.beta / at.one_minus_alpha_bar * x_0
        - ops.sqrt(at.alpha) * at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * x_t
    )


def _dropped_root(x_0: Any, x_t: Any, at: Any) -> Any:
    return (
        at.alpha_bar_prev * at.beta / at.one_minus_alpha_bar * x_0
        + ops.sqrt(at.alpha) * at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * x_t
    )


def _index_off_by_one(x_0: Any, x_t: Any, at: Any) -> Any:
    return (
        ops.sqrt(at.alpha_bar) * at.beta / at.one_minus_alpha_bar * x_0
        + ops.sqrt(at.alpha) * at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * x_t
    )


def _wide_bin(x_0: Any, mean: Any, variance: Any, levels: Any) -> Any:
    half_bin = 2 * ops.one(x_0) / (levels - 1)
    sigma = ops.sqrt(variance)
    upper = ops.where(x_0 > 1 - half_bin / 2, ops.infinity(x_0), (x_0 + half_bin - mean) / sigma)
    lower = ops.where(x_0 < half_bin / 2 - 1, -ops.infinity(x_0), (x_0 - half_bin - mean) / sigma)
    return ops.log_normal_interval(lower, upper)


def _bin_without_ends(x_0: Any, mean: Any, variance: Any, levels: Any) -> Any:
    half_bin = ops.one(x_0) / (levels - 1)
    sigma = ops.sqrt(variance)
    return ops.log_normal_interval((x_0 - half_bin - mean) / sigma, (x_0 + half_bin - mean) / sigma)


def _bin_of_variance(x_0: Any, mean: Any, variance: Any, levels: Any) -> Any:
    half_bin = ops.one(x_0) / (levels - 1)
    upper = ops.where(x_0 > 1 - half_bin, ops.infinity(x_0), (x_0 + half_bin - mean) / variance)
    lower = ops.where(x_0 < half_bin - 1, -ops.infinity(x_0), (x_0 - half_bin - mean) / variance)
    return ops.log_normal_interval(lower, upper)


WRONG: dict[str, Wrong] = {
    "Eq. 7, a flipped sign": (posterior.posterior_mean, _wrong_sign, posterior_proofs._posterior),
    "Eq. 7, a dropped root": (posterior.posterior_mean, _dropped_root, posterior_proofs._posterior),
    "Eq. 7, an index off by one": (posterior.posterior_mean, _index_off_by_one, posterior_proofs._posterior),
    "Eq. 7, β_t for β̃_t": (
        posterior.posterior_variance,
        lambda at: at.beta,
        posterior_proofs._posterior,
    ),
    "Eq. 4, no root in the mean": (
        forward.q_mean,
        lambda x_0, at: at.alpha_bar * x_0,
        forward_proofs._step,
    ),
    "Eq. 4, variance of one step": (forward.q_variance, lambda at: at.beta, forward_proofs._step),
    "Eq. 4, ᾱ as a sum": (
        forward.alpha_bar,
        lambda alpha_t, alpha_bar_prev: alpha_t + alpha_bar_prev,
        forward_proofs._step,
    ),
    "Eq. 4, the recursion without α": (
        forward.one_minus_alpha_bar,
        lambda beta, one_minus_alpha_bar_prev: one_minus_alpha_bar_prev + beta,
        forward_proofs._step,
    ),
    "Eq. 4, a first step without ᾱ_0": (
        forward.alpha_bar,
        lambda alpha_t, alpha_bar_prev: alpha_t * (1 + alpha_bar_prev) / 2 * (1 + alpha_bar_prev),
        forward_proofs._base,
    ),
    "Eq. 11, the sign of the noise": (
        reverse.mean_from_eps,
        lambda x_t, eps, at: (
            1 / ops.sqrt(at.alpha) * (x_t + at.beta / ops.sqrt(at.one_minus_alpha_bar) * eps)
        ),
        reverse_proofs._mean,
    ),
    "Eq. 12, α_t left out": (
        objective.eps_weight,
        lambda variance, at: at.beta**2 / (2 * variance * at.one_minus_alpha_bar),
        objective_proofs._weight,
    ),
    "Eq. 7 solved for x_0, the part of x_t kept": (
        reverse.x_0_from_mean,
        lambda x_t, mean, at: at.one_minus_alpha_bar * mean / (ops.sqrt(at.alpha_bar_prev) * at.beta),
        posterior_proofs._inverse,
    ),
    "bits a coordinate, D left out": (
        bound.bits_per_dim,
        lambda nats, dims: nats / ops.log(2 * ops.one(nats)),
        bits_per_dim._bits,
    ),
    "a draw by its variance, not by the root": (
        sampling.p_sample,
        lambda mean, variance, z: mean + variance * z,
        sampling_proofs._draw,
    ),
    "a learned deviation for a learned variance": (
        reverse.learned_variance,
        lambda log_variance: ops.exp(2 * log_variance),
        reverse_proofs._logarithm,
    ),
    "the linear schedule with T steps between its ends": (
        schedule.linear_beta,
        lambda t, T, beta_1, beta_T: beta_1 + (beta_T - beta_1) * (t - 1) / T,
        schedule_proofs._linear,
    ),
    "the quadratic schedule, linear in t": (
        schedule.quadratic_beta,
        schedule.linear_beta,
        schedule_proofs._quadratic,
    ),
    "the cosine schedule, the offset not divided out": (
        schedule.cosine_angle,
        lambda t, T, s: ops.two_pi(s) / 4 * (t + s * T) / T,
        schedule_proofs._angle,
    ),
    "the cosine schedule, as if it began at each step": (
        schedule.cosine_beta,
        lambda t, T, s: ops.sin(ops.two_pi(s) / (4 * T * (1 + s))) ** 2,
        schedule_proofs._cosine,
    ),
    "Eq. 15, no division": (
        reverse.predict_x_0,
        lambda x_t, eps, at: x_t - ops.sqrt(at.one_minus_alpha_bar) * eps,
        reverse_proofs._x_0_hat,
    ),
    "the denoising identity, ᾱ_t for its root": (
        reverse.predict_x_0,
        lambda x_t, eps, at: (x_t - ops.sqrt(at.one_minus_alpha_bar) * eps) / at.alpha_bar,
        score_proofs._tweedie,
    ),
    "the denoising identity, x_0 not scaled in Eq. 4": (
        forward.q_mean,
        lambda x_0, at: x_0,
        score_proofs._tweedie,
    ),
    "the denoising identity, an absolute loss": (
        objective.simple_loss,
        lambda eps, eps_hat: eps - eps_hat,
        score_proofs._vincent,
    ),
    "C4, half a step along the score": (
        reverse.mean_from_eps,
        lambda x_t, eps, at: (
            1 / ops.sqrt(at.alpha) * (x_t - at.beta / 2 / ops.sqrt(at.one_minus_alpha_bar) * eps)
        ),
        score_proofs._langevin,
    ),
    "C4, the weight without 1 − ᾱ_t": (
        objective.eps_weight,
        lambda variance, at: at.beta**2 / (2 * variance * at.alpha),
        score_proofs._score_matching,
    ),
    "C1, a prior of another variance": (
        bound.prior_term,
        lambda x_0, at: kl(q_mean(x_0, at), q_variance(at), 0, 2),
        scale_proofs._prior,
    ),
    "C2, the variances of x_t and x_{t-1} swapped": (
        variance.optimal_variance,
        lambda data_variance, at: (
            at.beta
            * marginal_variance(data_variance, at)
            / marginal_variance(
                data_variance,
                at._replace(alpha_bar=at.alpha_bar_prev, one_minus_alpha_bar=at.one_minus_alpha_bar_prev),
            )
        ),
        variance_proofs._reverse,
    ),
    "C2, twice the least step": (
        variance.best_step_term,
        lambda optimal, at: ops.log(optimal / posterior_variance(at)),
        variance_proofs._mean_step,
    ),
    "C2, unit variance without its scale": (
        variance.marginal_variance,
        lambda data_variance, at: data_variance + at.one_minus_alpha_bar,
        variance_proofs._unit,
    ),
    "C3, a best variance that does not grow": (
        variance.optimal_variance,
        lambda data_variance, at: at.beta,
        variance_proofs._monotone,
    ),
    "C3, what x_0 leaves open, subtracted": (
        variance.explained_variance,
        lambda residual, at: (
            posterior_variance(at) - at.alpha_bar_prev * at.beta**2 / at.one_minus_alpha_bar**2 * residual
        ),
        variance_proofs._lower,
    ),
    "C3, another residual": (
        variance.linear_residual,
        lambda data_variance, at: (
            2 * data_variance * at.one_minus_alpha_bar / marginal_variance(data_variance, at)
        ),
        variance_proofs._upper,
    ),
    "C3, the best affine guess": (
        variance.linear_residual,
        lambda data_variance, at: at.one_minus_alpha_bar / marginal_variance(data_variance, at),
        variance_proofs._residual,
    ),
    "C10, scaled noise": (
        variance.marginal_variance,
        lambda data_variance, at: at.alpha_bar * (data_variance + at.one_minus_alpha_bar),
        scale_proofs._one_step,
    ),
    "C10, noise that is scaled": (
        variance.unscaled_variance,
        lambda variance_prev, at: linear_variance(variance_prev, at.alpha, at.beta),
        scale_proofs._unscaled,
    ),
    "Eq. 13, a bin of twice the width": (
        decoder.log_bin_probability,
        _wide_bin,
        lambda: decoder_proofs._bins()[0],
    ),
    "Eq. 13, no bin that reaches to infinity": (
        decoder.log_bin_probability,
        _bin_without_ends,
        lambda: decoder_proofs._bins()[2],
    ),
    "Eq. 13, σ² for σ": (
        decoder.log_bin_probability,
        _bin_of_variance,
        lambda: decoder_proofs._bins()[0],
    ),
    "Eq. 13, bins that overlap": (decoder.log_bin_probability, _wide_bin, decoder_proofs._next_bin),
    "Eq. 13, no last bin": (decoder.log_bin_probability, _bin_without_ends, decoder_proofs._last_bin),
    "C6, a density of another mean": (
        gaussian.log_density,
        lambda x, mean, variance: (
            -((x + mean) ** 2) / (2 * variance) - ops.log(ops.two_pi(variance) * variance) / 2
        ),
        decoder_proofs._as_noise,
    ),
    "C6, the weight that is dropped": (
        objective.eps_weight,
        lambda variance, at: at.beta / (2 * variance * at.alpha * at.one_minus_alpha_bar),
        lambda: decoder_proofs._weight(
            "w", AT.beta, "", AT.beta / (2 * AT.alpha * AT.one_minus_alpha_bar), ""
        ),
    ),
    "the floor of a step, half of it": (
        floors.step_floor,
        lambda variance, at: variance_mismatch(posterior_variance(at), variance) / 2,
        floors_proofs._step,
    ),
    "the floor of a step, the variances swapped": (
        floors.step_floor,
        lambda variance, at: variance_mismatch(variance, posterior_variance(at)),
        floors_proofs._beta,
    ),
    "the floor of a pixel inside, one end only": (
        floors.interior_floor,
        lambda variance, levels: (
            -ops.log_normal_interval(
                -(ops.one(variance) / (levels - 1) / ops.sqrt(variance)), ops.infinity(variance)
            )
        ),
        floors_proofs._centre,
    ),
    "the floor of an edge pixel, both ends": (
        floors.clipped_edge_floor,
        lambda variance, levels: (
            -ops.log_normal_interval(
                -(ops.one(variance) / (levels - 1) / ops.sqrt(variance)),
                ops.one(variance) / (levels - 1) / ops.sqrt(variance),
            )
        ),
        floors_proofs._edge,
    ),
    "the floor of the loss, that of x_0": (
        floors.loss_floor,
        lambda data_variance, at: (
            at.one_minus_alpha_bar * data_variance / marginal_variance(data_variance, at)
        ),
        floors_proofs._loss,
    ),
    "the rate of unit normal data, with β̃": (
        variance.optimal_variance,
        lambda data_variance, at: at.one_minus_alpha_bar_prev / at.one_minus_alpha_bar * at.beta,
        floors_proofs._information,
    ),
    "C7, a message that says nowhere where it ends": (
        coding.message_length,
        lambda divergence: divergence + 1,
        coding_proofs._length,
    ),
    "C7, the logarithm of the divergence in nats": (
        coding.message_length,
        lambda divergence: divergence + 2 + 2 * ops.log(divergence + 2),
        coding_proofs._length,
    ),
    "C7, x_0 itself is not sent": (
        bound.divergence_bound,
        lambda prior, steps, decoder: prior + ops.total(steps),
        coding_proofs._messages,
    ),
    "KL, the arguments of the ratio swapped": (
        gaussian.kl,
        lambda mean, variance, mean_p, variance_p: (
            (variance / variance_p - 1 - ops.log(variance_p / variance) + (mean - mean_p) ** 2 / variance_p)
            / 2
        ),
        gaussian_proofs._kl,
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_formula_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: Wrong) -> None:
    check_refused(monkeypatch, wrong, ops=ops)


X, M = letter("x"), letter("m")
V, W = positive("v"), positive("w")


def _derivation(*lines: Line, end: Form | None = None) -> Derivation:
    return Derivation("a test", (), lines, end or lines[-1].form)


FALSE_STEPS = {
    "an inequality": _derivation(Line(Value(X), "start"), Line(Value(X + 1), "wrong")),
    "an end that is another formula": _derivation(Line(Value(X), "start"), end=Value(-X)),
    "a normal law with another variance": _derivation(
        Line(Normal(X, M, V), "start"), Line(Normal(X, M, W), "wrong")
    ),
    "a density for a value": _derivation(
        Line(Normal(X, M, V), "start"), Line(Value(-((X - M) ** 2) / (2 * V)), "without its constant")
    ),
    "an integral that is not one": _derivation(
        Line(Integral(Normal(X, M, V).name + 1, X), "start"),
        Line(Value(letter("0", sp.Integer(0))), "the 1 is lost", IntegrateOut(Normal(X, M, V))),
    ),
    "what is integrated out and stays": _derivation(
        Line(Integral(Normal(X, M, V).name + X, X), "start"),
        Line(Value(X), "x is bound", IntegrateOut(Normal(X, M, V))),
    ),
    "a moment of the wrong order": _derivation(
        Line(Expectation(Z**2 + Z, Z), "start"),
        Line(Value(letter("2", sp.Integer(2))), "E[z] is 0", Moments()),
    ),
    "a moment that is not known": _derivation(
        Line(Expectation(Z**4, Z), "start"), Line(Value(letter("1", sp.Integer(1))), "it is 3", Moments())
    ),
    "two forms that cannot be compared": _derivation(
        Line(Integral(X, X), "start"), Line(Value(X), "not an integral")
    ),
}


@pytest.mark.parametrize("derivation", FALSE_STEPS.values(), ids=FALSE_STEPS)
def test_false_step_is_refused(derivation: Derivation) -> None:
    with pytest.raises(FalseStep, match=r"a test: (line 2|the end)"):
        derivation.check()


def test_a_lemma_applies_only_where_its_hypothesis_stands() -> None:
    """The sum of normals, used for other arguments than those it was proved for."""
    step = forward_proofs._step()
    other = gaussian_proofs.SUM
    swapped = Line(step.lines[1].form, "another lemma", By(other))
    with pytest.raises(FalseStep, match="line 2"):
        Derivation("a test", (), (step.lines[0], swapped, *step.lines[2:]), step.end).check()


def test_a_step_that_holds_only_at_the_points_tried_is_not_proved() -> None:
    x = named("e^{x+1}", letter("x"))
    left = Value(type(x)(r"e^{x+1}", sp.exp(X.value + 1)))
    right = Value(type(x)(r"e\,e^{x}", sp.E * sp.exp(X.value)))
    proof = _derivation(Line(left, "start"), Line(right, "true, but not by this algebra")).check()
    assert not proof.proved


@pytest.mark.parametrize(
    ("title", "tex", "term", "names"), printed((*DERIVATIONS, decoder_proofs.COEFFICIENTS))
)
def test_what_is_printed_is_what_was_proved(title: str, tex: str, term: Any, names: dict[str, Any]) -> None:
    """Every line, read back from its LaTeX at a point, has the value that the proof compared."""
    if r"\log q(" in tex and not has_steps(term.value):
        return  # names of laws; the next line writes them out
    read, proved = read_back(tex, term, names)
    assert read == pytest.approx(proved, rel=1e-9)
