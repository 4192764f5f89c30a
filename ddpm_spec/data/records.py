"""Image files as they are stored: in folders, in sets of the Hugging Face hub, in LSUN's LMDB."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ddpm_spec.data import pixels
from ddpm_spec.data.taken import few
from ddpm_spec.errors import InputError

__all__ = ["Folder", "Hub", "Lmdb", "Records", "digest"]

Labels = NDArray[np.int64]


class Records(Protocol):
    """Encoded images by number. Can be pickled: each worker process has its own."""

    where: str
    """What a person calls this set."""
    passed_over: tuple[str, ...]
    """What lies beside the images and was not taken: how many, and for what reason."""
    found: int
    """Files there, those passed over among them."""
    labels: Labels
    """One a record, or none at all."""
    classes: tuple[str, ...]
    """What label 0, 1, … is called."""
    fingerprint: str
    """SHA-256 of what tells this set from another without reading it: names, sizes, the first, the last.
    It is the same wherever the set lies, and misses a change in between."""

    def __len__(self) -> int: ...

    def stamp(self) -> str:
        """Changes whenever a file does, and when the set is copied: for what is kept on this machine."""
        ...

    def name(self, index: int) -> str:
        """What a person calls the image with this number."""
        ...

    def open(self, index: int) -> Image.Image:
        """The image with this number, of mode L or RGB, as `pixels.read` finds it.

        Raises:
            InputError: if it cannot be read, or not as 8-bit levels.
        """
        ...


def digest(parts: Iterable[object], *ends: bytes) -> str:
    """SHA-256 of these parts, and of the contents of the first and the last file."""
    state = hashlib.sha256()
    for part in parts:
        state.update(f"{part}\n".encode())
    for end in ends:
        state.update(hashlib.sha256(end).digest())
    if not all(map(pixels.plain, ends)):  # a run of before, on the levels of then, is another run
        state.update(f"levels by rule {pixels.RULE}".encode())
    return state.hexdigest()


def _changed(stat: os.stat_result) -> int:
    """When a file was last changed, in ns: where there is one, by the clock that copies cannot set."""
    return stat.st_mtime_ns if os.name == "nt" else stat.st_ctime_ns


def _stamp(path: Path) -> str:
    """Changes whenever this file does.

    Its dates tell, and reading a large set whole at each start would take minutes. A date of whole seconds is
    not trusted: it comes from a disk that counts no finer, or from an archive, and two versions may share it.
    The contents decide then.
    """
    try:
        stat = path.stat()
        dates = f"{stat.st_size} {stat.st_mtime_ns} {_changed(stat)}"
        if _changed(stat) % 10**9:
            return dates
        with path.open("rb") as file:
            return f"{dates} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        return f"{error.strerror}"  # told when the image is wanted


def _decode(content: bytes, where: str) -> Image.Image:
    try:
        return pixels.read(content)
    except pixels.Unfit as error:
        raise InputError(f"{where} {error}") from None
    except Exception:  # of a damaged file Pillow's readers may raise anything
        raise InputError(f"{where} is no image that can be read; mend or remove it") from None


def _suffixes() -> set[str]:
    """The suffixes of the files whose pixels Pillow reads by itself."""
    known = Image.registered_extensions()  # this also fills the two tables below
    stubs = {name for name, (reader, _) in Image.OPEN.items() if _is_stub(reader)}
    # EPS is a program, which Pillow gives to Ghostscript to run. MPO is read by the reader of JPEG.
    formats = Image.OPEN.keys() - stubs - {"EPS", "MPEG"} | {"MPO"}
    return {suffix for suffix, name in known.items() if name in formats}


def _is_stub(reader: object) -> bool:
    """Whether this reader knows the size of an image and needs a program beside Pillow for its pixels."""
    return isinstance(reader, type) and issubclass(reader, ImageFile.StubImageFile)


def _files(
    folder: Path, hidden: list[str], above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[Path]:
    """All files below a folder, also behind links; what begins with a dot is not looked into but noted.

    A link to a folder that this one lies in, `above`, is not followed: it has no end.

    Raises:
        InputError: if a folder cannot be read.
    """
    try:
        stat, entries = folder.stat(), sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read ({error.strerror}); mend or remove it"
        ) from None
    here = stat.st_dev, stat.st_ino
    if here in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            hidden.append(entry.name)
        elif entry.is_dir():
            yield from _files(entry, hidden, above | {here})
        else:
            yield entry


def _by_suffix(others: list[Path]) -> str:
    counts = Counter(path.suffix.lower() or "without one" for path in others)
    each = few(f"{suffix} {count:,}" for suffix, count in counts.most_common())
    return f"{len(others):,} whose suffix is of no image that Pillow reads ({each})"


class Folder:
    """All image files below a folder, by name. Sub-folders, where every file is in one, are the labels.

    Links to folders are followed. Files whose suffix Pillow does not know, and what begins with a dot, are
    passed over and counted.

    Raises:
        InputError: if there is no such folder, or no image in it, or a folder below it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.where = root, str(root)
        if not os.path.isdir(root):  # Path.is_dir raises where a name is too long
            beside = sorted(p.name for p in root.parent.iterdir()) if os.path.isdir(root.parent) else []
            there = f"{root.parent} holds {few(beside)}; " if beside else ""
            raise InputError(
                f"there is no folder {root}; {there}name it by --path, --train-part and --held-out-part: '' "
                "is --path itself for the first, and a tenth of the training images for the second"
            )
        hidden: list[str] = []
        suffixes, files = _suffixes(), list(_files(root, hidden))
        others = [path for path in files if path.suffix.lower() not in suffixes]
        self.names = sorted(p.relative_to(root).as_posix() for p in files if p.suffix.lower() in suffixes)
        self.found = len(files) + len(hidden)
        self.passed_over = (
            *([_by_suffix(others)] if others else []),
            *([f"{len(hidden):,} whose name begins with a dot ({few(hidden)})"] if hidden else []),
        )
        if not self.names:
            there = f", but {'; '.join(self.passed_over)}" if self.passed_over else ""
            raise InputError(f"{root} holds no image{there}; it must hold files such as *.png or *.jpg")
        classes = [name.partition("/")[0] if "/" in name else "" for name in self.names]
        number = {c: i for i, c in enumerate(sorted(set(classes)))}
        flat = "" in number
        self.classes = () if flat else tuple(number)
        self.labels = np.array([] if flat else [number[c] for c in classes], np.int64)
        self.places = frozenset(
            _place(root / folder) for folder in {n.rpartition("/")[0] for n in self.names}
        )
        """Folders that hold images: two sets that have one in common share these."""
        sizes = (f"{name} {_size(root / name)}" for name in self.names)
        self.fingerprint = digest(sizes, *_ends(self._read, len(self)))

    def __len__(self) -> int:
        return len(self.names)

    def stamp(self) -> str:
        """As `Records` says."""
        return digest(f"{name} {_stamp(self.root / name)}" for name in self.names)

    def name(self, index: int) -> str:
        """As `Records` says."""
        return str(self.root / self.names[index])

    def _read(self, index: int) -> bytes:
        path = self.root / self.names[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); mend or remove it") from None

    def open(self, index: int) -> Image.Image:
        """As `Records` says."""
        return _decode(self._read(index), self.name(index))


