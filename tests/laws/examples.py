"""How packages are plugged in. Each function is an example, run by a test and at most ten lines long."""

from ddpm_spec.laws import Stated, scheduler_adapter, trainer_adapter


def ddpm_scheduler():
    """The DDPMScheduler of diffusers, visiting T in any number of steps."""
    from diffusers import DDPMScheduler

    return scheduler_adapter(DDPMScheduler(8, 0.02, 0.4, clip_sample=False, timestep_spacing="linspace"))


def ddim_scheduler():
    """The DDIMScheduler, whose step without noise is not Algorithm 2: noising and fewer steps are judged."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(8, 0.02, 0.4, clip_sample=False, timestep_spacing="trailing")
    return scheduler_adapter(scheduler, p_sample=None)


def ddim_as_algorithm_2():
    """With η = 1 its step is Algorithm 2 with σ² = β̃."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(8, 0.02, 0.4, clip_sample=False, timestep_spacing="trailing")
    return scheduler_adapter(scheduler, step={"eta": 1.0}, sampler=None)


def held_network(diffusion):
    """A GaussianDiffusion that holds its network and clips."""
    return trainer_adapter(diffusion, clips=True)


def passed_network(diffusion):
    """One whose methods take the network; it is told not to clip."""
    return trainer_adapter(diffusion, clips=False)


class OnlyAStep(Stated):
    """A function that makes one step of Algorithm 2 in 12 steps of the paper's β_t, and nothing else."""

    shape, T = (2, 5), 12

    def __init__(self, step):
        self.p_sample = step


class OwnNoise(Stated):
    """A step that draws its noise is called without it."""

    arrays, first_time, T, draws = "torch", 0, 12, ("p_sample",)

    def __init__(self, step):
        self.p_sample = step
