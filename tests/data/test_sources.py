"""Every source on a set of a few images that the test makes."""

import gzip
import io
import os
import pickle
import shutil
from pathlib import Path

import datasets
import lmdb
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from ddpm_spec.data import Source, cache, fetch, load, records, sources
from ddpm_spec.data.decoding import Decoded
from ddpm_spec.data.idx import DEBIAN
from ddpm_spec.data.records import Folder, Lmdb
from ddpm_spec.errors import InputError

RANDOM = np.random.default_rng(0)


def picture(width: int = 6, height: int = 6) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), np.uint8))


def test_the_digits_are_those_of_scikit_learn():
    raw, images = load_digits(), load("digits")
    both = torch.cat([images.whole(), images.held_out])[:, 0]
    assert np.array_equal(both.numpy(), raw.images)
    assert np.array_equal(np.concatenate([images.train_labels, images.held_out_labels]), raw.target)


def test_digits_that_are_not_there_are_said(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="install it: pip install scikit-learn"):
        load("digits")


def encoded(image: Image.Image, kind: str = "png", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.tensor(np.asarray(image)).permute(2, 0, 1)


@pytest.fixture
def folder(tmp_path) -> tuple[Path, list[Image.Image], list[Image.Image]]:
    """train/{cat,dog}/*.png with 5 images and test/… with 2, and the images in the order of their names."""
    made = []
    for part, names in (
        ("train", ["cat/0", "cat/1", "dog/0", "dog/1", "dog/2"]),
        ("test", ["cat/0", "dog/0"]),
    ):
        images = [picture() for _ in names]
        for name, image in zip(names, images, strict=True):
            path = tmp_path / "set" / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        made.append(images)
    (tmp_path / "set" / "train" / "notes.txt").write_text("not an image")
    return tmp_path / "set", *made


def source(place: Path, **changes) -> Source:
    return Source(path=str(place), cache=str(place.parent / "cache"), **changes)


@pytest.mark.parametrize("cache_gb", [1, 0])
def test_a_folder_of_images(folder, cache_gb):
    place, train, held_out = folder
    images = load("folder", source(place, cache_gb=cache_gb))
    assert (images.levels, images.shape, len(images.train)) == (256, (3, 6, 6), 5)
    assert isinstance(images.train, torch.Tensor) == (cache_gb == 1)
    assert images.train[torch.arange(5)].equal(torch.stack([pixels(i) for i in train]))
    assert images.train[torch.tensor([4, 0])].equal(torch.stack([pixels(train[4]), pixels(train[0])]))
    assert images.held_out.equal(torch.stack([pixels(i) for i in held_out]))
    assert images.train_labels.tolist() == [0, 0, 1, 1, 1]
    assert images.held_out_labels.tolist() == [0, 1]


def test_without_a_held_out_part_the_last_tenth_is_held_out(folder):
    place, train, _ = folder
    images = load("folder", source(place, held_out_part=""))
    assert images.whole().equal(torch.stack([pixels(i) for i in train[:4]]))
    assert images.held_out.equal(pixels(train[4])[None])
    assert images.train_labels.tolist() == [0, 0, 1, 1]
    assert images.held_out_labels.tolist() == [1]


def test_the_central_square_is_taken_then_resized(tmp_path):
    (tmp_path / "a").mkdir()
    wide = picture(20, 8)
    wide.save(tmp_path / "a" / "wide.png")
    tall = picture(4, 9)
    tall.save(tmp_path / "a" / "tall.png")
    store = Decoded(Folder(tmp_path / "a"), 8, grey=False)
    assert store.shape == (2, 3, 8, 8)
    assert store[torch.tensor([1])][0].equal(pixels(wide.crop((6, 0, 14, 8))))
    small = Decoded(Folder(tmp_path / "a"), 4, grey=False)[torch.tensor([1, 0])]
    expected = wide.crop((6, 0, 14, 8)).resize((4, 4), Image.Resampling.LANCZOS)
    assert small[0].equal(pixels(expected))
    assert small[1].equal(pixels(tall.crop((0, 2, 4, 6))))
    (tmp_path / "a" / "sub").mkdir()
    picture().save(tmp_path / "a" / "sub" / "x.png")
    assert Folder(tmp_path / "a").labels.tolist() == []  # not every image is in a sub-folder


def test_each_size_has_its_place_in_the_cache(folder):
    place, *_ = folder
    sides = [load("folder", source(place, image_size=side)).whole().shape[-1] for side in (5, 4, 5)]
    assert sides == [5, 4, 5]
    assert len(list((place.parent / "cache").glob("*/"))) == 4  # training and held-out images


def test_grey_is_one_channel(folder):
    place, train, _ = folder
    images = load("folder", source(place, grey=True))
    assert images.shape == (1, 6, 6)
    assert images.whole()[2, 0].equal(torch.tensor(np.asarray(train[2].convert("L"))))


@pytest.mark.parametrize("cache_gb", [1, 0])
def test_the_digest_sees_a_changed_image_and_not_where_the_set_lies(folder, tmp_path, cache_gb):
    place, *_ = folder
    before = load("folder", source(place, cache_gb=cache_gb)).digest
    moved = Path(shutil.copytree(place, tmp_path / "elsewhere" / "set"))
    assert load("folder", source(moved, cache_gb=cache_gb)).digest == before
    assert load("folder", source(place, cache_gb=cache_gb, image_size=5)).digest != before
    picture().save(moved / "test" / "dog" / "0.png")
    assert load("folder", source(moved, cache_gb=cache_gb)).digest != before


def test_lsun(tmp_path):
    """Keys in no order, JPEG and WebP, not square: the order is that of the keys."""
    pictures = {b"ffff": picture(9, 6), b"0a0a": picture(6, 7), b"9999": picture(6, 6)}
    for part, keys in (
        ("church_train_lmdb", [b"ffff", b"0a0a", b"9999"]),
        ("church_val_lmdb", [b"ffff"]),
    ):
        with lmdb.open(str(tmp_path / part)) as environment, environment.begin(write=True) as transaction:
            for key in keys:
                transaction.put(key, encoded(pictures[key], "webp", lossless=True))
    images = load(
        "lsun",
        source(
            tmp_path,
            train_part="church_train_lmdb",
            held_out_part="church_val_lmdb",
            image_size=6,
            cache_gb=0,
        ),
    )
    assert len(images.train) == 3
    square = {
        b"0a0a": pictures[b"0a0a"].crop((0, 0, 6, 6)),
        b"9999": pictures[b"9999"],
        b"ffff": pictures[b"ffff"].crop((1, 0, 7, 6)),
    }
    expected = torch.stack([pixels(i) for i in square.values()])
    assert images.train[torch.arange(3)].equal(expected)
    assert images.held_out.equal(pixels(square[b"ffff"])[None])
    # Worker processes cannot use the environment that this one has open.
    halves = fetch(images.train, [torch.tensor([2, 1]), torch.tensor([0])], workers=2)
    assert torch.cat(list(halves)).flip(0).equal(expected)


def of_one_size(count: int) -> list[Image.Image]:
    """Pictures whose files, as bitmaps, are equally long."""
    return [picture() for _ in range(count)]


def write_bitmaps(place: Path, images: list[Image.Image], date: int | None = None) -> None:
    for part in ("train", "test"):
        (place / part).mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(images):
            image.save(place / part / f"{i}.bmp")
            if date is not None:
                os.utime(place / part / f"{i}.bmp", ns=(date, date))


@pytest.mark.parametrize("dates", ["new", "of before", "too coarse"])
def test_new_pictures_between_the_first_and_the_last_are_seen(tmp_path, monkeypatch, dates):
    """Of the same names and sizes; and of the same dates, which a copy may keep, or a disk not know."""
    place, before, after = tmp_path / "set", of_one_size(5), of_one_size(5)
    after[0], after[4] = before[0], before[4]
    if dates == "too coarse":
        monkeypatch.setattr(records, "_changed", lambda stat: 1_700_000_000 * 10**9)
    date = None if dates == "new" else 1_600_000_000_123_456_789
    write_bitmaps(place, before, date)
    path = place / "train" / "2.bmp"
    old, size = load("folder", source(place)), path.stat().st_size
    write_bitmaps(place, after, date)
    new = load("folder", source(place))
    assert path.stat().st_size == size
    assert new.whole().equal(torch.stack([pixels(i) for i in after]))
    assert new.held_out.equal(new.whole())
    assert old.whole().equal(torch.stack([pixels(i) for i in before]))
    assert new.digest != old.digest


def test_what_did_not_change_is_not_decoded_again(tmp_path, monkeypatch):
    write_bitmaps(tmp_path / "set", of_one_size(3))
    before = load("folder", source(tmp_path / "set")).whole()
    monkeypatch.setattr(cache, "_decode", None)
    assert load("folder", source(tmp_path / "set")).whole().equal(before)


def test_new_pictures_in_an_lmdb_are_seen(tmp_path):
    before, after = of_one_size(3), of_one_size(3)
    for made in (before, [before[0], after[1], before[2]]):
        for part in ("train", "test"):
            shutil.rmtree(tmp_path / "set" / part, ignore_errors=True)
            (tmp_path / "set").mkdir(exist_ok=True)
            with lmdb.open(str(tmp_path / "set" / part)) as opened, opened.begin(write=True) as transaction:
                for i, image in enumerate(made):
                    transaction.put(b"%d" % i, encoded(image, "bmp"))
        found = load("lsun", source(tmp_path / "set")).whole()
        assert found.equal(torch.stack([pixels(i) for i in made]))


def test_new_pictures_in_a_local_set_of_the_hub_are_seen(tmp_path):
    features = datasets.Features({"img": datasets.Image()})
    before, after = of_one_size(3), of_one_size(3)
    (tmp_path / "set").mkdir()
    for made in (before, [before[0], after[1], before[2]]):
        for split in ("train", "test"):
            rows = {"img": [{"bytes": encoded(image, "bmp"), "path": None} for image in made]}
            datasets.Dataset.from_dict(rows, features=features).to_parquet(
                tmp_path / "set" / f"{split}-0.parquet"
            )
        found = load("hub", source(tmp_path / "set")).whole()
        assert found.equal(torch.stack([pixels(i) for i in made]))


def test_an_lmdb_can_be_sent_to_a_worker(tmp_path):
    with lmdb.open(str(tmp_path / "x")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"a", encoded(picture()))
    opened = Lmdb(tmp_path / "x")
    sent = pickle.loads(pickle.dumps(opened))
    assert sent._opened is None
    assert sent.fingerprint == opened.fingerprint


def test_a_local_set_in_the_format_of_the_hub(tmp_path):
    made = [picture() for _ in range(4)]
    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])}
    )
    (tmp_path / "set").mkdir()
    for split, chosen in (("train", made[:3]), ("test", made[3:])):
        rows = {"img": chosen, "label": list(range(len(chosen)))}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(
            tmp_path / "set" / f"{split}-0.parquet"
        )
    images = load("hub", source(tmp_path / "set"))
    assert images.whole().equal(torch.stack([pixels(i) for i in made[:3]]))
    assert images.held_out.equal(pixels(made[3])[None])
    assert images.train_labels.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="split validation cannot be had"):
        load("hub", source(tmp_path / "set", held_out_part="validation"))


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def four_files(tmp_path) -> tuple[Path, np.ndarray, np.ndarray]:
    train, test = (RANDOM.integers(0, 256, (n, 3, 3), np.uint8) for n in (4, 2))
    for part, images in (("train", train), ("t10k", test)):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        labels = np.arange(len(images), dtype=np.uint8)
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return tmp_path, train, test