def _place(folder: Path) -> object:
    """The same for every way that leads to this folder."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link to nothing, say: told when the image is wanted
        return -1


def _ends(read: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    """The contents of the first and the last file, so far as they can be read."""
    for index in (0, count - 1):
        try:
            yield read(index)
        except InputError:
            yield b""


class Hub:
    """A split of a set of the Hugging Face hub, or of a local folder in its format.

    The first column of images is taken; a column of class labels gives the labels.

    Raises:
        InputError: if the set cannot be had or holds no images.
    """

    passed_over: tuple[str, ...] = ()

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
            raise InputError(f"{self.where} has no column of images, but {few(features)}; see --path")
        self.column = columns[0]
        classes = [c for c, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
        known = np.array(rows[classes[0]] if classes else [], np.int64)
        self.labels = np.empty(0, np.int64) if (known < 0).any() else known  # -1: kept secret
        self.classes = tuple(features[classes[0]].names) if len(self.labels) else ()
        self._state = rows._fingerprint  # of the files' dates, or of the revision on the hub
        self.rows: Any = rows.select_columns([self.column]).cast_column(
            self.column, datasets.Image(decode=False)
        )
        self.found = len(self)
        self.fingerprint = digest([split, len(self)], *_ends(self._read, len(self)))

    def __len__(self) -> int:
        return len(self.rows)

    def stamp(self) -> str:
        """As `Records` says."""
        return digest([self.fingerprint, self._state])

    def name(self, index: int) -> str:
        """As `Records` says."""
        return f"image {index} of {self.where}"

    def _read(self, index: int) -> bytes:
        cell = self.rows[index][self.column]
        try:
            content: bytes | None = cell["bytes"]
            return Path(cell["path"]).read_bytes() if content is None else content
        except (OSError, TypeError):  # TypeError: the row has none
            raise InputError(f"{self.name(index)} is missing; mend or remove it") from None

    def open(self, index: int) -> Image.Image:
        """As `Records` says."""
        return _decode(self._read(index), self.name(index))


class Lmdb:
    """One of LSUN's LMDB folders, in the order of its keys; the values are JPEG or WebP files.

    Raises:
        InputError: if there is none.
    """

    classes: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        try:
            import lmdb  # noqa: F401
        except ImportError:
            raise InputError("LSUN needs the package lmdb; run: python -m pip install -e '.[data]'") from None
        self.folder, self.where = folder, str(folder)
        if not os.path.isfile(folder / "data.mdb"):
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
        self.found = len(self)
        size = (folder / "data.mdb").stat().st_size
        self.fingerprint = digest(
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

    def stamp(self) -> str:
        """As `Records` says."""
        return digest([self.fingerprint, _stamp(self.folder / "data.mdb")])

    def name(self, index: int) -> str:
        """As `Records` says."""
        return f"{self.keys[index].decode()} in {self.folder}"

    def _read(self, index: int) -> bytes:
        with self._environment().begin() as transaction:
            return bytes(transaction.get(self.keys[index]))

    def open(self, index: int) -> Image.Image:
        """As `Records` says."""
        return _decode(self._read(index), self.name(index))
