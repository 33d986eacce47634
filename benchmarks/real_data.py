"""Real genomes to rows of docs/results.md: prepare, pretrain, finetune, evaluate and predict.

`DNASPT_REAL_DATA=... python benchmarks/real_data.py athaliana --out runs/real` (or fly_loci, human_brain, arabidopsis_chr3,
human_wgbs). A finished step is skipped and a broken-off one resumed, so the script can be stopped and run again. What each run
gave is kept in benchmarks/results/real-NAME.json; `benchmarks/make_results.py` makes the document from these files.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from record import RESULTS, write_result


@dataclass(frozen=True)
class Experiment:
    """What is run on one set; `{data}` stands for its folder of real data, `{out}` for the output folder.

    pretrain and finetune hold options beyond the defaults; arms are (name, head, from the pretrained encoder).
    """

    prepare: str
    arms: tuple[tuple[str, str, bool], ...]
    pretrain: str = ""
    finetune: str = ""
    files: dict[str, str] = field(default_factory=dict)
    genome: str = ""


GENES = "genes --genome {data}/genome.fa.gz --annotation {data}/annotation.gff3.gz"
FLY = "genes --genome {data}/train.fa.gz --annotation {data}/train.gff3.gz"
HUMAN_PIECES = {
    "chr9_1_1000000.GRCh38.ens91": "gtf",
    "chr6_MHC_chr2.GRCh37.ens_compara_test": "gtf",
    "gene_loci_54.GRCh37.bcftools_csq": "gff3",
    "chr20_30249935_31254640.NCBI33.ensembl_test": "gtf",
    "chr22_32000001_32300000.GRCh38.mane": "gff3",
}
HUMAN = "genes --split {data}.split.tsv --unknown {data}.unknown.bed" + "".join(
    f" --genome {{real}}/{name}.fa.gz --annotation {{real}}/{name}.{suffix}.gz" for name, suffix in HUMAN_PIECES.items()
)
TRAIN_SHARE = 0.72
"""Share of each contig, from its beginning, that is in train where a dataset is split by position."""
HUMAN_ROLES = {"NCBI33_chr20_30249935_31254640": "test", "GRCh38_chr22_32000001_32300000": "valid"}
"""Splits of contigs that are not in train."""
PARTLY_ANNOTATED = ("ENST", "GRCh37_chr2_")
"""Human contigs with these prefixes lack genes: what lies between their genes is not known to be intergenic."""
BRAIN_LABELS = tuple(
    f"{mark}_{cell}"
    for cell in ("astrocyte", "neuron", "oligodendrocyte", "microglia")
    for mark in ("H3K27ac", "H3K4me3", "ATAC")
)
TWO_BY_TWO = (
    ("spt-crf", "crf", True),
    ("scratch-crf", "crf", False),
    ("spt-softmax", "softmax", True),
    ("scratch-softmax", "softmax", False),
)
WINDOWS = (("spt", "sigmoid", True), ("scratch", "sigmoid", False))
# The first record trains and its last 15 % are valid; the second is the test.
WGBS_SPLIT = "chromosome\tstart\tend\tsplit\n{rows}"

EXPERIMENTS = {
    "gene_finding/athaliana": Experiment(GENES, TWO_BY_TWO, genome="genome.fa.gz"),
    "gene_finding/fly_loci": Experiment(
        FLY + " --test-genome {data}/test.fa.gz --test-annotation {data}/test.gff3.gz",
        (("spt-crf", "crf", True), ("scratch-crf", "crf", False)),
        pretrain="--epochs 3",
        finetune="--epochs 3",
    ),
    "regions/human_brain": Experiment(
        "regions --genome {data}/genome.fa.gz --labels-file {data}/labels.txt "
        + " ".join(f"--regions {{data}}/peaks/{label}.bed" for label in BRAIN_LABELS)
        + " --split contig --valid-contigs hg19_chr4_103000000_105000001 --test-contigs hg19_chr5_124000000_126000001",
        WINDOWS,
        pretrain="--epochs 2",
        finetune="--epochs 2",
    ),
    "methylation/arabidopsis_chr3": Experiment(
        "methylation --genome {data}/genome.fa.gz --calls {data}/wild_type.bedmethyl.gz",
        WINDOWS,
        finetune="--epochs 3",
    ),
    "methylation/human_wgbs": Experiment(
        "methylation --genome {data}/genome.fa.gz --calls {data}/imr90.bedmethyl.gz --split {out}/split.tsv",
        WINDOWS,
        finetune="--epochs 3",
        files={"split.tsv": WGBS_SPLIT},
    ),
}


def main() -> None:
    """Run one experiment and keep its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = {name.split("/")[1]: name for name in EXPERIMENTS}
    parser.add_argument("name", choices=sorted(names))
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    parser.add_argument("--arms", nargs="*", help="only these arms")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    run_experiment(chosen.name, names[chosen.name], chosen.out / chosen.name, chosen.arms, chosen.seed)


