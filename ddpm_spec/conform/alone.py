"""What runs in another Python: `python -m ddpm_spec.conform.alone OUT costs TARGET…`.

It imports nothing but NumPy and what the targets do.
"""

import sys
from pathlib import Path

from ddpm_spec.conform.targets import adapter_of, known, versions_of
from ddpm_spec.conform.verdict import judge
from ddpm_spec.errors import InputError


def alone(out: str, costs: str, *targets: str) -> int:
    """Judge the targets. The verdict of the k-th goes to k.json in the folder, why there is none to k.txt."""
    for k, target in enumerate(targets):
        try:
            package = known().get(target)
            versions = versions_of(*([package.distribution] if package else []), "torch", "numpy")
            verdict = judge(target, adapter_of(target), versions, costs=costs == "costs")
        except (InputError, ValueError) as error:
            (Path(out) / f"{k}.txt").write_text(str(error), encoding="utf-8")
        else:
            (Path(out) / f"{k}.json").write_text(verdict.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(alone(*sys.argv[1:]))
