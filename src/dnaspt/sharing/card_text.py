"""The text of a model card: what the model is, how to use it, its scores, data, training, limits and licence, as Markdown.

It says what stands in the run, and nothing else: scores come from its evaluation files, data from the manifest of its dataset.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dnaspt.checkpoint_config import CheckpointConfig, has_hidden_states
from dnaspt.config import OF_GRADIENTS, EncoderConfig, HuggingFaceConfig
from dnaspt.evaluation.metrics import Score
from dnaspt.evaluation.results import Evaluation
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.reports.describe import describe_dataset, evaluation_tables
from dnaspt.reports.records import HEAD_NAMES, init_of
from dnaspt.reports.tables import Table, markdown_table, value_table
from dnaspt.sharing.options import UNKNOWN, CardOptions
from dnaspt.sharing.paths import last_name
from dnaspt.sharing.source import ShareableRun
from dnaspt.tasks import GENE_MODEL, TASKS

FEW_LABELS = 30
"""Labels whose scores are listed one by one."""
_ORIGINS = {
    "SPT": "It began from an encoder that was pretrained on the sequences of the same dataset (self-pretraining).",
    "pretrained": "It began from an encoder that was pretrained on other data.",
    "scratch": "It was trained from scratch, without pretraining.",
    "ensemble": "It joins several fine-tuned models.",
}
_SETTINGS = (
    *("preset", "masking", "mask_fraction", "repeat_weight", "splits", "label_fraction", "freeze_encoder", "fold"),
    *("seed", "epochs", "steps", "batch_bp", "accumulate", "learning_rate", "encoder_rate", "weight_decay"),
    *("class_weights", "positive_weight", "pool", "composition", "choose_by", "weights", "embeddings", "revision"),
)
"""Settings that the card lists, in this order."""
_NGRAM = ("markov_nats", "two_sided_nats", "markov_accuracy", "two_sided_accuracy")
"""Scores of n-gram models on the same masked bases, which a language model has to beat."""
_SPLITTING = (
    "split",
    "valid_contigs",
    "test_contigs",
    "fractions",
    "folds",
    "window_bp",
    "core_bp",
    "signal_summary",
    "signal_log",
    "signal_gaps",
    "min_overlap",
    "threshold",
    "seed",
)
"""Settings of `prepare` that say how splits and labels were made."""


def dataset_of(run: ShareableRun, evaluation: Evaluation) -> str:
    """Name of the dataset that was scored."""
    return last_name(evaluation.data) or run.data or "data"


def shown_scores(evaluation: Evaluation) -> dict[str, Score]:
    """Scores by name; those of single labels only where there are few."""
    scores = evaluation.scores
    few = len({name.split("/", 1)[1] for name in scores if "/" in name}) <= FEW_LABELS
    return {name: score for name, score in scores.items() if few or "/" not in name}


def card_text(run: ShareableRun, options: CardOptions, n_parameters: int) -> str:
    """The card below its metadata."""
    parts = [
        f"# {options.name}",
        _opening(run),
        "## Model",
        *_tables(value_table("", _model_facts(run.config, n_parameters))),
        "## How to use it",
        _usage(run.config, options),
        "## Scores",
        *_scores(run),
        "## Data",
        *_data(run),
        "## Training",
        *_training(run),
        "## Limits",
        *_limits(run),
        "## Licence",
        _license(options),
        "## Citation",
        "The method: *Improving Genomic Models via Task-Specific Self-Pretraining*, Mupparapu, Krishnamurthy and Puduppully, "
        "[arXiv 2506.17766](https://arxiv.org/abs/2506.17766). The program: dnaspt.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(run: ShareableRun) -> str:
    config = run.config
    if config.kind == "language":
        return (
            "A masked language model of DNA: it guesses masked bases from the bases around them. It gives hidden states, scores "
            f"variants, and is an encoder for fine-tuning. Made with dnaspt {config.dnaspt_version}."
        )
    task = TASKS[config.task]
    of = "sequences" if task.any_length else f"bins of {task.resolution_bp} bp" if task.resolution_bp else "windows"
    what = "genes" if task.per_base else f"{task.has} of {of}"
    if numbers := config.provenance.get("numbers"):
        what += f": {numbers}"
    origin = _ORIGINS[init_of(config, config.data_digest)]
    if config.head == GENE_MODEL:
        origin = (
            "It is estimated from annotated genes: statistics of codons, splice sites and lengths, and scores of sites."
        )
    return f"A model of DNA that predicts {what}. {origin} Made with dnaspt {config.dnaspt_version}."


def _model_facts(config: CheckpointConfig, n_parameters: int) -> dict[str, Any]:
    encoder = config.encoder
    facts: dict[str, Any] = {"parameters": n_parameters}
    if config.members:
        facts["models that it joins"] = len(config.members)
    if isinstance(encoder, HuggingFaceConfig):
        facts |= {"encoder": encoder.path, "its commit": encoder.revision or "not pinned", "its sha256": encoder.sha256}
    else:
        facts["encoder"] = encoder.architecture if not _is_onehot(config) else "none: it reads letters"
    if isinstance(encoder, EncoderConfig) and encoder.n_layers:
        facts |= {
            "layers": encoder.n_layers,
            "hidden size": encoder.hidden_size,
            "sees bp on each side": encoder.flank_bp,
        }
    if config.kind == "task":
        facts |= {"task": config.task, "head": HEAD_NAMES[config.head], "number of labels": len(config.labels)}
        facts["labels"] = _some(config.labels)
        facts |= {"windows, bp": config.window_bp} if not TASKS[config.task].per_base and config.window_bp else {}
    if config.network is not None:
        facts["network"] = f"{HEAD_NAMES[config.network.head]}, hidden size {config.network.encoder.hidden_size}"
    if config.composition is not None:
        facts["share of the composition"] = config.composition
    if config.head and TASKS[config.task].per_base:
        facts |= {"genetic code": config.genetic_code, "start codons": ", ".join(config.start_codons)}
    return facts


def _is_onehot(config: CheckpointConfig) -> bool:
    return isinstance(config.encoder, EncoderConfig) and not config.encoder.n_layers


def _usage(config: CheckpointConfig, options: CardOptions) -> str:
    """Commands and lines of Python, as they fit the model."""
    name = options.hub_name or options.name
    quoted, where = json.dumps(name, ensure_ascii=False), shlex.quote(name)
    python = ["import dnaspt", "", f"model = dnaspt.load({quoted})  # a folder, or a name on the hub"]
    encoder = config.encoder
    if config.kind == "language":
        python += [
            'vectors = model.embed(["ACGTN..."])  # (1, D): mean hidden state',
            "model.embed([...], pool=None)  # a state for each base",
        ]
        command = f"dnaspt variants {where} --vcf calls.vcf.gz --genome genome.fa --out scored.vcf.gz"
    elif TASKS[config.task].per_base:
        python += [
            'genes = model.predict(["ACGTN..."])  # transcripts of each sequence',
            'model.predict_file("genome.fa", "genes.gff3")',
        ]
        command = f"dnaspt predict {where} --genome genome.fa --out genes.gff3"
    elif TASKS[config.task].any_length:
        python += ['table = model.predict(["ACGTN..."])  # a row for each sequence']
        command = f"dnaspt predict {where} --sequences sequences.csv --out scores.csv"
    else:
        window = "window, with CG in its middle" if TASKS[config.task].on_cpgs else "window"
        python += [
            f'table = model.predict(["ACGTN..."])  # a row for each {window}',
            'model.predict_file("genome.fa", "windows.parquet")',
        ]
        command = f"dnaspt predict {where} --genome genome.fa --out windows.parquet"
    parts = [
        "With dnaspt (Python 3.11 or later):",
        _fenced("python", python),
        "On the command line:",
        _fenced("", [command]),
    ]
    if isinstance(encoder, HuggingFaceConfig):
        pinned = f" --revision {encoder.revision}" if encoder.revision else ""
        parts += [
            "The encoder is another model, which has to be on your machine:",
            _fenced("", [f"hf download {encoder.path}{pinned}"]),
        ]
    if has_hidden_states(config):
        head = (
            "AutoModelForMaskedLM gives logits of masked bases."
            if config.kind == "language"
            else "The head is left out."
        )
        lines = [
            "import dnaspt.transformers  # registers the classes: no trust_remote_code",
            "from transformers import AutoModel, AutoTokenizer",
            "",
            f"tokenizer = AutoTokenizer.from_pretrained({quoted})",
            f"model = AutoModel.from_pretrained({quoted})",
            'batch = tokenizer(["ACGTN", "acg"], padding=True, return_tensors="pt")',
            "hidden = model(**batch).last_hidden_state  # (sequences, bases, D), 0 at padding",
        ]
        parts += [f"With transformers, which reads the hidden states of the encoder. {head}", _fenced("python", lines)]
    return "\n\n".join(parts)


def _fenced(language: str, lines: Sequence[str]) -> str:
    return "\n".join((f"```{language}", *lines, "```"))


def _scores(run: ShareableRun) -> Iterator[str]:
    """Tables of all evaluations, and of the scores on valid by which the checkpoint was chosen."""
    tests = [evaluation for evaluation in run.evaluations if evaluation.split == "test"]
    if not tests and run.config.kind == "task":
        yield "**It was not scored on a test split**: nothing is on record beside what follows."
    for evaluation in run.evaluations:
        of_fold = f" of fold {evaluation.fold}" if evaluation.fold else ""
        on = f"`{dataset_of(run, evaluation)}` (sha256 {evaluation.data_digest[:16]})"
        yield f"### {evaluation.split}{of_fold}, {on}"
        if evaluation.same_data is False:
            yield "The model was trained on another dataset."
        strands = {True: "both strands averaged", False: "one strand", None: ""}[evaluation.average_strands]
        n = f"{evaluation.n_windows:,} windows" if evaluation.n_windows else ""
        n = f"{evaluation.n_variants:,} variants" if evaluation.n_variants else n
        yield (
            ", ".join(
                filter(None, (n, strands, f"95 % intervals over {TASKS[evaluation.task].drawn}", evaluation.date[:10]))
            )
            + "."
        )
        shown = shown_scores(evaluation)
        if len(shown) == len(evaluation.scores):
            yield from _tables(evaluation_tables(evaluation, dataset_of(run, evaluation)))
        else:
            rows = tuple((name, score.with_interval(undefined="-")) for name, score in shown.items())
            yield from _tables([Table("", ("metric", "value [95 % interval]"), rows)])
            yield f"Scores of single labels are left out: there are more than {FEW_LABELS}."
        if (read := evaluation.encoder_read_splits) and evaluation.split in read:
            yield f"The encoder was pretrained on the sequences of the {evaluation.split} split, without labels."
    if run.n_test:
        yield f"The test split was scored {run.n_test} time{'s' if run.n_test > 1 else ''}, by the log of the run."
    scores = run.result.scores if run.result is not None else _numbers(run.config.provenance)
    if scores:
        chosen = (
            "out of fold on train, and on valid"
            if run.config.head == GENE_MODEL
            else "on valid, by which the checkpoint was chosen"
        )
        yield f"### While it was made: {chosen}"
        yield "These are a little too good, since choices were made by them."
        ngram = {} if run.result is None or run.result.ngram is None else asdict(run.result.ngram)
        yield from _tables(value_table("", dict(scores) | {name: ngram[name] for name in _NGRAM if name in ngram}))
    if not scores and not run.evaluations:
        yield "No scores are on record."


def _numbers(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Scores on valid and train that a checkpoint itself has on record."""
    return {
        name: value
        for name, value in provenance.items()
        if name.startswith(("valid_", "train_")) and isinstance(value, int | float)
    }


