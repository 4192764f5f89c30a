"""The mutator makes the slips it promises, and the run tells killed, crashed, equal and surviving apart."""

import ast
from types import FunctionType

import pytest
import torch
from mutation.killers import Killer, targets
from mutation.mutator import Mutant, install, marked, mutants, source
from mutation.run import forked

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.formulas import decoder, forward, gaussian, posterior
from ddpm_spec.formulas.step import Step
from ddpm_spec.literature import FOLLOWUPS
from ddpm_spec.ops import sqrt
from ddpm_spec.schedule import Schedule, linear_schedule


def changes(function: FunctionType) -> set[str]:
    return {mutant.change for mutant in mutants(function)}


SLIPS = [
    (forward.q_mean, "sqrt(at.alpha_bar) → at.alpha_bar", "a root lost"),
    (forward.q_variance, "at.one_minus_alpha_bar → _root_put_in(at.one_minus_alpha_bar)", "a root put in"),
    (forward.q_mean, "at.alpha_bar → at.alpha_bar_prev", "an index off by one"),
    (forward.q_step_variance, "at.beta → at.one_minus_alpha_bar", "another field"),
    (forward.alpha_bar, "alpha_t * alpha_bar_prev → alpha_bar_prev", "a factor dropped"),
    (forward.alpha_bar, "alpha_t * alpha_bar_prev → alpha_t / alpha_bar_prev", "× for ÷"),
    (forward.alpha, "1 - beta → 1 + beta", "− for +"),
    (forward.alpha, "1 - beta → -beta", "a term dropped"),
    (forward.alpha, "1 → 2", "n + 1"),
    (gaussian.log_density, "2 → 1", "a power or a factor, n − 1"),
    (gaussian.log_density, "x ↔ mean throughout", "two parameters exchanged"),
    (forward.q_step_mean, "linear_mean(x_prev, sqrt(at.alpha)) → linear_mean(x_prev, x_prev)", "a neighbour"),
    (decoder.log_bin_probability, "x_0 > 1 - half_bin → x_0 < 1 - half_bin", "a comparison"),
    (Diffusion._x_0, "predicted.clamp(-1, 1) → predicted", "a clip dropped"),
    (Diffusion.loss, "at), predicted).mean() → at), predicted).sum()", "a sum for a mean"),
    (Schedule.rows, "like.ndim - 1 → like.ndim", "one dimension too many"),
]


@pytest.mark.parametrize(("function", "change", "slip"), SLIPS)
def test_the_slips_are_made(function: FunctionType, change: str, slip: str) -> None:
    assert change in changes(function), slip


def test_mutants_differ_from_the_function_and_from_each_other() -> None:
    for function in targets().values():
        trees = [ast.dump(mutant.tree) for mutant in mutants(function)]
        assert len({*trees, ast.dump(source(function))}) == len(trees) + 1


def test_everything_that_does_mathematics_is_a_target() -> None:
    names = {
        "formulas.posterior.posterior_mean",
        "formulas.decoder.log_bin_probability",
        "schedule.Schedule.from_betas",
    }
    names |= {"schedule.Schedule.at", "diffusion.Diffusion.loss", "diffusion.Diffusion.p_sample"}
    assert names <= targets().keys()
    stated = {formula for node in FOLLOWUPS.values() for formula in node.formulas}
    assert stated <= set(targets().values())


def test_a_mutant_is_seen_by_every_import_and_can_be_undone() -> None:
    at = Step(*(0.1, 0.9, 0.81, 0.9, 0.19, 0.1))
    before, code = posterior.posterior_variance(at), posterior.posterior_variance.__code__
    try:
        install(posterior.posterior_variance, mutants(posterior.posterior_variance)[0].tree)
        assert posterior.posterior_variance(at) != before
    finally:
        posterior.posterior_variance.__code__ = code
    assert posterior.posterior_variance(at) == before


def test_a_mutant_names_the_statement_that_it_changes() -> None:
    """What runs another branch of a function has no say on this one."""
    function = Diffusion._x_0
    reached: set[int] = set()
    code = function.__code__
    try:
        install(function, marked(function, reached.add))
        x = torch.ones(1, 1, 1, 1)
        at = linear_schedule(3).at(torch.tensor([2]), like=x)
        Diffusion(linear_schedule(3))._x_0(x, x, at)
    finally:
        function.__code__ = code
    statements = {mutant.change: mutant.statement for mutant in mutants(function)}
    assert {statement for change, statement in statements.items() if "x_0_from_v" in change}.isdisjoint(
        reached
    )
    assert {statement for change, statement in statements.items() if "predict_x_0" in change} <= reached
    assert 0 in reached


# A formula of our own, and what judges it.


def length(x: float, y: float) -> float:
    return sqrt(x**2 + y**2)


def _law() -> None:
    assert length(3.0, 4.0) == 5.0


def _mutant(change: str) -> Mutant:
    return next(mutant for mutant in mutants(length) if mutant.change == change)


def test_a_seeded_mutant_is_caught() -> None:
    law = Killer("a law", _law, "law")
    (verdict,) = forked([(length, _mutant("x ** 2 + y ** 2 → x ** 2 - y ** 2"), [law])], 1)
    assert verdict.crashed, "the root of −7 is an error and no failed assertion"
    assert not verdict.killed
    (verdict,) = forked([(length, _mutant("sqrt(x ** 2 + y ** 2) → x ** 2 + y ** 2"), [law])], 1)
    assert verdict.law == "a law"
    assert not verdict.survived
    assert length(3.0, 4.0) == 5.0, "the mutant lived in a process of its own"


def test_a_law_that_does_not_end_is_a_crash() -> None:
    def endless() -> None:
        while length(3.0, 4.0) != 5.0:
            pass

    law = Killer("an endless law", endless, "law", seconds=1e-3)
    (verdict,) = forked([(length, _mutant("x ** 2 + y ** 2 → x ** 2"), [law])], 1)
    assert verdict.crashed
    assert verdict.stopped


def test_what_a_mutant_leaves_behind_does_not_kill_the_next() -> None:
    left: list[float] = []

    def law() -> None:
        left.append(length(3.0, 4.0))
        assert left == [5.0] * len(left)

    killer = Killer("a law with a memory", law, "law")
    harmless = Mutant(0, "nothing", source(length))
    wrong = _mutant("x ** 2 + y ** 2 → x ** 2")
    verdicts = forked([(length, mutant, [killer]) for mutant in (wrong, harmless, wrong)], 1)
    assert [verdict.killed for verdict in verdicts] == [True, False, True]
    assert verdicts[1].survived


def test_a_mutant_that_no_test_reaches_survives() -> None:
    (verdict,) = forked([(length, _mutant("x ** 2 + y ** 2 → x ** 2"), [])], 1)
    assert verdict.survived


def test_a_blind_law_lets_it_live() -> None:
    blind = Killer("a blind law", lambda: None, "law")
    (verdict,) = forked([(length, _mutant("x ** 2 + y ** 2 → x ** 2"), [blind])], 1)
    assert verdict.survived


def test_the_same_function_written_otherwise_is_equal() -> None:
    swapped = next(m for m in mutants(forward.alpha_bar) if "↔" in m.change)
    (verdict,) = forked([(forward.alpha_bar, swapped, [])], 1)
    assert verdict.equivalent
    assert not verdict.survived
