"""Reports of examples/studies and benchmarks/results/*.json to docs/results.md and the README's tables."""

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

from dnaspt.studies.records import read_records
from dnaspt.studies.settings import OWN_WINDOWS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
ORDER = (
    "athaliana",
    "athaliana_averaged",
    "athaliana_seeds",
    "athaliana_heads",
    "fly_loci",
    "human_brain",
    "arabidopsis_chr3",
    "human_wgbs",
)
GENE_STUDIES = {
    "athaliana_contigs": "*A. thaliana*, each contig by models of the others",
    "celegans_contigs": "*C. elegans*, each contig by models of the others",
    "fly_loci_genes": "*D. melanogaster*, given test loci",
    "human_genes": "human, 1 Mb of chr20",
    "athaliana_genes": "*A. thaliana*, last fifth of each contig",
    "celegans_genes": "*C. elegans*, last fifth of each contig",
}
"""Studies of gene models beside AUGUSTUS, and what each of them is tested on."""
README_STUDIES = ("athaliana_contigs", "celegans_contigs", "fly_loci_genes", "human_genes")
GENE_MEASURES = {"mcc": "MCC", "base": "F1 of coding bases", "exon": "F1 of exons", "gene": "F1 of genes"}
STUDIES = ROOT / "examples" / "studies"
CLAIMS = "## Claims of the paper, on these data"
GENE_COLUMNS = ("set", "model", "test MCC [95 %]", "CDS base F1", "exon F1", "gene F1", "minutes", "seed")
WINDOW_COLUMNS = (
    "set",
    "model",
    "mean test AUROC [95 %]",
    "AUPRC",
    "CpG count AUROC",
    "CpG count AUPRC",
    "minutes",
    "seed",
)
PRETRAINING_COLUMNS = (
    *("data", "test blocks", "labels", "seeds", "score", "from scratch", "self-pretrained", "gain [95 %]", "verdict"),
    *("best baseline", "baseline score"),
)
CLAIM_COLUMNS = ("claim of the paper", "supported", "not supported", "undecided")


def main() -> None:
    """Write both files; the README has the studies, docs/results.md the single runs too."""
    runs = {name: load(name) for name in ORDER if load(name)}
    genes = [row for name in runs for row in gene_rows(name, runs[name])]
    windows = [row for name in runs for row in window_rows(name, runs[name])]
    pretraining = [pretrain_row(name, runs[name]) for name in runs]
    pretrain_table = markdown(
        ("set", "nats per masked base", "order-5 Markov", "two-sided k-mer (best k)", "steps", "minutes"), pretraining
    )
    notes = (ROOT / "docs" / "results_notes.md").read_text()
    commands = "\n\n".join(command_block(name, runs[name]) for name in runs)
    tables = {
        "gene_models": gene_model_tables(),
        "genes": markdown(GENE_COLUMNS, genes),
        "windows": markdown(WINDOW_COLUMNS, windows),
        "pretraining": pretrain_table,
        "simulated": simulated_rows(),
        "recipes": recipe_table("athaliana"),
        "studies": "\n\n".join(study_section(file) for file in study_files()) or "None is finished yet.",
    }
    text = notes.format(**tables, commands=commands)
    (ROOT / "docs" / "results.md").write_text(text)
    shown = [
        markdown(PRETRAINING_COLUMNS, [row for file in study_files() for row in pretraining_rows(file)]),
        markdown(CLAIM_COLUMNS, claim_rows(study_files())),
    ]
    readme = (ROOT / "README.md").read_text()
    readme = filled(readme, "results", "\n\n".join(table for table in shown if table))
    readme = filled(readme, "gene models", markdown(("tested on", "model", *GENE_MEASURES.values()), gene_model_rows()))
    (ROOT / "README.md").write_text(readme)


