"""`manifest.json`: what is written can be read, and what cannot be used is refused with a reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dnaspt.data.manifest import FORMAT_VERSION, LeakageReport, Manifest, SharedWindows, Source, read_manifest
from dnaspt.errors import DatasetError

# A manifest as version 0.1.0 of dnaspt wrote it.
WRITTEN_BY_0_1_0 = {
    "format_version": 1,
    "dnaspt_version": "0.1.0",
    "task": "regions",
    "labels": ["peaks"],
    "resolution_bp": 0,
    "window_bp": 512,
    "sources": [{"path": "g.fa", "sha256": "ab", "n_bytes": 7}],
    "settings": {"split": "position", "fractions": [0.72, 0.08, 0.2]},
    "splits": {
        "train": {
            "n_windows": 2,
            "n_bp": 1024,
            "n_labeled": 2,
            "n_missing": 0,
            "label_counts": {"peaks": 1},
            "known_counts": {"peaks": 2},
        }
    },
    "counts": {"windows": 2},
    "dropped": {"off_contig": 1},
    "leakage": {
        "pairs": {"train-test": {"n_windows": 4, "overlapping": None, "exact": 1, "near": 0}},
        "examples": ["b:0-512 (test) = a:0-512 (train), exact copy"],
        "n_not_compared": 0,
        "k": 16,
        "scale": 4,
        "min_containment": 0.25,
    },
    "stop_in_cds": None,
    "digest": "cd",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps(WRITTEN_BY_0_1_0))
    return tmp_path


def changed(folder: Path, **changes: Any) -> Path:
    (folder / "manifest.json").write_text(json.dumps(WRITTEN_BY_0_1_0 | changes))
    return folder


def test_a_manifest_of_version_0_1_0_is_read_and_written_again_letter_by_letter(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.model_dump_json(indent=1) == json.dumps(WRITTEN_BY_0_1_0, indent=1)
    assert manifest.leakage.pairs["train-test"] == SharedWindows(n_windows=4, overlapping=None, exact=1, near=0)
    assert not manifest.per_base
    assert read_manifest(str(folder)) == manifest


def test_a_manifest_without_a_leakage_report_is_read(folder: Path) -> None:
    assert read_manifest(changed(folder, leakage={})).leakage == LeakageReport()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "manifest.json").unlink(),
            "no manifest.json in it: not a dataset, or unfinished; make it with",
        ),
        (lambda f: (f / "manifest.json").write_text("{"), r"manifest.json: not a manifest of dnaspt \("),
        (lambda f: (f / "manifest.json").write_text("[1]"), r"not a manifest of dnaspt \(it holds a list\)"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "not a manifest of dnaspt .*utf-8"),
        (lambda f: changed(f, format_version=2), f"format version 2; expected {FORMAT_VERSION}; prepare it again"),
        (lambda f: changed(f, task="poetry"), "task 'poetry'; expected genes, regions"),
        (lambda f: changed(f, task=["genes"]), r"task \['genes'\]; expected genes, regions"),
        (lambda f: changed(f, labels=3), "not a manifest of dnaspt .1 validation error"),
        (lambda f: changed(f, new_field=3), "not a manifest of dnaspt .1 validation error"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(
    folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    with pytest.raises(DatasetError, match=message):
        read_manifest(folder)


def test_what_is_no_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing: no such folder; make it with 'dnaspt prepare'"):
        read_manifest(tmp_path / "nothing")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file: is a file; expected a folder"):
        read_manifest(tmp_path / "file")


def test_a_source_has_the_digest_and_size_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "g.fa").write_bytes(b"abc")
    source = Source.of(tmp_path / "g.fa")
    assert source.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (source.n_bytes, source.path) == (3, str(tmp_path / "g.fa"))


def test_a_manifest_cannot_be_changed(folder: Path) -> None:
    manifest: Any = read_manifest(folder)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.task = "genes"


def test_a_report_shares_sequence_when_any_pair_shares_a_window() -> None:
    none = SharedWindows(n_windows=9, overlapping=0, exact=0, near=0)
    near = SharedWindows(n_windows=9, overlapping=None, exact=0, near=2)
    assert not LeakageReport().shares_sequence
    assert not LeakageReport(pairs={"train-test": none}).shares_sequence
    assert LeakageReport(pairs={"train-valid": none, "train-test": near}).shares_sequence
    assert SharedWindows(n_windows=9, overlapping=3, exact=2, near=1).n_shared == 6


def test_only_a_resolution_of_one_base_means_a_class_for_each_base() -> None:
    basis = {"task": "genes", "labels": (), "window_bp": 1, "sources": (), "settings": {}}
    assert [Manifest(resolution_bp=bp, **basis).per_base for bp in (0, 1, 128)] == [False, True, False]
