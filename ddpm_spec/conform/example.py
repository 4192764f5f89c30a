# ruff: noqa: B905, D103
# mypy: ignore-errors
"""The other side of `remote`, to copy: a DDPM in plain Python. Started with `wrong`, its β̃_t is."""

import json
import math
import sys

T = 100
BETAS = [1e-3 + (0.2 - 1e-3) * k / (T - 1) for k in range(T)]
BARS = [1.0]
for beta in BETAS:
    BARS.append(BARS[-1] * (1 - beta))


def say(line):
    print(json.dumps(line), flush=True)


def numbers(x, from_text=float.fromhex):
    return [numbers(item, from_text) for item in x] if isinstance(x, list) else from_text(x)


def network(x_t, t):
    say({"network": {"x_t": numbers(x_t, float.hex), "t": [t] * len(x_t)}})
    return numbers(json.loads(sys.stdin.readline())["answer"])


def mix(a, x, b, y):
    return [[a * p + b * q for p, q in zip(*rows)] for rows in zip(x, y)]


def q_sample(x_0, t, eps):
    return [mix(math.sqrt(BARS[k]), [x], math.sqrt(1 - BARS[k]), [e])[0] for x, k, e in zip(x_0, t, eps)]


def variance(t):
    if t == 1:
        return BETAS[0]
    return BETAS[t - 1] * (1 - BARS[t - 1]) / (1 if "wrong" in sys.argv else 1 - BARS[t])


def p_sample(x_t, t, z):
    beta, eps = BETAS[t - 1], network(x_t, t)
    mean = mix(1 / math.sqrt(1 - beta), x_t, -beta / math.sqrt((1 - BARS[t]) * (1 - beta)), eps)
    return mean if t == 1 else mix(1, mean, math.sqrt(variance(t)), z)


CALLS = {"q_sample": q_sample, "variance": variance, "p_sample": p_sample}

if __name__ == "__main__":
    say({"hello": {"has": list(CALLS), "betas": numbers(BETAS, float.hex)}})
    for line in sys.stdin:
        told = json.loads(line)
        call = CALLS[told.pop("call")]
        try:
            given = {name: value if name == "t" else numbers(value) for name, value in told.items()}
            say({"result": numbers(call(**given), float.hex)})
        except ArithmeticError as error:
            say({"error": repr(error)})