def run_experiment(name: str, key: str, out: Path, only: list[str] | None, seed: int) -> None:
    """Prepare, pretrain once, then every arm: finetune and evaluate; genes are predicted on the whole genome too."""
    experiment = EXPERIMENTS[key]
    data = Path(os.environ["DNASPT_REAL_DATA"]) / key
    out.mkdir(parents=True, exist_ok=True)
    for file, text in experiment.files.items():
        (out / file).write_text(text.format(rows=wgbs_rows(data)))
    steps = Steps(out, {str(data): f"$DNASPT_REAL_DATA/{key}", str(out): f"runs/real/{name}"})
    dataset, encoder = out / "data", out / f"pretrained-{seed}"
    prepare = experiment.prepare.format(data=data, out=out)
    shared = [
        steps.run(f"prepare {prepare} --out {dataset}", dataset),
        steps.train(f"pretrain {dataset} --seed {seed} {experiment.pretrain}", encoder),
    ]
    for arm, head, pretrained in experiment.arms:
        run = out / f"{arm}-{seed}"
        if only and arm not in only:
            continue
        options = f"--encoder {encoder} " if pretrained else ""
        done = [
            *(shared if pretrained else shared[:1]),
            steps.train(f"finetune {dataset} {options}--head {head} --seed {seed} {experiment.finetune}", run),
            steps.run(f"evaluate {run} --data {dataset}", run / "evaluation-test.json"),
        ]
        row = {
            "result": json.loads((run / "result.json").read_text()),
            "test": without_long(json.loads((run / "evaluation-test.json").read_text())),
        }
        if experiment.genome and arm == "spt-crf":
            gff3 = out / "genes.gff3"
            done.append(steps.run(f"predict {run} --genome {data / experiment.genome} --out {gff3}", gff3))
            row["gff3"] = judge(gff3, data / experiment.genome)
        row |= {"commands": [step["command"] for step in done], "wall_minutes": sum(step["minutes"] for step in done)}
        write(name, seed, json.loads((encoder / "result.json").read_text()), {arm: row})


@dataclass
class Steps:
    """Commands of dnaspt in a folder, with the wall time that each took over all sittings: kept in steps.json there.

    shown: what stands for paths of this machine where a command is recorded.
    """

    out: Path
    shown: dict[str, str]

    def train(self, command: str, run: Path) -> dict[str, Any]:
        """Start a training run, or go on with it."""
        return self.run(
            f"{command} --out {run}", run / "result.json", more=" --resume" if (run / "run.json").exists() else ""
        )

    def run(self, command: str, unless: Path, more: str = "") -> dict[str, Any]:
        """Run one command unless its result is there; returns the command as a user types it, and its minutes."""
        file = self.out / "steps.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        shown = "dnaspt " + " ".join(command.split())
        for path, name in self.shown.items():
            shown = shown.replace(path, name)
        if not unless.exists():
            print(f"$ dnaspt {command}{more}", flush=True)
            began = time.monotonic()
            done = subprocess.run([sys.executable, "-m", "dnaspt", *f"{command}{more}".split()], check=False)
            known[shown] = known.get(shown, 0.0) + (time.monotonic() - began) / 60
            file.write_text(json.dumps(known, indent=1) + "\n")
            print(f"  {known[shown]:.1f} min", flush=True)
            if done.returncode or not unless.exists():
                sys.exit(done.returncode or 1)
        return {"command": shown, "minutes": known.get(shown, 0.0)}


def judge(gff3: Path, genome: Path) -> dict[str, Any]:
    """What gffread and genometools say of a GFF3: the lines of complaint, and the records of CDS that gffread extracts."""
    with tempfile.TemporaryDirectory() as folder:
        fasta, cds = Path(folder) / "genome.fa", Path(folder) / "cds.fa"
        fasta.write_bytes(gzip.decompress(genome.read_bytes()) if genome.suffix == ".gz" else genome.read_bytes())
        checks = {
            "gffread -E": ["gffread", "-E", str(gff3), "-o", os.devnull],
            "gt gff3validator": ["gt", "gff3validator", str(gff3)],
            "gffread -x": ["gffread", "-x", str(cds), "-g", str(fasta), str(gff3)],
        }
        said = {name: subprocess.run(line, capture_output=True, text=True, check=True) for name, line in checks.items()}
        found: dict[str, Any] = {name: complaints(one.stdout + one.stderr) for name, one in said.items()}
        return found | {"cds_records": cds.read_text().count(">"), "genes": gff3.read_text().count("\tgene\t")}


