"""The numbers that the paper prints (arXiv:2006.11239, version 2), and two that came after it, as printed."""

from dataclasses import dataclass

__all__ = ["DDIM", "IDDPM", "TABLE_1", "TABLE_2", "TABLE_3", "TABLE_4", "Published"]


@dataclass(frozen=True)
class Published:
    """A table of the paper; – is what it prints for an unstable run, an empty cell what it does not print."""

    place: str
    data: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


TABLE_1 = Published(
    "Table 1",
    "CIFAR10",
    ("model", "IS", "FID", "NLL test (bits/dim)", "NLL train"),
    (
        ("BigGAN (conditional)", "9.22", "14.73", "", ""),
        ("StyleGAN2 + ADA (conditional)", "10.06", "2.67", "", ""),
        ("Diffusion (2015)", "", "", "≤ 5.40", ""),
        ("Gated PixelCNN", "4.60", "65.93", "3.03", "2.90"),
        ("Sparse Transformer", "", "", "2.80", ""),
        ("PixelIQN", "5.29", "49.46", "", ""),
        ("EBM", "6.78", "38.2", "", ""),
        ("NCSNv2", "", "31.75", "", ""),
        ("NCSN", "8.87±0.12", "25.32", "", ""),
        ("SNGAN", "8.22±0.05", "21.7", "", ""),
        ("SNGAN-DDLS", "9.09±0.10", "15.42", "", ""),
        ("StyleGAN2 + ADA (v1)", "9.74±0.05", "3.26", "", ""),
        ("DDPM (L, fixed isotropic Σ)", "7.67±0.13", "13.51", "≤ 3.70", "3.69"),
        ("DDPM (L_simple)", "9.46±0.11", "3.17", "≤ 3.75", "3.72"),
    ),
)
"""Its last two rows are the paper's own. FID is to the training set; to the test set L_simple has 5.24."""

TABLE_2 = Published(
    "Table 2",
    "CIFAR10",
    ("predicts", "objective", "IS", "FID"),
    (
        ("μ̃", "L, learned diagonal Σ", "7.28±0.10", "23.69"),
        ("μ̃", "L, fixed isotropic Σ", "8.06±0.09", "13.22"),
        ("μ̃", "‖μ̃ − μ̃_θ‖²", "–", "–"),
        ("ε", "L, learned diagonal Σ", "–", "–"),
        ("ε", "L, fixed isotropic Σ", "7.67±0.13", "13.51"),
        ("ε", "‖ε − ε_θ‖² (L_simple)", "9.46±0.11", "3.17"),
    ),
)

TABLE_3 = Published(
    "Table 3",
    "LSUN 256×256",
    ("model", "Bedroom FID", "Church FID", "Cat FID"),
    (
        ("ProgressiveGAN", "8.34", "6.42", "37.52"),
        ("StyleGAN", "2.65", "4.21", "8.53"),
        ("StyleGAN2", "", "3.86", "6.93"),
        ("DDPM (L_simple)", "6.36", "7.89", "19.75"),
        ("DDPM (L_simple, large)", "4.90", "", ""),
    ),
)

TABLE_4 = Published(
    "Table 4, which accompanies Fig. 5",
    "CIFAR10, test set",
    ("reverse time T − t + 1", "rate (bits/dim)", "distortion (RMSE on [0, 255])"),
    (
        ("1000", "1.77581", "0.95136"),
        ("900", "0.11994", "12.02277"),
        ("800", "0.05415", "18.47482"),
        ("700", "0.02866", "24.43656"),
        ("600", "0.01507", "30.80948"),
        ("500", "0.00716", "38.03236"),
        ("400", "0.00282", "46.12765"),
        ("300", "0.00081", "54.18826"),
        ("200", "0.00013", "60.97170"),
        ("100", "0.00000", "67.60125"),
    ),
)

DDIM = Published(
    "Table 1 of DDIM (Song, Meng and Ermon 2021)",
    "CIFAR10",
    ("steps", "FID, η = 0", "FID, σ² = β"),
    (
        ("10", "13.36", "367.43"),
        ("20", "6.84", ""),
        ("50", "4.67", ""),
        ("100", "4.16", ""),
        ("1000", "4.04", "3.17"),
    ),
)
"""The same network sampled by DDIM and by Algorithm 2. An empty cell is one that was not checked."""

IDDPM = Published(
    "IDDPM (Nichol and Dhariwal 2021)",
    "CIFAR10",
    ("objective", "NLL test (bits/dim)", "FID"),
    (("L_simple", "3.37", "2.90"), ("L_hybrid", "3.17", "3.19"), ("L_vlb", "2.94", "11.47")),
)
"""T = 4,000, cosine schedule, 500,000 updates; the first has a fixed variance, the others learn it."""

LSUN = {
    "lsun-bedroom": (3, "Bedroom"),
    "lsun-church": (3, "Church"),
    "lsun-cat": (3, "Cat"),
    "lsun-bedroom-large": (4, "Bedroom"),
}
"""The line of Table 3 and the data of each preset."""
