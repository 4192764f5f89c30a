"""EDM's scalings: unit variance in and out, the weight that undoes c_out, and the bridge to v."""

from ddpm_spec.followups import preconditioning as edm
from ddpm_spec.followups import snr, v_prediction
from ddpm_spec.formulas import gaussian
from ddpm_spec.ops import sqrt
from ddpm_spec.ops.typeset import letter, named
from ddpm_spec.proofs.calculus import Calculus, slope
from ddpm_spec.proofs.engine import Derivation, Line, Value
from ddpm_spec.proofs.letters import AT, ONE, X_T, ZERO, positive

__all__ = ["BRIDGE", "DERIVATIONS", "INPUT", "LABEL", "LEAST_OUTPUT", "OUTPUT", "WEIGHT"]

NOISE, DATA = positive(r"\sigma^2"), positive(r"\sigma_d^2")
IN_OUR_LETTERS = (
    r"In DDPM's letters: $\sigma_d = 1$, $y = x_t/\sqrt{\bar\alpha_t}$ and $\sigma^2 = "
    r"(1-\bar\alpha_t)/\bar\alpha_t = 1/\mathrm{SNR}(t)$."
)


def _input() -> Derivation:
    scale = edm.input_scale(NOISE, DATA)
    return Derivation(
        title="The network's input has unit variance",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value(
                    gaussian.linear_variance(DATA, named(r"c_{\mathrm{in}}", scale) ** 2, ZERO)
                    + named(r"c_{\mathrm{in}}", scale) ** 2 * NOISE
                ),
                r"The variance of $c_{\mathrm{in}}\,(x_0 + \sigma n)$.",
                where=((r"c_{\mathrm{in}}", scale),),
            ),
        ),
        end=Value(ONE),
        formulas=(edm.input_scale,),
        assumptions=(r"The data have variance $\sigma_d^2$ and $n$ is independent with variance 1.",),
    )


def _output() -> Derivation:
    skip, out = edm.skip_scale(NOISE, DATA), edm.output_scale(NOISE, DATA)
    c = named(r"c_{\mathrm{skip}}", skip)
    return Derivation(
        title="The network's target has unit variance",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value((1 - c) ** 2 * DATA + c**2 * NOISE),
                r"The target is $(x_0 - c_{\mathrm{skip}}\,y)/c_{\mathrm{out}}$; this is the variance of "
                r"what is "
                "divided.",
                where=((r"c_{\mathrm{skip}}", skip), (r"c_{\mathrm{out}}", out)),
            ),
            Line(Value(NOISE * DATA / (NOISE + DATA)), r"Put in $c_{\mathrm{skip}}$."),
        ),
        end=Value(named(r"c_{\mathrm{out}}", out) ** 2),
        end_tex=r"\operatorname{Var}(x_0 - c_{\mathrm{skip}}\,y)",
        formulas=(edm.output_scale, edm.skip_scale),
    )


def _least_output() -> Derivation:
    c = letter("c")
    return Derivation(
        title=r"$c_{\mathrm{skip}}$ asks least of the network",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value(slope((1 - c) ** 2 * DATA + c**2 * NOISE, c)),
                r"How the variance of the target depends on the share $c$ of $y$ that is passed on.",
            ),
            Line(Value(2 * c * (NOISE + DATA) - 2 * DATA), "Differentiate.", Calculus()),
        ),
        end=Value(2 * (NOISE + DATA) * (c - edm.skip_scale(NOISE, DATA))),
        formulas=(edm.skip_scale,),
    )


def _weight() -> Derivation:
    out = edm.output_scale(NOISE, DATA)
    return Derivation(
        title="The weight undoes the scale of the output",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value(1 / named(r"c_{\mathrm{out}}", out) ** 2),
                r"So that an error of $F$ counts the same at every $\sigma$.",
                where=((r"c_{\mathrm{out}}", out),),
            ),
        ),
        end=Value(edm.edm_weight(NOISE, DATA)),
        end_tex=r"\lambda(\sigma)",
        formulas=(edm.edm_weight, edm.output_scale),
    )


def _label() -> Derivation:
    noise = AT.one_minus_alpha_bar / AT.alpha_bar
    return Derivation(
        title="What the network is told",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value(-(snr.log_snr(AT) / 8)),
                r"$\tfrac14\log\sigma = \tfrac18\log\sigma^2$, and $\log\sigma^2$ is minus the log-SNR.",
                where=((r"\sigma^2", noise),),
            ),
        ),
        end=Value(edm.noise_label(named(r"\sigma^2", noise))),
        end_tex=r"c_{\mathrm{noise}}",
        formulas=(edm.noise_label, snr.log_snr),
        assumptions=(IN_OUR_LETTERS,),
    )


def _bridge() -> Derivation:
    v = letter("v")
    noise = AT.one_minus_alpha_bar / AT.alpha_bar
    y = X_T / sqrt(AT.alpha_bar)
    return Derivation(
        title="In DDPM's terms the network predicts $-v$",
        nodes=("beyond-edm",),
        lines=(
            Line(
                Value(v_prediction.x_0_from_v(X_T, v, AT)),
                r"What a prediction of $v$ says of the image.",
                where=(("y", y), (r"\sigma^2", noise)),
            ),
        ),
        end=Value(edm.denoised(named("y", y), -v, named(r"\sigma^2", noise), ONE)),
        end_tex=r"\hat x_0",
        formulas=(
            edm.denoised,
            edm.skip_scale,
            edm.output_scale,
            v_prediction.x_0_from_v,
        ),
        assumptions=(IN_OUR_LETTERS,),
    )


INPUT = _input()
OUTPUT = _output()
LEAST_OUTPUT = _least_output()
WEIGHT = _weight()
LABEL = _label()
BRIDGE = _bridge()

DERIVATIONS = (INPUT, OUTPUT, LEAST_OUTPUT, WEIGHT, LABEL, BRIDGE)
