"""FID and IS: whose weights, no pickle, and the plumbing to torch-fidelity."""

import hashlib
import os
import pickle
import sys
import urllib.error

import pytest
import torch

from ddpm_spec.errors import InputError
from ddpm_spec.evaluation import inception
from ddpm_spec.evaluation.inception import fid_and_is, inception_weights

fidelity = pytest.importorskip("torch_fidelity", reason="FID needs the extra fid")


def test_without_torch_fidelity(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(InputError, match=r"install it with python -m pip install -e '.\[fid\]'"):
        inception_weights(None)


def test_weights_that_cannot_be_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fail(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(InputError, match=r"could not be fetched \(no network\); .* --inception"):
        inception_weights(None)


def test_other_weights_are_refused(tmp_path):
    file = tmp_path / inception.WEIGHTS
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        inception_weights(file)
    file.write_bytes(b"something else")
    with pytest.raises(InputError, match="mean nothing with other weights"):
        inception_weights(file)


def test_weights_are_known_by_their_digest(monkeypatch, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"as published")
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(b"as published").hexdigest()[:8])
    assert inception_weights(file) == file


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_no_pickle_is_executed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    torch.save(Evil(), tmp_path / "weights")
    with inception._no_pickle(), pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "weights", weights_only=False)
    assert not (tmp_path / "executed").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.slow
def test_the_numbers_are_torch_fidelitys(tmp_path):
    """On PNG files, by its own command, with random weights; grey images as it would read them."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    from ddpm_spec.pictures import grid

    torch.manual_seed(0)
    random = FeatureExtractorInceptionV3.__new__(FeatureExtractorInceptionV3)
    loaded = torch.load
    try:
        torch.load = lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            random.__init__("x", ["2048"], feature_extractor_weights_path="none")
    finally:
        torch.load = loaded
    torch.save(random.state_dict(), tmp_path / "weights")
    sets = [torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8) for _ in range(3)]
    sets[0] //= 2
    for place, images in enumerate(sets):
        (tmp_path / str(place)).mkdir()
        for k in range(len(images)):
            picture = grid(images[k : k + 1], 256).crop((2, 2, 34, 34))
            picture.save(tmp_path / str(place) / f"{k:02}.png")
    found = fid_and_is(
        sets[0], {"train": sets[1], "test": sets[2]}, tmp_path / "weights", torch.device("cpu")
    )
    common = {"cuda": False, "cache": False, "verbose": False, "fid": True, "isc": True}
    for place, name in ((1, "train"), (2, "test")):
        theirs = fidelity.calculate_metrics(
            input1=str(tmp_path / "0"), input2=str(tmp_path / str(place)),
            feature_extractor_weights_path=str(tmp_path / "weights"), **common,
        )  # fmt: skip
        assert found["fid"][name] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
        assert found["is"] == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert found["fid"]["train"] != found["fid"]["test"]
    assert found["samples"] == 12
