"""Every kind of image file as 8-bit levels: the value that a person who looks at it would name."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddpm_spec.data import Source, load, pixels
from ddpm_spec.data.decoding import Decoded
from ddpm_spec.data.records import Folder
from ddpm_spec.errors import InputError

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def decoded(folder: Path, grey: bool = True) -> torch.Tensor:
    """The only image of this folder, (C, H, W)."""
    return Decoded(Folder(folder), 0, grey)[torch.tensor([0])][0]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def row(*levels: int) -> torch.Tensor:
    return torch.tensor(levels, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_a_ramp_of_16_bits_comes_back_as_one_of_8(tmp_path, name):
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes())
    else:
        Image.fromarray(RAMP).save(tmp_path / name)
    # 65535 = 255 · 257, so that black and white go to black and white.
    expected = (RAMP.astype(int) * 2 + 257) // 514
    assert (decoded(tmp_path)[0].numpy() == expected).all()
    assert (decoded(tmp_path, grey=False).numpy() == expected).all()


def tiff(pixels: bytes, bits: int, side: int = 2, photometric: int = 1) -> bytes:
    """A grey TIFF of one strip, which Pillow itself does not write with 12 bits."""
    tags = [(256, 3, side), (257, 3, side), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
            (273, 4, 8), (277, 3, 1), (278, 3, side), (279, 4, len(pixels))]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<HH" if kind == 3 else "<I", *(value, 0)[: 5 - kind])
        for tag, kind, value in tags
    )
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(pixels))
        + pixels
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


def test_12_bits_reach_white_at_4095(tmp_path):
    # 0, 4095 and 2048, 1024: two pixels in three bytes.
    (tmp_path / "a.tif").write_bytes(tiff(bytes([0x00, 0x0F, 0xFF, 0x80, 0x04, 0x00]), 12))
    assert decoded(tmp_path)[0].tolist() == [[0, 255], [128, 64]]


def test_16_bits_where_zero_is_white(tmp_path):
    levels = np.array([0, 65535, 257, 0], "<u2").tobytes()
    (tmp_path / "a.tif").write_bytes(tiff(levels, 16, photometric=0))
    assert decoded(tmp_path)[0].tolist() == [[255, 0], [254, 255]]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (np.full((4, 4), 0.5, np.float32), "numbers with a fraction"),
        (np.full((4, 4), 7, np.int32), "with a sign or of 32 bits"),
    ],
)
def test_levels_without_a_white_are_refused_by_name(tmp_path, levels, said):
    Image.fromarray(levels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=rf"a\.tif .*{said}.*; save it with 8 or 16 bits"):
        decoded(tmp_path)


TURNED = {
    1: "ab\ncd",
    2: "ba\ndc",
    3: "dc\nba",
    4: "cd\nab",
    5: "ac\nbd",
    6: "ca\ndb",
    7: "db\nca",
    8: "bd\nac",
}
"""A picture of four fields as it must be seen, for each orientation that EXIF has."""


@pytest.mark.parametrize("orientation", TURNED)
def test_a_photograph_stands_upright(tmp_path, orientation):
    level = {"a": 0, "b": 80, "c": 160, "d": 240}
    stored = np.array([[0, 80], [160, 240]], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert decoded(tmp_path)[0].tolist() == [[level[x] for x in line] for line in TURNED[orientation].split()]


def test_an_upright_photograph_has_its_own_width(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(InputError, match="the first image is 6×4"):
        decoded(tmp_path)


def paletted() -> Image.Image:
    """Red, and blue, whose palette entry is half or not at all opaque."""
    image = Image.new("P", (2, 2))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1, 1, 0])
    return image


def test_what_shows_through_is_white(tmp_path):
    clear, half = (10, 20, 30, 0), (0, 100, 200, 51)  # 51 of 255 is a fifth
    rgba = Image.new("RGBA", (2, 2), clear)
    rgba.putpixel((1, 0), half)
    rgba.putpixel((0, 1), (1, 2, 3, 255))
    rgba.save(tmp_path / "a.png")
    expected = torch.tensor([[[255, 204], [1, 255]], [[255, 224], [2, 255]], [[255, 244], [3, 255]]])
    assert decoded(tmp_path, grey=False).equal(expected.to(torch.uint8))


def test_grey_that_shows_through(tmp_path):
    image = Image.new("LA", (2, 2), (7, 0))
    image.putpixel((1, 1), (7, 255))
    image.putpixel((0, 1), (155, 51))
    image.save(tmp_path / "a.png")
    assert decoded(tmp_path)[0].tolist() == [[255, 255], [235, 7]]


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_palette_with_a_colour_that_is_none(tmp_path, name):
    paletted().save(tmp_path / name, transparency=1)
    expected = torch.tensor([[[255, 255], [255, 255]], *[[[0, 255], [255, 0]]] * 2])
    assert Folder(tmp_path).open(0).convert("RGB").getpixel((1, 0)) == (255, 255, 255)
    assert decoded(tmp_path, grey=False).equal(expected.to(torch.uint8))


def test_a_palette_with_alpha(tmp_path):
    paletted().save(tmp_path / "a.png", transparency=bytes([255, 51]))
    expected = torch.tensor([[[255, 204], [204, 255]], [[0, 204], [204, 0]], [[0, 255], [255, 0]]])
    assert decoded(tmp_path, grey=False).equal(expected.to(torch.uint8))


@pytest.mark.parametrize(("mode", "clear"), [("L", 9), ("RGB", (9, 8, 7)), ("I;16", 900)])
def test_one_level_that_stands_for_nothing(tmp_path, mode, clear):
    image = Image.new(mode, (2, 2))
    image.putpixel((1, 1), clear)
    image.save(tmp_path / "a.png")
    if mode == "I;16":  # Pillow writes none of these
        content = (tmp_path / "a.png").read_bytes()
        chunk = b"tRNS" + struct.pack(">H", clear)
        at = content.index(b"IDAT") - 4
        made = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / "a.png").write_bytes(content[:at] + made + content[at:])
    else:
        image.save(tmp_path / "a.png", transparency=clear)
    assert decoded(tmp_path)[0].tolist() == [[0, 0], [0, 255]]


def test_palettes_prints_and_drawings_have_their_colours(tmp_path):
    paletted().save(tmp_path / "a.png")
    assert decoded(tmp_path, grey=False)[:, 0].T.tolist() == [[255, 0, 0], [0, 0, 255]]
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    (tmp_path / "a.png").unlink()
    assert decoded(tmp_path, grey=False)[:, 0, 0].tolist() == [255, 0, 0]
    assert decoded(tmp_path)[:, 0, 0].tolist() == [76]  # 0.299 · 255
    Image.new("LAB", (2, 2), (255, 128, 128)).save(tmp_path / "a.tif")
    assert decoded(tmp_path, grey=False).min() >= 254
    (tmp_path / "a.tif").unlink()
    drawing = Image.new("1", (2, 2))
    drawing.putpixel((1, 0), 1)
    drawing.save(tmp_path / "a.png")
    assert decoded(tmp_path)[0].tolist() == [[0, 255], [0, 0]]


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.gif"])
def test_the_first_of_several_frames_is_taken(tmp_path, name):
    frames = [Image.new("RGB", (2, 2), (level, level, level)) for level in (40, 90, 200)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    assert decoded(tmp_path).unique().tolist() == [40]
    frames[0].save(tmp_path / f"one-{name}", lossless=True)
    (tmp_path / "b.jpg").write_bytes(encoded(frames[0], "jpeg"))
    read = Decoded(Folder(tmp_path), 0, False).read(torch.arange(3))
    assert read.several == [0]


def test_files_with_several_frames_are_counted(tmp_path):
    """At every start, also where the decoded images are there already."""
    first, second = Image.new("RGB", (2, 2), "red"), Image.new("RGB", (2, 2), "blue")
    for part, names in (("train", ["a.gif", "b.gif", "c.png"]), ("test", ["a.png"])):
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in names:
            more = {"save_all": True, "append_images": [second]} if name.endswith("gif") else {}
            first.save(tmp_path / "set" / part / name, **more)
    train = tmp_path / "set" / "train"
    said = (
        f"{train}: 3 found, 3 used; left out: of 2 all frames or pages but the first "
        f"({train / 'a.gif'}, {train / 'b.gif'})"
    )
    source = Source(path=str(tmp_path / "set"), cache=str(tmp_path / "cache"))
    for _ in range(2):
        assert [str(part) for part in load("folder", source).taken] == [
            said,
            f"{tmp_path / 'set' / 'test'}: 1 found, 1 used",
        ]


def test_layers_are_no_frames_and_what_is_damaged_behind_the_first_frame_is_there(tmp_path):
    class Layered:
        format, is_animated = "PSD", True

    assert not pixels._more(Layered())
    frames = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (2, 2), np.uint8)) for i in (0, 1)]
    content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])

    class Damaged(Layered):
        @property
        def is_animated(self):
            raise struct.error

    assert pixels._more(Damaged())
    assert pixels.several(pixels.read(content))


def old_way(path: Path, mode: str) -> bytes:
    return Image.open(io.BytesIO(path.read_bytes())).convert(mode).tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "CMYK", "opaque RGBA", "opaque LA"])
def test_what_was_right_before_has_the_same_levels(tmp_path, mode):
    """So that a run of before goes on: its digest is of these."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 4), np.uint8)
    noise[..., 3] = 255
    image = Image.fromarray(noise).convert(mode.split()[-1])
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    for grey, channels in ((True, "L"), (False, "RGB")):
        ours = decoded(tmp_path, grey).permute(1, 2, 0).numpy().tobytes()
        assert ours == old_way(path, channels)


