"""Settings and presets: what they build, what they refuse, and that they survive a file."""

import dataclasses
import json
import re

import pytest
import torch
from small_run import SMALL

import ddpm_spec
from ddpm_spec.choices import LEARNED
from ddpm_spec.errors import InputError
from ddpm_spec.evaluation.commands import evaluate
from ddpm_spec.evaluation.sampling import sample
from ddpm_spec.reproduction.commands import reproduce
from ddpm_spec.runs.presets import PRESETS, preset
from ddpm_spec.runs.settings import Process, Settings, Training
from ddpm_spec.training.commands import train
from ddpm_spec.training.options import parse_train

SHAPES = {"digits": (1, 8), "fashion-mnist": (1, 28), "cifar10": (3, 32)}
"""Channels and side; the others are 3 and 256."""


def count(settings: Settings, channels: int, side: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in settings.unet(channels, side).parameters())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_its_network_and_its_process(name):
    settings = preset(name)
    settings.check()
    channels, side = SHAPES.get(name, (3, 256))
    assert settings.source.image_size in (0, side)
    assert count(settings, channels, side) > 0
    diffusion = settings.diffusion()
    assert diffusion.schedule.T == 1000
    assert (diffusion.variance, diffusion.prediction) == (settings.process.variance, "eps")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("cifar10", 35_746_307),
        ("celeba-hq-256", 113_673_219),
        ("lsun-bedroom", 113_673_219),
        ("lsun-bedroom-large", 255_677_955),
        ("lsun-church", 113_673_219),
        ("lsun-cat", 113_673_219),
    ],
)
def test_the_papers_parameters(name, parameters):
    assert count(preset(name), *SHAPES.get(name, (3, 256))) == parameters


@pytest.mark.parametrize(
    ("name", "steps", "batch", "lr", "dropout", "flip"),
    [  # §4 and App. B
        ("cifar10", 800_000, 128, 2e-4, 0.1, True),
        ("celeba-hq-256", 500_000, 64, 2e-5, 0.0, True),
        ("lsun-bedroom", 2_400_000, 64, 2e-5, 0.0, False),
        ("lsun-bedroom-large", 1_150_000, 64, 2e-5, 0.0, False),
        ("lsun-church", 1_200_000, 64, 2e-5, 0.0, True),
        ("lsun-cat", 1_800_000, 64, 2e-5, 0.0, True),
    ],
)
def test_the_papers_hyper_parameters(name, steps, batch, lr, dropout, flip):
    settings = preset(name)
    training, process = settings.training, settings.process
    assert (training.steps, training.batch, training.lr, training.flip) == (steps, batch, lr, flip)
    assert settings.network.dropout == dropout
    assert (training.ema, training.warmup, training.max_norm, training.objective) == (
        0.9999,
        5000,
        1,
        "simple",
    )
    assert (process.T, process.schedule, process.beta_1, process.beta_T) == (1000, "linear", 1e-4, 0.02)
    assert settings.network.attention == (16,)


@pytest.mark.parametrize("variance", LEARNED)
def test_a_learned_variance_doubles_the_channels_of_the_prediction(variance):
    learned = dataclasses.replace(
        SMALL, process=Process(variance=variance), training=Training(objective="bound")
    )
    assert learned.unet(3, 8).conv_out.out_channels == 6
    assert SMALL.unet(3, 8).conv_out.out_channels == 3
    assert learned.diffusion().variance == variance


def test_schedules():
    def betas(**changes):
        return Settings(process=Process(T=5, **changes)).diffusion().schedule.steps.beta[1:]

    assert betas(beta_1=0.1, beta_T=0.5).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    roots = betas(schedule="quadratic", beta_1=0.01, beta_T=0.25).sqrt()
    assert roots.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert betas(schedule="constant", beta_1=0.3, beta_T=0.3).tolist() == [0.3] * 5
    # Nichol and Dhariwal (2021), Eq. 17, s = 0.008.
    f = torch.cos((torch.arange(6, dtype=torch.float64) / 5 + 0.008) / 1.008 * torch.pi / 2) ** 2
    assert betas(schedule="cosine").tolist() == pytest.approx((1 - f[1:] / f[:-1]).clamp(max=0.999).tolist())


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_saved_is_loaded(name, tmp_path):
    preset(name).save(tmp_path / "settings.json")
    assert Settings.load(tmp_path / "settings.json") == preset(name)


