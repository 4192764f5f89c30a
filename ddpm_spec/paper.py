"""The paper's index: every numbered equation, algorithm and claim, and the formulas that state it.

Source: J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, NeurIPS 2020,
arXiv:2006.11239v2. A node says what there is; whether it holds is read from the evidence, never from
here. A node without formulas is one that the spec does not cover yet, and the status page says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ddpm_spec.coding import algorithms, draws, rate
from ddpm_spec.formulas import (
    autoregressive,
    bound,
    coding,
    decoder,
    floors,
    forward,
    gaussian,
    interpolation,
    objective,
    posterior,
    reverse,
    sampling,
    variance,
)
from ddpm_spec.ops import Number

__all__ = ["NODES", "Formula", "Kind", "Node", "nodes_of"]

Formula = Callable[..., Number]
Kind = Literal["equation", "algorithm", "claim", "lemma", "followup"]


@dataclass(frozen=True)
class Node:
    """One numbered equation, algorithm, claim or lemma, or a result that came later."""

    id: str
    """The anchor on the site: eq-7, alg-2, c-3, lemma-gaussian-kl."""
    name: str
    """How the paper refers to it: Eq. (7), Algorithm 2."""
    title: str
    """What it says, in a few words."""
    where: str
    """The section of the paper."""
    kind: Kind
    page: str
    """The page of the site that treats it, without suffix."""
    formulas: tuple[Formula, ...] = ()
    """The functions that state it."""
    definition: bool = False
    """It defines what its symbols mean, so there is nothing to prove."""
    assumption: bool = False
    """It is a theorem that is used and not proved here."""


_APP_A = "App. A"

_PAGES = {
    node: f"loss/{page}"
    for page, nodes in {
        "forward": "eq-2 eq-4 lemma-gaussian-sum c-10",
        "posterior": "eq-6 eq-7 lemma-gaussian-kl",
        "bound": "eq-3 lemma-jensen eq-5 c-1 lemma-step-floor",
        "steps": "eq-17 eq-18 eq-19 eq-20 eq-21 eq-22 lemma-bayes",
        "reverse": "eq-1 eq-8 eq-9 eq-10 eq-11",
        "variance": "c-2 c-3",
        "decoder": "eq-13 c-5 lemma-decoder-floor",
        "objective": "eq-12 eq-14 alg-1 lemma-loss-floor",
        "simple": "c-6",
        "score": "lemma-vincent c-4",
        "sampling": "alg-2 eq-15 c-9",
        "autoregressive": "eq-16 eq-23 eq-24 eq-25 eq-26 c-8",
        "coding": "alg-3 alg-4 c-7 lemma-information",
    }.items()
    for node in nodes.split()
}
"""The page that treats each node."""


def _equation(number: int, where: str, title: str, *formulas: Formula, definition: bool = False) -> Node:
    id_ = f"eq-{number}"
    return Node(id_, f"Eq. ({number})", title, where, "equation", _PAGES[id_], formulas, definition)


def _algorithm(number: int, where: str, title: str, *formulas: Formula, definition: bool = False) -> Node:
    id_ = f"alg-{number}"
    return Node(id_, f"Algorithm {number}", title, where, "algorithm", _PAGES[id_], formulas, definition)


def _claim(number: int, where: str, title: str, *formulas: Formula) -> Node:
    id_ = f"c-{number}"
    return Node(id_, f"Claim C{number}", title, where, "claim", _PAGES[id_], formulas)


def _lemma(
    name: str, title: str, *formulas: Formula, where: str = "used without number", assumption: bool = False
) -> Node:
    id_ = f"lemma-{name}"
    return Node(id_, "Lemma", title, where, "lemma", _PAGES[id_], formulas, assumption=assumption)


def _beyond(name: str, title: str, *formulas: Formula) -> Node:
    return _lemma(name, title, *formulas, where="not in the paper")


NODES: dict[str, Node] = {
    node.id: node
    for node in (
        _equation(1, "§2", "The reverse process", reverse.learned_variance, definition=True),
        _equation(
            2,
            "§2",
            "The forward process",
            forward.q_step_mean,
            forward.q_step_variance,
            forward.alpha,
            definition=True,
        ),
        _equation(3, "§2", "The variational bound", bound.path_bound),
        _equation(
            4,
            "§2",
            "The law of x_t given x_0",
            forward.q_mean,
            forward.q_variance,
            forward.q_sample,
            forward.alpha_bar,
            forward.one_minus_alpha_bar,
        ),
        _equation(
            5,
            "§2",
            "The bound as a sum of divergences",
            bound.divergence_bound,
            bound.prior_term,
            bound.step_term,
            bound.decoder_term,
            bound.bits_per_dim,
        ),
        _equation(
            6,
            "§2",
            "The forward process posterior is normal",
            posterior.posterior_mean,
            posterior.posterior_variance,
        ),
        _equation(
            7,
            "§2",
            "Its mean and variance",
            posterior.posterior_mean,
            posterior.posterior_variance,
            reverse.x_0_from_mean,
        ),
        _equation(
            8,
            "§3.2",
            "A step of the bound as a distance of means",
            bound.mean_distance,
            bound.variance_mismatch,
        ),
        _equation(
            9,
            "§3.2",
            "The same with x_t written by x_0 and the noise",
            bound.mean_distance,
            posterior.posterior_mean,
            reverse.predict_x_0,
            forward.q_sample,
        ),
        _equation(
            10,
            "§3.2",
            "The mean that the network has to predict",
            bound.mean_distance,
            reverse.mean_from_eps,
        ),
        _equation(11, "§3.2", "The reverse mean from the predicted noise", reverse.mean_from_eps),
        _equation(12, "§3.2", "A step of the bound as an error in the noise", objective.eps_weight),
        _equation(13, "§3.3", "The discrete decoder", decoder.log_bin_probability),
        _equation(14, "§3.4", "The simplified objective", objective.simple_loss, definition=True),
        _equation(15, "§4.3", "The predicted x_0", reverse.predict_x_0),
        _equation(
            16,
            "§4.3",
            "The bound in the order of an autoregressive model",
            bound.marginal_bound,
            gaussian.entropy,
        ),
        _equation(17, _APP_A, "From Eq. 3 to Eq. 5: the start", bound.path_bound),
        _equation(18, _APP_A, "From Eq. 3 to Eq. 5: products to sums", bound.path_bound),
        _equation(19, _APP_A, "From Eq. 3 to Eq. 5: the term of t = 1 apart", bound.path_bound),
        _equation(20, _APP_A, "From Eq. 3 to Eq. 5: Bayes' rule given x_0", bound.path_bound),
        _equation(21, _APP_A, "From Eq. 3 to Eq. 5: the sum telescopes", bound.divergence_bound),
        _equation(22, _APP_A, "From Eq. 3 to Eq. 5: the end", bound.divergence_bound),
        _equation(23, _APP_A, "From Eq. 3 to Eq. 16: the start", bound.path_bound),
        _equation(24, _APP_A, "From Eq. 3 to Eq. 16: Bayes' rule with marginals", bound.path_bound),
        _equation(25, _APP_A, "From Eq. 3 to Eq. 16: the sum telescopes", bound.marginal_bound),
        _equation(26, _APP_A, "From Eq. 3 to Eq. 16: the end", bound.marginal_bound),
        _algorithm(1, "§3.2", "Training", objective.simple_loss, forward.q_sample, definition=True),
        _algorithm(2, "§3.2", "Sampling", sampling.p_sample, reverse.mean_from_eps, definition=True),
        _algorithm(3, "§4.3", "Sending x_0", algorithms.send, draws.choose),
        _algorithm(4, "§4.3", "Receiving x_0", algorithms.receive, draws.look_up),
        _claim(1, "§3.1, §4", "L_T does not depend on θ and is about 10⁻⁵ bits/dim", bound.prior_term),
        _claim(
            2,
            "§3.2",
            "β_t and β̃_t are the optimal variances of two kinds of data",
            variance.optimal_variance,
            variance.explained_variance,
            variance.best_step_term,
        ),
        _claim(
            3,
            "§3.2",
            "They bound the entropy of the reverse process",
            variance.optimal_variance,
            variance.explained_variance,
            variance.linear_residual,
        ),
        _claim(
            4,
            "§3.2",
            "Sampling resembles Langevin dynamics, training denoising score matching",
            reverse.mean_from_eps,
            objective.eps_weight,
            objective.simple_loss,
        ),
        _claim(
            5,
            "§3.3",
            "The bound is a lossless codelength of discrete data",
            decoder.log_bin_probability,
            bound.decoder_term,
            bound.path_bound,
        ),
        _claim(
            6,
            "§3.4",
            "The simplified objective is the bound without its weights",
            decoder.log_bin_probability,
            objective.eps_weight,
            objective.simple_loss,
        ),
        _claim(
            7,
            "§4.3",
            "Algorithms 3 and 4 send x_0 in the length of the bound",
            bound.divergence_bound,
            coding.message_length,
            algorithms.send,
            algorithms.receive,
            draws.expected_length,
            rate.rate,
        ),
        _claim(
            8,
            "§4.3",
            "With masking, training is that of an autoregressive model",
            autoregressive.negative_log_likelihood,
            bound.marginal_bound,
        ),
        _claim(
            9,
            "§4.4",
            "Interpolation by encoding, mixing and decoding",
            interpolation.mix,
            interpolation.mixed_noise,
        ),
        _claim(
            10,
            "App. C",
            "The forward process keeps the scale of the data",
            variance.marginal_variance,
            variance.unscaled_variance,
        ),
        _lemma(
            "gaussian-sum",
            "The sum of two independent normals",
            gaussian.linear_mean,
            gaussian.linear_variance,
        ),
        _lemma("jensen", "Jensen's inequality for the logarithm", bound.path_bound, assumption=True),
        _lemma(
            "bayes",
            "Bayes' rule for the steps of the forward process",
            posterior.posterior_mean,
            posterior.posterior_variance,
            gaussian.linear_mean,
            gaussian.linear_variance,
        ),
        _lemma("gaussian-kl", "The divergence between two normals", gaussian.kl),
        _lemma(
            "vincent",
            "The best prediction of the noise is the score",
            reverse.predict_x_0,
            objective.simple_loss,
        ),
        _beyond("step-floor", "No network makes a step of the bound cheaper", floors.step_floor),
        _beyond(
            "decoder-floor",
            "No network makes a pixel cheaper in the last step",
            floors.interior_floor,
            floors.clipped_edge_floor,
            decoder.log_bin_probability,
        ),
        _beyond("loss-floor", "No network trains normal data to a smaller loss", floors.loss_floor),
        _beyond(
            "information",
            "For unit normal data the rate is the mutual information, no more",
            variance.best_step_term,
            bound.prior_term,
        ),
    )
}
"""Every node by id, in the order of the paper."""


def nodes_of(formula: Formula) -> tuple[Node, ...]:
    """The nodes that a formula states."""
    return tuple(node for node in NODES.values() if formula in node.formulas)
