"""A file that cannot be written is told of with what helps: room, or the right to write."""

import errno
import os
from pathlib import Path

import pytest

from ddpm_spec.errors import InputError
from ddpm_spec.runs import folders


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EROFS, "Read-only file system); make its folder writable and repeat"),
        (errno.EACCES, "Permission denied); make its folder writable and repeat"),
        (errno.ENOSPC, "No space left on device); free some disk and repeat"),
    ],
)
def test_why_a_file_could_not_be_written(tmp_path, monkeypatch, number, hint):
    """A read-only disk refuses to remove the draft as well, even where there is none."""

    def refused(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(InputError) as refusal:
        folders.write_atomically(tmp_path / "x", b"")
    assert str(refusal.value) == f"{tmp_path / 'x'} could not be written ({hint}"


def test_a_folder_that_exists_must_be_writable(tmp_path, monkeypatch):
    assert folders.existing_or_new(tmp_path / "a" / "b").is_dir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\); name another with --out"):
        folders.existing_or_new(tmp_path)
