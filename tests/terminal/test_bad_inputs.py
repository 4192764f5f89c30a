"""Bad input to every command: one line that says what is wrong, status 2, and nothing written or lost.

All of it runs in this process, through the function of each command, in one folder that must stay as it is.
Ten of the inputs are given to a process as well, as a person would.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from accelerated import images  # noqa: F401 (a fixture)
from PIL import Image
from small_run import SMALL, finished

from ddpm_spec.__main__ import _list
from ddpm_spec.machine import memory
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.lock import LOCK
from ddpm_spec.terminal.commands import words
from ddpm_spec.terminal.console import run_command

ROOT = Path(__file__).parents[2]
LONG = "x" * 300

COMMANDS = {
    "train": ("training.commands", "train"),
    "sample": ("evaluation.sampling", "sample"),
    "evaluate": ("evaluation.commands", "evaluate"),
    "reproduce": ("reproduction.commands", "reproduce"),
    "export": ("interop.export", "export"),
    "benchmark": ("benchmark.commands", "benchmark"),
    "evidence": ("evidence", "_compare"),
    "conform": ("conform.commands", "conform"),
}


WITHOUT_OPTIONS = ("floors", "errata", "coding")
"""What these print does not hang on their words, which are looked at first."""


def function(command: str) -> Callable[[list[str]], int | None]:
    """What a command runs."""
    if not command:
        return _list
    if command in WITHOUT_OPTIONS:
        return partial(words, command=command)  # type: ignore[return-value]
    module, name = COMMANDS[command]
    return getattr(import_module(f"ddpm_spec.{module}"), name)


BAD: dict[str, list[tuple[str, str]]] = {
    "": [
        ("train", "write python -m ddpm_spec.train"),
        ("smaple runs/x", "smaple is not a command; write python -m ddpm_spec.sample"),
        ("--zzz", "--zzz is not a command"),
        ("[/b]", "python -m ddpm_spec [/b] is not a command"),
        (":smile:", "python -m ddpm_spec :smile: is not a command"),
    ],
    "floors": [("--zzz", "no option --zzz"), ("more", "no option more"), ("[/b]", "no option [/b]")],
    "errata": [("--zzz", "no option --zzz"), ("more", "no option more"), (":smile:", "no option :smile:")],
    "coding": [("--zzz", "no option --zzz"), ("more", "no option more"), ("--seed 3", "no option --seed")],
    "evidence": [
        ("", "OTHER.json is missing"),
        ("a.json b.json", "no option b.json"),
        ("--zzz", "no option --zzz"),
        ("nowhere.json", "nowhere.json holds no record"),
        ("file", "file holds no record"),
        ("empty", "empty holds no record"),
        (LONG, "holds no record"),
        ("run/settings.json", "run/settings.json holds no record"),
        ("list.json", "list.json holds no record"),
        ("observations.json", "observations.json holds no record"),
    ],
    "conform": [
        ("", "TARGET is missing"),
        ("--zzz", "no option --zzz"),
        ("nothing", "nothing is not a known package; --list shows those"),
        ("[/b]", "[/b] is not a known package"),
        ("nomodule:x", "nomodule:x cannot be imported: No module named 'nomodule'"),
        ("math:nothing", "there is no nothing in math; write module:object"),
        ("math:sqrt", "math:sqrt() raised TypeError"),
        (LONG, "is not a known package"),
        ("math:pi --command x", "--command is judged instead of a TARGET"),
        ("--command nowhere", "--command 'nowhere' cannot be started"),
        ("math:pi --python nowhere", "--python is nowhere, which cannot be run"),
        ("math:pi --json empty", "--json is empty, which is a folder; name a file"),
        ("math:pi --html nowhere/x", "--html is nowhere/x, which cannot be written"),
        ("math:pi --limit 0", "--limit is 0; give seconds"),
        ("math:pi --packages empty", "--packages judges every known package"),
    ],
    "train": [
        ("--zzz", "no option --zzz"),
        ("--stps 3", "did you mean --steps?"),
        ("extra", "no option extra"),
        ("[/b]", "no option [/b]"),
        ("--preset letters", "there is no preset 'letters'; choose from digits"),
        ("--preset [/b]", "there is no preset '[/b]'"),
        ("--preset", "--preset"),
        ("--steps many", "invalid literal for int"),
        ("--steps [/b]", "[/b]"),
        ("--steps", "Missing value for argument '--steps'"),
        ("--steps 0", "--steps is 0; it must be from 1 to"),
        ("--steps -1", "--steps is -1; it must be from 1 to"),
        ("--steps 1.5", "1.5"),
        ("--steps 100000000000", "--steps is 100000000000; it must be from 1 to"),
        ("--batch 0", "--batch is 0; it must be from 1 to"),
        ("--batch 1501", "--batch is 1501; it must be at most 1,500, the training images there are"),
        ("--batch 100000000", "--batch is 100000000; it must be from 1 to"),
        ("--batch 6 --accumulate 4", "--batch is 6 and --accumulate is 4; the first must be a multiple"),
        ("--accumulate 0", "--accumulate is 0; it must be at least 1"),
        ("--lr 0", "--lr is 0.0; it must be above 0"),
        ("--lr -1", "--lr is -1.0; it must be above 0"),
        ("--lr nan", "--lr is nan; it must be above 0"),
        ("--lr inf", "--lr is inf; it must be above 0"),
        ("--lr fast", "fast"),
        ("--warmup -1", "--warmup is -1; it must be at least 0"),
        ("--max-norm 0", "--max-norm is 0.0; it must be above 0"),
        ("--max-norm nan", "--max-norm is nan; it must be above 0"),
        ("--ema 1", "--ema is 1.0; it must be at least 0 and below 1"),
        ("--ema -0.1", "--ema is -0.1; it must be at least 0 and below 1"),
        ("--ema nan", "--ema is nan"),
        ("--seed -1", "--seed is -1; it must be from 0 to 4294967295"),
        ("--seed 4294967296", "--seed is 4294967296; it must be from 0 to 4294967295"),
        ("--seed 1e3", "1e3"),
        ("--save-every 0", "--save-every is 0; it must be at least 1"),
        ("--sample-every -1", "--sample-every is -1; it must be at least 0"),
        ("--channels 2", "--channels is 2; it must be from 4 to"),
        ("--channels 100000", "--channels is 100000; it must be from 4 to"),
        ("--channels 8192", "GB of memory are needed"),
        ("--channels 10 --groups 4", "--channels is 10; it must be even and a multiple of --groups, 4"),
        ("--groups 0", "--groups is 0; it must be at least 1"),
        ("--multipliers", "--multipliers is none"),
        ("--multipliers 1 0", "--multipliers is 1 0"),
        ("--multipliers 1 1 1 1 1", "images of side 8 cannot be halved 4 times"),
        ("--multipliers 1 100000", "--multipliers is 1 100000"),
        ("--multipliers 1 1000", "GB of memory are needed"),
        ("--blocks 0", "--blocks is 0; it must be from 1 to"),
        ("--blocks 100000", "--blocks is 100000; it must be from 1 to"),
        ("--attention 5", "no feature map has side 5"),
        ("--dropout 1", "--dropout is 1.0; it must be at least 0 and below 1"),
        ("--dropout nan", "--dropout is nan"),
        ("--T 1", "--T is 1; it must be from 2 to"),
        ("--T 100000000", "--T is 100000000; it must be from 2 to"),
        ("--T 1e3", "1e3"),
        ("--beta-1 0", "--beta-1 is 0.0; it must be between 0 and 1"),
        ("--beta-T 1", "--beta-T is 1.0; it must be between 0 and 1"),
        ("--beta-T nan", "--beta-T is nan; it must be between 0 and 1"),
        ("--beta-1 0.5", "--beta-1 is 0.5 and --beta-T is 0.02; the schedule must not decrease"),
        ("--schedule sine", "invalid choice 'sine'"),
        ("--schedule constant", "it needs the two equal, say 0.01"),
        ("--schedule cosine --beta-1 0.5", "--schedule is cosine, which has no --beta-1 (here 0.5)"),
        ("--schedule cosine --beta-1 1e-4", "--schedule is cosine, which has no --beta-1 (here 1e-4)"),
        ("--schedule cosine --beta-T=0.1", "--schedule is cosine, which has no --beta-T (here 0.1)"),
        ("--variance other", "invalid choice 'other' for argument '--variance'"),
        ("--variance learned", "gives a variance no gradient; use --objective hybrid or bound"),
        ("--objective hybrid", "has nothing to learn; use --variance learned_range"),
        ("--prediction noise", "invalid choice 'noise'"),
        ("--samples 1", "--samples is 1; it must be from 2 to"),
        ("--samples 1000000000000", "--samples is 1000000000000; it must be from 2 to"),
        ("--bound-images 1", "--bound-images is 1; it must be at least 2"),
        ("--bound-images 298", "--bound-images is 298; it must be at most 297, the held-out images"),
        ("--sample-batch 0", "--sample-batch is 0; it must be at least 1"),
        ("--threads -1", "--threads is -1; it must be from 0 to"),
        ("--threads 100000", "--threads is 100000; it must be from 0 to"),
        ("--workers -1", "--workers is -1; it must be from 0 to"),
        ("--workers 100000", "--workers is 100000; it must be from 0 to"),
        ("--device cuda", "torch sees no GPU here; use --device cpu"),
        ("--device tpu", "invalid choice 'tpu'"),
        ("--dtype float16", "invalid choice 'float16'"),
        ("--compile maybe", "invalid choice 'maybe'"),
        ("--flip True", "--flip takes no value; write --flip or --no-flip"),
        ("--data folder --path pics --grey True", "--grey takes no value; write --grey or --no-grey"),
        ("--checkpointing false", "--checkpointing takes no value; write --checkpointing or"),
        ("--grey", "digits takes no --grey"),
        ("--path pics", "digits takes no --path; leave it away, or did you mean --data folder?"),
        ("--image-size 16", "--image-size is 16, but digits has side 8"),
        ("--image-size -1", "--image-size is -1; it must be"),
        ("--cache-gb -1", "--cache-gb is -1.0; it must be at least 0"),
        ("--cache-gb nan", "--cache-gb is nan"),
        ("--data letters", "invalid choice 'letters'"),
        ("--data folder", "--data is folder, which needs a place; name it with --path"),
        ("--data folder --path nowhere", "there is no folder nowhere"),
        ("--data folder --path file", "there is no folder file"),
        ("--data folder --path empty", "there is no folder empty"),
        ("--data lsun --path pics", "data.mdb"),
        ("--data hub --path pics", "pics is a folder of pictures here; did you mean --data folder?"),
        ("--preset cifar10 --path pics", "pics is a folder of pictures here; did you mean --data folder?"),
        ("--data fashion-mnist --path empty", "empty"),
        (f"--data folder --path {LONG}", "there is no folder xxx"),
        (f"--data lsun --path {LONG}", "data.mdb"),
        (f"--data hub --path {LONG}", "split train cannot be had"),
        (f"--data fashion-mnist --path {LONG}", "cannot be read (File name too long); name the folder"),
        (f"--data folder --path pics --cache {LONG}", "cannot be written (File name too long)"),
        ("--run full", "full is not empty; name a new folder"),
        ("--run file", "file is a file; name another folder"),
        ("--run file/run", "cannot be written (Not a directory)"),
        ("--run /proc/run", "/proc/run is on a file system that keeps no files; name another folder"),
        (f"--run {LONG}", "cannot be written (File name too long)"),
        ("--run", "--run"),
        ("--resume nowhere", "nowhere is not a run folder"),
        ("--resume file", "file is not a run folder"),
        ("--resume empty", "empty is not a run folder"),
        (f"--resume {LONG}", "is not a run folder"),
        ("--resume", "--resume"),
        ("--resume [/b]", "[/b] is not a run folder"),
        ("--resume a --run b", "leave --run away"),
        ("--resume run --preset digits", "leave --preset away"),
        ("--resume run --lr 0.5", "here --lr 0.002; leave --lr away"),
        ("--resume run --channels 16", "here --channels 8; leave --channels away"),
        ("--resume run --seed 4", "here --seed 3; leave --seed away"),
        ("--resume run --steps 1", "already, --steps asks for 1; ask for more"),
        ("--resume damaged-settings", "settings.json is damaged (it is not JSON)"),
        ("--resume damaged-state", "is damaged (state.json is not what was saved)"),
        ("--resume damaged-weights", "is damaged (raw.safetensors is truncated or changed)"),
        ("--resume newer", "has a field momentum, which ddpm_spec"),
    ],
    "sample": [
        ("", "RUN"),
        ("nowhere", "nowhere is not a run folder"),
        ("file", "file is not a run folder"),
        ("[/b]", "[/b] is not a run folder"),
        (":smile:", ":smile: is not a run folder"),
        (LONG, "is not a run folder"),
        ("pics", "pics is not a run folder"),
        ("damaged-settings", "settings.json is damaged"),
        ("damaged-state", "is damaged (state.json is not what was saved)"),
        ("damaged-weights --weights raw", "is damaged (raw.safetensors is truncated or changed)"),
        ("unsaved", "unsaved holds no checkpoint"),
        ("run extra", "no option extra"),
        ("run --sed 1", "did you mean --seed?"),
        ("run -n 0", "--n is 0; it must be from 1 to"),
        ("run -n -3", "--n is -3; it must be from 1 to"),
        ("run -n many", "many"),
        ("run -n 1000000000000", "--n is 1000000000000; it must be from 1 to"),
        ("run --seed -1", "--seed is -1; it must be from 0 to 4294967295"),
        ("run --seed 4294967296", "--seed is 4294967296; it must be from 0 to 4294967295"),
        ("run --batch 0", "--batch is 0; it must be at least 1"),
        ("run --steps 1", "--steps is 1; it must be from 2 to 8"),
        ("run --steps 9", "--steps is 9; it must be from 2 to 8"),
        ("run --eta -0.1", "--eta is -0.1; it must be from 0 to 1"),
        ("run --eta nan", "--eta is nan; it must be from 0 to 1"),
        ("run --weights both", "both"),
        ("run --out full", "full is not empty; name a new folder"),
        ("run --out file", "file is a file; name another folder"),
        (f"run --out {LONG}", "File name too long"),
        ("run --out /proc/out", "/proc/out"),
    ],
    "evaluate": [
        ("", "RUN|WEIGHTS"),
        ("nowhere", "nowhere"),
        ("file", "file"),
        ("empty", "empty is neither a run folder nor one of diffusers"),
        ("[/b]", "[/b]"),
        (LONG, "xxx here; give a folder, a file, or a hub id"),
        (f"run --inception {LONG}", "which is no file; name one, or leave it away"),
        (".", "did you mean "),
        ("run --preset digits", "run is a run and knows its data; leave --preset away"),
        ("run --seed -1", "--seed is -1; it must be from 0 to 4294967295"),
        ("run --seed 4294967296", "--seed is 4294967296; it must be from 0 to 4294967295"),
        ("run --samples 1", "--samples is 1; it must be from 2 to"),
        ("run --samples 1000000000000", "--samples is 1000000000000; it must be from 2 to"),
        ("run --images 1", "--images is 1; it must be 0, for all, or at least 2"),
        ("run --images -1", "--images is -1; it must be 0, for all, or at least 2"),
        ("run --batch 0", "--batch is 0; it must be at least 1"),
        ("run --weights best", "invalid choice 'best'"),
        ("run --convention ours", "invalid choice 'ours'"),
        ("run --device cuda", "torch sees no GPU here; use --device cpu"),
        ("run --path pics", "digits takes no --path"),
        ("run --out file", "file is a file; name another with --out"),
        (f"run --out {LONG}", "File name too long"),
        ("run --zzz", "no option --zzz"),
        ("unsaved", "unsaved holds no checkpoint"),
        ("damaged-settings", "settings.json is damaged"),
        ("damaged-weights", "is damaged (raw.safetensors is truncated or changed)"),
    ],
    "reproduce": [
        ("", "no target was named; choose from table1"),
        ("table9", "there is no target 'table9'"),
        ("[/b]", "there is no target '[/b]'"),
        ("fig6 --preset letters", "there is no preset 'letters'"),
        ("fig6 --seed -1", "--seed is -1; it must be from 0 to 4294967295"),
        ("fig6 --seed 4294967296", "--seed is 4294967296; it must be from 0 to 4294967295"),
        ("fig6 --steps 0", "--steps is 0; it must be from 1 to"),
        ("fig6 --samples 1", "--samples is 1; it must be from 2 to"),
        ("fig6 --images 1", "--images is 1; it must be at least 2"),
        ("fig6 --batch 0", "--batch is 0; it must be at least 1"),
        ("fig6 --list True", "--list takes no value"),
        ("table1 --from run", "table1 is made of several runs; leave --from away"),
        ("fig6 --from run --steps 3", "leave --steps away"),
        ("fig6 --from nowhere", "nowhere is not a run folder"),
        (f"fig6 --from {LONG}", "is not a run folder"),
        ("fig6 --from run --preset fashion-mnist", "was trained on other images (digits)"),
        ("fig6 --from damaged-settings", "settings.json is damaged"),
        ("fig6 --from unsaved", "unsaved holds no checkpoint"),
        ("fig6 --from run --out file", "file is a file; name another with --out"),
        ("fig6 --path pics", "digits takes no --path"),
        ("fig6 --preset cifar10 --path pics", "pics is a folder of pictures here"),
        ("fig6 --runs file", "file"),
        (f"fig6 --runs {LONG}", "cannot be written (File name too long); name another"),
        (f"fig6 --from run --out {LONG}", "cannot be written (File name too long); name another with --out"),
        (f"fig6 --from run --inception {LONG}", "which is no file; name one, or leave it away"),
        ("fig6 --from run --inception nowhere", "--inception is nowhere, which is no file"),
        ("fig6 --from run --inception file", "colour images of 256 levels, which digits has not"),
        ("fig6 --preset cifar10 --inception file", "FID and IS "),
        ("fig6 --zzz", "no option --zzz"),
    ],
    "export": [
        ("", "RUN"),
        ("run", "OUT"),
        ("nowhere out", "nowhere is not a run folder"),
        ("run full", "full exists already; name a new folder"),
        ("run file", "file exists already; name a new folder"),
        ("run file/out", "file/out could not be written"),
        (f"run {LONG}", "could not be written (File name too long); free some disk, or name another folder"),
        ("run /proc/out", "/proc/out could not be written"),
        ("run out --weights both", "invalid choice 'both'"),
        ("run out more", "no option more"),
        ("damaged-weights out --weights raw", "is damaged (raw.safetensors is truncated or changed)"),
        ("unsaved out", "unsaved holds no checkpoint"),
    ],
    "benchmark": [
        ("--rounds 1", "--rounds is 1; it must be from 2 to"),
        ("--rounds 1000000000", "--rounds is 1000000000; it must be from 2 to"),
        ("--device cuda", "torch sees no GPU here; use --device cpu"),
        ("--device tpu", "invalid choice 'tpu'"),
        ("--only nothing", "--only is nothing; it must be part of a name"),
        ("--only [/b]", "--only is [/b]; it must be part of a name"),
        ("--out empty", "--out is empty, which is a folder; name a file"),
        (f"--out {LONG}", "which cannot be written"),
        ("--out nowhere/benchmark.json", "--out is nowhere/benchmark.json, which cannot be written"),
        ("--zzz", "no option --zzz"),
        ("more", "no option more"),
    ],
}  # fmt: skip

CASES = [(command, words, line) for command, cases in BAD.items() for words, line in cases]


def test_there_are_enough_of_them():
    assert len(CASES) >= 170
    assert set(BAD) == {"", *COMMANDS, *WITHOUT_OPTIONS}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, images) -> Path:  # noqa: F811
    """A folder with a run, runs that are spoilt, pictures, a file, a full and an empty folder."""
    place = tmp_path_factory.mktemp("place")
    run = place / "run"
    finished(run, images)
    SMALL.save(run / "settings.json")
    AcceleratorState._reset_state(reset_partial_state=True)
    for name in ("settings", "state", "weights"):
        shutil.copytree(run, place / f"damaged-{name}")
    (place / "damaged-settings" / "settings.json").write_text("{", encoding="utf-8")
    (checkpoints.latest(place / "damaged-state") / "state.json").write_text("{", encoding="utf-8")
    weights = checkpoints.latest(place / "damaged-weights") / "raw.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    content = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    for name, more in (("unsaved", {}), ("newer", {"momentum": 0.9})):
        (place / name).mkdir()
        (place / name / "settings.json").write_text(json.dumps(content | more), encoding="utf-8")
    for part in ("train", "test"):
        (place / "pics" / part).mkdir(parents=True)
    for part, number in (("train", 0), ("train", 1), ("test", 2)):
        Image.new("L", (8, 8), number).save(place / "pics" / part / f"{number}.png")
    for name in ("empty", "full"):
        (place / name).mkdir()
    for name in ("file", "full/mine"):
        (place / name).write_text("kept", encoding="utf-8")
    (place / "list.json").write_text("[]", encoding="utf-8")
    (place / "observations.json").write_text('{"observations": 3}', encoding="utf-8")
    return place


def everything(place: Path) -> dict[Path, tuple[int, ...]]:
    """Every folder, and every file with its size and last change; an idle lock says nothing."""
    found = {path: path.lstat() for path in place.rglob("*") if path.name != LOCK}
    return {path: () if path.is_dir() else (s.st_size, s.st_mtime_ns) for path, s in found.items()}


def refused(place, monkeypatch, capsys, command, words, line):
    """In this process: status 2, one line, and nothing changes in the folder."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before, threads = everything(place), torch.get_num_threads()
    capsys.readouterr()
    try:
        status = run_command(function(command), shlex.split(words))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        torch.set_num_threads(threads)
    out, err = capsys.readouterr()
    errors = [said for said in err.splitlines() if not said.startswith("note: ")]
    assert (status, out, len(errors)) == (2, "", 1), err
    assert errors[0].startswith("error: ")
    assert line in errors[0]
    assert "--debug" not in errors[0]  # the last guard knows no way out
    assert everything(place) == before