def complaints(said: str) -> list[str]:
    """Lines that are more than an echo of the command, its count of records or the word that all is well."""
    quiet = ("Command line was:", "gffread ", "input is valid GFF3", "FASTA index file")
    return [line for line in said.splitlines() if not line.startswith(quiet) and ".. loaded" not in line]


def wgbs_rows(data: Path) -> str:
    """Split of human_wgbs: the first record trains, its last 15 % are valid; the second record is the test."""
    from dnaspt.genome.fasta import read_fasta

    lengths = {contig.name: len(contig) for contig in read_fasta(data / "genome.fa.gz")}
    first, second = lengths
    cut = round(0.85 * lengths[first])
    pieces = ((first, 0, cut, "train"), (first, cut, lengths[first], "valid"), (second, 0, lengths[second], "test"))
    return "".join("\t".join(map(str, piece)) + "\n" for piece in pieces)


def human_tables(data: Path) -> tuple[str, str]:
    """Split table of the human pieces, and BED of what is not known: bases outside the rows of partly annotated contigs."""
    from dnaspt.genome.fasta import read_fasta

    split, unknown = ["chromosome\tstart\tend\tsplit\n"], []
    for name, suffix in HUMAN_PIECES.items():
        annotated: dict[str, list[tuple[int, int]]] = {}
        with gzip.open(data / f"{name}.{suffix}.gz", "rt") as lines:
            for row in (line.split("\t") for line in lines if not line.startswith("#")):
                if row[2] != "chromosome":
                    annotated.setdefault(row[0], []).append((int(row[3]) - 1, int(row[4])))
        for contig in read_fasta(data / f"{name}.fa.gz"):
            split.append(f"{contig.name}\t0\t{len(contig)}\t{HUMAN_ROLES.get(contig.name, 'train')}\n")
            if contig.name.startswith(PARTLY_ANNOTATED):
                known_end = 0
                for start, end in [*sorted(annotated.get(contig.name, [])), (len(contig), len(contig))]:
                    if start > known_end:
                        unknown.append(f"{contig.name}\t{known_end}\t{start}\n")
                    known_end = max(known_end, end)
    return "".join(split), "".join(unknown)


def write_train_part(real: Path, data: Path) -> None:
    """The train part of a genome, the first 72 % of each contig, as a genome of its own, with the genes that lie in it.

    Writes {data}.fa, {data}.gff3, and {data}.unknown.bed with what is left of genes that the cut divides.
    """
    from dnaspt.genome.alphabet import decode
    from dnaspt.genome.fasta import read_fasta

    ends, records = {}, []
    for contig in read_fasta(real / "genome.fa.gz"):
        ends[contig.name] = int(len(contig) * TRAIN_SHARE)
        records.append(f">{contig.name}\n{decode(contig.codes[: ends[contig.name]])}\n")
    kept, unknown = ["##gff-version 3\n"], []
    with gzip.open(real / "annotation.gff3.gz", "rt") as lines:
        for line in lines:
            row = line.split("\t")
            if len(row) < 9:
                continue
            start, end, cut = int(row[3]) - 1, int(row[4]), ends[row[0]]
            if end <= cut:
                kept.append(line)
            elif row[2] == "gene" and start < cut:
                unknown.append(f"{row[0]}\t{start}\t{cut}\n")
    for suffix, written in ((".fa", records), (".gff3", kept), (".unknown.bed", unknown)):
        Path(f"{data}{suffix}").write_text("".join(written))


def without_long(test: dict[str, object]) -> dict[str, object]:
    """An evaluation without what a small file need not hold."""
    return {name: value for name, value in test.items() if name not in ("checkpoint", "data")}


def write(name: str, seed: int, pretrained: dict[str, Any], rows: dict[str, Any]) -> None:
    """Keep the numbers, beside those of other arms."""
    stem = f"real-{name}-seed{seed}"
    file = RESULTS / f"{stem}.json"
    before = json.loads(file.read_text())["arms"] if file.exists() else {}
    command = f"python benchmarks/real_data.py {name} --seed {seed}"
    write_result(stem, command, {"pretrain": pretrained, "arms": before | rows})


if __name__ == "__main__":
    main()
