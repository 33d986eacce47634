"""The studies of examples/studies on real data, each with one command: prepare the dataset, make the missing runs, report.

`DNASPT_REAL_DATA=... python benchmarks/studies.py arabidopsis_chr3` (or athaliana, human_wgbs, fly_loci, human_brain,
athaliana_averaged, athaliana_seeds, athaliana_heads; gene models against AUGUSTUS: athaliana_contigs, celegans_contigs,
athaliana_genes, celegans_genes, fly_loci_genes, human_genes; the paper's models by folds: athaliana_folds,
celegans_folds; windows by folds: human_brain_folds, arabidopsis_chr3_folds, human_wgbs_folds; and within the train part
athaliana_train, celegans_train; for a GPU athaliana_base, athaliana_paper, fly_loci_base, and the studies by folds with _base;
arabidopsis_chr3_protocols and human_brain_protocols: pretrained on own windows, and on sequences of gene finding;
athaliana_recipes is compared on valid; --jobs 2 for two runs at a time). Finished runs have a
record in examples/studies/NAME/records and are skipped. `benchmarks/make_results.py` puts the answers into docs/results.md.
`--report-only` reports what is finished and runs nothing.
`--pack` rewrites records of dnaspt 0.1 in the present, compressed form and runs nothing.
"""

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path

from dnaspt.studies.records import read_record, write_record
from real_data import FLY, GENES, HUMAN, WGBS_SPLIT, human_tables, wgbs_rows, write_train_part
from record import write_result

ROOT = Path(__file__).parent.parent
STUDIES = ROOT / "examples" / "studies"
FOLDS = " --folds contigs --always-train {organelles}"
"""Every contig is tested, by models of the other ones."""
TRAIN_PART = "genes --genome {{data}}.fa --annotation {{data}}.gff3 --unknown {{data}}.unknown.bed" + FOLDS
"""The same within the train part, where recipes are chosen."""
PREPARE = {
    "athaliana_train": ("gene_finding/athaliana", TRAIN_PART.format(organelles="ChrC,ChrM")),
    "celegans_train": ("gene_finding/celegans", TRAIN_PART.format(organelles="MtDNA")),
    "athaliana_contigs": ("gene_finding/athaliana", GENES + FOLDS.format(organelles="ChrC,ChrM")),
    "celegans_contigs": ("gene_finding/celegans", GENES + FOLDS.format(organelles="MtDNA")),
    "athaliana_genes": ("gene_finding/athaliana", GENES),
    "celegans_genes": ("gene_finding/celegans", GENES),
    "human_genes": ("gene_finding/human", HUMAN),
    "athaliana": ("gene_finding/athaliana", GENES + " --unlabeled {data}.extra.fa.gz"),
    "fly_loci": (
        "gene_finding/fly_loci",
        FLY + " --test-genome {real}/test.fa.gz --test-annotation {real}/test.gff3.gz",
    ),
    "human_brain": (
        "regions/human_brain",
        "bend histone_modification --bed {real}/windows512.bed.gz --genome {real}/genome.fa.gz --labels-file {real}/labels.txt",
    ),
    "arabidopsis_chr3": (
        "methylation/arabidopsis_chr3",
        "methylation --genome {real}/genome.fa.gz --calls {real}/wild_type.bedmethyl.gz",
    ),
    "human_brain_folds": (
        "regions/human_brain",
        "regions --genome {real}/genome.fa.gz {peaks} --folds 5",
    ),
    "arabidopsis_chr3_folds": (
        "methylation/arabidopsis_chr3",
        "methylation --genome {real}/genome.fa.gz --calls {real}/wild_type.bedmethyl.gz --folds 5",
    ),
    "human_wgbs_folds": (
        "methylation/human_wgbs",
        "methylation --genome {real}/genome.fa.gz --calls {real}/imr90.bedmethyl.gz --folds 5",
    ),
    "human_wgbs": (
        "methylation/human_wgbs",
        "methylation --genome {real}/genome.fa.gz --calls {real}/imr90.bedmethyl.gz --split {data}.split.tsv",
    ),
}
SAME_DATA = {
    "athaliana_recipes": "athaliana",
    "athaliana_averaged": "athaliana",
    "athaliana_seeds": "athaliana",
    "athaliana_heads": "athaliana",
    "arabidopsis_chr3_protocols": "arabidopsis_chr3",
    "human_brain_protocols": "human_brain",
    "athaliana_base": "athaliana",
    "athaliana_paper": "athaliana",
    "fly_loci_base": "fly_loci",
    "fly_loci_genes": "fly_loci",
    "athaliana_folds": "athaliana_contigs",
    "celegans_folds": "celegans_contigs",
    "athaliana_folds_base": "athaliana_contigs",
    "celegans_folds_base": "celegans_contigs",
    "human_brain_folds_base": "human_brain_folds",
    "arabidopsis_chr3_folds_base": "arabidopsis_chr3_folds",
    "human_wgbs_folds_base": "human_wgbs_folds",
}
"""Studies of another one's data."""
PRETRAINED_ON = {"arabidopsis_chr3_protocols": "athaliana_genes", "human_brain_protocols": "human_genes"}
"""Studies whose arms are pretrained on another one's data."""
GENE_MODELS = (
    "athaliana_train",
    "celegans_train",
    "athaliana_contigs",
    "celegans_contigs",
    "athaliana_genes",
    "celegans_genes",
    "fly_loci_genes",
    "human_genes",
)
"""Studies of gene models: their scores are kept in benchmarks/results, too, with the commit that made them."""
SAME_RECORDS = {
    "athaliana_recipes": "athaliana",
    "athaliana_seeds": "athaliana_averaged",
    "athaliana_heads": "athaliana_averaged",
    "arabidopsis_chr3_protocols": "arabidopsis_chr3",
    "human_brain_protocols": "human_brain",
}
"""Studies that take over finished runs of another one. Of recipes only the rates are tried, on valid."""


