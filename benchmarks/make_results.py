"""`make results`: every number in README, CHANGELOG and docs that was measured, from the records.

Records are benchmarks/results/*.json, and the tables and records of examples/studies. A page marks what is filled in:

    <!-- NAME -->
    a whole table, made by the function in `TABLES` of that name
    <!-- /NAME -->

    <!-- gain STUDY MEASURE: BEFORE > AFTER -->+0.131 [+0.106, +0.157]<!-- / -->   of a study's gains; with "@25%" of that share
    <!-- fewer STUDY MEASURE: BEFORE > AFTER @25% -->+0.041<!-- / -->              from all labels to that share of them
    <!-- score STUDY MEASURE: ARM -->0.882 [0.842, 0.920]<!-- / -->                of a study's scores
    <!-- mean STUDY MEASURE: ARM -->0.882<!-- / -->                                the same without its interval
    <!-- seeds STUDY MEASURE: ARM -->0.735, 0.519, 0.732<!-- / -->                  by seed
    <!-- cell STUDY TABLE: ROW > COLUMN -->0.806<!-- / -->                         of a table in a study's study.md
    <!-- tried STUDY: ARM > RATE -->0.631<!-- / -->                                 a recipe on valid, by its record
    <!-- 3 digits of FILE: a.b -->591,000<!-- / -->                                of benchmarks/results/FILE.json
    <!-- 2 digits in % of FILE: a.b x c.d : e.f -->3.1<!-- / -->                    a product, and divided by e.f

MEASURE is mcc, base, exon or gene (of genes as predict writes them), or primary: the score by which the study compares its arms;
of windows, mean has auprc too.
A number without a record is no region; the text beside it says "by hand, once". `--check` writes nothing, and fails where a page
is not current.

First, the CSV tables of each study are made anew from its records and its TOML file, without its data: pages are filled from
them. The rest of a study's report (study.md and figures: loci, sizes of splits) needs the data: `benchmarks/studies.py NAME`.
"""

import argparse
import csv
import json
import math
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from dnaspt.reports.compare import FEWER, differences_of, groups_of
from dnaspt.reports.study_report import number_tables
from dnaspt.reports.study_tables import table_csv
from dnaspt.studies.pool_records import pool_records
from dnaspt.studies.records import Record, read_records
from dnaspt.studies.settings import Arm, StudyConfig
from studies import SAME_RECORDS

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
ORDER = (
    "athaliana",
    "athaliana_averaged",
    "athaliana_seeds",
    "athaliana_heads",
    "athaliana_folds",
    "celegans_folds",
    "fly_loci",
    "human_brain",
    "human_brain_folds",
    "arabidopsis_chr3",
    "arabidopsis_chr3_folds",
    "human_wgbs",
    "human_wgbs_folds",
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
VERDICTS = (
    *("athaliana_folds", "celegans_folds", "athaliana_heads", "fly_loci"),
    *("human_brain_folds", "arabidopsis_chr3_folds", "human_wgbs_folds"),
)
"""Studies that the short tables show: of a set in folds these, else its given split."""
README_STUDIES = ("athaliana_contigs", "celegans_contigs", "fly_loci_genes", "human_genes")
GENE_MEASURES = {"mcc": "MCC", "base": "F1 of coding bases", "exon": "F1 of exons", "gene": "F1 of genes"}
STUDIES = ROOT / "examples" / "studies"
TASK_OF_STUDY = {
    "human_brain": "regions",
    "human_brain_folds": "regions",
    "arabidopsis_chr3": "methylation",
    "arabidopsis_chr3_folds": "methylation",
    "human_wgbs": "methylation",
    "human_wgbs_folds": "methylation",
}
"""Tasks of the studies of windows; all others are of genes."""
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
    *("data", "test blocks", "labels", "seeds", "score", "from scratch", "self-pretrained", "gain [interval]"),
    *("detectable gain", "verdict", "best baseline", "baseline score"),
)
CLAIM_COLUMNS = ("claim of the paper", "supported", "not supported", "undecided")


PAGES = (
    "README.md",
    "CHANGELOG.md",
    *(
        f"docs/{name}.md"
        for name in ("results", "performance", "gene_models", "windows", "files", "bend", "explain", "cost")
    ),
)
"""Pages with numbers that were measured."""
REGION = re.compile(r"<!-- (?P<name>[^/>][^\n]*?) -->(?P<content>.*?)<!-- /(?P<end>.*?) -->", re.DOTALL)


