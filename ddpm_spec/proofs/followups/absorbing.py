"""D3PM with an absorbing blank: how many symbols are left, when one returns, and what that costs."""

from ddpm_spec.followups import absorbing
from ddpm_spec.formulas import forward
from ddpm_spec.ops import log
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, positive

__all__ = ["DERIVATIONS", "KEPT", "RETURN", "RETURN_EVENLY", "TERM"]

NOW, END = positive("t"), positive("T")


def _kept() -> Derivation:
    beta = absorbing.absorbing_beta(NOW, END)
    return Derivation(
        title="A $T$-th of the symbols at every step",
        nodes=("beyond-absorbing",),
        lines=(
            Line(
                Value(forward.alpha_bar(forward.alpha(named(r"\beta_t", beta)), 1 - (NOW - 1) / END)),
                r"By induction: suppose $\bar\alpha_{t-1} = 1 - (t-1)/T$; it holds at $t = 1$, where "
                r"$\bar\alpha_0 = 1$.",
                where=((r"\beta_t", beta),),
            ),
            Line(
                Value((END - NOW) / (END - NOW + 1) * ((END - NOW + 1) / END)),
                "The first factor undoes a part of the second.",
            ),
        ),
        end=Value(1 - NOW / END),
        end_tex=r"\bar\alpha_t",
        formulas=(absorbing.absorbing_beta, forward.alpha_bar, forward.alpha),
    )


def _return() -> Derivation:
    return Derivation(
        title="When a symbol was blanked",
        nodes=("beyond-absorbing",),
        lines=(
            Line(
                Value(
                    AT.alpha_bar_prev * AT.beta / (AT.alpha_bar_prev * AT.beta + AT.one_minus_alpha_bar_prev)
                ),
                r"Bayes' rule: a blank at $t$ was either still there at $t-1$ and blanked now, or was blank "
                "already.",
            ),
        ),
        end=Value(absorbing.unmask_probability(AT)),
        end_tex=r"q(x_{t-1} = x_0 \mid x_t = \mathrm{blank}, x_0)",
        formulas=(absorbing.unmask_probability,),
    )


def _return_evenly() -> Derivation:
    beta, before, now = absorbing.absorbing_beta(NOW, END), 1 - (NOW - 1) / END, 1 - NOW / END
    share = AT._replace(
        beta=named(r"\beta_t", beta),
        alpha_bar_prev=named(r"\bar\alpha_{t-1}", before),
        one_minus_alpha_bar=named(r"1-\bar\alpha_t", 1 - now),
    )
    return Derivation(
        title="With equal shares",
        nodes=("beyond-absorbing",),
        lines=(
            Line(
                Value(1 / NOW),
                r"Each of the $t$ steps so far was equally likely to have blanked it.",
                where=((r"\beta_t", beta), (r"\bar\alpha_{t-1}", before), (r"\bar\alpha_t", now)),
            ),
        ),
        end=Value(absorbing.unmask_probability(share)),
        formulas=(absorbing.unmask_probability, absorbing.absorbing_beta),
        assumptions=(r"$\beta_t = 1/(T-t+1)$, so $\bar\alpha_t = 1 - t/T$.",),
    )


def _term() -> Derivation:
    chance = absorbing.unmask_probability(AT)
    r, log_p = named("r", chance), letter(r"\ell_\theta")
    return Derivation(
        title="What a blank symbol costs",
        nodes=("beyond-absorbing",),
        lines=(
            Line(
                Value(r * (log(r) - (log(r) + log_p)) + (1 - r) * (log(1 - r) - log(1 - r))),
                r"The divergence of the posterior from the model's step. Both un-blank with probability "
                r"$r$; the "
                r"posterior then always shows $x_0$, the model does so with probability $\tilde p_\theta$, "
                r"of "
                r"logarithm $\ell_\theta$.",
                where=(("r", chance),),
            ),
            Line(Value(-(r * log_p)), "Everything else cancels.", where=(("r", chance),)),
        ),
        end=Value(absorbing.absorbing_term(log_p, AT)),
        end_tex="L_{t-1}",
        formulas=(absorbing.absorbing_term, absorbing.unmask_probability),
        assumptions=(
            r"The network gives $\tilde p_\theta(x_0 \mid x_t)$ and its step is the posterior averaged over "
            r"it.",
        ),
    )


KEPT = _kept()
RETURN = _return()
RETURN_EVENLY = _return_evenly()
TERM = _term()

DERIVATIONS = (KEPT, RETURN, RETURN_EVENLY, TERM)
