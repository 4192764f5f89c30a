"""The results of an evaluation on the terminal, and the bound over t as a picture."""

from collections.abc import Iterable
from pathlib import Path

from ddpm_spec import pictures
from ddpm_spec.data.taken import Taken, copied
from ddpm_spec.evaluation.results import Results
from ddpm_spec.terminal.sections import Section, print_sections

__all__ = ["assumption", "bound_picture", "files", "print_results"]


def print_results(results: Results, folder: Path) -> None:
    """All tables on stdout."""
    of = results["model"]
    headline = f"{of}: {results['data']}, {results['seconds']:.0f} s"
    guessed = assumption(results["model"], results["origin"], results["process"])
    sections = [
        *([Section("Assumed", notes=(guessed,))] if guessed else []),
        _bound(results),
        *_quality(results),
        *_inception(results),
        *files(Taken(**part) for part in results["files"]),
    ]
    print_sections(headline, sections, folder)


def assumption(model: str, origin: Results, process: Results) -> str:
    """What neither the weights nor the options say and was taken from the published models; '' if nothing.

    Args:
        model: what was opened.
        origin: its provenance, with `assumed`.
        process: the fields of the process that it is measured with.
    """
    assumed = origin.get("assumed", [])
    if not assumed:
        return ""
    fields = list(process) if "process" in assumed else [name for name in process if name in assumed]
    others = [name for name in assumed if name != "process" and name not in process]
    told = ", ".join([*(f"{name} {process[name]}" for name in fields), *others])
    options = ", ".join(f"--{name.replace('_', '-')}" for name in fields)
    return (
        f"{model} does not say for what it was trained. Taken from the published models: {told}. If it was "
        "trained otherwise, the numbers here are wrong."
        + (f" State what is right by {options}." if fields else "")
    )


def files(taken: Iterable[Taken]) -> list[Section]:
    """How many files of each part were found, used and left out, where they are files."""
    parts = list(taken)
    rows = tuple((part.place, f"{part.found:,}", f"{part.used:,}") for part in parts)
    left_out = tuple(
        f"Left out of {part.place}: {'; '.join(part.left_out)}." for part in parts if part.left_out
    )
    return [Section("Images", ("", "found", "used"), rows, left_out)] if parts else []


def _bound(results: Results) -> Section:
    rows, copies = [], results["held_out_copies"]
    for name, said in results["weights"].items():
        for split, conventions in said["bound"].items():
            for convention, b in conventions.items():
                rows.append((
                    f"{name} {split} {convention}", f"{b['L_T']:.2g}", f"{b['L_steps']:.4f}",
                    f"{b['L_0']:.4f}", f"{b['total']:.4f} ± {b['standard_error']:.4f}", f"{b['images']:,}",
                ))  # fmt: skip
    return Section(
        "Bound (Eq. 5), bits/dim",
        ("", "L_T", "L_1 … L_T−1", "L_0", "total", "images"),
        tuple(rows),
        (
            "One draw of x_t for each t and image; ± is one standard error, from the spread between images. "
            "Paper: as printed. Official: as its code computes it, with the implied x_0 clipped and a tanh "
            "for the normal cdf, so that its number is not strictly a bound.",
            *([f"{copied(copies, results['held_out'])}."] if copies else []),
        ),
        image="bound.png",
    )


def _quality(results: Results) -> list[Section]:
    if "reference" not in results:
        why = results["not_judged"]
        return [Section("Sample quality", notes=(f"The samples are not judged: {why}.",))] if why else []
    rows = {name: said["quality"] for name, said in results["weights"].items()}
    samples = next(iter(rows.values()))["samples"]
    reference = results["reference"]
    rows["held out"] = reference
    shown = [
        (name, f"{f['confidence']:.3f}", f"{f['rarest_class']:.1%}", f"{f['novelty']:.2f}",
         *_distances(f["pixel_frechet"], 1), *_distances(f["feature_frechet"], 2))
        for name, f in rows.items()
    ]  # fmt: skip
    accuracy = reference["classifier_accuracy"]
    right = f"; it names {accuracy:.1%} of the held-out images rightly" if accuracy is not None else ""
    shown[-1] = (*shown[-1][:5], "", shown[-1][6], "")  # to themselves: 0
    return [
        Section(
            f"{samples:,} samples of Algorithm 2, convention {results['sampled_by']}",
            ("", "conf.", "rarest", "novelty", "pixels train", "test", "features train", "test"),
            tuple(shown),
            (
                "Confidence, rarest class and novelty as in a training run's report. Pixels and features: "
                "Fréchet distances to the training and to the held-out images. The features are the last "
                "hidden layer, 64 units, of a perceptron trained on the training images (seed "
                f"{reference['classifier_seed']}{right}). That is no FID: compare it on one data "
                "set only, and with equally many samples.",
            ),
        )
    ]


def _distances(found: dict[str, float], digits: int) -> tuple[str, str]:
    return f"{found['train']:.{digits}f}", f"{found['test']:.{digits}f}"


def _inception(results: Results) -> list[Section]:
    found = results["inception"]
    if "none" in found:
        return [Section("FID and Inception Score", notes=(found["none"] + ".",))]
    rows = tuple(
        (name, f"{f['fid']['train']:.2f}", f"{f['fid']['test']:.2f}",
         f"{f['is']:.2f} ± {f['is_spread']:.2f}", f"{f['samples']:,}")
        for name, f in found.items()
    )  # fmt: skip
    header = ("weights", "FID to train", "FID to test", "IS", "samples")
    return [Section("FID and Inception Score (torch-fidelity)", header, rows)]


def bound_picture(curves: Results) -> bytes:
    """L_{t−1} over t on the held-out images, by both conventions, of the first weights."""
    figure, (axes,) = pictures.panels("term of step $t$ (bits/dim)")
    course = next(iter(curves.values()))["test"]
    for colour, (convention, found) in zip(pictures.COLOURS, course.items(), strict=False):
        axes.plot(range(1, len(found["bits"]) + 1), found["bits"], color=colour, label=convention)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("$t$")
    pictures.legend(axes)
    return pictures.png(figure)
