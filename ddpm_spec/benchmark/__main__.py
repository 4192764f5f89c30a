"""`python -m ddpm_spec.benchmark`: our speed and memory beside diffusers'; `--help` lists the options."""

import sys


def _benchmark(args: list[str]) -> None:
    from ddpm_spec.benchmark.commands import benchmark  # torch takes seconds; Ctrl-C works meanwhile

    benchmark(args)


def main() -> int:
    """Runs the command with the words of the command line; the exit code."""
    if "--gpu" in sys.argv[1:]:  # before anything that a bare machine lacks
        from ddpm_spec.benchmark.gpu.command import main as gpu

        return gpu(sys.argv[1:])
    from ddpm_spec.terminal.console import run_command

    return run_command(_benchmark, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
