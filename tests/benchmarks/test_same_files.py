"""What `benchmarks/same_results.py` trusts: a changed digit is seen in each kind of file, and what is no result is not."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file


def _load() -> ModuleType:
    file = Path(__file__).parents[2] / "benchmarks" / "same_files.py"
    spec = importlib.util.spec_from_file_location("same_files", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["same_files"] = module  # where dataclasses look for the module of a class
    spec.loader.exec_module(module)
    return module


same_files = _load()


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value))


def _write_numpy(file: Path, value: float) -> None:
    with file.open("wb") as written:
        np.savez(written, logits=np.array([1.0, value], np.float32))


def _write_parquet(file: Path, value: float) -> None:
    pq.write_table(pa.table({"chrom": ["chr1", "chr1"], "score": pa.array([float("nan"), value], pa.float32())}), file)


def _write_bigwig(file: Path, value: float) -> None:
    library = pytest.importorskip("pyBigWig")
    written = library.open(str(file), "w")
    written.addHeader([("chr1", 50), ("chr2", 20)])
    written.addEntries(["chr1", "chr1"], [0, 10], ends=[10, 12], values=[0.5, value])
    written.close()


def _page(value: float) -> str:
    return f"# Study\n\n| arm | MCC | minutes |\n| --- | --- | --- |\n| SPT | {value} | 3.1 |\n\nWords.\n"


def _html(value: float) -> str:
    return f"<p>1</p><table><tr><th>arm</th><th>MCC</th></tr><tr><td>SPT</td><td>{value}</td></tr></table>"


WRITERS: dict[str, Callable[[Path, float], object]] = {
    "genes.gff3": lambda file, value: file.write_text(
        f"##gff-version 3\nchr1\tdnaspt\tgene\t1\t9\t{value}\t+\t.\tID=g1\n"
    ),
    "calls.vcf": lambda file, value: file.write_text(
        f"##dnaspt=version={value}\nchr1\t1\tv\tA\tC\t.\t.\tSPT_LLR={value}\n"
    ),
    "scores.json": lambda file, value: _write_json(file, {"mcc": {"value": value, "low": None}, "date": value}),
    "metrics.jsonl": lambda file, value: file.write_text(f'{{"step": 1, "loss": {value}, "seconds": {value}}}\n'),
    "weights.safetensors": lambda file, value: save_file({"head": np.array([[value, 1]], np.float32)}, file),
    "counted.npz": _write_numpy,
    "windows.parquet": _write_parquet,
    "windows.bw": _write_bigwig,
    "gains.csv": lambda file, value: file.write_text(f"arm,mean,minutes\nSPT,{value},{value}\n"),
    "study.md": lambda file, value: file.write_text(_page(value)),
    "report.html": lambda file, value: file.write_text(_html(value)),
}


def _compared(tmp_path: Path, name: str, before: float, after: float) -> Any:
    for side, value in {"before": before, "after": after}.items():
        (tmp_path / side).mkdir()
        WRITERS[name](tmp_path / side / name, value)
    (found,) = same_files.compare_folders(tmp_path / "before", tmp_path / "after", ["*"]).values()
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_equal_files_are_the_same(name: str, tmp_path: Path) -> None:
    found = _compared(tmp_path, name, 0.125, 0.125)
    assert found.faults == found.notes == []
    assert (found.n_files, found.n_values > 0) == (1, True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_changed_last_digit_is_a_difference(name: str, tmp_path: Path) -> None:
    before = 0.125
    after = float(np.nextafter(np.float32(before), np.float32(1)))
    assert len(_compared(tmp_path, name, before, after).faults) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_missing_or_broken_is_a_difference(name: str, tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    WRITERS[name](tmp_path / "before" / name, 0.5)
    (found,) = same_files.compare_folders(tmp_path / "before", tmp_path / "after", ["*"]).values()
    assert found.faults == [f"{name}: is not there"]
    (tmp_path / "after").mkdir()
    (tmp_path / "after" / name).write_bytes(b"")
    (found,) = same_files.compare_folders(tmp_path / "before", tmp_path / "after", ["*"]).values()
    assert found.faults


def test_of_a_file_that_was_mended_only_the_named_text_may_differ(tmp_path: Path) -> None:
    name = "baselines/genes/genes.gff3"
    for side, line in {"before": "chr1\t5\tID=chr1.g2165", "after": "chr1\t5\tID=chr1.g1"}.items():
        (tmp_path / side / name).parent.mkdir(parents=True)
        (tmp_path / side / name).write_text(f"##gff-version 3\n{line}\n")
    (found,) = same_files.compare_folders(tmp_path / "before", tmp_path / "after", [name]).values()
    assert (found.n_values, found.faults) == (2, [])
    assert "numbered from 1" in found.notes[0]
    (tmp_path / "after" / name).write_text("##gff-version 3\nchr1\t6\tID=chr1.g1\n")
    (found,) = same_files.compare_folders(tmp_path / "before", tmp_path / "after", [name]).values()
    assert found.faults


def test_a_pattern_that_no_file_fits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file fits \*\.bw"):
        same_files.compare_folders(tmp_path, tmp_path, ["*.bw"])


def test_keys_may_be_added_and_move_into_a_group_but_no_number_may_go() -> None:
    before = {"mcc": 0.5, "genes": {"f1": [0.1, None]}, "codons": {"mcc": 0.7}, "task": "genes"}
    after = {"kind": "genes", "scores": {"mcc": 0.5, "genes": {"f1": [0.1, None]}, "codons": {"mcc": 0.7}}}
    found = same_files.compare_values(before, after)
    assert found.faults == []
    assert found.notes == ["task = 'genes' is missing"]
    after["scores"]["codons"]["mcc"] = 0.8
    assert same_files.compare_values(before, after).faults == ["codons.mcc = 0.7, now 0.8"]
    del after["scores"]["genes"]["f1"]
    assert "genes.f1.0 = 0.1 is missing" in same_files.compare_values(before, after).faults


def test_a_score_that_became_nothing_or_true_is_a_difference() -> None:
    assert same_files.compare_values({"mcc": 1.0}, {"mcc": None}).faults
    assert same_files.compare_values({"mcc": 1}, {"mcc": True}).faults
    assert not same_files.compare_values({"mcc": float("nan")}, {"mcc": float("nan")}).faults


def test_minutes_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    before, after = _page(0.5), _page(0.5).replace("3.1", "4.0")
    assert not same_files.compare_tables(before, after, same_files.TIMED).faults
    (fault,) = same_files.compare_tables(before, after, same_files.NONE).faults
    assert fault == "table 'arm | MCC | minutes': 'SPT | 0.5 | 3.1', now 'SPT | 0.5 | 4.0'"


def test_words_of_a_table_may_change_and_tables_may_be_added() -> None:
    after = "| way | score | s |\n| --- | --- | --- |\n| ours | 0.5 | 3.1 |\n\n" + _page(0.25)
    found = same_files.compare_tables(_page(0.5), after, same_files.NONE)
    assert found.faults == []
    assert found.notes == ["table 'arm | MCC | minutes' has other words"]


def test_intervals_of_a_bigwig_may_be_cut_otherwise(tmp_path: Path) -> None:
    library = pytest.importorskip("pyBigWig")
    for name, ends in {"one": [12], "two": [4, 12]}.items():
        written = library.open(str(tmp_path / f"{name}.bw"), "w")
        written.addHeader([("chr1", 50)])
        written.addEntries(["chr1"] * len(ends), [0, 4][: len(ends)], ends=ends, values=[0.5] * len(ends))
        written.close()
    assert not same_files.compare(tmp_path / "one.bw", tmp_path / "two.bw").faults
