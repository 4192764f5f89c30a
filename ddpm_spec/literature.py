"""The index of what came after the paper: which gap each result closes, whose it is, and its formulas.

As in `paper.NODES`, a node says what there is; whether it holds is read from the evidence.
"""

from dataclasses import dataclass

from ddpm_spec.followups import (
    absorbing,
    consistency,
    ddim,
    diffusion_limit,
    finite_data,
    flow_matching,
    guidance,
    learned_variance,
    metrics,
    multistep,
    perturbation,
    preconditioning,
    resolution,
    schedules,
    snr,
    steering,
    v_prediction,
    weights,
)
from ddpm_spec.paper import Formula, Node

__all__ = ["FOLLOWUPS", "GAPS", "MODULES", "Followup", "followups_of"]


@dataclass(frozen=True)
class Followup(Node):
    """A result of the later literature that closes a part of a gap."""

    works: tuple[str, ...] = ()
    """Whose it is, by key of the bibliography; empty where it is a fact of our own."""

    @property
    def gap(self) -> str:
        """The gap that it belongs to."""
        return self.page.removeprefix("gaps/")

    @property
    def module(self) -> str:
        """The name of the module of its first formula, which its proofs have too, in `proofs.followups`."""
        return self.formulas[0].__module__.rpartition(".")[2]


GAPS: dict[str, str] = {
    "sampling": "Sampling",
    "likelihood": "Likelihood",
    "variance": "Variance",
    "schedule": "Schedule",
    "discretisation": "Discretisation",
    "weighting": "Weighting",
    "guidance": "Guidance",
    "resolution": "Resolution",
    "metric": "Metric",
    "theory": "Theory",
    "modality": "Modality",
    "memorisation": "Memorisation",
    "architecture": "Architecture",
}
"""The thirteen gaps, by the page that treats them, with the name that the note gives them."""


def _followup(
    gap: str, id_: str, name: str, title: str, works: str, where: str, *formulas: Formula
) -> Followup:
    """One node; `works` are keys of the bibliography, `where` says where in them it stands."""
    return Followup(
        f"beyond-{id_}", name, title, where, "followup", f"gaps/{gap}", formulas, works=tuple(works.split())
    )