def main() -> None:
    """Fill the pages, or say which of them are not current."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is not current")
    is_check = parser.parse_args().check
    studies = (*ORDER, *GENE_STUDIES)
    stale = {file: text for name in studies for file, text in stale_tables(name).items()}
    if not is_check:
        write(stale)
    stale |= stale_pages()
    if not is_check:
        write(stale)
    for file in stale:
        print(f"{file.relative_to(ROOT)}: {'not current: run make results' if is_check else 'written'}")
    old = [name for name in studies if not report_is_current(name)]
    for name in old:
        print(f"examples/studies/{name}/study.md: not current: run benchmarks/studies.py {name}")
    if old or (is_check and stale):
        sys.exit(1)


def write(texts: dict[Path, str]) -> None:
    """Write files."""
    for file, text in texts.items():
        file.write_text(text)


def stale_pages() -> dict[Path, str]:
    """Pages that are not current, as they should be."""
    texts = {ROOT / page: (ROOT / page).read_text() for page in PAGES}
    now = {page: REGION.sub(partial(fill, page=page.name), text) for page, text in texts.items()}
    return {page: text for page, text in now.items() if text != texts[page]}


def stale_tables(name: str) -> dict[Path, str]:
    """The CSV tables of a study that do not follow from its records, as they should be."""
    study, records = study_from_records(name)
    groups = groups_of(records, label_groups=study.label_groups)
    task = TASK_OF_STUDY.get(name, "genes")
    tables = number_tables(study, records, groups, differences_of(study, groups), task)
    stale = {}
    for kind, (rows, columns) in tables.items():
        file = STUDIES / name / f"study_{kind}.csv"
        text = table_csv(rows, columns)
        if not is_same(file.read_text() if file.is_file() else "", text):
            stale[file] = text
    return stale


def study_from_records(name: str) -> tuple[StudyConfig, list[Record]]:
    """A study's settings with the heads of its arms, and its final records, arm by arm.

    Raises:
        ValueError: a run is on record twice, or, where the splits are fixed, not at all.
    """
    study = StudyConfig.model_validate(tomllib.loads((STUDIES / f"{name}.toml").read_text()))
    folder = STUDIES / SAME_RECORDS.get(name, name) / "records"
    known: dict[tuple[str, int, float], list[Record]] = {}
    for own in read_records(folder, "final"):
        known.setdefault((own.job.arm, own.job.seed, own.job.label_fraction), []).append(own)
    folds = {own.job.fold for runs in known.values() for own in runs}
    finals: list[Record] = []
    arms: list[Arm] = []
    for arm in study.arms:
        shares = (1.0,) if arm.is_baseline else arm.label_fractions or study.label_fractions
        seeds = study.seeds[:1] if arm.is_baseline else study.seeds
        n_runs = {share: [len(known.get((arm.name, seed, share), ())) for seed in seeds] for share in shares}
        if any(n > len(folds) for share in shares for n in n_runs[share]):
            raise ValueError(f"{folder}: {arm.name!r} has a run more than once")
        shares = tuple(share for share in shares if all(n == len(folds) for n in n_runs[share]))
        # of a study by folds, what is not finished is left out, as its report says
        if study.folds is None and len(shares) < len(n_runs):
            raise ValueError(f"{folder}: {arm.name!r} is not finished")
        if not shares or not set(arm.members) <= {own.name for own in arms}:
            continue
        runs = [own for share in shares for seed in seeds for own in known[arm.name, seed, share]]
        finals += runs
        head = arm.head if arm.head != "auto" else runs[0].job.settings.get("head", "auto")
        own = {"head": head} if arm.is_baseline else {"head": head, "label_fractions": shares}
        arms.append(arm.model_copy(update=own))
    if study.folds is not None:
        finals, _ = pool_records(finals, {}, "")
    return study.model_copy(update={"arms": tuple(arms)}), finals


def is_same(before: str, after: str) -> bool:
    """Whether two CSV texts hold the same, but for rounding that differs between processors."""
    rows = [list(csv.reader(text.splitlines())) for text in (before, after)]
    if list(map(len, rows[0])) != list(map(len, rows[1])):
        return False
    pairs = (pair for both in zip(*rows, strict=True) for pair in zip(*both, strict=True))
    return all(one == other or is_close(one, other) for one, other in pairs)


def is_close(one: str, other: str) -> bool:
    """Whether two cells hold the same numbers, to six decimals."""
    try:
        numbers = [list(map(float, cell.split())) for cell in (one, other)]
    except ValueError:
        return False
    return len(numbers[0]) == len(numbers[1]) and all(abs(a - b) < 1e-6 for a, b in zip(*numbers, strict=True))


def report_is_current(name: str) -> bool:
    """Whether the tables of scores, gains and claims in a study's study.md are those of its CSV tables."""
    text = (STUDIES / name / "study.md").read_text()
    scores, gains, claims = (table(STUDIES / name / f"study_{kind}.csv") for kind in ("scores", "gains", "claims"))
    cells = [f"{float(row['mean']):.3f}" for row in scores]
    cells += [f"{signed(row)} | {detectable(row) or '–'} | {row['verdict']} |" for row in gains]
    cells += [
        f"| {row['claim']} | {row['compared']} | {signed(row)} | {row['n_seeds']} | {row['n_blocks']} | "
        f"{detectable(row) or '–'} | {row['verdict']} |"
        for row in claims
    ]
    return all(cell in text for cell in cells)


