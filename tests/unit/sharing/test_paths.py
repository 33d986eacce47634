"""Paths out of what others will read, of any system; everything else stays."""

import json

import pytest

from dnaspt.sharing.paths import is_absolute, last_name, without_paths


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/alice/runs/pre", "pre"),
        ("runs/pre/", "pre"),
        ("C:\\Users\\alice\\g.fa", "g.fa"),
        ("/home/alice/runs/pre/best/step-00000012", "pre"),
        ("../../alice/../x", "x"),
        ("/home/alice", ""),
        ("~", ""),
        ("/", ""),
    ],
)
def test_of_a_path_the_last_name_is_left(path: str, name: str) -> None:
    assert last_name(path) == name
    assert last_name("a/best/step-00000012", whole=True) == "step-00000012"


def test_a_provenance_keeps_everything_but_folders() -> None:
    inner = {"settings": {"data": "lab/alice/genes", "seed": 3, "masking": "as-published"}, "read_splits": ["train"]}
    before = {
        "format": "BEND ConvNet",
        "settings": {"data": "/data/alice/genes", "runs": ["/data/a", "b/c"], "head": "crf", "embeddings": "lab/model"},
        "encoder": {"path": "/data/alice/pre/best/step-00000004", "sha256": "ab" * 32, "provenance": inner},
        "members": [{"path": "x/y", "weight": 0.5}],
        "note": "file:///home/alice",
        "valid_mcc": 0.5,
    }
    after = without_paths(before)
    assert "alice" not in json.dumps(after) and "/data" not in json.dumps(after)
    assert after["settings"] == {"data": "genes", "runs": ["a", "c"], "head": "crf", "embeddings": "lab/model"}
    assert after["encoder"]["path"] == "pre" and after["encoder"]["sha256"] == "ab" * 32
    assert after["encoder"]["provenance"]["settings"] == {"data": "genes", "seed": 3, "masking": "as-published"}
    assert (after["format"], after["valid_mcc"], after["members"]) == (
        "BEND ConvNet",
        0.5,
        [{"path": "y", "weight": 0.5}],
    )
    assert without_paths(after) == after


@pytest.mark.parametrize("path", ["/data/x", "~/x", "C:\\x", "d:/x", "\\\\server\\x", "file:///x"])
def test_a_path_of_one_machine_is_known_as_such(path: str) -> None:
    assert is_absolute(path) and not any(map(is_absolute, ("lab/model", "x", "a~b", "")))
