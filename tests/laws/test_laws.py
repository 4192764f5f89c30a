"""The laws hold for our implementation; what an adapter lacks or raises is said, and hides nothing else."""

import numpy as np
import pytest
from laws.ours import Ours

from ddpm_spec.choices import Variance
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.evidence import Recorder
from ddpm_spec.formulas import bound, decoder, forward, objective, posterior, reverse, sampling
from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.plain import Plain
from ddpm_spec.schedule import linear_schedule

SHORT = linear_schedule(8, 0.02, 0.4)
BETAS = np.linspace(0.02, 0.4, 8)

# What runs while a law of each group looks at the implementation, and where one of them differs.
SPEAKS_OF = {
    "forward": (forward.q_sample,),
    "posterior": (posterior.posterior_mean, posterior.posterior_variance),
    "reverse": (reverse.mean_from_eps, sampling.p_sample),
    "objective": (objective.simple_loss, forward.q_sample),
    "bound": (bound.step_term, bound.decoder_term, decoder.log_bin_probability),
    "decoder": (bound.step_term, bound.decoder_term, decoder.log_bin_probability),
}
RUNS = {
    "forward/betas": (forward.alpha, forward.alpha_bar),
    "forward/product": (forward.alpha, forward.alpha_bar),
    "reverse/x-0": (reverse.predict_x_0,),
    "reverse/last-step": (reverse.mean_from_eps,),
    "bound/prior-blank": (bound.prior_term,),
    "bound/prior-mean": (bound.prior_term,),
    "bound/own-step": (bound.step_term, reverse.mean_from_eps),
    "bound/marginal-form": (bound.step_term,),
    "bound/kraft": (bound.prior_term, bound.step_term, bound.decoder_term, decoder.log_bin_probability),
}
OF_THE_PAPER = [law for law in LAWS.values() if law.group in SPEAKS_OF]

VARIANCES = {"beta": forward.q_step_variance, "beta_tilde": posterior.posterior_variance}


@pytest.mark.parametrize("law", OF_THE_PAPER, ids=lambda law: law.id)
@pytest.mark.parametrize("variance", VARIANCES)
def test_ours(recorder: Recorder, law, variance: Variance) -> None:
    claim, formulas = law.name, RUNS.get(law.id, SPEAKS_OF[law.group])
    if law.id in ("reverse/variance-range", "reverse/decoder-variance"):
        claim, formulas = f"{law.name} (σ² {variance})", (VARIANCES[variance],)
    with recorder.observe("property", claim, *formulas):
        schedule = linear_schedule(8, 0.02, 0.4)
        (result,) = check(Ours(Diffusion(schedule, variance), levels=9), laws=(law,))
        assert result.outcome == "passed", result


def broken(adapter, **options) -> dict[str, str]:
    found = {result.law.id: result.outcome for result in check(adapter, **options)}
    return {law: outcome for law, outcome in found.items() if outcome in ("failed", "error")}


@pytest.mark.slow
@pytest.mark.parametrize("variance", VARIANCES)
def test_ours_at_full_size(variance: Variance) -> None:
    assert not broken(Ours(Diffusion(linear_schedule(), variance), levels=256))


def test_the_official_code_is_reported_by_what_it_changes() -> None:
    """Clipping, and a tanh for Φ with a floor."""
    official = Ours(Diffusion(SHORT, convention="official"), levels=9)
    approximate = {"decoder/sum", "decoder/bin", "decoder/edges"}
    assert (
        broken(official).keys()
        == {
            "reverse/unclipped",
            "reverse/rotation",
            "bound/weight",
            "bound/weight-of-x-0",
        }
        | approximate
    )
    # Who says that he clips is not blamed for it.
    official.clips = True
    assert broken(official).keys() == approximate


def test_the_precision_counts() -> None:
    model = Ours(Diffusion(SHORT), levels=9, precision="float32")
    assert not broken(model)
    # The same computation, as if it were one in float64.
    double = Ours(Diffusion(SHORT), levels=9)
    double.q_sample = lambda x_0, t, eps: model.q_sample(x_0.float(), t, eps.float())
    assert broken(double).keys() == {"forward/mean", "forward/variance"}


def test_what_an_adapter_lacks_is_not_judged() -> None:
    class Tables:
        betas = BETAS

    outcomes = {result.law.id: (result.outcome, result.why) for result in check(Tables())}
    assert outcomes["forward/betas"] == ("passed", "")
    assert outcomes["forward/product"] == ("not judged", "it has no alpha_bars")
    assert outcomes["reverse/mean"] == ("not judged", "it has no p_sample")
    assert not broken(Tables())


def test_what_an_implementation_raises_hides_nothing_else() -> None:
    class Raises(Plain):
        def prior_term(self, x_0):
            raise RuntimeError("not implemented")

    results = check(Raises(BETAS, levels=9))
    raised = {result.law.id: result.why for result in results if result.outcome == "error"}
    assert raised == dict.fromkeys(
        ("bound/prior-blank", "bound/prior-mean", "bound/kraft"), "RuntimeError: not implemented"
    )
    assert not any(result.outcome == "failed" for result in results)


def test_not_a_number_does_not_pass() -> None:
    class Blank(Plain):
        def prior_term(self, x_0):
            return np.full(len(x_0), np.nan)

    expected = dict.fromkeys(("bound/prior-blank", "bound/prior-mean", "bound/kraft"), "failed")
    assert broken(Blank(BETAS, levels=9)) == expected


def test_a_variance_of_0_at_the_last_step_is_honest_without_a_decoder() -> None:
    class Small(Plain):
        def variance(self, t):
            return float(self.beta_tilde(t))

    assert Small(BETAS).variance(1) == 0
    with_a_decoder = broken(Small(BETAS, levels=9))
    assert with_a_decoder.pop("reverse/decoder-variance") == "failed"
    assert with_a_decoder.keys() <= {"bound/asked", "bound/kraft"}  # what cannot be computed

    Small.bound_term = None
    assert not broken(Small(BETAS))


def test_only_some_times() -> None:
    class Late(Plain):
        def q_sample(self, x_0, t, eps):
            return super().q_sample(x_0, np.where(t == 5, 4, t), eps)

    assert broken(Late(BETAS), times=[5]).keys() == {"forward/mean", "forward/variance"}
    assert not broken(Late(BETAS), times=[1, 2, 8])


def test_bad_tables_are_refused() -> None:
    short, coarse = Plain(BETAS), Plain(BETAS, levels=2)
    short.betas = short.betas[:3]
    with pytest.raises(ValueError, match=r"betas and alpha_bars have shape \(3,\) and \(8,\)"):
        check(short)
    with pytest.raises(ValueError, match="at least 3 grey levels"):
        check(coarse)
