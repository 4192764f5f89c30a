"""The cache: what has its name is whole, whatever happened on the way."""

import contextlib
import hashlib
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import pytest
import torch

from ddpm_spec.data import cache
from ddpm_spec.data.images import Read
from ddpm_spec.errors import InputError

IMAGES = torch.arange(600 * 3 * 4 * 4).remainder(251).to(torch.uint8).view(600, 3, 4, 4)


class Never:
    """A store that must not be asked."""

    shape = tuple(IMAGES.shape)

    def __len__(self) -> int:
        return len(IMAGES)

    def read(self, indices: torch.Tensor) -> Read:
        raise AssertionError("decoded again")


class Whole(Never):
    """A store of all of them, of which the images 5 and 300 are the first of several."""

    def read(self, indices: torch.Tensor) -> Read:
        return Read(IMAGES[indices], {}, [index for index in indices.tolist() if index in (5, 300)])


class Fails(Whole):
    """A store whose image 270 is not like the others."""

    def read(self, indices: torch.Tensor) -> Read:
        if 270 in indices:
            raise InputError("image 270 is larger")
        return super().read(indices)


class Slow(Whole):
    """A store that takes its time."""

    def read(self, indices: torch.Tensor) -> Read:
        time.sleep(0.5)
        return super().read(indices)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "deep" / "set"


@pytest.mark.parametrize("workers", [0, 2])
def test_images_are_decoded_once_and_their_digest_is_kept(folder, workers):
    seen: list[int] = []

    @contextlib.contextmanager
    def progress(count):
        seen.append(count)
        yield seen.append

    images, digest, _, several = cache.kept(Whole(), folder, workers=workers, progress=progress)
    assert images.equal(IMAGES)
    assert digest == hashlib.sha256(IMAGES.numpy().tobytes()).hexdigest()
    assert seen == [600, 256, 256, 88]
    again, same, _, known = cache.kept(Never(), folder)
    assert again.equal(IMAGES)
    assert same == digest
    assert known == several == [5, 300]
    assert {p.name for p in folder.parent.iterdir()} <= {"set", "set.lock"}


def test_they_are_mapped_not_read(folder):
    images, *_ = cache.kept(Whole(), folder)
    with (folder / "images.u8").open("r+b") as file:
        file.write(b"\xff")
    assert images[0, 0, 0, 0] == 255
    images[0, 0, 0, 1] = 254  # a private page: the file keeps its bytes
    assert (folder / "images.u8").read_bytes()[1] == 1


@pytest.mark.parametrize("damage", ["cut", "no notes", "other notes", "other shape"])
def test_what_is_not_whole_is_decoded_again(folder, damage):
    _, digest, *_ = cache.kept(Whole(), folder)
    content = (folder / "images.u8").read_bytes()
    if damage == "cut":
        (folder / "images.u8").write_bytes(content[:-1])
    elif damage == "no notes":
        (folder / "about.json").unlink()
    else:
        (folder / "about.json").write_text("{" if damage == "other notes" else '{"shape": [1], "sha256": ""}')
    images, same, *_ = cache.kept(Whole(), folder)
    assert images.equal(IMAGES)
    assert same == digest
    assert (folder / "images.u8").read_bytes() == content


def test_an_image_that_is_refused_leaves_nothing(folder):
    with pytest.raises(InputError, match="image 270 is larger"):
        cache.kept(Fails(), folder)
    assert {p.name for p in folder.parent.iterdir()} <= {"set.lock"}


class Holes(Never):
    """A store that lacks the images 3, 270 and 599."""

    def read(self, indices: torch.Tensor) -> Read:
        lacking = [index for index in indices.tolist() if index in (3, 270, 599)]
        there = [index for index in indices.tolist() if index not in lacking]
        return Read(IMAGES[there], {i: f"image {i} is gone; mend it" for i in lacking}, [])


@pytest.mark.parametrize("workers", [0, 2])
def test_images_that_cannot_be_read_are_named_together_or_left_out(folder, workers):
    line = (
        r"^3 images cannot be read: image 3 is gone, image 270 is gone, image 599 is gone; "
        r"mend or remove them, or go on without them: --skip-unreadable$"
    )
    with pytest.raises(InputError, match=line):
        cache.kept(Holes(), folder, workers=workers)
    assert not folder.exists()
    images, digest, left_out, _ = cache.kept(Holes(), folder, skip=True, workers=workers)
    there = torch.cat([IMAGES[:3], IMAGES[4:270], IMAGES[271:599]])
    assert images.equal(there)
    assert digest == hashlib.sha256(there.numpy().tobytes()).hexdigest()
    assert list(left_out) == [3, 270, 599]
    again = cache.kept(Never(), folder, skip=True)
    assert again.images.equal(there)
    assert again[1:] == (digest, left_out, [])
    with pytest.raises(InputError, match=line):
        cache.kept(Never(), folder)


def test_an_interruption_leaves_nothing(folder):
    @contextlib.contextmanager
    def stopped(count):
        def done(images):
            raise KeyboardInterrupt

        yield done

    with pytest.raises(KeyboardInterrupt):
        cache.kept(Whole(), folder, progress=stopped)
    assert {p.name for p in folder.parent.iterdir()} <= {"set.lock"}


def test_a_process_that_is_killed_leaves_nothing_that_is_taken(folder):
    child = multiprocessing.get_context("fork").Process(target=cache.kept, args=(Slow(), folder))
    child.start()
    end = time.monotonic() + 30
    while not folder.with_name("set.part").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    assert not folder.exists()
    assert cache.kept(Whole(), folder)[0].equal(IMAGES)
    assert not folder.with_name("set.part").exists()


def test_two_processes_that_want_the_same_decode_it_once(folder):
    child = multiprocessing.get_context("fork").Process(target=cache.kept, args=(Slow(), folder))
    child.start()
    while not folder.with_name("set.part").exists():
        time.sleep(0.01)
    assert cache.kept(Never(), folder)[0].equal(IMAGES)
    child.join()
    assert child.exitcode == 0


def test_no_room(folder, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: cache.shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(InputError, match=r"takes 0\.0 GB and its disk has 0\.0 GB free; free some"):
        cache.kept(Whole(), folder)
    assert not folder.exists()


def test_a_disk_that_fills_up(folder):
    """A limit on the size of a file stands in for the disk, in a process of its own."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            cache.kept(Whole(), folder)
        except InputError as error:
            os._exit(7 if "cannot be written (File too large); free some disk" in str(error) else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert {p.name for p in folder.parent.iterdir()} <= {"set.lock"}


def test_a_place_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written \(.*\); free some disk, name another folder"):
        cache.kept(Whole(), tmp_path / "file" / "set")


def test_a_whole_cache_on_a_disk_that_is_read_only(folder, monkeypatch):
    """Nothing is written to use it, not even a lock."""

    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    cache.kept(Whole(), folder)
    monkeypatch.setattr(cache.FileLock, "acquire", refused)
    monkeypatch.setattr(Path, "mkdir", refused)
    assert cache.kept(Never(), folder).images.equal(IMAGES)
    with pytest.raises(
        InputError, match=r"cannot be written \(Read-only file system\); free some disk, name"
    ):
        cache.kept(Whole(), folder.with_name("other"))