FOLLOWUPS: dict[str, Followup] = {
    node.id: node
    for node in (
        _followup(
            "sampling",
            "ddim",
            "DDIM",
            "A family of samplers for one trained network",
            "song2021ddim",
            "equations (12) and (16) there",
            ddim.ddim_mean,
            ddim.ddim_variance,
            ddim.implied_noise,
            ddim.skip,
        ),
        _followup(
            "sampling",
            "solver",
            "First-order solvers",
            "DDIM without noise is Euler's rule, and both DPM-Solvers of order one",
            "lu2022dpmsolver lu2025dpmsolverpp",
            "the updates of order one",
            ddim.solver_step,
            ddim.ddim_mean,
        ),
        _followup(
            "sampling",
            "multistep",
            "PNDM",
            "A step that remembers the last three",
            "liu2022pndm",
            "the linear multistep rule",
            multistep.four_step_noise,
        ),
        _followup(
            "sampling",
            "straight",
            "Flow matching",
            "DDPM's path is a straight line, rescaled",
            "lipman2023flow",
            "the optimal-transport path at σ_{min} = 0",
            flow_matching.path_time,
            flow_matching.straight_path,
            flow_matching.straight_velocity,
        ),
        _followup(
            "sampling",
            "consistency",
            "Consistency models",
            "A network that maps a whole path to its start",
            "song2023consistency",
            "the parametrisation with its boundary",
            consistency.consistent,
            consistency.boundary_skip,
            consistency.boundary_output,
            consistency.path_speed,
            diffusion_limit.flow,
        ),
        _followup(
            "likelihood",
            "snr",
            "VDM",
            "A step of the bound by signal-to-noise ratios",
            "kingma2021vdm",
            "the loss of T steps",
            snr.eps_snr_weight,
            snr.x_0_snr_weight,
            snr.snr,
            snr.snr_prev,
        ),
        _followup(
            "likelihood",
            "ends",
            "VDM in continuous time",
            "Of the schedule only its ends enter the bound",
            "kingma2021vdm",
            "the loss of infinitely many steps",
            snr.snr_bound,
        ),
        _followup(
            "variance",
            "learned-variance",
            "Learned Σ",
            "A variance between the paper's two, on a logarithmic scale",
            "nichol2021iddpm",
            "the learned range between β̃_t and β_t",
            learned_variance.interpolated_variance,
        ),
        _followup(
            "variance",
            "hybrid",
            "Hybrid loss",
            "A loss by which the variance is learned and the mean is not disturbed",
            "nichol2021iddpm",
            "the hybrid objective",
            learned_variance.hybrid_loss,
        ),
        _followup(
            "variance",
            "best-variance",
            "Analytic-DPM",
            "The best variance under the exact mean",
            "bao2022analytic",
            "the optimal reverse variance",
            learned_variance.analytic_variance,
            learned_variance.noise_error,
            learned_variance.family_variance,
            learned_variance.family_gain,
            learned_variance.bounded_variance,
        ),
        _followup(
            "variance",
            "imperfect-mean",
            "An imperfect mean",
            "The best variance for a network as it is",
            "bao2022covariance",
            "the optimum with an imperfect mean",
            learned_variance.imperfect_variance,
            learned_variance.noise_gain,
        ),
        _followup(
            "schedule",
            "zero-snr",
            "Zero terminal SNR",
            "A schedule that ends in pure noise",
            "lin2024flawed",
            "the rescaled schedule",
            schedules.zero_terminal_root,
            schedules.beta_between,
        ),
        _followup(
            "discretisation",
            "limit",
            "VP-SDE",
            "The process in the limit of many steps",
            "song2021sde",
            "the variance-preserving SDE",
            diffusion_limit.limit_rate,
            diffusion_limit.limit_alpha_bar,
            diffusion_limit.variance_slope,
            diffusion_limit.sde_drift,
        ),
        _followup(
            "discretisation",
            "flow",
            "Probability flow",
            "An ODE with the same marginals",
            "song2021sde",
            "the probability-flow ODE",
            diffusion_limit.flow_velocity,
            diffusion_limit.flow,
        ),
        _followup(
            "discretisation",
            "perturbation",
            "Input perturbation",
            "What training on noisier inputs does to the SNR",
            "ning2023input",
            "the training input",
            perturbation.perturbed_sample,
            perturbation.perturbed_noise_variance,
        ),
        _followup(
            "weighting",
            "weights",
            "Weights",
            "One table of weights for every loss",
            "hang2023minsnr choi2022p2 salimans2022progressive kingma2023elbo",
            "the weights of the losses",
            weights.v_weight,
            weights.min_snr_weight,
            weights.p2_weight,
            weights.on_x_0,
            weights.on_v,
        ),
        _followup(
            "weighting",
            "velocity",
            "v-prediction",
            "Predicting the direction on the circle of signal and noise",
            "salimans2022progressive",
            "the definition of v",
            v_prediction.velocity,
            v_prediction.x_0_from_v,
            v_prediction.eps_from_v,
            v_prediction.rotated,
        ),
        _followup(
            "weighting",
            "edm",
            "EDM",
            "Scalings that give the network unit variance",
            "karras2022edm",
            "the preconditioning",
            preconditioning.skip_scale,
            preconditioning.output_scale,
            preconditioning.input_scale,
            preconditioning.noise_label,
            preconditioning.edm_weight,
            preconditioning.denoised,
        ),
        _followup(
            "weighting",
            "implied-weight",
            "The implied weight",
            r"What $L_{\mathrm{simple}}$ weighs under the cosine schedule",
            "kingma2023elbo",
            "the weighted loss",
            weights.cosine_weight,
            weights.cosine_log_snr,
        ),
        _followup(
            "weighting",
            "weighted-bound",
            "The weighted bound",
            "Weights that grow with the noise give a mixture of bounds",
            "kingma2023elbo",
            "the theorem on monotone weights",
            weights.weighted_bound,
            weights.mixture_of_bounds,
            weights.log_snr_weight,
        ),
        _followup(
            "guidance",
            "guidance",
            "Classifier-free guidance",
            "Two predictions combined are one score",
            "ho2021cfg",
            "the guided prediction",
            guidance.guided_eps,
            guidance.score,
        ),
        _followup(
            "guidance",
            "classifier",
            "Classifier guidance",
            "How far a shift of the noise moves the mean",
            "dhariwal2021adm",
            "Algorithms 1 and 2",
            guidance.classifier_eps,
            guidance.classifier_mean,
        ),
        _followup(
            "guidance",
            "guided-law",
            "The guided law",
            "Guidance on normal classes, and why it is no diffusion",
            "",
            "our own computation",
            guidance.guided_variance,
        ),
        _followup(
            "guidance",
            "dps",
            "DPS",
            "A model steered by a measurement, and by how much too far",
            "chung2023dps",
            "the gradient step",
            steering.measurement_score,
            steering.dps_excess,
            steering.denoiser_slope,
            steering.norm_step,
        ),
        _followup(
            "guidance",
            "ilvr",
            "ILVR",
            "A model that keeps the low frequencies of a reference",
            "choi2021ilvr",
            "the refinement step",
            steering.ilvr_step,
        ),
        _followup(
            "resolution",
            "shift",
            "The shift with resolution",
            "A schedule for one resolution, moved to another",
            "hoogeboom2023simple chen2023noise",
            "the shifted schedule",
            resolution.shifted_alpha_bar,
            resolution.pooled_snr,
        ),
        _followup(
            "resolution",
            "threshold",
            "Dynamic thresholding",
            "A clip that moves with the image",
            "saharia2022imagen",
            "the sampler's threshold",
            resolution.dynamic_threshold,
        ),
        _followup(
            "metric",
            "fid-bias",
            "The bias of FID",
            "What the number of samples adds to FID",
            "chong2020fidinfinity",
            "the term in $1/N$; the constant is our own computation",
            metrics.scaled_bias,
            metrics.deviation_mean,
            metrics.next_deviation_mean,
            metrics.frechet,
        ),
        _followup(
            "metric",
            "kid",
            "KID",
            "A distance that is right on average at any number of samples",
            "binkowski2018kid",
            "the unbiased estimate with a cubic kernel",
            metrics.kernel_distance,
            metrics.off_diagonal_mean,
            metrics.cubic_kernel,
        ),
        _followup(
            "modality",
            "absorbing",
            "D3PM",
            "Diffusion by blanking symbols is a reweighted masked-token loss",
            "austin2021d3pm",
            "the absorbing state",
            absorbing.absorbing_beta,
            absorbing.unmask_probability,
            absorbing.absorbing_term,
        ),
        _followup(
            "memorisation",
            "memory",
            "The optimum memorises",
            "The exact minimiser of Eq. 14 on finitely many images",
            "",
            "our own computation",
            finite_data.mean_image,
            finite_data.image_shares,
        ),
    )
}
"""Every result by id, in the order of the gaps."""

MODULES: tuple[str, ...] = tuple(dict.fromkeys(node.module for node in FOLLOWUPS.values()))
"""The names of the modules of `followups` and of `proofs.followups`, in the order of the gaps."""


def followups_of(gap: str) -> tuple[Followup, ...]:
    """The results that belong to a gap."""
    return tuple(node for node in FOLLOWUPS.values() if node.gap == gap)
