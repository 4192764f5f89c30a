"""What a run came to: one set of numbers, printed on the terminal and as a page that needs nothing else."""

import base64
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from ddpm_spec.data.taken import Taken
from ddpm_spec.evaluation.bound import Bound
from ddpm_spec.evaluation.quality import Figures
from ddpm_spec.evaluation.report import files
from ddpm_spec.runs.folders import write_atomically
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.sections import Section, print_sections

__all__ = ["Report", "print_report", "sections", "write"]

TARGETS = {"confidence": 0.97, "rarest_class": 0.03, "frechet": 52.0, "novelty": 0.8}
"""What a sound run of the digits reaches; frechet from above, the others from below."""

ENOUGH = 256
"""Samples that the targets are meant for. Of fewer even real images miss them: 16 held-out digits are at a
Fréchet distance of 871."""

OURS = "this model"
"""Its row among the figures."""


@dataclass(frozen=True)
class Report:
    """The numbers of a run, as saved in report.json."""

    run: str
    data: str
    levels: int
    step: int
    parameters: int
    loss: float
    """Mean over the last tenth of the steps."""
    figures: dict[str, Figures]
    """Of this model's samples and, to compare, of others; none where `quality.has_judge` says so."""
    bound: Bound
    histogram: float | None
    """Bits/dim of independent pixels, where there are figures."""
    bin_in_sigmas: float | None
    """Width of a grey level's bin over σ_1, the standard deviation of the decoder; none if it is learned."""
    seconds: dict[str, float]
    environment: dict[str, Any]
    settings: Settings
    short_chain: str = ""
    """What is to be said of a chain that does not reach noise."""
    no_figures: str = ""
    """Why grey images with labels have no figures."""
    taken: tuple[Taken, ...] = ()
    """The files of the images, where they are files: how many were found, used and left out."""
    copies: str = ""
    """What is to be said of held-out images that are training images too."""


def sections(r: Report) -> list[Section]:
    """The report in the order in which it is read."""
    return [
        Section(
            "Samples",
            image="samples.png",
            alt=f"A grid of {r.settings.evaluation.samples} generated images",
            notes=(f"{r.settings.evaluation.samples} samples of Algorithm 2, averaged weights, unselected.",),
        ),
        _quality(r) if r.figures else _no_quality(r),
        _bound(r),
        Section(
            "Loss",
            image="loss.png",
            alt="Loss of every training step, and its running mean",
            notes=(f"Mean over the last tenth: {r.loss:.4f}. {_objective(r.settings)}",),
        ),
        *files(r.taken),
        _time(r),
        _machine(r),
        _settings(r),
    ]


def _quality(r: Report) -> Section:
    def row(name: str, f: Figures) -> tuple[str, ...]:
        return (name, f"{f.confidence:.3f}", f"{f.rarest_class:.1%}", f"{f.frechet:.1f}", f"{f.novelty:.2f}")

    rows = [row(*named) for named in r.figures.items()]
    notes = []
    count = r.settings.evaluation.samples
    if r.data == "digits" and count < ENOUGH:
        notes.append(
            f"{count} samples are too few to hold against targets: even as many real images would miss them. "
            f"Draw at least {ENOUGH} (--samples)."
        )
    elif r.data == "digits":
        missed = missed_targets(r.figures[OURS])
        rows.append(("target", "≥ 0.97", "≥ 3%", "≤ 52", "≥ 0.80"))
        notes.append(
            "All four targets are reached."
            if not missed
            else f"Missed: {', '.join(missed)}. Train longer (--steps)."
        )
    if r.figures[OURS].memorised:
        notes.append(
            "Memorisation: the samples lie closer to the training images than the held-out ones do. "
            "This model stores images; do not read the other three figures as quality."
        )
    notes += [
        "Confidence: mean top-class probability of an RBF support vector machine trained on real images, "
        "over what it gives the held-out ones. Rarest class: its share of the samples. Fréchet: squared "
        "distance of the two Gaussians fitted to samples and training images, in grey levels. Novelty: "
        "median distance to the nearest training image, over that of the held-out images.",
        "The first three do not tell a model from memory: the kernel density estimate is a stored training "
        "image plus noise of half a grey level, and does well in them. The fourth does.",
    ]
    return Section(
        "Sample quality",
        ("", "confidence", "rarest class", "Fréchet", "novelty"),
        tuple(rows),
        tuple(notes),
        mark=0,
    )


def _no_quality(r: Report) -> Section:
    if r.no_figures:
        return Section("Sample quality", notes=(f"The samples are not judged: {r.no_figures}.",))
    inception = "it takes Inception and many samples: python -m ddpm_spec.evaluate measures it."
    return Section("Sample quality", notes=(f"For these images {inception}",))


def missed_targets(f: Figures) -> list[str]:
    """Names of the targets that these figures do not reach."""
    low = [name for name in ("confidence", "rarest_class", "novelty") if getattr(f, name) < TARGETS[name]]
    return [name.replace("_", " ") for name in low] + ["Fréchet"] * (f.frechet > TARGETS["frechet"])


def _is_simple(settings: Settings) -> bool:
    """Whether L_simple was trained: the squared error of the noise."""
    return settings.training.objective == "simple" and settings.process.prediction == "eps"