@pytest.mark.parametrize(("command", "words", "line"), CASES, ids=[f"{c} {w}"[:60] for c, w, _ in CASES])
def test_it_is_one_line_and_nothing_changes(place, monkeypatch, capsys, command, words, line):
    refused(place, monkeypatch, capsys, command, words, line)


@pytest.mark.parametrize(
    ("command", "words", "held"),
    [
        ("train", "--samples 1000", 2),
        ("sample", "run -n 1000", 2),
        ("evaluate", "run --samples 1000 --weights ema", 2),
        ("evaluate", "run --samples 1000", 3),
        ("reproduce", "table3 --from run --samples 1000", 2),
    ],
)
def test_more_samples_than_the_memory_holds(place, monkeypatch, capsys, command, words, held):
    need = held * 1000 * 64
    monkeypatch.setattr(memory, "refuse_training", lambda *_: None)
    monkeypatch.setattr(memory, "memory_of", lambda device: need - 1)
    line = f" is 1000; so many images need {need / 1e9:.1f} GB of memory, and there are"
    refused(place, monkeypatch, capsys, command, words, line)


AS_PROCESSES = [
    ("", "[/b]", "python -m ddpm_spec [/b] is not a command"),
    ("train", "--seed -1", "--seed is -1; it must be from 0 to 4294967295"),
    ("train", "--resume t[/b]", "t[/b] is not a run folder"),
    ("train", "--threads 100000", "--threads is 100000; it must be from 0 to"),
    ("sample", ":smile:", ":smile: is not a run folder"),
    ("evaluate", "run --images 1", "--images is 1; it must be 0, for all, or at least 2"),
    ("reproduce", "table9", "there is no target 'table9'"),
    ("export", "nowhere out", "nowhere is not a run folder"),
    ("coding", "--zzz", "no option --zzz"),
    ("evidence", "nowhere.json", "nowhere.json holds no record"),
]


@pytest.mark.cli
@pytest.mark.parametrize(("command", "words", "line"), AS_PROCESSES)
def test_a_process_says_the_same(place, command, words, line):
    before = everything(place)
    module = f"ddpm_spec.{command}" if command else "ddpm_spec"
    done = subprocess.run(
        [sys.executable, "-m", module, *shlex.split(words)],
        cwd=place, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert line in done.stderr
    assert everything(place) == before
