"""The same weights give the same numbers here and in diffusers, whichever side they come from."""

import hashlib
import json
import re

import pytest
import torch
from foreign import CIFAR10, CIFAR10_LIKE, LARGE, LARGE_LIKE, diffusers, port_name, theirs, wild
from safetensors.torch import load_file, save_file

from ddpm_spec.diffusion import Diffusion
from ddpm_spec.interop.export import write_pipeline
from ddpm_spec.interop.weights import open_weights
from ddpm_spec.runs.settings import Network, Process, Settings
from ddpm_spec.schedule import evenly, linear_schedule
from ddpm_spec.unet import UNet, time_embedding

OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

SIZES = [
    pytest.param(*CIFAR10_LIKE, id="cifar10-like"),
    pytest.param(*LARGE_LIKE, id="256-like"),
    pytest.param(*CIFAR10, id="cifar10", marks=pytest.mark.slow),
    pytest.param(*LARGE, id="256", marks=pytest.mark.slow),
]


def disagreement(ours: UNet, other, side: int) -> float:
    """The largest difference of the two outputs in float64; they are of order 1.

    A network runs on any size, and each of its weights is used on a small image too.
    """
    torch.manual_seed(1)
    t, side = torch.tensor([1, 1000]), min(side, 64)
    x = torch.randn(len(t), 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        made, expected = ours.double()(x, t), other.double()(x, t - 1).sample
    assert 0.3 < expected.std() < 3
    return float((made - expected).abs().max())


@pytest.mark.parametrize("channels", [4, 16, 128, 192])
def test_the_time_embedding_is_the_same_in_every_bit(channels):
    t = torch.arange(1, 4001)
    expected = diffusers.models.embeddings.get_timestep_embedding(
        t - 1, channels, flip_sin_to_cos=False, downscale_freq_shift=1
    )
    assert expected.dtype == torch.float32
    assert time_embedding(t, channels).equal(expected)


@pytest.mark.parametrize(("network", "side"), SIZES)
def test_from_diffusers(tmp_path, network: Network, side: int):
    model = wild(theirs(network, side))
    model.save_pretrained(tmp_path)
    opened = open_weights(str(tmp_path))
    assert opened.image_shape == (3, side, side)
    assert disagreement(opened.network, model, side) < 1e-12


@pytest.mark.parametrize(("network", "side"), SIZES)
def test_to_diffusers(tmp_path, network: Network, side: int):
    settings = Settings(network=network)
    ours = wild(settings.unet(3, side))
    write_pipeline(ours, settings, (3, side, side), tmp_path / "out", "a test")
    model = diffusers.UNet2DModel.from_pretrained(tmp_path / "out", subfolder="unet")
    assert disagreement(ours, model, side) < 1e-12


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_from_diffusers_as_it_named_attention_before(tmp_path, ending):
    """The published weights are in these names, and the older ones in .bin files."""
    network, side = CIFAR10_LIKE
    model = wild(theirs(network, side))
    model.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = {
        re.sub("|".join(map(re.escape, OLD)), lambda m: OLD[m[0]], name): tensor
        for name, tensor in load_file(file).items()
    }
    assert sum(".query." in name for name in tensors) == 2 * 6
    file.unlink()
    if ending == "bin":
        torch.save(tensors, tmp_path / "diffusion_pytorch_model.bin")
    else:
        save_file(tensors, file)
    assert disagreement(open_weights(str(tmp_path)).network, model, side) < 1e-12


@pytest.mark.parametrize("ending", ["safetensors", "ckpt"])
@pytest.mark.parametrize(
    ("multipliers", "side"), [((1, 2, 2, 2), 32), ((1, 1, 2, 2, 4, 4), 256)], ids=["cifar10-like", "256-like"]
)
def test_from_the_ports(tmp_path, multipliers, side, ending):
    """Names by rules written for this test; attention by convolutions 1×1, as the ports have it."""
    network = Network(channels=32, multipliers=multipliers, blocks=2, attention=(16,), groups=32)
    model = wild(theirs(network, side))
    tensors = {port_name(name, len(multipliers)): p.detach() for name, p in model.state_dict().items()}
    for name, p in tensors.items():
        if re.search(r"attn[._]\d\.(q|k|v|proj_out)\.weight", name):
            tensors[name] = p[:, :, None, None]
    path = tmp_path / f"model-790000.{ending}"
    if ending == "ckpt":
        torch.save(tensors, path, _use_new_zipfile_serialization=False)  # as files of 2020 are
    else:
        save_file({name: p.contiguous() for name, p in tensors.items()}, path)
    opened = open_weights(str(path))
    assert opened.image_shape == (3, side, side)
    assert opened.process == Process(variance="beta" if side == 32 else "beta_tilde", convention="official")
    assert disagreement(opened.network, model, 32) < 1e-12  # the network runs on any size
    assert opened.provenance == {
        "weights": str(path),
        "layout": "port",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "revision": None,
        "assumed": ["image_size", "groups", "process"],
    }


def test_a_pipelines_scheduler_tells_the_process(tmp_path):
    model = wild(theirs(*CIFAR10_LIKE))
    scheduler = diffusers.DDPMScheduler(
        beta_start=0.002, beta_end=0.03, num_train_timesteps=77, beta_schedule="scaled_linear",
        variance_type="fixed_large", clip_sample=False, prediction_type="sample",
    )  # fmt: skip
    diffusers.DDPMPipeline(model, scheduler).save_pretrained(tmp_path)
    opened = open_weights(str(tmp_path))
    assert opened.process == Process(
        T=77, beta_1=0.002, beta_T=0.03, schedule="quadratic", prediction="x_0", variance="beta",
        convention="paper",
    )  # fmt: skip
    assert opened.provenance["assumed"] == []
    assert opened.provenance["file"] == "diffusion_pytorch_model.safetensors"


def test_a_network_alone_has_the_published_process(tmp_path):
    theirs(*CIFAR10_LIKE).save_pretrained(tmp_path)
    opened = open_weights(str(tmp_path))
    assert opened.process == Process(variance="beta", convention="official")
    assert opened.provenance["assumed"] == ["process"]


def test_the_published_configurations_are_read(tmp_path):
    """As version 0.0.4 wrote them, both files beside each other."""
    model = theirs(*CIFAR10_LIKE)
    model.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    kept = """
    act_fn attention_head_dim block_out_channels center_input_sample down_block_types downsample_padding
    flip_sin_to_cos freq_shift in_channels layers_per_block mid_block_scale_factor norm_eps norm_num_groups
    out_channels sample_size time_embedding_type up_block_types
    """
    config = {name: written[name] for name in kept.split()} | {"_class_name": "UNet2DModel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    scheduler = {
        "_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001,
        "clip_sample": True, "num_train_timesteps": 1000, "trained_betas": None,
        "variance_type": "fixed_large",
    }  # fmt: skip
    (tmp_path / "scheduler_config.json").write_text(json.dumps(scheduler))
    opened = open_weights(str(tmp_path))
    assert opened.process == Process(variance="beta", convention="official")
    assert opened.provenance["assumed"] == []


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    ("prediction", "theirs_of_it", "convention"),
    [("eps", "epsilon", "paper"), ("eps", "epsilon", "official"), ("v", "v_prediction", "paper")],
)
@pytest.mark.parametrize(("T", "steps"), [(1000, 10), (1000, 50), (20, 20)])
def test_ddim_takes_the_path_of_diffusers_scheduler(prediction, theirs_of_it, convention, eta, T, steps):
    """In float64, with our ᾱ; where x̂_0 is clipped, theirs is told to take the noise that it implies."""
    scheduler = diffusers.DDIMScheduler(
        T, 1e-4, 0.02, clip_sample=convention == "official", timestep_spacing="trailing",
        prediction_type=theirs_of_it,
    )  # fmt: skip
    model = Diffusion(linear_schedule(T), prediction=prediction, convention=convention)
    scheduler.alphas_cumprod = model.schedule.steps.alpha_bar[1:]
    scheduler.final_alpha_cumprod = model.schedule.steps.alpha_bar[0]
    scheduler.set_timesteps(steps)
    times = evenly(T, steps)
    assert (scheduler.timesteps + 1).tolist() == times[::-1]

    def noise(t):
        seeded = torch.Generator().manual_seed(t)
        return torch.randn(2, 1, 3, 4, generator=seeded, dtype=torch.float64)

    def network(x, t):
        return torch.sin(3 * x + t.view(-1, 1, 1, 1))

    x = noise(T + 1)
    for t, ours in zip(times[::-1], model.sample(network, noise, times=times, eta=eta), strict=True):
        answer = network(x, torch.full((2,), t))
        x = scheduler.step(
            answer, t - 1, x, eta, use_clipped_model_output=True, variance_noise=noise(t)
        ).prev_sample
        # 16 roundings a step; Eq. 15 makes 157 of one, sin(3x) three.
        assert torch.allclose(ours, x, rtol=0, atol=16 * steps * 157 * 3 * 2**-53)
