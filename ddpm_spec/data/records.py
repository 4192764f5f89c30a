"""Image files as they are stored: in folders, in sets of the Hugging Face hub, in LSUN's LMDB."""

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddpm_spec.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Folder", "Hub", "Lmdb", "Part", "Records"]

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}

Labels = NDArray[np.int64]


class Records(Protocol):
    """Encoded images by number. Can be pickled: each worker process has its own."""

    labels: Labels
    """One a record, or none at all."""
    fingerprint: str
    """SHA-256 of what tells this set from another without reading it: names, sizes, the first, the last."""

    def __len__(self) -> int: ...

    def open(self, index: int) -> "Image.Image":
        """The image with this number.

        Raises:
            InputError: if it cannot be read.
        """
        ...


def _fingerprint(parts: Iterable[object], *ends: bytes) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(f"{part}\n".encode())
    for end in ends:
        state.update(hashlib.sha256(end).digest())
    return state.hexdigest()


def _decode(content: bytes, where: str) -> "Image.Image":
    from PIL import Image  # images of other kinds do without it

    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except Exception:  # of a damaged file Pillow's readers may raise anything
        raise InputError(f"{where} is no image that can be read; mend or remove it") from None
    return image


class Folder:
    """All image files below a folder, by name. Sub-folders, where every file is in one, are the labels.

    Raises:
        InputError: if there is no such folder, or no image in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not root.is_dir():
            beside = sorted(p.name for p in root.parent.iterdir()) if root.parent.is_dir() else []
            there = f"{root.parent} holds {_few(beside)}; " if beside else ""
            raise InputError(
                f"there is no folder {root}; {there}name it by --path, --train-part and --held-out-part"
            )
        files = (p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
        self.names = sorted(p.relative_to(root).as_posix() for p in files)
        if not self.names:
            raise InputError(f"{root} holds no image; it must hold files such as *.png or *.jpg")
        classes = [name.partition("/")[0] if "/" in name else "" for name in self.names]
        number = {c: i for i, c in enumerate(sorted(set(classes)))}
        self.labels = np.array([] if "" in number else [number[c] for c in classes], np.int64)
        sizes = (f"{name} {(root / name).stat().st_size}" for name in self.names)
        self.fingerprint = _fingerprint(sizes, self._read(0), self._read(-1))

    def __len__(self) -> int:
        return len(self.names)

    def _read(self, index: int) -> bytes:
        path = self.root / self.names[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); mend or remove it") from None

    def open(self, index: int) -> "Image.Image":
        """As `Records` says."""
        return _decode(self._read(index), str(self.root / self.names[index]))


class Hub:
    """A split of a set of the Hugging Face hub, or of a local folder in its format.

    The first column of images is taken; a column of class labels gives the labels.

    Raises:
        InputError: if the set cannot be had or holds no images.
    """

    def __init__(self, name: str, split: str) -> None:
        try:
            import datasets
        except ImportError:
            raise InputError(
                "sets of the hub need the package datasets; run: python -m pip install -e '.[data]'"
            ) from None
        self.where = f"{name}, split {split}"
        try:
            rows = datasets.load_dataset(name, split=split)
        except Exception as error:  # whatever the hub, the network and its file formats raise
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"{self.where} cannot be had ({line}); see --path, --train-part") from None
        features = rows.features
        columns = [c for c, kind in features.items() if isinstance(kind, datasets.Image)]
        if not columns:
            raise InputError(f"{self.where} has no column of images, but {_few(features)}; see --path")
        self.column = columns[0]
        classes = [c for c, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
        self.labels = np.array(rows[classes[0]] if classes else [], np.int64)
        self.rows: Any = rows.select_columns([self.column]).cast_column(
            self.column, datasets.Image(decode=False)
        )
        self.fingerprint = _fingerprint([split, len(self)], self._read(0), self._read(len(self) - 1))

    def __len__(self) -> int:
        return len(self.rows)

    def _read(self, index: int) -> bytes:
        cell = self.rows[index][self.column]
        content: bytes | None = cell["bytes"]
        return Path(cell["path"]).read_bytes() if content is None else content

    def open(self, index: int) -> "Image.Image":
        """As `Records` says."""
        return _decode(self._read(index), f"image {index} of {self.where}")


class Lmdb:
    """One of LSUN's LMDB folders, in the order of its keys; the values are JPEG or WebP files.

    Raises:
        InputError: if there is none.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import lmdb  # noqa: F401
        except ImportError:
            raise InputError("LSUN needs the package lmdb; run: python -m pip install -e '.[data]'") from None
        self.folder = folder
        if not (folder / "data.mdb").is_file():
            raise InputError(
                f"there is no {folder / 'data.mdb'}; name the folder that holds {folder.name} with --path"
            )
        self.labels = np.empty(0, np.int64)
        self._opened: tuple[int, Any] | None = None
        with self._environment().begin() as transaction:
            # Keys of one length in one block of memory: there are three million in the largest set.
            self.keys = np.array(list(transaction.cursor().iternext(keys=True, values=False)))
        if not len(self.keys):
            raise InputError(f"{folder} holds no image; fetch it again")
        size = (folder / "data.mdb").stat().st_size
        self.fingerprint = _fingerprint(
            [folder.name, len(self.keys), size, self.keys[0], self.keys[-1]], self._read(0), self._read(-1)
        )

    def _environment(self) -> Any:
        """This process's own: behind a fork, that of the parent must be closed and not be used."""
        import lmdb

        if self._opened is None or self._opened[0] != os.getpid():
            if self._opened is not None:
                self._opened[1].close()
            try:
                environment = lmdb.open(str(self.folder), readonly=True, lock=False, readahead=False)
            except lmdb.Error as error:
                raise InputError(f"{self.folder} is damaged ({error}); fetch it again") from None
            self._opened = os.getpid(), environment
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}

    def __len__(self) -> int:
        return len(self.keys)

    def _read(self, index: int) -> bytes:
        with self._environment().begin() as transaction:
            return bytes(transaction.get(self.keys[index]))

    def open(self, index: int) -> "Image.Image":
        """As `Records` says."""
        return _decode(self._read(index), f"{self.keys[index].decode()} in {self.folder}")


class Part:
    """The records from `first` up to, not including, `end`."""

    def __init__(self, records: Records, first: int, end: int) -> None:
        self.records, self.first, self.end = records, first, end
        self.labels = records.labels[first:end]
        self.fingerprint = _fingerprint([records.fingerprint, first, end])

    def __len__(self) -> int:
        return self.end - self.first

    def open(self, index: int) -> "Image.Image":
        """As `Records` says."""
        return self.records.open(self.first + index)


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")
