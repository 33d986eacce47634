"""The modules of data and prepare are imported in milliseconds: what is slow is imported where it is used."""

import subprocess
import sys

import pytest

SLOW = ("pandas", "pyarrow", "torch", "sklearn", "scipy", "h5py", "matplotlib", "numba")
MODULES = (
    *(f"data.{name}" for name in ("batches", "bootstrap_blocks", "dataset", "manifest", "segments", "subset")),
    *(f"prepare.{name}" for name in ("genes", "methylation", "regions", "writer")),
    "data.transcript_table",
)


@pytest.mark.parametrize("room", ["data", "prepare"])
def test_nothing_slow_is_imported_before_it_is_needed(room: str) -> None:
    modules = [f"dnaspt.{name}" for name in MODULES if name.startswith(room)]
    code = f"import sys, {', '.join(modules)}; print(*sorted(set(sys.modules) & set({SLOW!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