def filled(page: str, name: str, content: str) -> str:
    """A page with other content between the comments <!-- NAME --> and <!-- /NAME -->."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = page.split(start)
    return f"{before}{start}\n{content}\n{end}{rest.split(end)[1]}"


def gene_model_tables() -> str:
    """Gene models beside AUGUSTUS: scores with intervals, and differences with paired intervals, by share of the labels."""
    scores = markdown(
        ("tested on", "genes learned from", "model", *GENE_MEASURES.values()),
        [row for study in GENE_STUDIES for row in score_rows(study)],
    )
    gains = markdown(
        ("tested on", "genes learned from", "difference", *GENE_MEASURES.values()),
        [row for study in GENE_STUDIES for row in gain_rows(study)],
    )
    return f"{scores}\n\n{gains}" if scores else "None is finished yet."


def gene_model_rows() -> list[tuple[str, ...]]:
    """Scores without intervals of all models that learned from all genes, for the README."""
    return [
        (row[0], row[2], *(score.split(" [")[0] for score in row[3:]))
        for study in README_STUDIES
        for row in score_rows(study)
        if row[1] == "100%"
    ]


def score_rows(study: str) -> list[tuple[str, ...]]:
    """A row for each model and share of the labels of a study."""
    file = STUDIES / study / "study_gene_scores.csv"
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in table(file) if file.is_file() else []:
        value, low, high = (float(row[name]) for name in ("mean", "low", "high"))
        cells.setdefault((row["label_fraction"], row["arm"]), {})[row["metric"]] = (
            f"{value:.3f} [{low:.3f}, {high:.3f}]"
        )
    rows = [
        (GENE_STUDIES[study], f"{float(share):.0%}", arm, *(own[measure] for measure in GENE_MEASURES))
        for (share, arm), own in sorted(cells.items(), key=lambda cell: -float(cell[0][0]))
    ]
    return [*rows, *optimized_row(study)] if rows else []


def optimized_row(study: str) -> list[tuple[str, ...]]:
    """AUGUSTUS whose meta-parameters optimize_augustus.pl has searched, where that was done on the study's data."""
    file = RESULTS / "augustus-optimized.json"
    found = json.loads(file.read_text()) if file.is_file() else {}
    if found.get("data") != study:
        return []
    model, minutes = found["model"], found["command"].split()[-1]
    scores = {"mcc": model["mcc"], **model["f1"]}
    name = f"AUGUSTUS, trained here, meta-parameters searched for {minutes} minutes"
    return [(GENE_STUDIES[study], "100%", name, *(interval(scores[measure]) for measure in GENE_MEASURES))]


def gain_rows(study: str) -> list[tuple[str, ...]]:
    """A row for each two models and share of the labels that a study compares."""
    file = STUDIES / study / "study_gene_gains.csv"
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in table(file) if file.is_file() else []:
        pair = f"{row['before']} to {row['after']}"
        cells.setdefault((row["label_fraction"], pair), {})[row["measure"]] = signed(row)
    return [
        (GENE_STUDIES[study], f"{float(share):.0%}", pair, *(own[measure] for measure in GENE_MEASURES))
        for (share, pair), own in sorted(cells.items(), key=lambda cell: -float(cell[0][0]))
    ]


def study_files() -> list[Path]:
    """Reports of studies that are done."""
    return [file for name in ORDER for file in (STUDIES / name).glob("study.md")]


def study_section(file: Path) -> str:
    """A study's answer, scores, differences and verdicts, from its report."""
    name = file.parent.name
    text, rest = file.read_text().split(CLAIMS)
    answer = text.split("\n", 1)[1].strip().replace("## ", "#### ")
    claims = rest.split("\n## ")[0].strip()
    link = f"[All tables and figures](../examples/studies/{name}/study.md); `python benchmarks/studies.py {name}`."
    return f"### {name}\n{answer}\n\n{claims}\n\n{link}"


def pretraining_rows(file: Path) -> list[tuple[str, ...]]:
    """A study's arms from scratch beside those that were pretrained, a row a pair, with the best baseline of these labels."""
    scores = {(row["arm"], row["label_fraction"]): row for row in table(file.with_name("study_scores.csv"))}
    baselines = [row for row in scores.values() if row["baseline"] and ":" not in row["baseline"]]
    best = max(baselines, key=lambda row: float(row["mean"]), default={"arm": "–", "mean": "nan"})
    rows = []
    for gain in table(file.with_name("study_gains.csv")):
        if gain["question"] == "pretraining":
            pair = [scores[gain[side], gain["label_fraction"]] for side in ("before", "after")]
            arms = [f"{float(row['mean']):.3f} ({row['arm']})" for row in pair]
            labels = f"{float(gain['label_fraction']):.0%}"
            what = (file.parent.name, pair[0]["n_blocks"], labels, pair[0]["n_seeds"], pair[0]["metric"])
            rows.append((*what, *arms, signed(gain), gain["verdict"], best["arm"], f"{float(best['mean']):.3f}"))
    return rows


def claim_rows(files: list[Path]) -> list[tuple[str, ...]]:
    """The paper's claims over all studies, a row each: which comparisons support it, which do not, which leave it open."""
    verdicts: dict[str, dict[str, list[str]]] = {}
    for file in files:
        for row in table(file.with_name("study_claims.csv")):
            said = f"{file.parent.name}: {row['compared']}, {signed(row)}"
            verdicts.setdefault(named_claim(row), {}).setdefault(row["verdict"], []).append(said)
    claims = sorted(verdicts, key=lambda claim: claim.removeprefix("control of ")[:2])
    return [
        (claim, *("<br>".join(verdicts[claim].get(verdict, ["–"])) for verdict in CLAIM_COLUMNS[1:]))
        for claim in claims
    ]


