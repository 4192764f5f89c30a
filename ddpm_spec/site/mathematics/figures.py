"""The interactive figures: their formulas as JavaScript, and what stands on the page without it.

`formulas.js` is printed here by sympy, from the functions of `ddpm_spec.formulas` run on symbols, so a
figure cannot show another formula than the one that is proved and trained. The drawing is written by hand,
in `docs/assets/figures`; Node runs it once at build time, for readers without JavaScript.
"""

import inspect
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.printing.jscode import jscode

from ddpm_spec.followups import guidance
from ddpm_spec.followups.finite_data import mean_image
from ddpm_spec.followups.snr import snr
from ddpm_spec.formulas import forward, gaussian, objective, posterior, reverse, sampling, schedule
from ddpm_spec.formulas.step import Step
from ddpm_spec.formulas.variance import marginal_variance
from ddpm_spec.ops import symbolic as symbolic
from ddpm_spec.paper import Formula
from ddpm_spec.schedule import cosine_schedule, linear_schedule
from ddpm_spec.site import SiteError
from ddpm_spec.site.markdown.npm import NODE

__all__ = ["FORMULAS", "MIXTURE", "NAMES", "SPREAD", "place", "printed", "scripts"]

FORMULAS: tuple[Formula, ...] = (
    schedule.linear_beta,
    schedule.cosine_beta,
    forward.alpha,
    forward.alpha_bar,
    forward.one_minus_alpha_bar,
    posterior.posterior_mean,
    posterior.posterior_variance,
    snr,
    objective.eps_weight,
    gaussian.log_density,
    sampling.p_sample,
)
"""What is printed under its own name; a `Step` becomes an object with the fields of one."""

NAMES = ("schedule-explorer", "reverse-mixture", "rate-distortion")
"""Each is the name of a script, of an element and of what a page embeds: `![[figure#schedule-explorer]]`."""

AT = Step(*sp.symbols(Step._fields))
X = sp.Symbol("x")

MIXTURE = ((sp.Rational(7, 20), sp.Rational(-4, 5)), (sp.Rational(13, 20), sp.Rational(1, 2)))
"""Weight and mean of each component of the data whose reverse process is drawn."""
SPREAD = sp.Rational(9, 400)
"""The variance of each component. It is one, so that the exponents of the shares stay small."""


def printed(formula: Formula) -> str:
    """A formula as a JavaScript function of the same name and arguments."""
    parameters = inspect.signature(formula).parameters
    letters = [AT if p.annotation is Step else sp.Symbol(name) for name, p in parameters.items()]
    return function(formula.__name__, letters, formula(*letters))


def function(name: str, arguments: Sequence[Any], value: sp.Expr) -> str:
    """A JavaScript function with this value, in which nothing is computed twice."""
    shared, (result,) = sp.cse(value, order="none", symbols=sp.numbered_symbols("part"))
    lines = [f"const {symbol} = {jscode(part)};" for symbol, part in shared]
    used = value.free_symbols
    letters = ", ".join(
        "{ " + ", ".join(str(s) for s in a if s in used) + " }" if isinstance(a, Step) else str(a)
        for a in arguments
    )
    body = "".join(f"  {line}\n" for line in [*lines, f"return {jscode(result)};"])
    return f"export function {name}({letters}) {{\n{body}}}\n"


def _of_the_mixture() -> dict[str, sp.Expr]:
    """What is known exactly of data from two normals, in x and the step.

    The density is that of its definition. The score is sympy's derivative, and from it the noise as the
    network would predict it best, the mean of the reverse process, and the slope of that.
    """
    joint = [
        sp.log(weight) + gaussian.log_density(X, forward.q_mean(mean, AT), marginal_variance(SPREAD, AT))
        for weight, mean in MIXTURE
    ]
    score = mean_image([sp.diff(log_q, X) for log_q in joint], joint)
    eps = score / guidance.score(sp.Integer(1), AT)  # the score is proportional to the noise
    mean = reverse.mean_from_eps(X, eps, AT)
    return {
        "mixture_density": sp.Add(*map(sp.exp, joint)),
        "mixture_eps": eps,
        "mixture_mean": mean,
        "mixture_slope": sp.diff(mean, X),
    }


