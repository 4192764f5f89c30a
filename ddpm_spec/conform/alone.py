"""What runs in another Python: `python -m ddpm_spec.conform.alone TARGET OUT costs`.

It imports nothing but NumPy and the target.
"""

import sys
from pathlib import Path

from ddpm_spec.conform.targets import adapter_of, known, versions_of
from ddpm_spec.conform.verdict import judge
from ddpm_spec.errors import InputError


def alone(target: str, out: str, costs: str) -> int:
    """Judge the target and write the verdict."""
    try:
        package = known().get(target)
        versions = versions_of(*([package.distribution] if package else []), "torch", "numpy")
        verdict = judge(target, adapter_of(target), versions, costs=costs == "costs")
    except (InputError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    Path(out).write_text(verdict.to_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(alone(*sys.argv[1:]))