def write_set(place: Path, image: Image.Image) -> None:
    for part in ("train", "test"):
        (place / part).mkdir(parents=True)
        image.save(place / part / "a.png")


@pytest.mark.parametrize("cache_gb", [1, 0])
def test_a_run_of_before_knows_its_images(tmp_path, cache_gb):
    """The digest of these two images, computed by version 0.1.0."""
    for part in ("train", "test"):
        (tmp_path / "set" / part).mkdir(parents=True)
        (tmp_path / "set" / part / "a.ppm").write_bytes(b"P6 4 4 255\n" + bytes(range(48)))
    source = Source(path=str(tmp_path / "set"), cache=str(tmp_path / "cache"), cache_gb=cache_gb)
    assert load("folder", source).digest[:16] == {1: "6afe51ca02191f84", 0: "a6caf8cce8f648c1"}[cache_gb]


def test_images_decoded_by_another_rule_are_not_taken_from_the_cache(tmp_path, monkeypatch):
    write_set(tmp_path / "set", Image.fromarray(RAMP))
    source = Source(path=str(tmp_path / "set"), cache=str(tmp_path / "cache"))
    monkeypatch.setattr(pixels, "RULE", 1)
    monkeypatch.setattr(pixels, "read", lambda content: Image.open(io.BytesIO(content)).convert("L"))
    assert load("folder", source).whole()[0, 0, 1, 0] == 255
    monkeypatch.undo()
    assert load("folder", source).whole()[0, 0, 1, 0] == 1


def test_a_run_of_before_notices_that_its_images_are_read_in_another_way(tmp_path, monkeypatch):
    """Decoded as needed, a set has a digest of names and sizes: it must tell the two readings apart."""

    def digest(name: str) -> str:
        source = Source(path=str(tmp_path / name), cache_gb=0)
        return load("folder", source).digest

    write_set(tmp_path / "deep", Image.fromarray(RAMP))
    write_set(tmp_path / "plain", Image.fromarray((RAMP >> 8).astype(np.uint8)))
    deep, plain = digest("deep"), digest("plain")
    monkeypatch.setattr(pixels, "RULE", pixels.RULE + 1)
    assert digest("plain") == plain
    assert digest("deep") != deep