def edited(path, edit):
    """The settings of the small run, saved, with their JSON edited."""
    SMALL.save(path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path


def fields():
    groups = {group.name: getattr(SMALL, group.name) for group in dataclasses.fields(SMALL)}
    return [(g, name) for g, values in groups.items() if g != "data" for name in vars(values)]


@pytest.mark.parametrize(("group", "name"), fields())
def test_a_field_that_a_run_lacks_has_its_default(tmp_path, group, name):
    """The run is older than the field."""

    def without(content):
        del content[group][name]

    path = edited(tmp_path / "settings.json", without)
    values = dataclasses.replace(getattr(SMALL, group), **{name: getattr(getattr(Settings(), group), name)})
    assert Settings.load(path) == dataclasses.replace(SMALL, **{group: values})


def test_a_group_that_a_run_lacks_has_its_defaults(tmp_path):
    path = edited(tmp_path / "settings.json", lambda content: content.pop("source"))
    assert Settings.load(path) == dataclasses.replace(SMALL, source=Settings().source)


def test_settings_name_the_version_that_wrote_them(tmp_path):
    SMALL.save(tmp_path / "settings.json")
    assert json.loads((tmp_path / "settings.json").read_text())["version"] == ddpm_spec.__version__


@pytest.mark.parametrize(
    ("version", "way_out"),
    [("9.8.7", "use version 9.8.7, which wrote it"), (None, "take it out, or restore it")],
)
def test_a_field_of_a_newer_version_is_refused_by_name(tmp_path, version, way_out):
    def newer(content):
        content["training"]["momentum"] = 0.9
        content["version"] = version

    path = edited(tmp_path / "settings.json", newer)
    with pytest.raises(InputError) as refusal:
        Settings.load(path)
    here = ddpm_spec.__version__
    said = f"{path} has a field training.momentum, which ddpm_spec {here} does not know; {way_out}"
    assert str(refusal.value) == said


@pytest.mark.parametrize("text", ["[]", "1", "{", '{"training": 3}'])
def test_damaged_settings(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(InputError, match=r"settings.json is damaged \(.*\); restore it"):
        Settings.load(tmp_path / "settings.json")


@pytest.mark.parametrize(
    ("group", "name", "value", "line"),
    [
        ("process", "T", 0, ": T is 0; it must be from 2 to"),
        ("process", "T", True, r" \(T is True\)"),
        ("process", "beta_T", 2.0, ": beta_T is 2.0; it must be between 0 and 1"),
        ("process", "schedule", "constant", ": schedule is constant, but beta_1 is 0.0001 and beta_T is "),
        ("process", "variance", "learned", "; use objective hybrid or bound"),
        ("training", "steps", -3, ": steps is -3; it must be from 1 to"),
        ("training", "save_every", 0, ": save_every is 0; it must be at least 1"),
        ("network", "channels", 15, ": channels is 15; it must be even and a multiple of groups, 4"),
        ("network", "channels", 10, ": channels is 10; it must be even and a multiple of groups, 4"),
        ("network", "multipliers", ["a", 1, 3], r" \(an item of multipliers is 'a'\)"),
        ("network", "multipliers", "12", r" \(multipliers is '12'\)"),
        ("network", "multipliers", [], ": multipliers is none; it must be one whole number a level"),
        ("network", "attention", [4.0], r" \(an item of attention is 4.0\)"),
    ],
)  # fmt: skip
def test_edited_settings(tmp_path, group, name, value, line):
    path = tmp_path / "settings.json"
    SMALL.save(path)
    content = json.loads(path.read_text())
    content[group][name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=line) as refusal:
        Settings.load(path)
    assert str(refusal.value).startswith(str(path))
    assert "--" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--variance learned", "use --objective hybrid or bound"),
        ("--variance learned_range", "use --objective hybrid or bound"),
        (
            "--objective hybrid",
            "--variance is beta, which has nothing to learn; use --variance learned_range",
        ),
        ("--schedule constant", "--beta-1 is 0.0001 and --beta-T is 0.02; it needs the two equal, say 0.01"),
        ("--schedule cubic", "invalid choice 'cubic'"),
        ("--prediction score", "invalid choice 'score'"),
        ("--objective mse", "invalid choice 'mse'"),
        ("--batch 6 --accumulate 4", "the first must be a multiple of the second"),
        ("--accumulate 0", "--accumulate is 0; it must be at least 1"),
        ("--sample-every -1", "--sample-every is -1; it must be at least 0"),
        ("--workers -1", "--workers is -1; it must be from 0 to"),
        ("--image-size -1", "--image-size is -1; it must be from 0 to"),
        ("--cache-gb -1", "--cache-gb is -1.0; it must be at least 0"),
        ("--path nowhere", "digits takes no --path; leave it away, or did you mean --data folder?"),
        ("--path nowhere --data digits --preset cifar10", "digits takes no --path; leave it away"),
        ("--grey", "digits takes no --grey; leave it away"),
        ("--held-out-part x --preset fashion-mnist", "fashion-mnist takes no --held-out-part; leave it away"),
        ("--schedule cosine --beta-T 0.6", "--schedule is cosine, which has no --beta-T (here 0.6)"),
        ("--schedule cosine --beta-1 1e-3", "--schedule is cosine, which has no --beta-1 (here 1e-3)"),
        ("--data letters", "invalid choice 'letters'"),
        ("--preset letters", "choose from digits, fashion-mnist, cifar10"),
    ],
)
def test_refusals(words, line):
    with pytest.raises(InputError) as refusal:
        parse_train(words.split())
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_default_may_be_without_use(tmp_path):
    """Of a preset for other images, or of a run that was saved with it."""
    words = "--preset cifar10 --data digits --schedule cosine"
    settings = parse_train(words.split()).settings
    assert settings.source.path == PRESETS["cifar10"].source.path
    settings.save(tmp_path / "settings.json")
    assert parse_train(["--resume", str(tmp_path)]).settings == settings