def fill(region: re.Match[str], page: str) -> str:
    """A region with the content that it should have.

    Raises:
        ValueError: nothing is known of that name, or its end is missing.
    """
    name, end = region["name"], region["end"]
    try:
        content = f"\n{TABLES[name]()}\n" if name in TABLES else number(name)
    except (KeyError, OSError, ValueError, IndexError, StopIteration) as error:
        raise ValueError(f"{page}: <!-- {name} -->: no such table or number ({error!r})") from error
    if end != (name if name in TABLES else ""):
        raise ValueError(f"{page}: <!-- {name} --> ends with <!-- /{end} -->")
    return f"<!-- {name} -->{content}<!-- /{end} -->"


def number(name: str) -> str:
    """The number that a region names, as text; see the module.

    Raises:
        ValueError: it names none.
    """
    if match := re.fullmatch(r"(\d) digits (in % )?of ([\w-]+): (.+)", name):
        factors, *divisors = (part.split(" x ") for part in match[4].split(" : "))
        source = record(match[3])
        value = math.prod(value_at(source, path) for path in factors)
        value /= math.prod(value_at(source, path) for divisor in divisors for path in divisor)
        return digits(100 * value, int(match[1])) + " %" if match[2] else digits(value, int(match[1]))
    match = re.fullmatch(r"(gain|fewer|score|mean|seeds|cell|tried) (\w+)(?: ([^:]+))?: (.+?)(?: @(\d+)%)?", name)
    if match is None:
        raise ValueError("expected a table, or gain, fewer, score, mean, seeds, cell, tried or digits")
    kind, study, measure, what, share = match.groups()
    fraction = int(share or 100) / 100
    if kind in ("gain", "fewer"):
        return gain_of(study, measure, *what.split(" > "), fraction, fewer=kind == "fewer")
    if kind == "cell":
        return cell_of(study, measure, *what.split(" > "))
    if kind == "tried":
        arm, rate = what.split(" > ")
        return tried_rates(study)[arm, float(rate)]
    if measure == "auprc":
        return f"{mean_auprc(study, what):.3f}"
    rows = rows_of(study, "scores", measure)
    (row,) = [row for row in rows if row["arm"] == what and float(row["label_fraction"]) == fraction]
    if kind == "seeds":
        return ", ".join(f"{float(value):.3f}" for value in row["values"].split())
    value, low, high = (float(row[end]) for end in ("mean", "low", "high"))
    return f"{value:.3f}" if kind == "mean" else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def mean_auprc(study: str, arm: str) -> float:
    """Mean AUPRC over labels and seeds of an arm with all labels, from its records."""
    finals = [own for own in read_records(STUDIES / study / "records", "final") if own.job.arm == arm]
    windows = [own.scored.windows for own in finals if own.job.label_fraction == 1]
    return fmean(scored.labels.mean_auprc.value for scored in windows if scored is not None)


def both_strands_table() -> str:
    """human_brain with one strand and with the mean of both: mean AUROC and mean AUPRC, means over the seeds."""
    names = ("valid", "valid, both strands", "test", "test, both strands")
    arms: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(record("both_strands-human_brain")["rows"], key=lambda row: row["arm"]):
        arms.setdefault(row["arm"], []).append(row)
    rows = [
        (arm, *(", ".join(f"{fmean(row[name][k] for row in own):.3f}" for k in (0, 1)) for name in names))
        for arm, own in arms.items()
    ]
    return markdown(("mean AUROC, mean AUPRC", *names), rows)


def averaged_rates() -> str:
    """Whole budget, averaged weights, seed 0, on valid."""
    tried = tried_rates("athaliana_averaged")
    rows = [(arm, f"{rate:g}", score) for (arm, rate), score in sorted(tried.items())]
    return markdown(("averaged weights", "rate", "valid MCC"), rows)


def cell_of(study: str, title: str, name: str, column: str) -> str:
    """A cell of a table in a study's report, by title, the first cell of the row (the first of several), and column."""
    section = (STUDIES / study / "study.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    columns, _, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.split("\n") if "|" in line
    )
    row = next(row for row in rows if row[0] == name)
    return row[columns.index(column)]


