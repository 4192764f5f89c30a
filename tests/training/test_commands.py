"""The commands, as a user meets them: what they write, how they stop, and every error of one line."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_run import FLAGS, SMALL, finished, same

from ddpm_spec.data import from_unit
from ddpm_spec.evaluation.draw import keyed
from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.interop.export import export
from ddpm_spec.runs import checkpoints
from ddpm_spec.runs.lock import LOCK
from ddpm_spec.runs.presets import PRESETS
from ddpm_spec.runs.settings import Settings
from ddpm_spec.terminal.console import run_command
from ddpm_spec.training import report
from ddpm_spec.training.commands import train
from ddpm_spec.training.options import parse_train


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run made by the command."""
    folder = tmp_path_factory.mktemp("run") / "digits-1"
    assert run_command(train, [*FLAGS, "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def user_run(tmp_path_factory) -> Path:
    """A run made by the command in processes of its own: stopped by Ctrl-C, then resumed to its end."""
    place = tmp_path_factory.mktemp("user")
    folder = place / "runs" / "digits-1"
    process = start("train", *FLAGS, "--steps", "1000000", cwd=place)
    wait_for(lambda: len(checkpoints.steps_in(folder)) == 2, process)
    process.send_signal(signal.SIGINT)
    (place / "stopped").write_text(process.communicate(timeout=60)[1])
    assert process.returncode == 130
    steps = checkpoints.steps_in(folder)[-1] + 2
    process = start("train", "--resume", "runs/digits-1", "--steps", str(steps), cwd=place)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    (place / "stdout").write_text(out)
    (place / "stderr").write_text(err)
    return folder


def start(command: str, *args: str, cwd: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", f"ddpm_spec.{command}", *args]
    return subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def error_of(capsys: pytest.CaptureFixture[str], command, *args: object) -> str:
    """The one line that a refused command prints."""
    capsys.readouterr()
    assert run_command(command, [str(a) for a in args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    return err.strip()


@pytest.mark.cli
def test_the_run_folder_is_complete(user_run):
    names = {p.name for p in user_run.iterdir()} - {"log", LOCK}  # the log is there if TensorBoard is
    files = {"settings.json", "samples.png", "loss.png", "report.html", "report.json"}
    assert names == files | {f"checkpoint-{step}" for step in checkpoints.steps_in(user_run)}
    assert {p.name for p in checkpoints.latest(user_run).iterdir()} == {
        "ema.safetensors", "raw.safetensors", "resume.safetensors", "state.json",
    }  # fmt: skip
    settings = Settings.load(user_run / "settings.json")
    steps = dataclasses.replace(settings.training, steps=SMALL.training.steps)
    assert dataclasses.replace(settings, training=steps) == SMALL
    assert Image.open(user_run / "samples.png").size == (4 * 42 + 2, 3 * 42 + 2)


@pytest.mark.cli
def test_the_report_says_the_same_on_the_terminal_and_on_the_page(user_run):
    numbers = json.loads((user_run / "report.json").read_text())
    assert numbers["step"] == checkpoints.steps_in(user_run)[-1]
    bound = numbers["bound"]
    assert bound["total"] == pytest.approx(bound["L_T"] + bound["L_steps"] + bound["L_0"], rel=1e-9)
    assert bound["images"] == 4
    assert numbers["environment"]["threads"] == 1
    assert 0.1 < numbers["environment"]["peak_memory_gb"] < 1.5
    terminal = " ".join((user_run.parents[1] / "stdout").read_text().split())
    page = Text((user_run / "report.html").read_text())
    for words in (
        f"{bound['total']:.3f} ± {bound['standard_error']:.3f}",
        f"{numbers['histogram']:.3f}",
        f"{numbers['figures']['this model']['frechet']:.1f}",
        "do not tell a model from memory",
        "12 samples are too few to hold against targets",
        "The chain is too short: ",
        "--bound-images",
    ):
        assert words in terminal
        assert words in page.words
    assert page.links == []
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert len(page.images) == 2


class Text(HTMLParser):
    """Words, image sources and outward links of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[str] = []
        self._words: list[str] = []
        self.feed(page)
        self.words = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            assert found["alt"]
            self.images.append(found["src"] or "")
        elif "href" in found or "src" in found:
            self.links.append(tag)

    def handle_data(self, data: str) -> None:
        self._words.append(data)


@pytest.mark.cli
def test_progress_on_a_pipe_is_lines(user_run):
    err = (user_run.parents[1] / "stderr").read_text()
    assert re.search(r"training: ([\d,]+) of \1, loss \d\.\d+ +[\d.,]+ images/s", err)
    assert "sampling: 24 of 24" in err
    assert "bound: 8 of 8" in err


@pytest.mark.cli
def test_ctrl_c_saves_and_says_how_to_go_on(user_run):
    said = (user_run.parents[1] / "stopped").read_text()
    step = checkpoints.steps_in(user_run)[-1] - 2
    assert f"stopped at step {step:,} of 1,000,000 and saved" in said
    assert said.rstrip().endswith("go on with: python -m ddpm_spec.train --resume runs/digits-1")
    assert "Traceback" not in said


@pytest.mark.cli
def test_stopped_and_resumed_it_is_the_run_that_never_stopped(user_run, images, tmp_path):
    newest = checkpoints.latest(user_run)
    made = finished(tmp_path, images, steps=checkpoints.steps_in(user_run)[-1])
    assert same(checkpoints.read(newest, made.belongs_to), made.state())


@pytest.mark.cli
def test_terminated_while_sampling(tmp_path):
    process = start("train", *FLAGS, "--samples", "1000000", cwd=tmp_path)
    run = tmp_path / "runs" / "digits-1"
    wait_for(lambda: checkpoints.steps_in(run)[-1:] == [7], process)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "python -m ddpm_spec.train --resume runs/digits-1" in err
    assert "Traceback" not in err


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_sampling_is_a_function_of_the_seed(run, tmp_path, capsys):
    def drawn(*args: object) -> np.ndarray:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        assert run_command(sample, [str(run), "--out", str(out), *map(str, args)]) == 0
        assert {p.name for p in out.iterdir()} == {"samples.npy", "samples.png", "samples.json"}
        return np.load(out / "samples.npy")

    first = drawn("-n", 7, "--seed", 3)
    assert first.shape == (7, 1, 8, 8)
    assert first.dtype == np.uint8
    assert 0 <= first.min() < first.max() <= 16
    assert (drawn("-n", 7, "--seed", 3, "--batch", 2) == first).all()
    assert (drawn("-n", 4, "--seed", 3) == first[:4]).all()
    assert (drawn("-n", 7, "--seed", 4) != first).any()
    assert (drawn("-n", 7, "--seed", 3, "--weights", "raw") != first).any()


def test_sampling_in_fewer_steps_and_by_ddim(run, tmp_path):
    """Each way makes other images of the same seed, and says how; all T steps are the plain ones."""
    drawn = {}
    for words in ("", "--steps 8", "--steps 3", "--steps 3 --eta 0", "--steps 3 --eta 0.5", "--eta 0.5"):
        out = tmp_path / str(len(drawn))
        assert run_command(sample, [str(run), "-n", "5", "--out", str(out), *words.split()]) == 0
        drawn[words] = np.load(out / "samples.npy")
        asked = json.loads((out / "samples.json").read_text())
        given = dict(zip(*[iter(words.split())] * 2, strict=True))
        assert (asked["steps"], asked["eta"]) == (
            int(given["--steps"]) if "--steps" in given else None,
            float(given["--eta"]) if "--eta" in given else None,
        )
    assert (drawn.pop("--steps 8") == drawn[""]).all()
    assert len({images.tobytes() for images in drawn.values()}) == len(drawn) == 5
    settings, checkpoint = Settings.load(run / "settings.json"), checkpoints.latest(run)
    network = settings.unet(1, 8).eval()
    checkpoints.fill(network, checkpoint, "ema")
    with torch.inference_mode():
        *_, x_0 = settings.diffusion().sample(
            network, keyed(0, "sample", torch.arange(5), (1, 8, 8)), times=[3, 5, 8], eta=0.0
        )
    assert (from_unit(x_0, 17).numpy() == drawn["--steps 3 --eta 0"]).all()


def test_a_variance_of_single_steps_needs_all_of_them(run, tmp_path, capsys):
    settings = Settings.load(run / "settings.json")
    learned = dataclasses.replace(settings.process, variance="learned")
    bound = dataclasses.replace(settings.training, objective="bound")
    copy = shutil.copytree(run, tmp_path / "copy")
    asked = dataclasses.replace(settings, process=learned, training=bound)
    asked.save(copy / "settings.json")
    state = checkpoints.latest(copy) / "state.json"
    content = json.loads(state.read_text())
    content["belongs_to"] |= {k: v for k, v in asked.lasting().items() if k != "data"}
    state.write_text(json.dumps(content))
    line = error_of(capsys, sample, copy, "--steps", "3")
    assert "has learned the variance of single steps; leave --steps away, or give --eta" in line


def test_samples_go_to_the_next_free_folder(run, capsys):
    for k in (1, 2):
        assert run_command(sample, [str(run), "-n", "1"]) == 0
        assert (run / f"samples-{k}" / "samples.npy").exists()
    for k in (1, 2):
        shutil.rmtree(run / f"samples-{k}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--preset letters", "there is no preset 'letters'; choose from digits"),
        ("--stps 3", "there is no option --stps; did you mean --steps?"),
        ("--zzz", "there is no option --zzz; see python -m ddpm_spec.train --help"),
        ("extra", "there is no option extra; see python -m ddpm_spec.train --help"),
        ("--steps many", "invalid literal for int"),
        ("--steps", "Missing value for argument '--steps'"),
        ("--variance other", "invalid choice 'other' for argument '--variance'"),
        ("--variance learned", "gives a variance no gradient; use --objective hybrid or bound"),
        ("--schedule constant", "it needs the two equal, say 0.01"),
        ("--batch 6 --accumulate 4", "--batch is 6 and --accumulate is 4; the first must be a multiple"),
        ("--steps 0", "--steps is 0; it must be from 1 to"),
        ("--batch 0", "--batch is 0; it must be from 1 to"),
        ("--lr -1", "--lr is -1.0; it must be above 0"),
        ("--lr nan", "--lr is nan; it must be above 0"),
        ("--ema 1", "--ema is 1.0; it must be at least 0 and below 1"),
        ("--dropout 1", "--dropout is 1.0; it must be at least 0 and below 1"),
        ("--T 1", "--T is 1; it must be from 2 to"),
        ("--beta-1 0", "--beta-1 is 0.0; it must be between 0 and 1"),
        ("--beta-1 0.5", "--beta-1 is 0.5 and --beta-T is 0.02; the schedule must not decrease"),
        ("--multipliers", "--multipliers is none; it must be one whole number a level"),
        ("--attention 5", "no feature map has side 5, which --attention names; they have 8 4"),
        ("--attention 4 16", "no feature map has side 16, which --attention names; they have 8 4"),
        ("--multipliers 1 0", "--multipliers is 1 0; it must be one whole number a level, each from 1 to"),
        ("--multipliers 1 1 1 1 1", "images of side 8 cannot be halved 4 times; give fewer multipliers"),
        (
            "--channels 10 --groups 4",
            "--channels is 10; it must be even and a multiple of --groups, 4",
        ),
        ("--seed 9223372036854775808", "--seed is 9223372036854775808; it must be from 0 to 4294967295"),
        (
            "--bound-images 298",
            "--bound-images is 298; it must be at most 297, the held-out images",
        ),
        ("--samples 1", "--samples is 1; it must be from 2 to"),
        ("--save-every 0", "--save-every is 0; it must be at least 1"),
        ("--threads -1", "--threads is -1; it must be from 0 to"),
        ("--resume nowhere", "nowhere is not a run folder: settings.json cannot be read"),
        ("--resume a --run b", "--resume goes on in the folder it names; leave --run away"),
        ("--resume a --preset digits", "--resume goes on in the folder it names; leave --preset away"),
    ],
)
def test_bad_words_are_one_line_and_leave_nothing(tmp_path, monkeypatch, capsys, words, line):
    monkeypatch.chdir(tmp_path)
    assert line in error_of(capsys, train, *words.split())
    assert list(tmp_path.iterdir()) == []


def test_no_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no GPU here; use --device cpu" in error_of(capsys, train, "--device", "cuda")


def test_a_folder_that_is_not_empty_is_refused_and_kept(tmp_path, capsys):
    (tmp_path / "mine").write_text("kept")
    assert "is not empty; name a new folder" in error_of(capsys, train, *FLAGS, "--run", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    line = error_of(capsys, train, *FLAGS, "--run", tmp_path / "file" / "run")
    assert "cannot be written (Not a directory); name another folder" in line
    line = error_of(capsys, train, *FLAGS, "--run", tmp_path / "file")
    assert line.endswith("file is a file; name another folder")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert "cannot be written" in error_of(capsys, train, *FLAGS, "--run", tmp_path / "run")


def test_no_room_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 2**20))
    assert "1 MB free; free some" in error_of(capsys, train, *FLAGS)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--lr 0.5", "a resumed run keeps its settings, here --lr 0.002; leave --lr away"),
        ("--channels 16", "here --channels 8; leave --channels away"),
        ("--T 9", "here --T 8; leave --T away"),
        ("--steps 1", "already, --steps asks for 1; ask for more"),
    ],
)
def test_a_resumed_run_keeps_its_settings(copy, capsys, words, line):
    assert line in error_of(capsys, train, "--resume", copy, *words.split())


def test_settings_that_do_not_belong_to_the_checkpoint(copy, capsys):
    path = copy / "settings.json"
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    assert "was made with seed 3, here it is 4; it is another run's" in error_of(
        capsys, train, "--resume", copy
    )


def test_a_network_that_is_not_the_checkpoints(copy, capsys):
    settings = Settings.load(copy / "settings.json")
    deep = dataclasses.replace(settings.network, multipliers=(1, 1, 1, 1, 1))
    dataclasses.replace(settings, network=deep).save(copy / "settings.json")
    assert "was made with multipliers [1, 2], here it is [1, 1, 1, 1, 1]" in error_of(capsys, sample, copy)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"data": 3}'])
def test_damaged_settings(copy, capsys, content):
    (copy / "settings.json").write_text(content)
    for command, words in ((train, ["--resume", copy]), (sample, [copy])):
        assert "settings.json is damaged" in error_of(capsys, command, *words)


def test_settings_that_have_lost_a_field_do_not_pass_for_older_ones(copy, capsys):
    """Its default is compared with what the checkpoint was made with."""
    path = copy / "settings.json"
    content = json.loads(path.read_text())
    del content["process"]["T"]
    path.write_text(json.dumps(content))
    for command, words in ((train, ["--resume", copy]), (sample, [copy]), (export, [copy, copy / "out"])):
        assert "was made with T 8, here it is 1000" in error_of(capsys, command, *words)


def test_a_truncated_checkpoint(copy, capsys):
    older, newest = checkpoints.steps_in(copy)
    path = copy / f"checkpoint-{newest}" / "ema.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    for command, words in ((train, ["--resume", copy]), (sample, [copy])):
        line = error_of(capsys, command, *words)
        assert f"checkpoint-{newest} is damaged (ema.safetensors is truncated or changed)" in line
        assert f"remove that folder to go on from checkpoint-{older}" in line


@pytest.mark.parametrize(("content", "said"), [(None, "is missing"), ("{", "is not what was saved")])
def test_a_damaged_state(copy, capsys, content, said):
    newest = checkpoints.latest(copy)
    path = newest / "state.json"
    path.unlink() if content is None else path.write_text(content)
    line = error_of(capsys, sample, copy)
    assert f"{newest} is damaged (state.json {said}); remove that folder" in line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("-n 0", "--n is 0; it must be from 1 to"),
        ("--batch 0", "--batch is 0; it must be at least 1"),
        ("--steps 1", "--steps is 1; it must be from 2 to 8, the T of the model"),
        ("--steps 9", "--steps is 9; it must be from 2 to 8, the T of the model"),
        ("--steps many", "--steps"),
        ("--eta -0.1", "--eta is -0.1; it must be from 0 to 1"),
        ("--eta 1.5 --steps 3", "--eta is 1.5; it must be from 0 to 1"),
        ("--eta nan", "--eta is nan; it must be from 0 to 1"),
        ("--weights both", "--weights"),
        ("--sed 1", "there is no option --sed; did you mean --seed?"),
    ],
)
def test_bad_words_for_sampling(run, capsys, words, line):
    assert line in error_of(capsys, sample, run, *words.split())


def test_sampling_needs_a_run(tmp_path, capsys):
    assert "is not a run folder" in error_of(capsys, sample, tmp_path)
    assert "RUN" in error_of(capsys, sample)


def test_samples_are_not_overwritten(run, tmp_path, capsys):
    (tmp_path / "mine").write_text("kept")
    assert "is not empty" in error_of(capsys, sample, run, "--out", tmp_path)


def test_help_names_every_setting_with_default_and_the_papers_value(capsys):
    with pytest.raises(SystemExit) as stop:
        train(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for group in ("network", "process", "training", "evaluation", "machine"):
        for name in vars(getattr(SMALL, group)):
            flag = f"--{name.replace('_', '-')}"
            assert flag in text
            entry = text.partition(f"{flag} ")[2] or text.partition(f"{flag}, ")[2]
            assert "(default: " in entry
    assert text.count("Paper: ") >= 18


def test_no_words_at_all_are_the_digits_preset():
    assert parse_train([]).settings == PRESETS["digits"]
    assert parse_train(["--preset=digits"]).settings == PRESETS["digits"]


def test_missed_targets_are_named():
    good = report.Figures(1.0, 0.05, 40.0, 1.0)
    assert report.missed_targets(good) == []
    bad = report.Figures(0.9, 0.02, 53.0, 0.7)
    assert report.missed_targets(bad) == ["confidence", "rarest class", "novelty", "Fréchet"]


@pytest.mark.parametrize("seed", [-1, 2**40])
def test_a_run_of_an_older_version_keeps_a_seed_that_is_refused_now(copy, capsys, seed):
    """It is loaded, sampled from and trained to its end, with figures, which NumPy makes of smaller seeds."""
    state = checkpoints.latest(copy) / "state.json"
    for path, before in ((copy / "settings.json", '"seed": 3'), (state, '"seed": 3')):
        content = path.read_text(encoding="utf-8")
        assert content.count(before) == 1
        path.write_text(content.replace(before, f'"seed": {seed}'), encoding="utf-8")
    assert Settings.load(copy / "settings.json").training.seed == seed
    assert run_command(sample, [str(copy), "-n", "2", "--out", str(copy / "drawn")]) == 0
    assert run_command(train, ["--resume", str(copy), "--steps", "8"]) == 0
    report_of = json.loads((copy / "report.json").read_text(encoding="utf-8"))
    assert (report_of["step"], len(report_of["figures"])) == (8, 4)
    assert f"here --seed {seed}; leave --seed away" in error_of(
        capsys, train, "--resume", copy, "--seed", "5"
    )