def test_a_preset_with_overrides():
    words = "--preset cifar10 --data folder --path here --no-flip --multipliers 1 2 --variance learned"
    made = parse_train([*words.split(), "--objective", "bound"]).settings
    assert (made.data, made.source.path, made.source.image_size) == ("folder", "here", 32)
    assert (made.training.flip, made.training.batch) == (False, 128)
    assert (made.network.multipliers, made.network.channels) == ((1, 2), 128)
    assert (made.process.variance, made.training.objective) == ("learned", "bound")


def saved(tmp_path, **process) -> list[str]:
    training = dataclasses.replace(SMALL.training, objective=process.pop("objective", "simple"))
    dataclasses.replace(SMALL, training=training, process=dataclasses.replace(SMALL.process, **process)).save(
        tmp_path / "settings.json"
    )
    return ["--resume", str(tmp_path)]


@pytest.mark.parametrize(
    "words",
    [
        "--steps 9", "--save-every 1", "--sample-every 2", "--accumulate 2", "--checkpointing", "--workers 1",
        "--variance beta_tilde", "--convention official", "--dtype bfloat16", "--compile on", "--samples 3",
    ],
)  # fmt: skip
def test_what_a_resumed_run_may_change(tmp_path, words):
    assert parse_train([*saved(tmp_path), *words.split()]).settings != Settings.load(
        tmp_path / "settings.json"
    )


@pytest.mark.parametrize(
    ("process", "words", "line"),
    [
        ({}, "--prediction x_0", "here --prediction eps"),
        ({}, "--schedule quadratic", "here --schedule linear"),
        ({}, "--objective bound", "here --objective simple"),
        ({}, "--data fashion-mnist", "here --data digits"),
        ({"objective": "bound"}, "--variance beta_tilde", "here --variance beta"),
        ({"objective": "bound", "variance": "learned"}, "--variance beta", "here --variance learned"),
        (
            {"objective": "hybrid", "variance": "learned_range"},
            "--variance learned",
            "here --variance learned_range",
        ),
    ],
)
def test_what_a_resumed_run_keeps(tmp_path, process, words, line):
    with pytest.raises(InputError, match=f"a resumed run keeps its settings, {line}; leave"):
        parse_train([*saved(tmp_path, **process), *words.split()])


def help_of(capsys, *words: str, command=train) -> str:
    with pytest.raises(SystemExit):
        command([*words, "--help"])
    return " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().out).split())


def test_help_shows_the_presets_defaults(capsys):
    text = help_of(capsys, "--preset", "lsun-church")
    for words in (
        "Paper: 128; 64 for 256×256. (default: 64)",
        "(default: church_outdoor_train_lmdb)",
        "--lr FLOAT Learning rate of Adam. Paper: 2e-4; 2e-5 for 256×256. (default: 2e-05)",
    ):
        assert words in text
    assert "(default: 1500)" not in text


def test_help_names_the_presets_and_what_was_not_verified(capsys):
    text = help_of(capsys).partition("--run FOLDER")[0]
    named = re.split("[ ,.]+", text)
    assert all(name in named for name in PRESETS)
    _, _, warned = text.partition("Not verified")
    fetched = [name for name, settings in PRESETS.items() if settings.data == "hub"]
    assert all(name in warned for name in fetched)


@pytest.mark.parametrize("command", [train, sample, evaluate, reproduce])
def test_help_shows_no_none(capsys, command):
    text = help_of(capsys, command=command)
    assert "RUN" in text or "FOLDER" in text
    assert "None" not in text