def _data(run: ShareableRun) -> Iterator[str]:
    """The dataset: where it came from, its splits, what was dropped, what the splits share."""
    manifest = run.manifest
    if manifest is None:
        digest = f" Its digest (sha256) is {run.config.data_digest}." if run.config.data_digest else ""
        yield f"The dataset was not at hand when this card was written.{digest}"
        return
    name = run.data or "data"
    of_fold = f", fold {manifest.fold}" if manifest.fold else ""
    yield f"Dataset `{name}`{of_fold}, digest (sha256) {manifest.digest}, prepared with dnaspt {manifest.dnaspt_version}."
    sources = tuple((last_name(own.path), f"{own.n_bytes:,}", own.sha256) for own in manifest.sources)
    yield from _tables([Table("Files that it was made from", ("file", "bytes", "sha256"), sources)])
    how = {key: manifest.settings[key] for key in _SPLITTING if manifest.settings.get(key) not in (None, "", [], 0)}
    if how.get("split", "position") != "position":
        how.pop("fractions", None)  # they divided nothing
    yield from _tables(
        value_table("How splits and labels were made", {key: _some(value) for key, value in how.items()})
    )
    yield from _tables(describe_dataset(manifest, name))
    if not manifest.dropped:
        yield "Nothing was dropped."
    read = run.config.provenance.get("read", [])
    if len(read) > 1:
        yield f"Pretraining also read the train sequences of {len(read) - 1} more datasets: sha256 {', '.join(read[1:])}."