def named_claim(row: dict[str, str]) -> str:
    """A claim with the protocol that P1 is judged by; tables of studies before 2026-12 do not name it: their own windows."""
    claim, rest = row["claim"].split(":", 1)
    return f"{claim}, pretrained on {row.get('protocol') or OWN_WINDOWS}:{rest}" if "P1" in claim else row["claim"]


def signed(gain: dict[str, str]) -> str:
    """A difference with its interval."""
    value, low, high = (float(gain[name]) for name in ("gain", "low", "high"))
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def recipe_table(name: str) -> str:
    """Scores on valid of the recipes in NAME_recipes.toml by learning rate, from records in NAME/records."""
    plan = tomllib.loads((STUDIES / f"{name}_recipes.toml").read_text())
    tried: dict[tuple[str, float], str] = {}
    for record in read_records(STUDIES / name / "records", "tune"):
        score = record.result.scores.get("valid_mcc")
        tried[record.job.arm, record.job.learning_rate] = "diverged" if score is None else f"{score:.3f}"
    rates = plan["learning_rates"]
    rows = [(arm["name"], *(tried.get((arm["name"], rate), "not tried") for rate in rates)) for arm in plan["arms"]]
    return markdown(("recipe", *(f"{rate:g}" for rate in rates)), rows)


def simulated_rows() -> str:
    """Test MCC of the simulated genomes' arms."""
    scores = json.loads((RESULTS / "simulated.json").read_text())["test_mcc"]
    lines = [
        (arm, *(f"{value:.3f}" for value in (*values, sum(values) / len(values)))) for arm, values in scores.items()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def load(name: str) -> dict[str, Any]:
    """Results of all seeds of one set by seed."""
    files = sorted(RESULTS.glob(f"real-{name}-seed*.json"))
    return {file.stem.split("seed")[1]: json.loads(file.read_text()) for file in files}


def interval(score: dict[str, float]) -> str:
    """A value and its interval."""
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def gene_rows(name: str, seeds: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row per arm of a gene set; minutes count pretraining too."""
    rows = []
    for seed, result in seeds.items():
        for arm, run in result["arms"].items():
            if "mcc" not in run["test"]:
                return []
            decoded = {arm: run["test"]}
            if "codons" in run["test"]:
                decoded[f"{arm}, with codons"] = run["test"]["codons"]
            for model, scores in decoded.items():
                levels = scores["genes"]["levels"]
                f1 = [f"{levels[level]['f1']['value']:.3f}" for level in ("base", "exon", "gene")]
                rows.append((name, model, interval(scores["mcc"]), *f1, minutes(result, arm), seed))
    file = RESULTS / "augustus.json"
    found = json.loads(file.read_text()) if file.is_file() else {}
    for model, own in found.get(name, {}).items():
        f1 = [f"{own['f1'][level]['value']:.3f}" for level in ("base", "exon", "gene")]
        model = f"AUGUSTUS {found['augustus']}, {model}"
        rows.append((name, model, interval(own["mcc"]), *f1, f"{own['minutes']:.1f}", ""))
    return rows


def window_rows(name: str, seeds: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row per arm of a set of windows."""
    rows = []
    for seed, result in seeds.items():
        for arm, run in result["arms"].items():
            test = run["test"]
            if "mean_auroc" not in test:
                return []
            count = test["cpg_count"]
            values = (interval(test["mean_auroc"]), f"{test['mean_auprc']['value']:.3f}")
            baseline = (f"{count['mean_auroc']['value']:.3f}", f"{count['mean_auprc']['value']:.3f}")
            rows.append((name, arm, *values, *baseline, minutes(result, arm), seed))
    return rows


def minutes(result: dict[str, Any], arm: str) -> str:
    """Minutes of wall time of all commands of an arm, pretraining included."""
    return f"{result['arms'][arm]['wall_minutes']:.0f}"


def pretrain_row(name: str, seeds: dict[str, Any]) -> tuple[str, ...]:
    """Nats of the language model beside the n-gram models, first seed."""
    found = next(iter(seeds.values()))["pretrain"]
    kmer = f"{found['two_sided_nats']:.4f} ({found['two_sided_k']})"
    values = (f"{found['valid_nats']:.4f}", f"{found['markov_nats']:.4f}", kmer)
    return (name, *values, str(found["steps"]), f"{found['minutes']:.0f}")


def command_block(name: str, seeds: dict[str, Any]) -> str:
    """Commands of a set, with device, date and commit."""
    lines = [f"**{name}**"]
    for seed, result in seeds.items():
        versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
        lines.append(f"seed {seed}, {result['date'][:10]}, {result['device']}, commit {result['commit']}, {versions}")
        commands = dict.fromkeys(command for run in result["arms"].values() for command in run["commands"])
        lines.append("```\n" + "\n".join(commands) + "\n```")
    return "\n\n".join(lines)


def markdown(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) if rows else ""


if __name__ == "__main__":
    main()
