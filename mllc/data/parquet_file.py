"""Parquet files, by pyarrow, which is optional."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mllc.errors import DataError


def require_pyarrow(file: Path) -> None:
    """DataError where pyarrow, which is to read the file, is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise DataError(f"{file}: Parquet files are read by pyarrow; type pip install 'mllc[parquet]'") from None


@contextmanager
def open_parquet(file: Path) -> Iterator[Any]:
    """The open file; DataError where pyarrow is missing, and for what it cannot read."""
    require_pyarrow(file)
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as source:
            yield source
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {(str(error).splitlines() or ['?'])[0][:200]}") from None
