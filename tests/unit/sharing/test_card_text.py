"""The text of a model card: it says what is on record and what is not, and names no folder of anybody."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import BASELINE_ENCODERS, EncoderConfig, HuggingFaceConfig
from dnaspt.data.manifest import LeakageReport, SharedWindows
from dnaspt.evaluation.metrics import Score
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.sharing.card_text import card_text, shown_scores
from dnaspt.sharing.options import CardOptions
from dnaspt.sharing.source import ShareableRun, read_shareable
from dnaspt.words import words_of

PUBLISHED = HuggingFaceConfig(path="lab/lm", revision="a1", sha256="0" * 64, hidden_size=8, n_tokens=64, chunk_bp=62)
OPTIONS = CardOptions(name="rich", license="mit", hub_name="lab/rich")


def text_of(run: ShareableRun, options: CardOptions = OPTIONS) -> str:
    return card_text(run, options, 1234)


def bare(config: CheckpointConfig) -> ShareableRun:
    """A checkpoint of which nothing else is known."""
    return ShareableRun(Path("x"), config, None, False, (), 0, "", None)


@pytest.mark.parametrize("name", ["pre", "rich", "genes"])
def test_no_card_names_a_folder_or_a_person(name: str, shared: Path, windows: Path, gene_data: Path) -> None:
    text = text_of(read_shareable(shared / name))
    for private in (shared, windows.parent, gene_data.parent, Path.home()):
        assert str(private) not in text
    assert "alice" not in text and "/tmp" not in text


def test_the_card_says_data_splits_scores_licence_and_use(shared: Path) -> None:
    run = read_shareable(shared / "rich")
    text = text_of(run)
    assert run.manifest is not None and run.manifest.digest in text
    for split, summary in run.manifest.splits.items():
        assert f"| {split} | {summary.n_windows:,} | {summary.n_bp:,} |" in text
    mean = run.evaluations[0].scores["mean_auroc"]
    assert mean.with_interval() in text and "The test split was scored 1 time" in text
    assert "## Licence\n\nmit." in text and 'dnaspt.load("lab/rich")' in text
    assert "import dnaspt.transformers  # registers the classes: no trust_remote_code" in text
    assert "| encoder | pre |" in text  # what it was made from, with its sha256
    assert run.config.provenance["encoder"]["sha256"] in text


def test_sources_are_named_by_file_and_digest(shared: Path, simulated: Path) -> None:
    run = read_shareable(shared / "genes")
    assert run.manifest is not None
    text = text_of(run)
    for source in run.manifest.sources:
        assert f"| {Path(source.path).name} | {source.n_bytes:,} | {source.sha256} |" in text
    for reason, number in run.manifest.dropped.items():
        assert f"| {words_of(reason)} | {number:,} |" in text


def test_what_is_not_on_record_is_said(shared: Path) -> None:
    text = text_of(read_shareable(shared / "genes"))
    assert "**It was not scored on a test split**" in text and "No score on a test split is on record." in text
    config = CheckpointConfig(kind="language", encoder=EncoderConfig(hidden_size=8, n_layers=1))
    text = text_of(bare(config), CardOptions(name="bend"))
    for said in (
        *(
            "No scores are on record.",
            "The dataset was not at hand when this card was written.",
            "Nothing is on record.",
        ),
        "No licence was chosen for this model: ask its authors before you use it.",
    ):
        assert said in text
    assert "\n\n\n" not in text and "None" not in text.replace("pool=None", "")


def test_a_training_without_an_end_is_a_limit(shared: Path) -> None:
    run = read_shareable(shared / "rich")
    assert "has not come to its end" in text_of(replace(run, is_unfinished=True)) and "its end" not in text_of(run)


def test_shared_sequence_is_a_limit(shared: Path) -> None:
    run = read_shareable(shared / "rich")
    assert run.manifest is not None
    pairs = {"train-test": SharedWindows(n_windows=120, overlapping=0, exact=3, near=0)}
    leaky = run.manifest.model_copy(update={"leakage": LeakageReport(pairs=pairs, k=16, min_containment=0.25)})
    assert "Splits share sequence (see the table above)" in text_of(replace(run, manifest=leaky))
    assert "Splits share sequence" not in text_of(run)


@pytest.mark.parametrize(
    ("update", "said", "not_said"),
    [
        ({}, "AutoModel.from_pretrained", "transformers cannot load it"),
        ({"encoder": BASELINE_ENCODERS["onehot"], "head": "gene-model"}, "none: it reads letters", "AutoModel"),
        ({"head": "softmax"}, "One transcript for each gene; no UTRs.\n", "GT-AG"),
        ({"genetic_code": 6}, "Genes are read by genetic code 6 of the NCBI.", "windows, bp"),
        (
            {"encoder": PUBLISHED},
            "hf download lab/lm --revision a1",
            "AutoModel",
        ),
    ],
)
def test_use_and_limits_are_those_of_the_model(update: dict[str, object], said: str, not_said: str) -> None:
    config = CheckpointConfig(
        kind="task",
        encoder=EncoderConfig(hidden_size=8, n_layers=1),
        task="genes",
        head="crf",
        labels=GENE_STATES.names,
    )
    text = text_of(bare(config.model_copy(update=update)))
    assert said in text and not_said not in text


def test_names_with_spaces_and_quotes_make_no_broken_commands(shared: Path) -> None:
    text = text_of(read_shareable(shared / "rich"), CardOptions(name='my "best" model'))
    assert 'dnaspt.load("my \\"best\\" model")' in text and "dnaspt predict 'my \"best\" model' --genome" in text


def test_settings_without_effect_are_not_listed(shared: Path) -> None:
    text = text_of(read_shareable(shared / "rich"))
    training = text[text.index("## Training") : text.index("## Limits")]
    assert "preset" not in training and "epochs" not in training and "| seed | 0 |" in training
    assert "| command | dnaspt finetune |" in training and "learning rate" in training


def test_of_many_labels_means_alone_are_shown(shared: Path) -> None:
    run = read_shareable(shared / "rich")
    evaluation = run.evaluations[0]
    assert evaluation.windows is not None
    many = {f"label|{n}": Score(0.5, 0.4, 0.6) for n in range(40)}
    labels = replace(evaluation.windows.labels, auroc=many, auprc=many)
    changed = replace(evaluation, windows=replace(evaluation.windows, labels=labels))
    assert not [name for name in shown_scores(changed) if "/" in name]
    text = text_of(replace(run, evaluations=(changed,)))
    assert "Scores of single labels are left out: there are more than 30." in text and "label|" not in text
    few = {name: many[name] for name in ("label|1", "label|2")}
    labels = replace(labels, auroc=few, auprc=few)
    text = text_of(replace(run, evaluations=(replace(changed, windows=replace(evaluation.windows, labels=labels)),)))
    assert "| label\\|1 | 0.500 [0.400, 0.600] |" in text  # it stays in its cell


def test_the_description_in_json_and_the_card_agree(shared: Path) -> None:
    run = read_shareable(shared / "rich")
    labels = ", ".join(json.loads(run.config.model_dump_json())["labels"])
    assert f"| labels | {labels} |" in text_of(run)


def test_a_model_of_a_signal_says_what_its_numbers_are() -> None:
    config = CheckpointConfig(
        kind="task",
        encoder=EncoderConfig(hidden_size=8, n_layers=1),
        task="signal",
        head="mse",
        labels=("a",),
        provenance={"numbers": "mean of the signal over the middle 256 bp of a window"},
    )
    text = text_of(bare(config))
    assert "predicts numbers of windows: mean of the signal over the middle 256 bp of a window." in text
