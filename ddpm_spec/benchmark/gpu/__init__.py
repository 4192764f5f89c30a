"""Ten minutes on one GPU, with torch, numpy and safetensors alone: `python -m ddpm_spec.benchmark --gpu`.

`command` runs the parts one by one and keeps what each of them found; `sizes` says how large everything is,
on a GPU and, to try it, on a CPU. Then there is a module a part: `speed`, `exactness`, `learning`, `large`.
"""