def main() -> None:
    """Prepare and run one study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted([*PREPARE, *SAME_DATA]))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report-only", action="store_true", help="run nothing; report what is finished")
    parser.add_argument("--pack", action="store_true")
    chosen = parser.parse_args()
    if chosen.pack:
        pack(STUDIES / chosen.name / "records")
        return
    for name in filter(None, (SAME_DATA.get(chosen.name, chosen.name), PRETRAINED_ON.get(chosen.name))):
        prepare(name)
    part = ("--stage", "tune") if chosen.name.endswith("_recipes") else ()
    part += ("--report-only",) if chosen.report_only else ()
    records = STUDIES / SAME_RECORDS.get(chosen.name, chosen.name) / "records"
    places = ("--out", str(STUDIES / chosen.name), "--records", str(records))
    before = set(records.glob("*"))
    run("study", str(STUDIES / f"{chosen.name}.toml"), *places, "--jobs", str(chosen.jobs), *part)
    scores = STUDIES / chosen.name / "study_gene_scores.csv"
    if (
        chosen.name in GENE_MODELS and set(records.glob("*")) != before
    ):  # a report made again says nothing of this commit
        write_result(f"study-{chosen.name}", f"python benchmarks/studies.py {chosen.name}", gene_scores(scores))


def gene_scores(file: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Value, low and high end of each model's scores, by share of the labels, model and measure."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            score = [round(float(row[name]), 4) for name in ("mean", "low", "high")]
            found.setdefault(row["label_fraction"], {}).setdefault(row["arm"], {})[row["metric"]] = score
    return found


def pack(records: Path) -> None:
    """Rewrite records of dnaspt 0.1 in the present form."""
    for old in sorted(records.glob("*-*.json")):
        record = read_record(old)
        if record.job.name != old.stem:
            raise ValueError(f"{old}: its settings have the digest {record.job.digest}")
        new = write_record(records, record)
        print(f"{new}: {new.stat().st_size:,} bytes instead of {old.stat().st_size:,}")
        old.unlink()


def prepare(name: str) -> None:
    """data/NAME, where it is not there yet."""
    data = Path("data") / name
    if data.exists():
        return
    data.parent.mkdir(exist_ok=True)
    folder, command = PREPARE[name]
    real = Path(os.environ["DNASPT_REAL_DATA"]) / folder
    if name.endswith("_train"):
        write_train_part(real, data)
    if name == "human_genes":
        split, unknown = human_tables(real)
        Path(f"{data}.split.tsv").write_text(split)
        Path(f"{data}.unknown.bed").write_text(unknown)
    if name == "human_wgbs":
        Path(f"{data}.split.tsv").write_text(WGBS_SPLIT.format(rows=wgbs_rows(real)))
    peaks = " ".join(f"--regions {file}" for file in sorted(real.glob("peaks/*.bed")))
    words = command.replace("{data}/", "{real}/").format(real=real, data=data, peaks=peaks).split()
    if (
        name == "athaliana"
    ):  # with segments of other genes, which one arm read before it left the study: records name these data
        own = [word for word in words if word != "--unlabeled" and word != f"{data}.extra.fa.gz"]
        if not Path(f"{data}.own").exists():
            run("prepare", *own, "--out", f"{data}.own")
        segments = Path(os.environ["DNASPT_REAL_DATA"]) / "splice_segments" / "eie.at.txt.gz"
        script = [str(ROOT / "benchmarks" / "splice_segments.py"), str(segments), "--data", f"{data}.own"]
        subprocess.run([sys.executable, *script, "--out", f"{data}.extra.fa.gz"], check=True)
    run("prepare", *words, "--out", str(data))


def run(*arguments: str) -> None:
    """A command of dnaspt."""
    subprocess.run([sys.executable, "-m", "dnaspt", *arguments], check=True)


if __name__ == "__main__":
    main()
