"""The known packages, none of which is needed here, and the adapters that are made of functions."""

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddpm_spec.conform.packages import MODULES, targets
from ddpm_spec.conform.targets import Package
from ddpm_spec.laws import LAWS, check
from ddpm_spec.laws.adapters.parts import Held, Loop, Steps, parts_adapter, trained_times

FOLDER_NAME = "ddpm_spec.conform.packages"
FOLDER = Path(inspect.getfile(targets)).parent
SHORT = {"denoising_diffusion_pytorch": "_gaussian", "monai": "_scheduler"}
"""The adapters of a scheduler or a GaussianDiffusion, which a line more would make too long to copy."""


def _all() -> list[Package]:
    return [package for name in MODULES for package in import_module(f"{FOLDER_NAME}.{name}").TARGETS]


def test_every_module_is_listed_and_no_name_is_there_twice() -> None:
    files = {file.stem for file in FOLDER.glob("*.py")} - {"__init__"}
    assert files == set(MODULES)
    names = [package.name for package in _all()]
    assert len(names) == len(set(names)) == len(targets())


@pytest.mark.parametrize("name", MODULES)
def test_what_a_package_requires_is_pinned_and_its_notes_name_laws(name: str) -> None:
    packages = import_module(f"{FOLDER_NAME}.{name}").TARGETS
    (requirements,) = {package.requirements for package in packages}
    assert all(re.fullmatch(r"[a-z0-9-]+==\d[\w.]*", requirement) for requirement in requirements)
    for package in packages:
        assert package.name.partition("/")[0] == package.distribution
        assert set(package.notes) <= set(LAWS), package.name
    assert not all(package.also for package in packages)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_the_package_where_an_adapter_is_made(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["typing"]
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("typing", "collections.abc", "ddpm_spec.conform.targets")


def test_the_list_of_all_packages_loads_neither_torch_nor_any_of_them() -> None:
    code = (
        "import sys; from ddpm_spec.conform.packages import targets; known = targets(); "
        "print(len(known), [name for name in ('torch', 'diffusers', 'monai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == [str(len(targets())), "[]\n"]


@pytest.mark.parametrize(("module", "function"), SHORT.items())
def test_an_adapter_of_a_usual_shape_has_at_most_ten_lines(module: str, function: str) -> None:
    tree = ast.parse((FOLDER / f"{module}.py").read_text("utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    lines = {line for node in found.body for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    statements = [node for node in found.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(lines) <= 16
    assert sum((node.end_lineno or 0) - node.lineno + 1 for node in statements) <= 10


# ---------------------------------------------------------------------------------- adapters of functions


class Whole(nn.Module):
    """A package with nothing but loops, in the style of DDIM; its σ² is a share of β̃."""

    def __init__(self, network: nn.Module, share: float = 0.0, wrong: bool = False, steps: int = 40) -> None:
        super().__init__()
        self.network, self.share, self.wrong = network, share, wrong
        self.betas = torch.linspace(0.01, 0.3, 40)
        self.bars = torch.cumprod(1 - self.betas, 0)
        self.times = torch.linspace(39, 0, steps).round().long()

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        x = torch.randn(count, 3, 2, 2)
        for k, t in enumerate(self.times):
            eps = self.network(x, torch.full((count,), int(t)))
            now = self.bars[t]
            then = self.bars[self.times[k + 1]] if k + 1 < len(self.times) else torch.ones(())
            added = self.share * (1 - then) / (1 - now) * (1 - now / then)
            x_0 = (x - (1 - now).sqrt() * eps) / now.sqrt()
            left = 1 - then - (0 if self.wrong else added)
            x = then.sqrt() * x_0 + left.clamp(min=0).sqrt() * eps + added.sqrt() * torch.randn_like(x)
        return x


def _loops(**options: float) -> object:
    def sampler(steps: int) -> Loop:
        return Loop(lambda network, count: Whole(Held(network), steps=steps, **options).sample(count))  # type: ignore[arg-type]

    return parts_adapter(betas=Whole(Held(lambda x, t: x)).betas, sampler=sampler)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_loop_is_judged_step_by_step_with_and_without_noise(share: float) -> None:
    few = [law for law in LAWS.values() if law.group == "few-step"]
    assert {result.outcome for result in check(_loops(share=share), few)} == {"passed"}


def test_a_loop_that_forgets_the_noise_it_adds_is_told() -> None:
    results = {result.law.id: result.outcome for result in check(_loops(share=1.0, wrong=True))}
    assert results["few-step/noise"] == "failed"
    assert results["few-step/times"] == "passed"


def test_what_a_loop_raises_is_raised_where_the_step_is_taken() -> None:
    def run(network: Callable[..., Tensor], count: int) -> Tensor:
        x = torch.zeros(count, 3)
        network(x, 1)
        if count > 1:
            raise RuntimeError("out of range")
        return x

    loop = Loop(run)
    assert loop.times == [1]
    with pytest.raises(RuntimeError, match="out of range"):
        loop.step(lambda x, t: x, torch.zeros(2, 3), 0, torch.zeros(2, 3))


def test_a_loop_may_keep_x_in_another_size() -> None:
    def run(network: Callable[..., Tensor], count: int) -> Tensor:
        x = torch.randn(count, 3) * 5
        answer = network(x, 7, 5.0)
        return x / 5 + answer

    x_t = torch.tensor([[0.5, -1.0, 2.0]])
    found = Loop(run).step(lambda x, t: 10 * x, x_t, 0, torch.zeros(1, 3))
    np.testing.assert_allclose(found, 11 * x_t.numpy(), rtol=1e-6)


def test_steps_know_where_they_go() -> None:
    steps = Steps(torch.tensor([9, 4, 0]), lambda network, x, t, s: (t, s))
    assert [steps.step(lambda x, t: x, None, k) for k in range(3)] == [(9, 4), (4, 0), (0, None)]


def test_times_are_those_at_which_a_network_is_asked() -> None:
    asked = trained_times(lambda network, x: network(x, torch.arange(len(x)) % 7), 300)
    assert asked.tolist() == [t % 7 for t in range(256)] + [t % 7 for t in range(44)]


def _installed() -> list[Package]:
    return [package for package in _all() if package.version is not None and not package.also]


@pytest.mark.slow
@pytest.mark.skipif(not _installed(), reason="none of the known packages is installed")
def test_a_package_that_is_installed_can_be_judged() -> None:
    package = _installed()[0]
    results = check(package.make(), times=[1, 2, 500, 1000])
    assert sum(result.outcome in ("passed", "failed") for result in results) >= 10
    assert not [result for result in results if result.outcome == "error"]
