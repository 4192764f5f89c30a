"""Where images come from, as a person says it; nothing is opened here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ddpm_spec.errors import InputError

__all__ = ["DataName", "Source", "refuse_unused"]

DataName = Literal["digits", "fashion-mnist", "hub", "folder", "lsun"]


@dataclass(frozen=True)
class Source:
    """Where the images are, and how they are read. digits needs none of this."""

    path: str = ""
    """hub: the name of the set. folder, lsun: the folder that holds the parts. fashion-mnist: the folder of
    its four files; none: that of Debian."""
    train_part: str = "train"
    """Split, sub-folder or LMDB folder with the training images; '': of folder and lsun, --path itself."""
    held_out_part: str = "test"
    """The same with the held-out images; '': a tenth of the training images, the last of each class, at most
    10,000."""
    image_size: int = 0
    """Side to crop and resize to; 0: the images are square and all of one size."""
    grey: bool = False
    """One channel instead of red, green and blue."""
    skip_unreadable: bool = False
    """Go on without the images that cannot be read, instead of refusing the set; they are named."""
    cache: str = ""
    """Folder for decoded images; '': ddpm_spec in the user's cache folder."""
    cache_gb: float = 32.0
    """A set that takes more GB than this is decoded as needed, with a digest of names and sizes only."""


def refuse_unused(name: DataName, given: Iterable[str], hint: str = "") -> None:
    """Refuses fields of `Source` that were given for images that have no use for them.

    Raises:
        InputError: naming the first, with the hint behind it.
    """
    # Both have one side, and `load` refuses another.
    used = {"digits": {"image_size"}, "fashion-mnist": {"image_size", "path"}}
    for field in given:
        if name in used and field not in used[name]:
            raise InputError(f"{name} takes no --{field.replace('_', '-')}; leave it away{hint}")
