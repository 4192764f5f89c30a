"""FID and Inception Score, by torch-fidelity with the weights that published numbers were made with."""

import hashlib
import os
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddpm_spec.data.images import Store
from ddpm_spec.errors import InputError

__all__ = ["fid_and_is", "inception_weights"]

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d"
"""The first digits of the file's SHA-256, as its name has them."""


class _Colour(Dataset[Tensor]):
    """Images as torch-fidelity takes them: uint8 0..255, three channels."""

    def __init__(self, images: Store) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.images[torch.tensor([index])][0]
        return image.expand(3, -1, -1)


def inception_weights(given: Path | None) -> Path:
    """The file with Inception's weights: the one given, the one in torch's cache, or downloaded there.

    Raises:
        InputError: if torch-fidelity is missing, or the weights cannot be had, or are others.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
    except ImportError:
        raise InputError(
            "FID and IS need torch-fidelity; install it with python -m pip install -e '.[fid]'"
        ) from None
    path = given or Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if given is None and not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), SHA256, progress=False)
        except (OSError, RuntimeError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise InputError(
                f"Inception's weights could not be fetched ({reason}); fetch {WEIGHTS} from torch-fidelity's "
                "releases and name it with --inception"
            ) from None
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); --inception names {WEIGHTS}") from None
    if not digest.startswith(SHA256):
        raise InputError(f"{path} is not {WEIGHTS}: FID and IS mean nothing with other weights")
    return path


@contextmanager
def _no_pickle() -> Iterator[None]:
    """torch.load takes tensors only, even where torch-fidelity asks for everything."""
    before = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
        if before is not None:
            os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = before


def fid_and_is(
    samples: Tensor, references: dict[str, Store], weights: Path, device: torch.device
) -> dict[str, Any]:
    """FID against each of these sets, and the Inception Score with its spread over ten parts.

    `samples`: uint8 with 256 levels, (N, C, H, W), C = 1 or 3.
    """
    from torch_fidelity import calculate_metrics

    found: dict[str, Any] = {"samples": len(samples), "fid": {}}
    common = {
        "cuda": device.type == "cuda", "feature_extractor_weights_path": str(weights), "cache": False,
        "verbose": False, "save_cpu_ram": True,
    }  # fmt: skip
    for place, (name, images) in enumerate(references.items()):
        with _no_pickle():
            metrics = calculate_metrics(
                input1=_Colour(samples), input2=_Colour(images), fid=True, isc=place == 0, **common
            )
        found["fid"][name] = metrics["frechet_inception_distance"]
        if place == 0:
            found["is"] = metrics["inception_score_mean"]
            found["is_spread"] = metrics["inception_score_std"]
    return found