def gain_of(study: str, measure: str, before: str, after: str, fraction: float, *, fewer: bool = False) -> str:
    """What one arm gains over another by a study's table of gains, which may have them the other way round.

    With `fewer`, the first has all labels, and the second that share of them.
    """
    for row in rows_of(study, "gains", measure):
        if float(row["label_fraction"]) == fraction and (row["question"] == FEWER) == fewer:
            if (row["before"], row["after"]) == (before, after):
                return signed(row)
            if (row["before"], row["after"]) == (after, before):
                ends = {"gain": "gain", "low": "high", "high": "low"}
                return signed({end: str(-float(row[other])) for end, other in ends.items()})
    raise ValueError("the study has no such comparison")


def rows_of(study: str, kind: str, measure: str) -> list[dict[str, str]]:
    """Rows of a study's scores or gains, by one measure of genes or by the primary score."""
    if measure == "primary":
        return table(STUDIES / study / f"study_{kind}.csv")
    key = {"scores": "metric", "gains": "measure"}[kind]
    return [row for row in table(STUDIES / study / f"study_gene_{kind}.csv") if row[key] == measure]


def value_at(record: Any, path: str) -> float:
    """A number in a record by its path: keys and indices with a point between."""
    for key in path.split("."):
        record = record[int(key) if isinstance(record, list) else key]
    return float(record)


def digits(value: float, n: int) -> str:
    """A number to n digits, without an exponent where it is 1e-4 or more: 591,381 to three is 591,000."""
    if 0 < abs(value) < 1e-4:
        return f"{value:.{n - 1}e}".replace("e-0", "e-")
    decimals = n - 1 - math.floor(math.log10(abs(value))) if value else 0
    rounded = round(value, decimals)
    return f"{rounded:,.{max(decimals, 0)}f}"


def results_table(names: Sequence[str]) -> str:
    """Self-pretraining beside training from scratch, and the paper's claims, over studies."""
    rows = [row for file in study_files(names) for row in pretraining_rows(file)]
    shown = [markdown(PRETRAINING_COLUMNS, rows), markdown(CLAIM_COLUMNS, claim_rows(study_files(names)))]
    return "\n\n".join(filter(None, shown))


def single_runs() -> dict[str, dict[str, Any]]:
    """Results of the sets that have some, by set and seed."""
    return {name: load(name) for name in ORDER if load(name)}


def single_gene_table() -> str:
    """Single runs on genes, and AUGUSTUS."""
    return markdown(GENE_COLUMNS, [row for name, runs in single_runs().items() for row in gene_rows(name, runs)])


def single_window_table() -> str:
    """Single runs on windows."""
    return markdown(WINDOW_COLUMNS, [row for name, runs in single_runs().items() for row in window_rows(name, runs)])


def pretraining_table() -> str:
    """Nats of the language models beside n-gram models."""
    columns = ("set", "nats per masked base", "order-5 Markov", "two-sided k-mer (best k)", "steps", "minutes")
    return markdown(columns, [pretrain_row(name, runs) for name, runs in single_runs().items()])


def window_recipes_table() -> str:
    """Recipes for windows on valid of human_brain, beside what its study had before them; seed 0 of each."""
    tried = json.loads((RESULTS / "recipes-human_brain.json").read_text())["valid"]
    rows = [
        (recipe, init, scores["auroc"], scores["auprc"])
        for recipe, inits in tried.items()
        for init, seeds in inits.items()
        for scores in seeds.values()
    ]
    for record in read_records(STUDIES / "human_brain" / "records", "final"):
        job, scores = record.job, record.result.scores
        if job.seed == 0 and (job.baseline or not job.settings.get("pool")):
            how = f"mean pooling, rate {job.learning_rate:g} of all layers"
            named = (job.arm, "–") if job.baseline else (how, job.arm)
            rows.append((*named, scores["valid_auroc"], scores.get("valid_auprc", math.nan)))
    rows.sort(key=lambda row: -row[2])
    shown = [(*row[:2], *("–" if math.isnan(score) else f"{score:.4f}" for score in row[2:])) for row in rows]
    return markdown(("recipe", "encoder", "AUROC on valid", "AUPRC on valid"), shown)


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
        shown = f"{signed(row)}, detectable {detectable(row)}" if detectable(row) else signed(row)
        cells.setdefault((row["label_fraction"], pair), {})[row["measure"]] = shown
    return [
        (GENE_STUDIES[study], f"{float(share):.0%}", pair, *(own[measure] for measure in GENE_MEASURES))
        for (share, pair), own in sorted(cells.items(), key=lambda cell: -float(cell[0][0]))
    ]


