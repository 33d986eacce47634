"""A simulation as a folder: the same seed, the same bytes; and nothing of others is replaced."""

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from dnaspt.errors import DatasetError, NoSpaceError
from dnaspt.simulation.simulate import SimulateConfig, simulate

FILES = (
    "annotation.gff3",
    "genome.fa",
    "methylation.bedmethyl",
    "motifs.bed",
    "peaks_A.bed",
    "peaks_B.bed",
    "truth.json",
)

AS_BEFORE = {
    "annotation.gff3": "322348917228",
    "genome.fa": "351c7ffdd8b4",
    "methylation.bedmethyl": "b7b52fc05b93",
    "peaks_A.bed": "b004218a67db",
    "peaks_B.bed": "62f497fb3787",
    "truth.json": "6898a829a85e",
}
"""Digests of seed 5 before the motifs were written, too: first digits of sha256."""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def small(out: Path, **changes: object) -> SimulateConfig:
    return SimulateConfig.model_validate({"out": out, "n_contigs": 2, "contig_bp": 20_000, **changes})


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(small(tmp_path / name, seed=seed))
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert sorted(first) == sorted(FILES)
    assert first == again
    assert all(first[name] != other[name] for name in FILES)


def test_the_genome_of_a_seed_stays_the_same_from_version_to_version(tmp_path: Path) -> None:
    simulate(small(tmp_path / "g", seed=5))
    written = digests(tmp_path / "g")
    assert {name: written[name][:12] for name in FILES if name != "motifs.bed"} == AS_BEFORE


def test_a_contig_does_not_depend_on_how_many_follow(tmp_path: Path) -> None:
    for n in (1, 2):
        simulate(small(tmp_path / str(n), n_contigs=n))
    one, two = ((tmp_path / str(n) / "genome.fa").read_text() for n in (1, 2))
    assert two.startswith(one)


def test_a_folder_that_was_not_simulated_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match=r"not a simulated genome \(no truth.json in it\)"):
        simulate(small(tmp_path / "mine", overwrite=True))
    simulate(small(tmp_path / "demo"))
    with pytest.raises(DatasetError, match="already there; choose another --out, or say --overwrite"):
        simulate(small(tmp_path / "demo"))
    assert simulate(small(tmp_path / "demo", overwrite=True)).n_contigs == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "mine"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, encoding: str, newline: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(NoSpaceError, match=r"demo: could not be written .No space left on device.; make room"):
        simulate(small(tmp_path / "demo"))
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_or_impossible_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="contigs"):
        small(tmp_path, contigs=3)
    with pytest.raises(ValidationError, match="contig_bp"):
        small(tmp_path, contig_bp=10)
