"""diffusers: every scheduler that can be built from a DDPM's configuration.

Each is built as a user builds it who has a trained DDPM and wants another sampler: by `from_config`, from
what the DDPM stores. Its options change one at a time.
"""

from collections.abc import Mapping
from typing import Any

from ddpm_spec.conform.targets import Package

__all__ = ["TARGETS"]

REQUIREMENTS = ("diffusers==0.42.1", "torch==2.14.1", "scipy==1.17.1")

# Algorithm 2, then its relatives.
ANCESTRAL = ("DDPMScheduler", "DDPMParallelScheduler")
PLAIN = (*ANCESTRAL, "DDIMScheduler", "DDIMParallelScheduler")
SOLVERS = (
    "PNDMScheduler",
    "LMSDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "DPMSolverSinglestepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSDEScheduler",
    "UniPCMultistepScheduler",
    "DEISMultistepScheduler",
    "SASolverScheduler",
    "LCMScheduler",
    "TCDScheduler",
)

VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "DDPMScheduler": (
        *({"variance_type": kind} for kind in ("fixed_large", "fixed_small_log", "fixed_large_log")),
        *({"prediction_type": kind} for kind in ("v_prediction", "sample")),
        *({"timestep_spacing": kind} for kind in ("linspace", "trailing")),
        {"beta_schedule": "squaredcos_cap_v2"},
        {"clip_sample": True},
        {"rescale_betas_zero_snr": True},
    ),
    "DDIMScheduler": (
        *({"prediction_type": kind} for kind in ("v_prediction", "sample")),
        *({"timestep_spacing": kind} for kind in ("linspace", "trailing")),
        {"beta_schedule": "squaredcos_cap_v2"},
        {"set_alpha_to_one": False},
        {"rescale_betas_zero_snr": True},
    ),
    **{
        name: tuple({"timestep_spacing": kind} for kind in ("linspace", "trailing"))
        for name in SOLVERS
        if name != "SASolverScheduler"
    },
}

STATES = ("saved", "float16", "bfloat16", "float64")
"""How DDPM and DDIM are tried besides: saved and loaded, and in other precisions."""


def _build(name: str, options: Mapping[str, Any]) -> Any:
    import diffusers

    stored = diffusers.DDPMScheduler(clip_sample=False).config
    return getattr(diffusers, name).from_config(stored, **options)


def _adapter(name: str, options: Mapping[str, Any], state: str = "") -> object:
    import tempfile

    from ddpm_spec.laws.adapters import scheduler_adapter

    scheduler = _build(name, options)
    stated: dict[str, Any] = {}
    if state == "saved":
        with tempfile.TemporaryDirectory() as folder:
            scheduler.save_pretrained(folder)
            scheduler = type(scheduler).from_pretrained(folder)
    if state in ("float16", "bfloat16", "float64"):
        stated["precision"] = state
        stated["tables"] = "float32"
    if options.get("beta_schedule") == "squaredcos_cap_v2":
        stated["schedule"] = "cosine"
    elif "rescale_betas_zero_snr" not in options:
        stated["schedule"] = "paper"
    if name not in ANCESTRAL:
        stated["p_sample"] = None  # a step without noise, or of several times, is not Algorithm 2
    if name in SOLVERS:
        stated["predict_x_0"] = None
    if scheduler.init_noise_sigma != 1:
        stated["q_sample"] = None  # it works on x_t/√ᾱ_t, which it scales back for the network
    return scheduler_adapter(scheduler, **stated)


def _package(name: str, options: Mapping[str, Any] | None = None, state: str = "") -> Package:
    given = options or {}
    words = " ".join([*(f"{key}={value}" for key, value in given.items()), *([state] if state else [])])
    return Package(
        f"diffusers/{name}" + (f" {words}" if words else ""),
        REQUIREMENTS,
        lambda: _adapter(name, given, state),
        also=bool(words) and name != PLAIN[0],
    )


TARGETS = (
    *(_package(name) for name in (*PLAIN, *SOLVERS)),
    *(_package(name, options) for name, variants in VARIANTS.items() for options in variants),
    *(_package(name, {}, state) for name in (PLAIN[0], PLAIN[2]) for state in STATES),
)