def study_files(names: Sequence[str] = ORDER) -> list[Path]:
    """Reports of studies that are done."""
    return [file for name in names for file in (STUDIES / name).glob("study.md")]


def study_section(file: Path) -> str:
    """A study's answer, scores, differences and verdicts, from its report."""
    name = file.parent.name
    text, rest = file.read_text().split(CLAIMS)
    answer = text.split("\n", 1)[1].strip().replace("## ", "#### ")
    claims = rest.split("\n## ")[0].strip()
    link = f"[All tables and figures](../examples/studies/{name}/study.md); `python benchmarks/studies.py {name}`."
    return f"### {name}\n{answer}\n\n{claims}\n\n{link}"


def pretraining_rows(file: Path) -> list[tuple[str, ...]]:
    """A study's arms from scratch beside those that were pretrained, a row a pair, with the best baseline of these labels.

    Of genes there is a row by F1 of exons as `predict` writes them, and one by the paper's measure, of the head alone.
    """
    study, rows = file.parent.name, []
    is_of_genes = file.with_name("study_gene_gains.csv").is_file()
    names = {"exon": "F1 of exons", "MCC": "MCC of the head"}
    for measure in ("exon", "primary") if is_of_genes else ("primary",):
        scores = {(row["arm"], row["label_fraction"]): row for row in rows_of(study, "scores", measure)}
        baselines = [row for row in scores.values() if row["baseline"] and ":" not in row["baseline"]]
        best = max(baselines, key=lambda row: float(row["mean"]), default={"arm": "–", "mean": "nan"})
        for gain in rows_of(study, "gains", measure):
            if gain["question"] == "pretraining":
                pair = [scores[gain[side], gain["label_fraction"]] for side in ("before", "after")]
                arms = [f"{float(row['mean']):.3f} ({row['arm']})" for row in pair]
                labels = f"{float(gain['label_fraction']):.0%}"
                what = (study, pair[0]["n_blocks"], labels, pair[0]["n_seeds"])
                what = (*what, names.get(pair[0]["metric"], pair[0]["metric"]))
                found = (signed(gain), detectable(gain) or "–", gain["verdict"])
                rows.append((*what, *arms, *found, best["arm"], f"{float(best['mean']):.3f}"))
    return rows


def claim_rows(files: list[Path]) -> list[tuple[str, ...]]:
    """The paper's claims over all studies, a row each: which comparisons support it, which do not, which leave it open."""
    verdicts: dict[str, dict[str, list[str]]] = {}
    for file in files:
        for row in table(file.with_name("study_claims.csv")):
            said, _, look = row["verdict"].removesuffix(")").partition(" (")
            verdict = said.removesuffix(" in these runs")
            runs = "in these runs" if said != verdict else ""
            known = (signed(row), f"detectable {detectable(row)}" if detectable(row) else "", runs, look)
            said = f"{file.parent.name}: {row['compared']}, {', '.join(filter(None, known))}"
            verdicts.setdefault(row["claim"], {}).setdefault(verdict, []).append(said)
    claims = sorted(verdicts, key=lambda claim: claim.split(":")[0].removeprefix("control of "))
    return [
        (claim, *("<br>".join(verdicts[claim].get(verdict, ["–"])) for verdict in CLAIM_COLUMNS[1:]))
        for claim in claims
    ]


def signed(gain: dict[str, str]) -> str:
    """A difference with its interval."""
    value, low, high = (float(gain[name]) for name in ("gain", "low", "high"))
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def detectable(gain: dict[str, str]) -> str:
    """The smallest gain that would have been seen, where the verdict is undecided and it is known; else ""."""
    is_told = gain["verdict"].startswith("undecided") and not math.isnan(float(gain["detectable_gain"]))
    return f"{float(gain['detectable_gain']):.3f}" if is_told else ""


def table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def recipe_table(name: str) -> str:
    """Scores on valid of the recipes in NAME_recipes.toml by learning rate, from records in NAME/records."""
    plan = tomllib.loads((STUDIES / f"{name}_recipes.toml").read_text())
    tried, rates = tried_rates(name), plan["learning_rates"]
    rows = [(arm["name"], *(tried.get((arm["name"], rate), "not tried") for rate in rates)) for arm in plan["arms"]]
    return markdown(("recipe", *(f"{rate:g}" for rate in rates)), rows)


