"""The cache of compiled kernels: shared by all files of the folder, and no condition for running."""

import subprocess
import sys

from numba.core.caching import IndexDataCacheFile

from dnaspt.models.kernels import crf_viterbi, encoder_cpu, numba_cache


def test_every_kernel_is_stamped_with_the_digest_of_all_files() -> None:
    for compiled in (encoder_cpu.forward_layer, crf_viterbi._walk_slice):
        cache_file = compiled._cache._cache_file  # type: ignore[attr-defined]
        assert isinstance(cache_file, IndexDataCacheFile)
        assert cache_file._source_stamp == numba_cache._folder_digest()


def test_kernels_run_where_nothing_can_be_cached() -> None:
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from dnaspt.models.kernels.numba_cache import kernel\n"
        "double = kernel()(lambda x: 2 * x)\n"
        "print(double(21))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "42"