def defaults(build: Callable[..., Any]) -> dict[str, Any]:
    """What a function assumes where nothing else is said."""
    return {name: p.default for name, p in inspect.signature(build).parameters.items()}


@cache
def formulas() -> str:
    """The text of `formulas.js`."""
    constants = {"linear": defaults(linear_schedule), "cosine": defaults(cosine_schedule)}
    return "\n".join(
        [
            "// Printed by ddpm_spec.site.mathematics.figures from the functions of ddpm_spec.formulas.\n",
            f"export const defaults = {json.dumps(constants)};\n",
            *map(printed, FORMULAS),
            *(function(name, (X, AT), value) for name, value in _of_the_mixture().items()),
        ]
    )


def received(results: Path) -> str:
    """The text of `received.js`: what a figure shows of the stored Fig. 5, or nothing where it is not stored.

    Args:
        results: the folder of the stored results.
    """
    stored = results / "fig5-digits.json"
    numbers = json.loads(stored.read_text("utf-8"))["numbers"] if stored.exists() else {}
    seen = numbers.get("received")
    if not seen:
        return ""
    course = numbers["test"]["official"]  # x̂_0 clipped, as a picture is
    T = len(course["rate"])
    times = sorted({*seen["times"], *range(1, 10), *range(10, T, max(1, T // 100))})
    curve = [
        {"t": t, "rate": course["rate"][t - 1], "distortion": course["distortion"][t - 1]} for t in times
    ]
    constants = {
        "classes": seen["classes"],
        "levels": seen["levels"],
        "side": seen["shape"][-1],
        "stops": seen["times"],
        "x_0": seen["x_0"],
        "paths": seen["paths"],
        "curve": curve,
    }
    return "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in constants.items())


def scripts(docs: Path) -> dict[str, str]:
    """The scripts that are not written by hand, by name.

    Args:
        docs: the folder of the pages, with the stored results.
    """
    return {"formulas.js": formulas(), "received.js": received(docs / "results")}


def place(name: str, docs: Path) -> str:
    """The HTML of a figure, with its first picture; a line of text where a result is not stored.

    Args:
        name: that of its script and of its element.
        docs: the folder of the pages, with the scripts written by hand and the stored results.

    Raises:
        SiteError: if there is no such figure, or its script fails.
    """
    if name not in NAMES:
        raise SiteError(f"![[figure#{name}]]: the figures are {', '.join(NAMES)}")
    printed = scripts(docs)
    drawable = tuple(other for other in NAMES if other != "rate-distortion" or printed["received.js"])
    if name not in drawable:
        return "Not stored yet: `python -m ddpm_spec.reproduce fig5 --preset digits` makes it.\n"
    files = {file.name: file.read_text("utf-8") for file in sorted((docs / "assets/figures").glob("*.js"))}
    inside = json.loads(_drawn(drawable, tuple((files | printed).items())))[name]
    # In a block of its own, in which Markdown finds nothing to do.
    return f'<div class="live" data-search-exclude><{name}>{inside}</{name}></div>'


@cache
def _drawn(names: tuple[str, ...], scripts: tuple[tuple[str, str], ...]) -> str:
    """What Node prints of these figures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in scripts:
            Path(folder, name).write_text(text, "utf-8")
        Path(folder, "package.json").write_text('{"type": "module"}', "utf-8")
        command = [str(NODE), str(Path(__file__).with_name("figures.mjs")), folder, *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if done.returncode:
        raise SiteError(f"a figure of docs/assets/figures cannot be drawn: {done.stderr.strip()}")
    return done.stdout
