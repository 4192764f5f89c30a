"""What is not a network of App. B, or not there, is refused in one line that names it; no pickle runs."""

import json
import os
import pickle
from pathlib import Path

import huggingface_hub
import pytest
import torch
from foreign import CIFAR10_LIKE, diffusers, theirs
from safetensors.torch import load_file, save_file

from ddpm_spec.errors import InputError
from ddpm_spec.interop.weights import open_weights

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    diffusers.DDPMPipeline(theirs(*CIFAR10_LIKE), diffusers.DDPMScheduler()).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A pipeline to spoil: its files are links until they are written anew."""
    for path in saved.rglob("*"):
        if path.is_file():
            copy = tmp_path / "pipeline" / path.relative_to(saved)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(path)
    return tmp_path / "pipeline"


def rewritten(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def changed(path: Path, **changes) -> None:
    rewritten(path, json.dumps(json.loads(path.read_text()) | changes).encode())


def said(argument: object) -> str:
    with pytest.raises(InputError) as error:
        open_weights(str(argument))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("center_input_sample", True),
        ("time_embedding_type", "fourier"),
        ("freq_shift", 0),
        ("flip_sin_to_cos", True),
        ("mid_block_type", None),
        ("mid_block_scale_factor", 2),
        ("downsample_padding", 1),
        ("downsample_type", "resnet"),
        ("upsample_type", "resnet"),
        ("act_fn", "relu"),
        ("attn_norm_num_groups", 4),
        ("norm_eps", 1e-5),
        ("resnet_time_scale_shift", "scale_shift"),
        ("add_attention", False),
        ("class_embed_type", "timestep"),
        ("num_class_embeds", 10),
        ("time_embedding_dim", 32),
        ("attention_head_dim", 8),
        ("sample_size", [32, 64]),
        ("sample_size", None),
        ("layers_per_block", 0),
        ("out_channels", 6),
        ("dropout", "much"),
        ("block_out_channels", [16, 24, 32, 32]),
        ("block_out_channels", 16),
        ("down_block_types", ["DownBlock2D", "SkipDownBlock2D", "DownBlock2D", "DownBlock2D"]),
        ("up_block_types", ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"]),
        ("norm_num_groups", 5),
        ("an_invention", 1),
    ],
)
def test_another_network(folder, name, value):
    changed(folder / "unet" / "config.json", **{name: value})
    words = {"down_block_types": "SkipBlock2D", "norm_num_groups": "groups"}
    assert words.get(name, name) in said(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trained_betas", [0.1, 0.2]),
        ("predict_epsilon", False),
        ("thresholding", True),
        ("clip_sample_range", 2.0),
        ("rescale_betas_zero_snr", True),
        ("beta_schedule", "sigmoid"),
        ("prediction_type", "flow_prediction"),
        ("variance_type", "learned_range"),
        ("variance_type", "fixed_large_log"),
        ("num_train_timesteps", "many"),
        ("clip_sample", 1),
        ("an_invention", 1),
    ],
)
def test_another_process(folder, name, value):
    changed(folder / "scheduler" / "scheduler_config.json", **{name: value})
    assert name in said(folder)


@pytest.mark.parametrize("name", ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
def test_another_class_of_scheduler(saved, tmp_path, name):
    """Saved by diffusers, with all the fields of that class; the way out that is named is one."""
    pipeline = diffusers.DDPMPipeline.from_pretrained(saved)
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    pipeline.scheduler.save_pretrained(tmp_path / "scheduler")
    (tmp_path / "unet").symlink_to(saved / "unet")
    message = said(tmp_path)
    assert f"scheduler_config.json: _class_name is '{name}'; only 'DDPMScheduler'" in message
    assert "Name the folder of the unet alone" in message
    assert open_weights(str(tmp_path / "unet")).provenance["assumed"] == ["process"]


@pytest.mark.parametrize("safe", [True, False])
def test_a_variant_of_the_weights(saved, tmp_path, safe):
    model = diffusers.UNet2DModel.from_pretrained(saved, subfolder="unet").half()
    model.save_pretrained(tmp_path, variant="fp16", safe_serialization=safe)
    ending = "safetensors" if safe else "bin"
    message = said(tmp_path)
    assert f"diffusion_pytorch_model.fp16.{ending}, a variant" in message
    assert message.endswith(f"rename it to diffusion_pytorch_model.{ending}")
    (tmp_path / f"diffusion_pytorch_model.fp16.{ending}").rename(
        tmp_path / f"diffusion_pytorch_model.{ending}"
    )
    assert open_weights(str(tmp_path)).network.conv_in.weight.dtype == torch.float32


def test_a_value_out_of_range(folder):
    changed(folder / "scheduler" / "scheduler_config.json", beta_end=1.5)
    assert "beta_T is 1.5; it must be between 0 and 1" in said(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.pop("conv_in.bias"), "lacks conv_in.bias;"),
        (lambda t: t.update(extra=torch.ones(1)), "none, extra;"),
        (lambda t: t.update({"conv_in.bias": torch.ones(5)}), "another shape conv_in.bias, (5,) for (16,)"),
        (lambda t: t["conv_out.bias"].fill_(float("nan")), "not finite conv_out.bias;"),
        (lambda t: [t.pop("conv_in.bias"), t.pop("conv_out.bias")], "conv_in.bias and 1 more;"),
    ],
)
def test_another_networks_tensors(folder, spoil, words):
    path = folder / "unet" / WEIGHTS
    tensors = load_file(path)
    spoil(tensors)
    path.unlink()
    save_file(tensors, path)
    assert words in said(folder)


def test_a_damaged_folder(folder):
    path = folder / "unet" / WEIGHTS
    whole = path.read_bytes()
    rewritten(path, whole[: len(whole) // 2])
    assert said(folder).endswith(
        f"{WEIGHTS} cannot be read: it is damaged, or no file of tensors; restore it"
    )
    path.unlink()
    assert "holds no weights" in said(folder)
    rewritten(folder / "unet" / "config.json", b"{")
    assert "config.json is damaged (it is not JSON)" in said(folder)
    rewritten(folder / "unet" / "config.json", b"[]")
    assert "config.json is damaged" in said(folder)
    (folder / "unet" / "config.json").unlink()
    assert "config.json cannot be read" in said(folder)


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("ending", ["ckpt", "pt", "pth", "bin"])
def test_no_pickle_is_executed(tmp_path, ending, legacy):
    trace, path = tmp_path / "executed", tmp_path / f"model.{ending}"
    torch.save({"conv_in.weight": Bomb(trace)}, path, _use_new_zipfile_serialization=not legacy)
    assert "more than tensors" in said(path)
    path.write_bytes(pickle.dumps({"conv_in.weight": Bomb(trace)}, protocol=2))
    assert "more than tensors" in said(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()  # it would have been


def test_a_pickle_of_another_protocol_is_refused_without_a_warning(tmp_path, recwarn):
    path = tmp_path / "model.bin"
    path.write_bytes(pickle.dumps({"conv_in.weight": 1}, protocol=4))
    assert str(path) in said(path)
    assert not recwarn.list


def test_no_pickle_is_executed_in_a_folder(folder, tmp_path):
    trace = tmp_path / "executed"
    (folder / "unet" / WEIGHTS).unlink()
    torch.save({"conv_in.weight": Bomb(trace)}, folder / "unet" / "diffusion_pytorch_model.bin")
    assert "more than tensors" in said(folder)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"a": torch.ones(1)}], "no state dict"),
        ({"a": torch.ones(1), "epoch": 3}, "no state dict"),
        ({"a": torch.ones(1)}, "no convolution conv_in.weight"),
        (
            {"conv_in.weight": torch.ones(32, 3, 3, 3), "down.0.block.0.norm1.weight": torch.ones(32)},
            "0 levels",
        ),
    ],
)
def test_a_file_that_is_no_port(tmp_path, content, words):
    torch.save(content, tmp_path / "model.ckpt")
    assert words in said(tmp_path / "model.ckpt")


def test_an_empty_and_a_truncated_file(tmp_path):
    path = tmp_path / "model.ckpt"
    path.write_bytes(b"")
    assert str(path) in said(path)
    torch.save({"a": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert str(path) in said(path)


def test_what_is_not_here(tmp_path):
    assert "there is no" in said(tmp_path / "nothing")


def test_the_hub_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    message = said("google/ddpm-cifar10-32")
    assert message.startswith("there is no google/ddpm-cifar10-32 here, and as a hub id it cannot be fetched")


def test_the_hubs_cache_without_a_network(monkeypatch, tmp_path, saved):
    """As the hub lays out a set that has been fetched, and as it holds the published ones: no sub-folders."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "models--google--ddpm-cifar10-32"
    snapshot = cache / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    for path in (*(saved / "unet").iterdir(), *(saved / "scheduler").iterdir()):
        (snapshot / path.name).symlink_to(path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    opened = open_weights("google/ddpm-cifar10-32")
    assert opened.provenance["revision"] == commit
    assert opened.provenance["weights"] == "google/ddpm-cifar10-32"
    assert opened.provenance["assumed"] == []