def _training(run: ShareableRun) -> Iterator[str]:
    """Settings, time, and the models that it was made from."""
    provenance, result = run.config.provenance, run.result
    known: dict[str, Any] = {"command": f"dnaspt {provenance['command']}"} if "command" in provenance else {}
    known |= _settings(run.config)
    if result is not None:
        known |= {} if result.is_estimated else {"steps": result.steps, "best step": result.best_step}
        known |= {"bases learned from": result.n_bp, "minutes": result.minutes}
        known["device"] = result.device or "not on record"
    yield from _tables(value_table("", known)) if known else ["Nothing is on record."]
    sources = [(what, provenance.get(what)) for what in ("encoder", "network", "teacher")]
    sources += [("member", own) for own in provenance.get("members", [])]
    rows = tuple((what, own.get("path", "-"), own.get("sha256", "-")) for what, own in sources if own)
    yield from _tables([Table("Models that it was made from", ("what", "run", "sha256 of its tensors"), rows)])
    if result is not None and result.cut_out is not None:
        yield from _tables(
            value_table("Cut out before pretraining, since other datasets test on it", asdict(result.cut_out))
        )


def _settings(config: CheckpointConfig) -> dict[str, Any]:
    """Settings that had an effect, in the order of `_SETTINGS`."""
    settings = config.provenance.get("settings", {})
    idle = set(OF_GRADIENTS) if config.head == GENE_MODEL else set()
    idle |= {"preset"} if settings.get("encoder") or settings.get("embeddings") else set()
    idle |= {"epochs"} if settings.get("steps") else {"steps"}
    idle |= {"fold"} if not settings.get("fold") else set()
    empty: tuple[Any, ...] = (None, "", [])
    return {name: _some(settings[name]) for name in _SETTINGS if name not in idle and settings.get(name) not in empty}


