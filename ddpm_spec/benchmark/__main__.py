"""`python -m ddpm_spec.benchmark`: our speed and memory beside diffusers'; `--help` lists the options."""

import sys

if __name__ == "__main__":
    if "--gpu" in sys.argv[1:]:  # before anything that a bare machine lacks
        from ddpm_spec.benchmark.gpu.command import main as gpu

        sys.exit(gpu(sys.argv[1:]))
    from ddpm_spec.benchmark.options import parse_benchmark
    from ddpm_spec.terminal.commands import main

    main("ddpm_spec.benchmark.commands", "benchmark", parse_benchmark)
