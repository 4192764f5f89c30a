"""Small runs and exports of the build at hand, kept as what later builds must go on reading.

    python tests/older/make.py FOLDER

FOLDER then holds what a user of this build may have on disk, and beside it what this build makes of it:

    finished/      a run of 12 updates, with its checkpoints
    interrupted/   a run that SIGINT stopped in the middle
    export/        `finished` as a diffusers pipeline
    export-v/      a run trained to predict v, as a diffusers pipeline
    expected/      samples by Algorithm 2 and by DDIM, results of `evaluate`, and, in `expected.json`, the
                   hashes of what an export and the end of the interrupted run consist of

It was run once for each folder here, with the build that the folder is named after. Pictures, reports and
logs are left out: nothing reads them again.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

NETWORK = "--channels 4 --groups 2 --multipliers 1 2 --dropout 0.1 --T 8 --seed 3"
TRAINING = "--batch 6 --warmup 2 --ema 0.5 --flip --device cpu --threads 1"
EVALUATION = "--samples 12 --bound-images 4 --sample-batch 5"
FLAGS = f"{NETWORK} {TRAINING} {EVALUATION}".split()

FEW = ["--samples", "12", "--images", "4"]
MEASURED = {
    "finished": [],
    "export": ["--preset", "digits", *FEW],
    "export-v": ["--preset", "digits", *FEW],
}
"""What is evaluated, and with which options."""

UPDATES = 240
"""Of the run that is interrupted: a few seconds."""


def kind() -> dict[str, str]:
    """What decides the last bits of a sum on one thread: the processor's model, and the libraries."""
    said = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    cpu = {key.strip(): value.strip() for key, value in said.items()}
    processor = " ".join(cpu.get(name, "") for name in ("vendor_id", "cpu family", "model"))
    blas = os.environ.get("OPENBLAS_CORETYPE", "")
    versions = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"processor": processor, "OPENBLAS_CORETYPE": blas, **versions}


def command(folder: Path, *words: str) -> None:
    """Runs one command of the package there, and stops if it fails."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # sums over several threads depend on their number
    python = [sys.executable, "-m", *words]
    subprocess.run(python, cwd=folder, env=alone, check=True, stdout=subprocess.DEVNULL)


def interrupted(folder: Path) -> None:
    """Trains and sends SIGINT when the first checkpoint stands."""
    words = ["--run", "interrupted", "--steps", str(UPDATES), "--save-every", "60"]
    started = subprocess.Popen([sys.executable, "-m", "ddpm_spec.train", *FLAGS, *words], cwd=folder)
    while not (folder / "interrupted" / "checkpoint-60").exists() and started.poll() is None:
        time.sleep(0.002)
    started.send_signal(signal.SIGINT)
    if started.wait() != 130:
        raise SystemExit(f"the interrupted run ended with status {started.returncode}; repeat")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in it, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def measured(work: Path, name: str, *words: str) -> dict[str, Any]:
    """The results of `evaluate`, but for the seconds they took and the machine."""
    command(work, "ddpm_spec.evaluate", name, *words, "--device", "cpu", "--out", f"measured-{name}")
    results = json.loads((work / f"measured-{name}" / "results.json").read_text(encoding="utf-8"))
    return {key: value for key, value in results.items() if key not in ("seconds", "provenance")}


def strip(run: Path) -> None:
    """Leaves what a later build reads: settings, report.json and checkpoints."""
    for path in run.iterdir():
        if path.name in ("log", "evaluation") or path.suffix in (".png", ".html"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def make(work: Path) -> None:
    """Everything, in `work`."""
    expected = work / "expected"
    expected.mkdir()
    v = ["--run", "v", "--steps", "12", "--prediction", "v", "--objective", "simple"]
    command(work, "ddpm_spec.train", *FLAGS, "--run", "finished", "--steps", "12", "--save-every", "6")
    command(work, "ddpm_spec.train", *FLAGS, *v)
    interrupted(work)
    command(work, "ddpm_spec.export", "finished", "export")
    command(work, "ddpm_spec.export", "v", "export-v")
    for name, how in (("samples", []), ("ddim", ["--steps", "4", "--eta", "0.5"])):
        drawn = ["finished", "-n", "5", "--seed", "7", *how, "--out", f"drawn-{name}"]
        command(work, "ddpm_spec.sample", *drawn)
        shutil.move(work / f"drawn-{name}" / "samples.npy", expected / f"{name}.npy")
    results = {name: measured(work, name, *words) for name, words in MEASURED.items()}
    exported = {name: digests(work / name) for name in ("export", "export-v")}
    shutil.copytree(work / "interrupted", work / "whole")
    command(work, "ddpm_spec.train", "--resume", "whole")
    state = json.loads((work / "whole" / f"checkpoint-{UPDATES}" / "state.json").read_text(encoding="utf-8"))
    for name in ("finished", "interrupted"):
        strip(work / name)
    made: dict[str, Any] = {
        "kind": kind(),
        "exports": exported,
        "end of the interrupted run": state["sha256"],
        "results": results,
    }
    (expected / "expected.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def main(folder: Path) -> None:
    """Makes all in a temporary folder and keeps the parts named above."""
    if folder.exists():
        raise SystemExit(f"{folder} exists; what an older build made is never made again")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        make(work)
        for name in ("finished", "interrupted", "export", "export-v", "expected"):
            shutil.copytree(work / name, folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
