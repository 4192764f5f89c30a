"""The command `ddpm_spec.evaluate`, from options to files."""

import json
from dataclasses import asdict
from pathlib import Path

from ddpm_spec import pictures
from ddpm_spec.evaluation import quality, report
from ddpm_spec.evaluation.measure import Measure
from ddpm_spec.evaluation.model import Model, open_model
from ddpm_spec.evaluation.options import EvaluateOptions, parse_evaluate
from ddpm_spec.evaluation.results import evaluate as measured
from ddpm_spec.machine import memory, processes
from ddpm_spec.runs.folders import existing_or_new, write_atomically
from ddpm_spec.terminal.console import Interrupt, console, notice

__all__ = ["evaluate"]


def evaluate(args: list[str]) -> None:
    """`python -m ddpm_spec.evaluate`.

    Raises:
        InputError: for anything the user can mend.
        Interrupted: by SIGINT or SIGTERM; the finished batches are kept.
    """
    with Interrupt() as interrupt:
        processes.joined(lambda: _evaluate(args, interrupt))


def _evaluate(args: list[str], interrupt: Interrupt) -> None:
    options = processes.from_first(lambda: parse_evaluate(args))
    with processes.together():
        model = open_model(
            options.model,
            options.preset,
            device=options.device,
            dtype=options.dtype,
            path=options.path,
            cache=options.cache,
            stated=options.stated,
            convention=options.convention,
        )
    if why := quality.why_no_judge(model.images):
        notice(f"the samples will not be judged: {why}")
    if guessed := report.assumption(model.name, model.origin, asdict(model.settings.process)):
        notice(guessed)
    plan = model.settings.evaluation
    batch = options.batch or plan.sample_batch
    which = _which(options, model)
    samples = options.samples or plan.samples
    memory.refuse_samples("--samples", samples, model.images.shape, held=1 + len(which))
    images = plan.bound_images if options.images is None else options.images
    folder = _folder(options, model)
    measure = Measure(model, folder, interrupt, options.seed, batch, options.convention)
    results, drawn = measured(measure, which, samples, images, options.inception)
    if model.accelerator.is_main_process:
        curves = results.pop("curves")
        write_atomically(folder / "results.json", (json.dumps(results, indent=2) + "\n").encode())
        write_atomically(folder / "curves.json", (json.dumps(curves) + "\n").encode())
        write_atomically(folder / "bound.png", report.bound_picture(curves))
        for name in which:
            grid = pictures.grid_png(drawn[name][:256], model.images.levels)
            write_atomically(folder / f"samples-{name}.png", grid)
        report.print_results(results, folder)
        console.print(f"\nresults: {folder / 'results.json'}")


def _folder(options: EvaluateOptions, model: Model) -> Path:
    if options.out:
        folder = options.out
    elif "run" in model.origin:
        folder = Path(options.model) / "evaluation"
    else:
        folder = Path(f"evaluation-{Path(options.model).name}")
    return existing_or_new(folder)


def _which(options: EvaluateOptions, model: Model) -> list[str]:
    if options.weights == "both" or "run" not in model.origin:
        return list(model.networks)
    return [options.weights]
