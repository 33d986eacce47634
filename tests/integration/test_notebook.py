"""What a notebook user writes: from a simulated genome to genes of a string, embeddings and a scored VCF file."""

from pathlib import Path

import pytest

NOTEBOOK = """
import dnaspt

genome = dnaspt.simulate("genome", n_contigs=3, contig_bp=30_000, seed=1)
data = dnaspt.prepare_genes("genome/genome.fa", "genome/annotation.gff3", out="data/genes", window_bp=2048)
run = dnaspt.pretrain(data, out="runs/pre", preset="tiny", epochs=1)
run = dnaspt.finetune(data, out="runs/genes", encoder=run, head="crf", epochs=1, learning_rate=3e-3)
print(run.scores, run.history.columns.tolist())

model = dnaspt.load("runs/genes")
sequence = data.read("test").window(0)
text = data.to_frame("test").sequence[0]
genes = model.predict([text, "acgtn" * 100])
table = dnaspt.to_frame(genes)
probabilities = model.predict_proba(text)
vectors = model.embed([text], pool="mean")
states = model.embed([text], pool=None)
model.predict_file("genome/genome.fa", "genes.gff3")
scores = dnaspt.evaluate(model, data, split="valid")
print(scores, scores.to_frame().head())
scored = dnaspt.score_variants("runs/pre", "calls.vcf", "genome/genome.fa")
"""


@pytest.mark.slow
def test_a_notebook_goes_from_a_genome_to_genes_embeddings_and_scored_variants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(NOTEBOOK.strip().splitlines()) < 25
    assert "from dnaspt" not in NOTEBOOK and "import dnaspt." not in NOTEBOOK
    monkeypatch.chdir(tmp_path)
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    Path("calls.vcf").write_text(
        header + "".join(f"chr1\t{100 + n}\t.\t{base}\tN\t.\t.\t.\n" for n, base in enumerate("ACGT"))
    )
    known: dict[str, object] = {}
    exec(NOTEBOOK, known)
    model, text = known["model"], known["text"]
    assert model.task == "genes"  # type: ignore[attr-defined]
    assert len(known["genes"]) == 2  # type: ignore[arg-type]
    assert known["probabilities"].shape == (1, len(text), 9)  # type: ignore[attr-defined,arg-type]
    assert known["vectors"].shape == (1, 32)  # type: ignore[attr-defined]
    assert known["states"][0].shape == (len(text), 32)  # type: ignore[index,arg-type]
    assert Path("genes.gff3").read_text().startswith("##gff-version 3")
    assert len(known["scored"]) == 4  # type: ignore[arg-type]
    assert list(known["table"].columns)[:3] == ["chrom", "gene_id", "transcript_id"]  # type: ignore[attr-defined]