def test_fashion_mnist_from_idx_files(four_files):
    place, train, test = four_files
    images = load("fashion-mnist", Source(path=str(place)))
    assert (images.whole()[:, 0].numpy() == train).all()
    assert (images.held_out[:, 0].numpy() == test).all()
    assert images.train_labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain",
        gzip.compress(b""),
        gzip.compress(bytes([0, 0, 8, 3, 0])),
        gzip.compress(bytes([0, 0, 8, 1])),
        idx(np.zeros((4, 3, 3))),  # of float64
        idx(np.zeros((4, 3, 3), np.uint8))[:-3],
        gzip.compress(bytes(range(200)))[:11] + b"\xff" * 200,
    ],
    ids=["empty", "plain", "nothing", "no-sizes", "one-size", "of-floats", "cut", "garbled"],
)
def test_a_damaged_idx_file_is_named(four_files, content):
    path = four_files[0] / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path} is .*; fetch it again"):
        load("fashion-mnist", Source(path=str(four_files[0])))


def test_images_and_labels_that_do_not_match(four_files):
    (four_files[0] / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(InputError, match=r"the images and the labels of train in .* do not match"):
        load("fashion-mnist", Source(path=str(four_files[0])))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist():
    images = load("fashion-mnist")
    assert images.whole().shape == (60_000, 1, 28, 28)
    assert images.held_out.shape == (10_000, 1, 28, 28)
    assert (np.bincount(images.train_labels) == 6000).all()
    assert (np.bincount(images.held_out_labels) == 1000).all()


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("digits", {"image_size": 32}, "--image-size is 32, but digits has side 8 and is not resized"),
        ("fashion-mnist", {"path": "/nowhere"}, "install Debian's package dataset-fashion-mnist, or name"),
        ("folder", {}, "--data is folder, which needs a place; name it with --path"),
        ("folder", {"path": "/nowhere"}, "there is no folder /nowhere/train"),
        ("lsun", {"path": "/nowhere"}, "there is no /nowhere/train/data.mdb"),
        ("hub", {"path": "/nowhere"}, "/nowhere, split train cannot be had"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(name, changes, line):
    with pytest.raises(InputError) as refusal:
        load(name, Source(**changes))
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_of_other_names_is_listed(folder):
    with pytest.raises(InputError, match=r"no folder .*/set/val; .*/set holds test, train; name it"):
        load("folder", source(folder[0], held_out_part="val"))


def test_a_folder_without_images(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        load("folder", source(tmp_path, train_part="", held_out_part=""))


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_damaged_image_is_named(folder, content):
    path = folder[0] / "train" / "dog" / "1.png"
    path.write_bytes(content)
    line = (
        rf"^{path} is no image that can be read; mend or remove it, or go on without it: --skip-unreadable$"
    )
    with pytest.raises(InputError, match=line):
        load("folder", source(folder[0]))
    assert list((folder[0].parent / "cache").glob("*/")) == []


def test_a_truncated_image_is_named(folder):
    path = folder[0] / "train" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=rf"^{path} is no image that can be read; mend or remove it, or"):
        load("folder", source(folder[0]))


def test_without_what_cannot_be_read(folder):
    """Also the first image, which decides the size of all; labels stay with their images."""
    place, train, held_out = folder
    for name in ("cat/0", "dog/1"):
        (place / "train" / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"^2 images cannot be read: .*cat/0\.png is no .*dog/1\.png is no "):
        load("folder", source(place))
    images = load("folder", source(place, skip_unreadable=True))
    assert images.whole().equal(torch.stack([pixels(train[i]) for i in (1, 2, 4)]))
    assert images.held_out.equal(torch.stack([pixels(i) for i in held_out]))
    assert images.train_labels.tolist() == [0, 1, 1]
    said = str(images.taken[0])
    assert said.startswith(f"{place / 'train'}: 6 found, 3 used; left out: ")
    assert "2 that cannot be read" in said
    assert "cat/0.png" in said
    with pytest.raises(
        InputError, match=r"these take 7\.6e-07 GB; raise --cache-gb, now 0, or leave it away"
    ):
        load("folder", source(place, skip_unreadable=True, cache_gb=0))
    with pytest.raises(InputError, match=r"^.*cat/0\.png is no image that can be read; mend or remove it$"):
        next(fetch(load("folder", source(place, cache_gb=0)).train, [torch.arange(2)], 0))


@pytest.mark.parametrize("cache_gb", [1, 0])
def test_what_is_passed_over_is_counted(folder, cache_gb):
    place, *_ = folder
    for name in ("a.heic", "b.HEIC", "c", "._0.png", ".thumbs/0.png"):
        path = place / "train" / "cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    taken = load("folder", source(place, cache_gb=cache_gb)).taken
    assert [str(part) for part in taken] == [
        f"{place / 'train'}: 11 found, 5 used; left out: 4 whose suffix is of no image that Pillow reads "
        "(.heic 2, without one 1, .txt 1); 2 whose name begins with a dot (._0.png, .thumbs)",
        f"{place / 'test'}: 2 found, 2 used",
    ]
    (halves,) = [load("folder", source(place, cache_gb=cache_gb, held_out_part="")).taken]
    assert [(part.found, part.used, len(part.left_out)) for part in halves] == [(10, 4, 2), (1, 1, 0)]


@pytest.mark.parametrize("suffix", ["gif", "tga", "jp2", "avif", "JPG", "pgm", "mpo"])
def test_every_suffix_that_pillow_reads_is_taken(tmp_path, suffix):
    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
        picture().convert("L").save(tmp_path / "set" / part / f"a.{suffix}")
    assert len(load("folder", source(tmp_path / "set")).train) == 1


def test_what_only_looks_like_an_image_to_pillow_is_passed_over(folder):
    place, *_ = folder
    for name in ("a.h5", "b.eps", "c.mpg", "d.pdf"):
        (place / "train" / name).write_bytes(b"")
    assert "5 whose suffix" in str(load("folder", source(place)).taken[0])


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    place, *_ = folder
    (tmp_path / "birds").mkdir()
    picture().save(tmp_path / "birds" / "0.png")
    (place / "train" / "bird").symlink_to(tmp_path / "birds")
    (tmp_path / "birds" / "back").symlink_to(place / "train")
    (place / "train" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png cannot be read \(No such file or directory\)"):
        load("folder", source(place))
    (place / "train" / "gone.png").unlink()
    images = load("folder", source(place))
    assert len(images.train) == 6
    assert images.train_labels.tolist() == [0, 1, 1, 2, 2, 2]


def test_a_folder_that_cannot_be_read_is_not_passed_over(folder, monkeypatch):
    place, *_ = folder
    real = Path.iterdir

    def iterdir(path):
        if path.name == "dog":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(InputError, match=r"the folder .*/dog cannot be read \(Permission denied\)"):
        load("folder", source(place))


@pytest.mark.parametrize("cache_gb", [1, 0])
def test_labels_are_numbered_over_both_parts(folder, cache_gb):
    place, *_ = folder
    shutil.move(place / "test" / "cat", place / "test" / "bird")
    images = load("folder", source(place, cache_gb=cache_gb))
    assert images.train_labels.tolist() == [1, 1, 2, 2, 2]  # bird, cat, dog
    assert images.held_out_labels.tolist() == [0, 2]


def test_labels_that_a_set_of_the_hub_keeps_for_itself_are_none(tmp_path):
    """-1 is how the hub says it."""
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    (tmp_path / "set").mkdir()
    for split, labels in (("train", [1, 0]), ("test", [-1, -1])):
        rows = {"img": [picture(), picture()], "label": labels}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(
            tmp_path / "set" / f"{split}-0.parquet"
        )
    images = load("hub", source(tmp_path / "set"))
    assert images.train_labels.tolist() == [1, 0]
    assert images.held_out_labels.tolist() == []


def test_a_row_without_an_image_is_named(tmp_path):
    features = datasets.Features({"img": datasets.Image()})
    (tmp_path / "set").mkdir()
    for split in ("train", "test"):
        rows = {"img": [picture(), None, picture()]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(
            tmp_path / "set" / f"{split}-0.parquet"
        )
    with pytest.raises(InputError, match=r"image 1 of .*/set, split train is missing; mend or remove it"):
        load("hub", source(tmp_path / "set"))


def test_images_of_several_sizes_need_a_size(folder):
    place, *_ = folder
    picture(7, 7).save(place / "train" / "dog" / "1.png")
    with pytest.raises(InputError, match="image 3 is 7×7, the first is 6×6; crop and resize by --image-size"):
        load("folder", source(place))
    picture(7, 6).save(place / "train" / "cat" / "0.png")
    with pytest.raises(InputError, match="the first image is 7×6; crop and resize by --image-size"):
        load("folder", source(place))
    assert load("folder", source(place, image_size=6)).shape == (3, 6, 6)


class Many:
    """Two hundred thousand records of one pixel."""

    labels = np.empty(0, np.int64)
    classes = ()
    where, found, passed_over, fingerprint = "many", 200_000, (), "many"

    def __len__(self) -> int:
        return 200_000

    def open(self, index: int) -> Image.Image:
        return Image.new("RGB", (1, 1), (index % 256, index // 256 % 256, index // 65536))


def test_no_more_than_10_000_are_held_out(monkeypatch):
    monkeypatch.setattr(sources, "_open", lambda *a: Many())
    images = load("folder", Source(path="x", held_out_part="", cache_gb=0))
    assert (len(images.train), len(images.held_out)) == (190_000, 10_000)
    assert images.held_out[0].flatten().tolist() == [190_000 % 256, 190_000 // 256 % 256, 2]
    with pytest.raises(InputError, match="decoded as needed, and this needs all of it at once"):
        images.whole()


def classes_of(images) -> tuple[list[int], list[int]]:
    """How many of each class train, and how many are held out."""
    return np.bincount(images.train_labels).tolist(), np.bincount(images.held_out_labels).tolist()


@pytest.mark.parametrize(
    ("sizes", "held_out"), [((20, 10, 30), [2, 1, 3]), ((4, 3, 3), [1]), ((1, 25), [0, 3])]
)
def test_a_tenth_of_each_class_is_held_out(tmp_path, sizes, held_out):
    """By name alone it would be all of the last class, and nothing of the others."""
    for name, size in zip("abc", sizes, strict=False):
        (tmp_path / "set" / "train" / name).mkdir(parents=True)
        for i in range(size):
            Image.new("L", (2, 2), 60 * "abc".index(name) + i).save(
                tmp_path / "set" / "train" / name / f"{i:02}.png"
            )
    images = load("folder", source(tmp_path / "set", held_out_part=""))
    train = [size - out for size, out in zip(sizes, [*held_out, 0, 0], strict=False)]
    assert classes_of(images) == (train, held_out)
    levels = [
        60 * c + i for c, (s, n) in enumerate(zip(sizes, held_out, strict=False)) for i in range(s - n, s)
    ]
    assert images.held_out[:, 0, 0, 0].tolist() == levels  # the last ones
    assert images.whole()[:, 0, 0, 0].tolist() == sorted(
        {60 * c + i for c, s in enumerate(sizes) for i in range(s)}.difference(levels)
    )
    assert images.taken[1].place.endswith("train, held out, evenly from the classes")


@pytest.mark.parametrize(
    "parts",
    [
        ("", "test"),
        ("", ""),
        ("train", "train"),
        ("train", "train/cat"),
        ("train/../test", "test"),
        ("train", "link"),
    ],
)
def test_what_is_held_out_is_not_trained_on(folder, parts):
    """The training images of '' are those of all parts below."""
    place, *_ = folder
    (place / "link").symlink_to(place / "train" / "dog")
    train, held_out = parts
    if not held_out:
        assert classes_of(load("folder", source(place, train_part=train, held_out_part="")))[1] == [0, 0, 1]
        return
    with pytest.raises(
        InputError, match=r"hold the same images, which would be trained on and held out; name"
    ):
        load("folder", source(place, train_part=train, held_out_part=held_out))


def test_one_split_or_one_lmdb_cannot_be_both_parts(tmp_path):
    with lmdb.open(str(tmp_path / "x")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"a", encoded(picture()))
    with pytest.raises(InputError, match="-train-part x and --held-out-part x hold the same images"):
        load("lsun", source(tmp_path, train_part="x", held_out_part="x"))
    with pytest.raises(InputError, match=r"-train-part x and --held-out-part \./x/ hold the same images"):
        load("lsun", source(tmp_path, train_part="x", held_out_part="./x/"))
    features = datasets.Features({"img": datasets.Image()})
    (tmp_path / "set").mkdir()
    rows = datasets.Dataset.from_dict({"img": [picture()]}, features=features)
    rows.to_parquet(tmp_path / "set" / "train-0.parquet")
    with pytest.raises(InputError, match="--train-part train and --held-out-part train hold the same"):
        load("hub", source(tmp_path / "set", held_out_part="train"))


def test_parts_of_two_sizes_need_a_size(folder):
    place, *_ = folder
    for path in (place / "test").rglob("*.png"):
        picture(7, 7).save(path)
    with pytest.raises(InputError, match="training images have side 6, held-out ones 7; give --image-size"):
        load("folder", source(place))
