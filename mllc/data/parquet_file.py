"""Parquet files, by pyarrow, which is optional."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mllc.errors import DataError


@contextmanager
def open_parquet(file: Path) -> Iterator[Any]:
    """The open file; DataError where pyarrow is missing, and for what it cannot read."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{file}: Parquet files are read by pyarrow; type pip install 'mllc[parquet]'") from None
    try:
        with pyarrow.parquet.ParquetFile(file) as source:
            yield source
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{file}: cannot be read as Parquet: {(str(error).splitlines() or ['?'])[0][:200]}") from None
