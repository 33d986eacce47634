"""The genome that all tests of its files share: four contigs of 150 kb."""

import pytest
from tests.unit.simulation.simulated import Simulated

from dnaspt.genome.fasta import read_fasta
from dnaspt.simulation.simulate import SimulateConfig, simulate


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    out = tmp_path_factory.mktemp("simulate") / "demo"
    summary = simulate(SimulateConfig(out=out))
    codes = {contig.name: contig.codes for contig in read_fasta(out / "genome.fa")}
    simulated = Simulated(out, summary, codes, {})
    for chrom, _, kind, start, end, _, strand, phase, attributes in simulated.rows("annotation.gff3"):
        if kind == "CDS":
            name = attributes.split("Parent=")[1]
            row = simulated.transcripts.setdefault(name, (chrom, strand, []))
            row[2].append((int(start) - 1, int(end), int(phase)))
    return simulated