def _limits(run: ShareableRun) -> Iterator[str]:
    """What is known to be missing, as a list."""
    config, manifest = run.config, run.manifest
    limits = [
        "It knows the sequences of the data above. How well it does on other species, cells or assays is not known."
    ]
    if not any(evaluation.split == "test" for evaluation in run.evaluations) and config.kind == "task":
        limits.append("No score on a test split is on record.")
    if run.is_unfinished:
        limits.append("Its training has not come to its end.")
    if manifest is not None and manifest.leakage.shares_sequence:
        limits.append("Splits share sequence (see the table above), so scores may be too good.")
    if manifest is None:
        limits.append("What the data were, and whether their splits share sequence, is not on record here.")
    if config.kind == "task" and TASKS[config.task].per_base:
        legal = " Introns are GT-AG or GC-AG." if config.head in (GENE_MODEL, "crf") else ""
        limits.append(f"One transcript for each gene; no UTRs.{legal}")
        if config.genetic_code != STANDARD.table:
            limits.append(f"Genes are read by genetic code {config.genetic_code} of the NCBI.")
    elif config.kind == "task" and config.window_bp and not TASKS[config.task].any_length:
        limits.append(f"It was trained on windows of {config.window_bp:,} bp.")
    if config.kind == "task" and TASKS[config.task].on_cpgs:
        limits.append("CpGs only, above or below a level of methylation.")
    if not has_hidden_states(config):
        limits.append("transformers cannot load it: use dnaspt.")
    limits.append("Letters other than A, C, G, T and U are read as N.")
    yield "\n".join(f"- {limit}" for limit in limits)


def _license(options: CardOptions) -> str:
    if options.license == UNKNOWN:
        return "No licence was chosen for this model: ask its authors before you use it."
    return f"{options.license}. The data that the model was made from have terms of their own."


def _tables(tables: Sequence[Table]) -> Iterator[str]:
    """Tables as Markdown, each below its title; those without rows are left out."""
    for table in tables:
        rows = tuple(tuple(_escaped(cell) for cell in row) for row in table.rows)
        columns = tuple(_escaped(column) for column in table.columns)
        if text := markdown_table(Table(table.title, columns, rows)):
            yield "\n\n".join(filter(None, (f"**{_escaped(table.title)}**" if table.title else "", text, table.note)))


def _escaped(cell: str) -> str:
    """Text that stays in its cell of a table."""
    return " ".join(str(cell).split()).replace("|", "\\|").replace("<", "&lt;")


def _some(values: Any, most: int = 20) -> Any:
    """The first values of a list as text, and how many more there are; what is no list as it is."""
    if not isinstance(values, list | tuple):
        return values
    more = f", and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(map(str, values[:most])) + more