def tried_rates(name: str) -> dict[tuple[str, float], str]:
    """Scores on valid by recipe and learning rate, from the records of a study."""
    tried: dict[tuple[str, float], str] = {}
    for record in read_records(STUDIES / name / "records", "tune"):
        score = record.result.scores.get("valid_mcc")
        tried[record.job.arm, record.job.learning_rate] = "diverged" if score is None else f"{score:.3f}"
    return tried


def simulated_rows() -> str:
    """Test MCC of the simulated genomes' arms."""
    scores = json.loads((RESULTS / "simulated.json").read_text())["test_mcc"]
    rows = [
        (arm, *(f"{value:.3f}" for value in (*values, sum(values) / len(values)))) for arm, values in scores.items()
    ]
    return markdown(("", "seed 0", "seed 1", "seed 2", "mean"), rows)


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


def encoder_cpu_table() -> str:
    """A training step of the encoder on a CPU, beside the published formulation."""
    rows = []
    for row in record("encoder-cpu")["rows"]:
        seconds, ratios = row["median_s"], row["ratios"]
        ours, half = (f"{seconds[f'ours step {kind}']:.3g}" for kind in ("float32", "bfloat16"))
        rows.append(
            (
                *(row["preset"], time_text(seconds["plain step float32"]), time_text(float(ours))),
                *(
                    f"{ratios['ours float32 / plain float32']:.1f}",
                    f"{100 * ratios['ours float32 / product float32']:.0f} %",
                ),
                *(time_text(float(half)), f"{ratios['ours bfloat16 / plain float32']:.1f}"),
                f"{100 * ratios['ours bfloat16 / product bfloat16']:.0f} %",
            )
        )
    columns = ("preset", "plain, float32", "ours, float32", "times", "of the float32 product", "ours, bf16")
    return markdown((*columns, "times plain float32", "of the bf16 product"), rows)


def encoder_cuda_table() -> str:
    """The same on a GPU."""
    rows = []
    for row in record("encoder-cuda")["rows"]:
        seconds, ratios = row["median_s"], row["ratios"]
        plain, ours = seconds["plain step float16"], seconds["ours step bfloat16"]
        times = (f"{1000 * plain:.1f} ms", f"{1000 * ours:.1f} ms", f"{ratios['ours bfloat16 / plain float16']:.1f}")
        rows.append((row["preset"], *times, f"{100 * ratios['ours bfloat16 / product bfloat16']:.0f} %"))
    return markdown(
        ("preset", "plain, float16 autocast", "ours, bf16", "times", "ours / rate of the bf16 product"), rows
    )


def crf_cuda_table() -> str:
    """Log-likelihood and gradients of the CRF on a GPU."""
    seconds = {name: own["step"] for name, own in record("crf-cuda")["median_s"].items()}
    ours, other = seconds["ours, gene moves"], seconds["TorchCRF"]
    row = ("log-likelihood and gradients", time_text(ours), time_text(other), f"{other / ours:,.0f}")
    return markdown(("", "ours", "TorchCRF", "times"), [row])


def crf_cpu_table() -> str:
    """Sums and best paths of the CRF on a CPU, in million positions a second."""
    found = record("crf-cpu")
    millions, seconds = found["batch"] * found["length"] / 1e6, found["median_s"]
    ours = ("ours, all moves legal", "ours, gene moves")
    rows = []
    for name, key in (("log-likelihood and gradients", "step"), ("Viterbi", "viterbi")):
        rates = [f"{millions / seconds[own][key]:.1f}" for own in ours]
        for other in found["references"]:
            times = ", ".join(f"{seconds[other][key] / seconds[own][key]:.0f} x" for own in ours)
            rates.append(f"{digits(millions / seconds[other][key], 3)} ({times})")
        rows.append((f"{name}, million positions/s", *rates))
    return markdown(("", "ours, all moves legal", "ours, moves of genes", *found["references"]), rows)


PREDICTED = {
    "simulated": "a simulated contig of 20 Mb (AUGUSTUS: its first 2 Mb)",
    "100mb": "a simulated contig of 100 Mb",
    "fly_loci": "200 fly loci, 1.4 Mb",
    "athaliana": "*Arabidopsis*, 1.2 Mb, a CRF trained on it",
    "gene_model": "*Arabidopsis* as often as 40 Mb need, a gene model of letters (AUGUSTUS: 0.4 Mb)",
    "gene_model_encoder": "*Arabidopsis*, 1.2 Mb, a gene model with the encoder `small`",
}
"""What `benchmarks/prediction.py` measured."""


