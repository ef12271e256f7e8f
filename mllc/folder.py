"""Folders that one process holds at a time, and whose files are replaced whole."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from mllc.errors import StoreError


class Folder:
    """A folder of plain files; nothing is written before it is `locked`."""

    DONE = ""
    """The file that says that the others are complete."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and holds it for this process; StoreError if another process does.

        The operating system drops the lock with the process, however that ends.
        """
        with clear_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("a+")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StoreError(
                    f"{self.path} is in use by process {lock.read().strip() or 'unknown'}; "
                    "wait until it has ended, or type out=ANOTHER_FOLDER"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def clear(self) -> None:
        """Removes what an earlier run left (`--force`); the result goes first, so that no half of it counts as done."""
        with clear_errors(self.path):
            for path in sorted(self.path.iterdir(), key=lambda path: path.name != self.DONE):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != ".lock":
                    path.unlink()

    def write(self, name: str, content: bytes, durable: bool = False) -> None:
        """A file, whole or not at all; `durable`: it outlives a power cut."""
        with self.replacing(name) as temporary, temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A temporary file that takes the place of `name` once it is complete."""
        temporary = self.path / f".{name}.partial"
        with clear_errors(self.path):
            try:
                yield temporary
                temporary.replace(self.path / name)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turns what an operating system says of a full disk or a locked folder into words for the user."""
    try:
        yield
    except SafetensorError as error:
        raise StoreError(f"cannot write to {path}: {error}; free some space or type out=ANOTHER_FOLDER") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(_existing(path)).free >> 20
            raise StoreError(
                f"the disk of {path} is full ({free} MiB free); nothing half-written counts as done: free some space "
                "and type the same command to continue, or type out=ANOTHER_FOLDER"
            ) from None
        raise StoreError(f"cannot write to {path}: {error.strerror or error}; type out=ANOTHER_FOLDER") from None


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
