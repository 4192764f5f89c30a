"""The formulas that are proved are the ones that train, sample and bound.

Each formula is replaced by one that raises; then the training step, the sampler or the bound must fail.
"""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import get_args

import pytest
import torch
from torch import Tensor

from ddpm_spec import formulas
from ddpm_spec.choices import Convention, Prediction
from ddpm_spec.diffusion import Diffusion
from ddpm_spec.formulas import bound, decoder, floors, gaussian, schedule, variance
from ddpm_spec.paper import Formula, nodes_of
from ddpm_spec.schedule import cosine_schedule, linear_schedule, quadratic_schedule

ROOT = Path(__file__).parents[1]
MODULES = [import_module(room.name) for room in iter_modules(formulas.__path__, f"{formulas.__name__}.")]


def formulas_of(module: ModuleType) -> Iterator[Formula]:
    """The formulas that a module defines."""
    for name in module.__all__:
        formula = getattr(module, name)
        if inspect.isfunction(formula):
            yield formula


FORMULAS = [formula for module in MODULES for formula in formulas_of(module)]

# Eqs. 8 and 12 explain a term of the bound and are proved, but nothing is computed by them: the bound is its
# terms. Eq. 16 and claim C8 need the law of the data, so only an oracle can compute them.
# The best variance, the floors and the length of a message say what can be reached; none is used to reach it.
EXPLAINS = [
    formulas.autoregressive.negative_log_likelihood,
    bound.marginal_bound,
    bound.mean_distance,
    bound.variance_mismatch,
    gaussian.entropy,
    formulas.objective.eps_weight,
    formulas.interpolation.mixed_noise,
    *formulas_of(variance),
    *formulas_of(floors),
    *formulas_of(formulas.coding),
]


class Called(Exception):
    """Raised in place of a formula."""


def network(x_t: Tensor, t: Tensor) -> Tensor:
    return x_t / 2


def noise(t: int) -> Tensor:
    return torch.ones(2, 1, 2, 3)


def train() -> None:
    """One training step's loss with each schedule."""
    x_0 = torch.zeros(2, 1, 2, 3)
    for steps in (linear_schedule(T=3), quadratic_schedule(T=3), cosine_schedule(T=3)):
        Diffusion(steps).loss(network, x_0, torch.tensor([1, 3]), torch.ones_like(x_0))


def sample() -> None:
    """Algorithm 2 with every prediction, under both conventions."""
    for prediction in get_args(Prediction):
        for convention in get_args(Convention):
            model = Diffusion(linear_schedule(T=3), "beta_tilde", prediction, convention)
            list(model.sample(network, noise))
    model.interpolate(network, (noise(3), noise(3)), 0.3, 2, noise)


def evaluate() -> None:
    """The bound as a sum of divergences, in bits, by its definition, and with a learned variance."""
    x_0 = torch.zeros(2, 1, 2, 3)
    model = Diffusion(linear_schedule(T=3))
    terms = model.bound(network, x_0, 17, noise)
    bound.bits_per_dim(terms.total, 6)
    model.path_bound(network, x_0, 17, noise)
    replace(model, convention="official").bound(network, x_0, 17, noise)
    replace(model, variance="learned").bound(lambda x, t: torch.cat((x, x), dim=1), x_0, 17, noise)


USERS: tuple[Callable[[], None], ...] = (train, sample, evaluate)


def raising(*arguments: object) -> None:
    raise Called


def test_with_every_formula_in_its_place_all_runs() -> None:
    for user in USERS:
        user()


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f"{f.__module__.rpartition('.')[2]}.{f.__name__}")
def test_no_formula_is_decoration(monkeypatch: pytest.MonkeyPatch, formula: Formula) -> None:
    monkeypatch.setitem(formula.__globals__, "Called", Called)
    # The code object is replaced, so every import of the function sees the change.
    monkeypatch.setattr(formula, "__code__", raising.__code__)
    stopped = []
    for user in USERS:
        try:
            user()
        except Called:
            stopped.append(user.__name__)
    assert bool(stopped) == (formula not in EXPLAINS)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.__name__)
def test_every_formula_states_something_of_the_paper(formula: Formula) -> None:
    assert nodes_of(formula) or formula in NOT_IN_THE_PAPER
    assert formula.__doc__


# A schedule is a setting, a density is what every equation is written with, and the tanh is the official
# code's.
NOT_IN_THE_PAPER = [
    *formulas_of(schedule),
    gaussian.log_density,
    decoder.tanh_cdf,
    decoder.log_bin_probability_tanh,
]


def test_no_formula_names_a_number_type_or_holds_a_float() -> None:
    for module in MODULES:
        names = {name.partition(".")[0] for name in vars(module)}
        assert not names & {"torch", "np", "numpy", "sympy", "sp", "mpmath", "math", "Fraction"}
        for formula in formulas_of(module):
            constants = formula.__code__.co_consts
            assert not any(isinstance(constant, float) for constant in constants), formula.__name__


def imported(module: str) -> set[str]:
    """What a module of ours imports when it is imported itself; nothing for any other."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found: set[str] = set()
    for statement in ast.parse(file.read_text(encoding="utf-8")).body if file.exists() else []:
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found |= {statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)}
    return found


def test_no_module_on_the_training_path_imports_sympy() -> None:
    # The settings import the network and the process when they make them.
    path, pending = set(), {f"ddpm_spec.{room}" for room in ("training.commands", "training.loop", "unet")}
    while pending:
        path |= pending
        pending = set().union(*map(imported, pending)) - path
    assert {"ddpm_spec.diffusion", "ddpm_spec.unet", "ddpm_spec.formulas.posterior"} <= path
    assert not {name for name in path if name.startswith(("sympy", "mpmath", "ddpm_spec.proofs"))}


@pytest.mark.cli
def test_training_does_not_import_sympy() -> None:
    """Proofs load sympy; whoever trains does not pay for it, unless torch itself asks for it."""
    code = (
        "import sys, torch; before = 'sympy' in sys.modules\n"
        "import ddpm_spec.diffusion, ddpm_spec.schedule\n"
        "assert ('sympy' in sys.modules) == before\n"
        "assert not any(name.startswith('ddpm_spec.proofs') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
