"""BEND's files to a dataset: which files are taken, what is recorded, and what is refused before anything is written."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.integration.in_process import letters

from dnaspt.bend.prepare import PrepareBendConfig, _check_columns, _find_bed, _find_genome, _find_hdf5, prepare_bend
from dnaspt.bend.table import BEND_TASKS, find_task
from dnaspt.config import Settings
from dnaspt.data.dataset import read_split
from dnaspt.errors import ConfigError, DatasetError, InputError

GENOME = letters(8000, 5)
COLUMNS = "chromosome\tstart\tend\tstrand\tlabel\tsplit"


def write_genome(root: Path, name: str = "GRCh38.fa") -> Path:
    file = root / "data/genomes" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f">chr1\n{GENOME}\n")
    return file


def write_bed(root: Path, task: str, lines: list[str]) -> Path:
    file = root / find_task(task).folder / f"{task}.bed"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def windows_root(tmp_path: Path) -> Path:
    """Methylation of four windows."""
    root = tmp_path / "bend"
    write_genome(root)
    rows = (("0", "train"), ("1,6", "train"), ("", "valid"), ("2", "test"))
    lines = [
        f"chr1\t{number * 600}\t{number * 600 + 512}\t+\t{label}\t{split}" for number, (label, split) in enumerate(rows)
    ]
    write_bed(root, "cpg_methylation", [COLUMNS, *lines])
    return root


@pytest.fixture
def bins_root(tmp_path: Path) -> Path:
    """Enhancers of four parts with one window of 4 bins each; the bin that is an enhancer has the number of the part."""
    root = tmp_path / "bend"
    write_genome(root)
    lines = [f"chr1\t{part * 600}\t{part * 600 + 512}\tpart{part}" for part in range(4)]
    bed = write_bed(root, "enhancer_annotation", ["chromosome\tstart\tend\tsplit", *lines])
    with h5py.File(bed.with_suffix(".hdf5"), "w") as file:
        file["labels"] = np.eye(4, dtype=np.int8)
    return root


def test_windows_have_the_bases_and_labels_of_their_rows(windows_root: Path, tmp_path: Path) -> None:
    data = prepare_bend(PrepareBendConfig(task="cpg_methylation", root=windows_root, out=tmp_path / "data"))
    assert len(data.manifest.labels) == 7
    assert [window.labels.tolist() for window in read_split(data.path, "train")] == [
        [1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 1],
    ]
    assert [window.start for split in ("valid", "test") for window in read_split(data.path, split)] == [1200, 1800]


@pytest.mark.parametrize(("fold", "test", "valid"), [(1, 0, 1), (4, 3, 0)])
def test_the_fold_decides_which_part_of_the_enhancers_is_for_test(
    bins_root: Path, tmp_path: Path, fold: int, test: int, valid: int
) -> None:
    config = PrepareBendConfig(task="enhancer_annotation", root=bins_root, out=tmp_path / "data", fold=fold)
    data = prepare_bend(config)
    for split, part in (("test", test), ("valid", valid)):
        (window,) = read_split(data.path, split)
        assert window.start == part * 600
        assert window.labels.tolist() == np.eye(4, dtype=int)[part].tolist()
    assert data.manifest.window_bp == 512


def test_the_manifest_records_the_task_and_what_decides_its_content(bins_root: Path, tmp_path: Path) -> None:
    config = PrepareBendConfig(task="enhancer_annotation", root=bins_root, out=tmp_path / "data", fold=2)
    settings = prepare_bend(config).manifest.settings
    assert settings["bend"] == "enhancer_annotation"
    assert settings["bend_source"] == {"root": str(bins_root), "genome": None, "fold": 2}
    assert "out" not in settings and "overwrite" not in settings


@pytest.mark.parametrize("task", sorted(set(BEND_TASKS) - {"enhancer_annotation"}))
def test_the_fold_is_part_of_the_source_of_enhancers_alone(task: str) -> None:
    assert PrepareBendConfig(task=task, out=Path("x"), fold=3).source() == {"root": "bend", "genome": None}


def test_a_dataset_that_is_there_is_replaced_only_where_asked_for(windows_root: Path, tmp_path: Path) -> None:
    config = PrepareBendConfig(task="cpg_methylation", root=windows_root, out=tmp_path / "data")
    digest = prepare_bend(config).manifest.digest
    with pytest.raises(DatasetError, match="already"):
        prepare_bend(config)
    assert prepare_bend(config.model_copy(update={"overwrite": True})).manifest.digest == digest


def test_an_own_table_has_as_many_labels_as_it_names_and_a_warning_says_so(
    windows_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bed = windows_root / "data/cpg_methylation/cpg_methylation.bed"
    own = tmp_path / "own.bed"
    own.write_text(bed.read_text().replace("1,6", "1"))
    config = PrepareBendConfig(task="cpg_methylation", root=windows_root, bed=own, out=tmp_path / "data")
    with caplog.at_level(logging.WARNING):
        assert len(prepare_bend(config).manifest.labels) == 3
    assert "has 3 labels; BEND's cpg_methylation has 7" in caplog.text


def test_a_split_without_a_row_is_a_warning(
    windows_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bed = windows_root / "data/cpg_methylation/cpg_methylation.bed"
    bed.write_text(bed.read_text().replace("\ttest\n", "\ttrain\n"))
    with caplog.at_level(logging.WARNING):
        prepare_bend(PrepareBendConfig(task="cpg_methylation", root=windows_root, out=tmp_path / "data"))
    assert "no row is of the split test" in caplog.text


def test_tars_of_variants_are_refused_for_bend_has_none(tmp_path: Path) -> None:
    config = PrepareBendConfig(task="variant_effects_disease", tars=tmp_path, out=tmp_path / "data")
    with pytest.raises(ConfigError, match="BEND has no tars of it"):
        prepare_bend(config)
    assert not (tmp_path / "data").exists()


def test_a_task_that_bend_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no task of BEND is called 'promoters'; known: gene_finding"):
        prepare_bend(PrepareBendConfig(task="promoters", out=tmp_path / "data"))


@pytest.mark.parametrize("task", BEND_TASKS)
def test_a_missing_table_is_named_with_the_command_that_gets_it(task: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{task}\.bed: no such file.*dnaspt bend download {task} --root"):
        _find_bed(tmp_path, find_task(task))
    bed = write_bed(tmp_path, task, [COLUMNS])
    assert _find_bed(tmp_path, find_task(task)) == bed


@pytest.mark.parametrize("name", ["own.bed", "own.bed.gz"])
def test_labels_lie_beside_their_table_compressed_or_not(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"own\.hdf5: no such file; expected BEND's labels beside its bed"):
        _find_hdf5(tmp_path / name)
    (tmp_path / "own.hdf5").touch()
    assert _find_hdf5(tmp_path / name) == tmp_path / "own.hdf5"


def test_the_genome_is_the_one_fasta_with_the_assembly_in_its_name(tmp_path: Path) -> None:
    task = find_task("gene_finding")
    with pytest.raises(InputError, match="no FASTA of GRCh38; expected one"):
        _find_genome(tmp_path, task)
    for other in ("GRCh37.fa", "GRCh38.fa.fai", "GRCh38.txt"):
        write_genome(tmp_path, other)
    genome = write_genome(tmp_path, "grch38.primary.fa.gz")
    assert _find_genome(tmp_path, task) == genome
    write_genome(tmp_path, "GRCh38.fasta")
    with pytest.raises(InputError, match=r"2 FASTA files of GRCh38; expected one.*--genome"):
        _find_genome(tmp_path, task)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("chromosome\tstart\tend\tsplit", "no column 'label'"),
        ("chromosome\tstart\tend\tlabel", "no column 'split'"),
        ("chr1\t0\t512\t0\ttrain", "no header"),
    ],
)
def test_a_table_without_labels_or_splits_is_refused(header: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "x.bed").write_text(f"{header}\n")
    with pytest.raises(InputError, match=rf"x\.bed:1: {found}; expected BEND's columns"):
        _check_columns(tmp_path / "x.bed")


def test_the_settings_refuse_a_fold_below_1() -> None:
    assert issubclass(PrepareBendConfig, Settings)
    with pytest.raises(ValueError, match="fold"):
        PrepareBendConfig(task="enhancer_annotation", out=Path("x"), fold=0)