def prediction_table() -> str:
    """Whole commands of `predict` beside AUGUSTUS."""
    rows = []
    for name, sequence in PREDICTED.items():
        own = record(f"prediction-{name}")
        augustus, times = own.get("augustus_bp_per_s"), own.get("ours / augustus")
        rows.append(
            (
                *(sequence, f"{digits(own['ours_bp_per_s'], 3)} bases/s"),
                f"{digits(augustus, 3)} bases/s" if augustus else "",
                digits(times, 2) if times else "",
                f"{own['ours_peak_resident_mb'] / 1000:.1f} GB",
            )
        )
    return markdown(("sequence", "ours", "AUGUSTUS", "times", "peak resident memory of ours"), rows)


def preparation_table() -> str:
    """`prepare genes` on simulated genomes."""
    found = record("preparation")
    rows = []
    for name, contigs in (("1 contigs", "1 contig of 100 Mb"), ("3 contigs", "3 contigs of 100 Mb")):
        own = found[name]
        rows.append((contigs, f"{own['seconds']:.0f}", f"{own['peak_resident_mb'] / 1000:.2f} GB"))
    return markdown(("genome", "seconds", "peak resident memory"), rows)


COSTS = {
    "athaliana_averaged": ("genes, CRF", "SPT + CRF"),
    "fly_loci": ("genes, CRF", "SPT + CRF"),
    "human_brain": ("windows", "SPT"),
}
"""Studies whose costs are shown: what they learn, and by which arm."""


BASES_READ = 0.72 * (24 + 16)
"""Bases that the default passes of pretraining and fine-tuning read for each base of a genome."""
CPU_RATE = 30_000
"""Bases a second of whole fine-tuning steps of `small` on 2 CPU cores: timed by hand, once."""


def duration_table() -> str:
    """What a run takes, by the training steps of the encoder."""
    found = record("encoder-cuda")
    n_bp = found["batch"] * found["length"]
    rates = {row["preset"]: n_bp / row["median_s"]["ours step bfloat16"] for row in found["rows"]}
    columns = ("genome", f"`small`, 2 CPU cores, {CPU_RATE // 1000} kb/s (timed by hand, once)")
    columns += tuple(f"`{preset}`, H200, {rate / 1e6:.1f} Mb/s" for preset, rate in rates.items())
    genomes = {"1 Mb": 1e6, "10 Mb": 1e7, "100 Mb": 1e8, "3 Gb": 3e9}
    rows = [
        (name, *(duration(BASES_READ * bp / rate) for rate in (CPU_RATE, *rates.values())))
        for name, bp in genomes.items()
    ]
    return markdown(columns, rows)


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there is more than one."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return "a minute" if seconds > 30 else "seconds"


def cost_rows() -> str:
    """Mb and minutes of whole runs on 2 CPU cores, from the records of the quickest seeds."""
    rows = []
    for study, (what, arm) in COSTS.items():
        finals = [own for own in read_records(STUDIES / study / "records", "final") if own.job.arm == arm]
        whole = [own for own in finals if own.job.label_fraction == 1]
        pretrained = {own.job.digest: own.result for own in read_records(STUDIES / study / "records", "pretrain")}
        cells = []
        for results in ([pretrained[own.job.encoder] for own in whole], [own.result for own in whole]):
            mb = sum(result.n_bp for result in results) / len(results) / 1e6
            minutes = min(result.minutes for result in results)
            amount = f"{mb:.1f} Mb in {minutes:.1f} minutes"
            cells += [amount, f"{1000 * mb / minutes / 60:.0f} kb/s"]
        rows.append((f"{study} ({what})", *cells))
    return markdown(("study", "pretraining", "", "fine-tuning", ""), rows)


def network_weights() -> str:
    """Scores on valid of a gene model with a fine-tuned CRF on top, by the weight of the CRF; the chosen one is bold."""
    found = record("gene_network-athaliana_genes")["network"]
    tried, chosen = found["valid_by_weight"], found["weight"]
    names = {"mcc": "MCC", "base_f1": "F1 of coding bases", "exon_f1": "F1 of exons", "gene_f1": "F1 of genes"}

    def cell(text: str, weight: float) -> str:
        return f"**{text}**" if weight == chosen else text

    columns = ("weight of the network", *(cell(f"{own['weight']:g}", own["weight"]) for own in tried))
    rows = [(name, *(cell(f"{own[key]:.3f}", own["weight"]) for own in tried)) for key, name in names.items()]
    return markdown(columns, rows)


