"""diffusers' configuration of a network and of a scheduler, read as our settings and written from them.

A field that is missing has the value that diffusers gives it. What the network or the process here does
not have is refused by name.
"""

from typing import Any

from ddpm_spec.errors import InputError
from ddpm_spec.runs.settings import Network, Process

__all__ = ["read_scheduler", "read_unet", "scheduler_config", "unet_config"]

Config = dict[str, Any]

_UNET_FREE: Config = {
    "sample_size": 0,
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [224, 448, 672, 896],
    "layers_per_block": 2,
    "dropout": 0.0,
    "norm_num_groups": 32,
}
"""What may vary, with diffusers' default; it has none for the size, which must be given."""

_UNET_FIXED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "center_input_sample": (False, (False,)),
    "time_embedding_type": ("positional", ("positional",)),
    "freq_shift": (0, (1,)),
    "flip_sin_to_cos": (True, (False,)),
    "mid_block_type": ("UNetMidBlock2D", ("UNetMidBlock2D",)),
    "mid_block_scale_factor": (1, (1,)),
    "downsample_padding": (1, (0,)),
    "downsample_type": ("conv", ("conv",)),
    "upsample_type": ("conv", ("conv",)),
    "act_fn": ("silu", ("silu", "swish")),
    "attn_norm_num_groups": (None, (None,)),
    "norm_eps": (1e-5, (1e-6,)),
    "resnet_time_scale_shift": ("default", ("default",)),
    "add_attention": (True, (True,)),
    "class_embed_type": (None, (None,)),
    "num_class_embeds": (None, (None,)),
    "time_embedding_dim": (None, (None,)),
}
"""What the network of App. B has in one way only: diffusers' default, and what is right here."""

_SCHEDULER = "DDPMScheduler"

_SCHEDULER_FREE: Config = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "variance_type": "fixed_small",
    "clip_sample": True,
    "prediction_type": "epsilon",
}

_SCHEDULER_FIXED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "trained_betas": (None, (None,)),
    "predict_epsilon": (True, (True,)),
    "thresholding": (False, (False,)),
    "clip_sample_range": (1.0, (1.0,)),
    "rescale_betas_zero_snr": (False, (False,)),
}

_UNET_IDLE = {"num_train_timesteps", "attention_head_dim"}
_SCHEDULER_IDLE = {
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "timestep_spacing",
    "steps_offset",
    "skip_prk_steps",
    "set_alpha_to_one",
    "tensor_format",
    "timestep_values",
}
"""What changes nothing where the fields above are right and all T steps are taken; the heads have a rule."""

_SCHEDULER_FOR_OTHERS: Config = {
    "timestep_spacing": "leading",
    "steps_offset": 0,
    "skip_prk_steps": True,
    "set_alpha_to_one": True,
}
"""What changes nothing for `DDPMScheduler` in T steps, but is read by diffusers' other samplers.

Each of their classes has its own defaults, and takes them where a file says nothing. "leading" is for
`DDPMScheduler` in fewer steps, which with "trailing" adds noise in its last one. PNDM begins right with the
third, and ends right with the fourth.
"""

_SCHEDULES = {"linear": "linear", "scaled_linear": "quadratic", "squaredcos_cap_v2": "cosine"}
_PREDICTIONS = {"epsilon": "eps", "sample": "x_0", "v_prediction": "v"}
_VARIANCES = {"fixed_large": "beta", "fixed_small": "beta_tilde", "fixed_small_log": "beta_tilde"}


def _checked(
    config: Config, source: str, free: Config, fixed: dict[str, tuple[Any, tuple[Any, ...]]], idle: set[str]
) -> Config:
    """The fields that may vary, defaults filled in.

    Raises:
        InputError: for a field that is unknown, or not what is right here.
    """
    unknown = {name for name in config if not name.startswith("_")} - set(free) - set(fixed) - idle
    if unknown:
        raise InputError(f"{source}: {min(unknown)} is not known here; it must be absent")
    for name, (default, right) in fixed.items():
        value = config.get(name, default)
        if value not in right:
            raise InputError(f"{source}: {name} is {value!r}; only {right[0]!r} is supported")
    found = free | {name: config[name] for name in free if name in config}
    for name, value in found.items():
        if not _fits(value, free[name]):
            raise InputError(f"{source}: {name} is {value!r}; it must be like {free[name] or 32!r}")
    return found


def _fits(value: Any, example: Any) -> bool:
    """Of the same kind; whole numbers are counts here, at least 1."""
    if isinstance(example, list):
        return isinstance(value, list) and bool(value) and all(_fits(x, example[0]) for x in value)
    if isinstance(example, float):
        return type(value) in (int, float)
    return type(value) is type(example) and (type(value) is not int or value > 0)


def _choice(config: Config, name: str, choices: dict[str, str], source: str) -> Any:
    if config[name] not in choices:
        raise InputError(
            f"{source}: {name} is {config[name]!r}; only {', '.join(map(repr, choices))} are supported"
        )
    return choices[config[name]]


