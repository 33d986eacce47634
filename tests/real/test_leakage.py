from pathlib import Path

import numpy as np
import pytest
from tests.unit.prepare.leakage_reports import leakage_report

from dnaspt.data.dataset import Window
from dnaspt.genome.fasta import read_fasta

pytestmark = pytest.mark.real


def test_the_two_pairs_of_near_identical_human_loci_are_found_when_put_in_different_splits(real_data: Path) -> None:
    path = real_data / "gene_finding" / "human" / "gene_loci_54.GRCh37.bcftools_csq.fa.gz"
    test_loci = {"ENST00000318249.2", "ENST00000420190"}
    splits: dict[str, list[Window]] = {"train": [], "test": []}
    for contig in read_fasta(path):
        split = "test" if contig.name in test_loci else "train"
        splits[split].append(Window(contig.name, 0, len(contig), "+", contig.codes, np.zeros(0, np.int8)))
    report = leakage_report(splits)
    (pair,) = report.pairs.values()
    assert (pair.n_windows, pair.overlapping, pair.exact + pair.near) == (2, 0, 2)
    text = "\n".join(report.examples)
    assert "ENST00000318249:" in text
    assert "ENST00000341065:" in text


def test_windows_of_the_other_human_loci_share_little(real_data: Path) -> None:
    path = real_data / "gene_finding" / "human" / "gene_loci_54.GRCh37.bcftools_csq.fa.gz"
    twins = {"ENST00000318249.2", "ENST00000420190"}
    splits: dict[str, list[Window]] = {"train": [], "test": []}
    for index, contig in enumerate(contig for contig in read_fasta(path) if contig.name not in twins):
        for start in range(0, len(contig) - 4095, 4096):
            codes = contig.codes[start : start + 4096]
            split = "test" if index % 5 == 0 else "train"
            splits[split].append(Window(contig.name, start, start + 4096, "+", codes, np.zeros(0, np.int8)))
    (pair,) = leakage_report(splits).pairs.values()
    assert pair.overlapping == pair.exact == 0
    assert pair.near <= 0.02 * pair.n_windows