def _objective(settings: Settings) -> str:
    """What the loss is, in its units."""
    if settings.training.objective == "bound":
        return "L_{t−1} of Eq. 5 in bits/dim at a t drawn uniformly: L − L_T is T times its mean."
    errors = {"eps": "L_simple (Eq. 14)", "mu": "The squared error of μ̃_t"}
    predicted = settings.process.prediction
    error = f"{errors.get(predicted, f'The squared error of {predicted}')} divided by the number of pixels"
    return error + (
        ", plus 0.001 of the bound in bits/dim." if settings.training.objective == "hybrid" else "."
    )


def _bin(levels: int, sigmas: float) -> str:
    # Half a bin is five standard deviations then.
    decoder = ", so x_1 all but names the grey level and L_0 is about 0" if sigmas > 10 else ""
    return f"With {levels} levels a bin is {sigmas:.1f} σ_1 wide{decoder}."


def _bound(r: Report) -> Section:
    b = r.bound
    mismatch = ""
    if r.settings.process.variance == "beta":
        mismatch = (
            f" σ_t² = β_t costs {b.mismatch:.2f} bits/dim whatever the network predicts (C of Eq. 8)"
            + (", a price that the histograms do not pay." if r.histogram else ".")
        )
    histograms = " The histograms of the pixels of the training images code the same images."
    course = f"Half of the bound lies at t ≤ {b.half_at}."
    if _is_simple(r.settings):
        course = (
            "L_simple drops the weights of Eq. 12, which are largest at small t: it trains least where the "
            f"bound counts most, half of it at t ≤ {b.half_at}."
        )
    return Section(
        "Bound on held-out images",
        ("term of Eq. 5", "bits/dim"),
        (
            ("L_T", f"{b.L_T:.2g}"),
            ("L_1 … L_T−1", f"{b.L_steps:.3f}"),
            ("L_0", f"{b.L_0:.2g}"),
            ("total, an upper bound", f"{b.total:.3f} ± {b.standard_error:.3f}"),
            *([("independent pixels, a histogram each", f"{r.histogram:.3f}")] if r.histogram else []),
        ),
        (
            f"{b.images} held-out images, one draw of x_t for each of the T steps; ± is one standard error."
            + (histograms if r.histogram else ""),
            course + mismatch,
            *([f"The chain is too short: {r.short_chain}."] if r.short_chain else []),
            *([f"{r.copies}."] if r.copies else []),
            *([_bin(r.levels, r.bin_in_sigmas)] if r.bin_in_sigmas else []),
        ),
        mark=3,
    )


def _time(r: Report) -> Section:
    rows = tuple((name, f"{seconds:.1f} s") for name, seconds in r.seconds.items())
    return Section("Time", ("", "wall clock"), rows, aside=True)


def _machine(r: Report) -> Section:
    e = r.environment | {"dtype": r.settings.machine.dtype}
    rows = tuple((name.replace("_", " ").replace(" gb", " (GB)"), str(value)) for name, value in e.items())
    return Section("Machine and versions", ("", ""), rows, aside=True)


def _settings(r: Report) -> Section:
    rows = [("data", r.data), ("parameters", f"{r.parameters:,}"), ("step", f"{r.step:,}")]
    source = () if r.data == "digits" else ("source",)  # which has none of it
    for group in (*source, "network", "process", "training", "evaluation", "machine"):
        for name, value in asdict(getattr(r.settings, group)).items():
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            rows.append((f"--{name.replace('_', '-')}", shown))
    return Section("Settings", ("", ""), tuple(rows), aside=True)


def print_report(report: Report) -> None:
    """The report as text on stdout."""
    print_sections(_headline(report), sections(report), Path(report.run))


def _maths(text: str) -> markupsafe.Markup:
    """L_T, x_1, σ_t … as letters with a subscript."""
    escaped = str(markupsafe.escape(text))
    return markupsafe.Markup(  # noqa: S704 (escaped above)
        re.sub(r"\b(L|x|σ|β)_(T−1|T|t|\d|simple)(?![A-Za-z0-9])", r"<i>\1</i><sub>\2</sub>", escaped)
    )


def _images(r: Report) -> str:
    """Which images these are: the name of the set, and of its place where it has one."""
    return " ".join(filter(None, (r.data, r.settings.source.path)))


def _headline(r: Report) -> str:
    return f"{_images(r)}: {r.step:,} steps, {r.parameters:,} parameters, {r.seconds['all']:.0f} s"


def write(report: Report, run: Path) -> None:
    """Writes report.json and report.html into the run folder, which holds the images already.

    Raises:
        InputError: if the disk is full or refuses.
    """
    write_atomically(run / "report.json", (json.dumps(asdict(report), indent=2) + "\n").encode())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ddpm_spec.training", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    environment.filters["maths"] = _maths

    def embedded(name: str) -> str:
        return f"data:image/png;base64,{base64.b64encode((run / name).read_bytes()).decode()}"

    page = environment.get_template("report.html").render(
        title=f"{_images(report)}, {report.step:,} steps",
        headline=_headline(report),
        run=report.run,
        sections=sections(report),
        embedded=embedded,
    )
    write_atomically(run / "report.html", page.encode(errors="backslashreplace"))  # a path may be no text
