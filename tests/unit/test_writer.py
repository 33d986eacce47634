"""Writing a dataset folder."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dnaspt.data.window import Window
from dnaspt.data.writer import DatasetWriter

from dnaspt.errors import NoSpaceError

_OPEN_FILES = Path("/proc/self/fd")


@contextlib.contextmanager
def _limited(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(not _OPEN_FILES.is_dir(), reason="only Linux lists the files that a process has open")
@pytest.mark.parametrize("n_bytes", [0, 4, 500])  # a Parquet file begins with 4 bytes that say what it is
@pytest.mark.parametrize("name", ["transcripts", "train"])
def test_a_full_disk_leaves_no_file_open(name: str, n_bytes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # The error and the writer live on to the test's end, and with them all that they refer to.
    with _limited(n_bytes), pytest.raises(NoSpaceError) as error, DatasetWriter(tmp_path / "out") as writer:
        if name == "transcripts":
            writer.add_table(name, pa.table({"number": rng.random(1000)}))
        writer.add(name, Window("c", 0, 4000, "+", rng.integers(0, 4, 4000).astype(np.uint8), np.zeros(4000, np.int8)))
        writer._flush(name)
    still_open = {os.readlink(file) for file in _OPEN_FILES.iterdir() if file.is_symlink()}
    assert [file for file in still_open if file.startswith(str(tmp_path))] == []
    assert error.value is not None
    assert writer.out == tmp_path / "out"