def network_by_folds() -> str:
    """A gene model without and with a fine-tuned CRF, each contig of the train part by models of the others."""
    found = record("gene_network-athaliana_train")
    names = {"alone": "gene model", "both": "gene model and CRF", "crf": "CRF alone"}
    rows = [(text, *(f"{found[name][measure]:.3f}" for measure in GENE_MEASURES)) for name, text in names.items()]
    gains = [found["both - alone"][measure] for measure in GENE_MEASURES]
    rows.append(("what the CRF adds", *(f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" for value, low, high in gains)))
    return markdown(("model", *GENE_MEASURES.values()), rows)


def likelihood_table() -> str:
    """Weights of a gene model by search and by maximum conditional likelihood: their scores."""
    found = record("gene_weights-athaliana_genes")
    rows = []
    for name, text in (("search", "search"), ("likelihood", "maximum conditional likelihood")):
        for part, where in (("train", "train, out of fold"), ("valid", "valid")):
            keys = ("mcc", "base_f1", "exon_f1", "gene_f1")
            rows.append((text, where, *(f"{found[name]['scores'][f'{part}_{key}']:.3f}" for key in keys)))
    return markdown(("weights by", "scored on", *GENE_MEASURES.values()), rows)


def site_table() -> str:
    """Average precision of site scores among all candidate sites, out of fold."""
    found = record("sensors-athaliana")["average_precision"]
    names = {"encoder": "encoder (12 passes)", "letters": "letters", "random encoder": "encoder with random weights"}
    kinds = ("donor", "acceptor", "start")
    rows = [(text, *(f"{found[name][kind]:.3f}" for kind in kinds)) for name, text in names.items()]
    return markdown(("site scores", *(f"{kind}s" for kind in kinds)), rows)


def joined_site_table() -> str:
    """Average precision of site scores of both strands and of two encoders, and the genes that are found with them."""
    found = record("site_ensembles-athaliana_genes")
    kinds, scores = ("donor", "acceptor"), ("mcc", "base_f1", "exon_f1", "gene_f1")
    rows = [
        (
            name,
            *(f"{own['average precision'][kind]:.3f}" for kind in kinds),
            *(f"{own['train, out of fold'][score]:.3f}" for score in scores),
        )
        for name, own in found.items()
        if isinstance(own, dict) and "average precision" in own
    ]
    return markdown(("site scores of", *(f"{kind}s" for kind in kinds), *GENE_MEASURES.values()), rows)


def attributions_table() -> str:
    """AUROC of attributions at bases of planted motifs, by run and method."""
    rows = [
        (
            f"{own['run']} (AUROC of windows {own['test_auroc']:.2f})",
            own["method"],
            "{:.3f} [{:.3f}, {:.3f}]".format(*own["auroc"]),
            f"{own['mean_auroc_within_windows']:.3f}",
            "–" if own["gap"] is None else f"{own['gap']:.0e}",
            f"{own['cpu_seconds']:.0f} s",
        )
        for own in record("explain")["rows"]
    ]
    columns = (
        "network",
        "method",
        "AUROC at motif bases [95 %]",
        "mean within windows",
        "gap",
        "200 windows, one core",
    )
    return markdown(columns, rows)


def record(name: str) -> dict[str, Any]:
    """A file of benchmarks/results."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def time_text(seconds: float) -> str:
    """A time to three digits: 573 ms, 4.15 s; below 10 ms to two."""
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{1000 * seconds:.{2 if seconds < 0.01 else 3}g} ms"


TABLES: dict[str, Callable[[], str]] = {
    "gene models": lambda: markdown(("tested on", "model", *GENE_MEASURES.values()), gene_model_rows()),
    "results": lambda: results_table(VERDICTS),
    "results, all": lambda: results_table(ORDER),
    "gene models, all": gene_model_tables,
    "studies": lambda: "\n\n".join(study_section(file) for file in study_files()),
    "both strands": both_strands_table,
    "rates with averaged weights": averaged_rates,
    "recipes for genes": lambda: recipe_table("athaliana"),
    "genes, single runs": single_gene_table,
    "windows, single runs": single_window_table,
    "simulated genomes": simulated_rows,
    "pretraining": pretraining_table,
    "recipes for windows": window_recipes_table,
    "commands": lambda: "\n\n".join(command_block(name, runs) for name, runs in single_runs().items()),
    "encoder, CPU": encoder_cpu_table,
    "encoder, GPU": encoder_cuda_table,
    "CRF, GPU": crf_cuda_table,
    "CRF, CPU": crf_cpu_table,
    "prediction": prediction_table,
    "preparation": preparation_table,
    "cost of whole runs": cost_rows,
    "what a run takes": duration_table,
    "weights of the network": network_weights,
    "weights by likelihood": likelihood_table,
    "site scores": site_table,
    "network by folds": network_by_folds,
    "site scores together": joined_site_table,
    "attributions on planted motifs": attributions_table,
}
"""Tables by the names of their regions."""


if __name__ == "__main__":
    main()