def read_unet(config: Config, source: str) -> tuple[Network, tuple[int, int, int]]:
    """The network that a `UNet2DModel` of this configuration is, and the shape of its images.

    Raises:
        InputError: naming `source` and the field, if it is not a network of App. B.
    """
    if config.get("_class_name", "UNet2DModel") != "UNet2DModel":
        raise InputError(f"{source}: _class_name is {config['_class_name']!r}; it must be 'UNet2DModel'")
    c = _checked(config, source, _UNET_FREE, _UNET_FIXED, _UNET_IDLE)
    if c["out_channels"] != c["in_channels"]:
        raise InputError(
            f"{source}: out_channels is {c['out_channels']} and in_channels {c['in_channels']}; "
            "only a prediction in the shape of the image is supported"
        )
    widths, levels = c["block_out_channels"], len(c["block_out_channels"])
    if any(width % widths[0] for width in widths):
        raise InputError(f"{source}: block_out_channels are {widths}; each must be a multiple of the first")
    down = [kind.replace("Down", "") for kind in c["down_block_types"]]
    up = [kind.replace("Up", "") for kind in c["up_block_types"]]
    odd = {kind for kind in (*down, *up) if kind not in ("Block2D", "AttnBlock2D")}
    if odd:
        raise InputError(
            f"{source}: a level is of type {min(odd)}; "
            "only Block2D and AttnBlock2D, each Down and Up, are supported"
        )
    if up != down[::-1] or len(down) != levels:
        raise InputError(
            f"{source}: up_block_types do not mirror down_block_types, one a level; only that is supported"
        )
    with_attention = [level for level, kind in enumerate(down) if kind == "AttnBlock2D"]
    heads = config.get("attention_head_dim", 8)
    if heads is not None and any(widths[level] != heads for level in [*with_attention, -1]):
        raise InputError(
            f"{source}: attention_head_dim is {heads}; only null, which is one head, is supported"
        )
    return (
        Network(
            channels=widths[0],
            multipliers=tuple(width // widths[0] for width in widths),
            blocks=c["layers_per_block"],
            attention=tuple(c["sample_size"] >> level for level in with_attention),
            dropout=float(c["dropout"]),
            groups=c["norm_num_groups"],
        ),
        (c["in_channels"], c["sample_size"], c["sample_size"]),
    )


def unet_config(network: Network, image_shape: tuple[int, int, int]) -> Config:
    """The configuration of the `UNet2DModel` that this network is."""
    channels, side, _ = image_shape
    attention = ["Attn" if side >> i in network.attention else "" for i in range(len(network.multipliers))]
    return {
        "_class_name": "UNet2DModel",
        **{name: right[0] for name, (_, right) in _UNET_FIXED.items()},
        "sample_size": side,
        "in_channels": channels,
        "out_channels": channels,
        "down_block_types": [f"{prefix}DownBlock2D" for prefix in attention],
        "up_block_types": [f"{prefix}UpBlock2D" for prefix in attention[::-1]],
        "block_out_channels": [network.channels * multiplier for multiplier in network.multipliers],
        "layers_per_block": network.blocks,
        "dropout": network.dropout,
        "norm_num_groups": network.groups,
        "attention_head_dim": None,
    }


def read_scheduler(config: Config, source: str) -> Process:
    """The process that a `DDPMScheduler` of this configuration samples.

    Raises:
        InputError: naming `source` and the field, if it is not one of ours.
    """
    name = config.get("_class_name", _SCHEDULER)
    if name != _SCHEDULER:
        raise InputError(
            f"{source}: _class_name is {name!r}; only {_SCHEDULER!r} tells the variance of the reverse "
            "process. Name the folder of the unet alone, and tell ddpm_spec.evaluate the process by --T, "
            "--schedule, --beta-1, --beta-T, --prediction and --variance"
        )
    c = _checked(config, source, _SCHEDULER_FREE, _SCHEDULER_FIXED, _SCHEDULER_IDLE)
    return Process(
        T=c["num_train_timesteps"],
        beta_1=c["beta_start"],
        beta_T=c["beta_end"],
        schedule=_choice(c, "beta_schedule", _SCHEDULES, source),
        prediction=_choice(c, "prediction_type", _PREDICTIONS, source),
        variance=_choice(c, "variance_type", _VARIANCES, source),
        convention="official" if c["clip_sample"] else "paper",
    )


def scheduler_config(process: Process) -> Config:
    """The configuration of the `DDPMScheduler` that samples this process as `Diffusion.sample` does.

    Raises:
        InputError: naming the setting, if there is none.
    """
    schedules = {ours: theirs for theirs, ours in _SCHEDULES.items()} | {"constant": "linear"}
    return {
        "_class_name": _SCHEDULER,
        **{name: right[0] for name, (_, right) in _SCHEDULER_FIXED.items() if name != "predict_epsilon"},
        "num_train_timesteps": process.T,
        "beta_start": process.beta_1,
        "beta_end": process.beta_T,
        "beta_schedule": schedules[process.schedule],
        "prediction_type": _written(process, "prediction", _PREDICTIONS),
        "variance_type": _written(process, "variance", _VARIANCES),
        "clip_sample": process.convention == "official",
        **_SCHEDULER_FOR_OTHERS,
    }


def _written(process: Process, name: str, choices: dict[str, str]) -> str:
    """diffusers' word for this setting."""
    value = getattr(process, name)
    for theirs, ours in choices.items():
        if ours == value:
            return theirs
    raise InputError(
        f"a run with {name} {value} cannot be written for diffusers; one with {name} "
        f"{' or '.join(dict.fromkeys(choices.values()))} can"
    )
