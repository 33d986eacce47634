"""The terms of dnaspt, and its counts in plain words, to docs/glossary.md: `python docs/make_glossary.py`."""

from collections.abc import Mapping
from pathlib import Path

from dnaspt.words import FOUND, LEFT_OUT, LEVELS, RESULTS, WORDS

TERMS: Mapping[str, Mapping[str, str]] = {
    "Data": {
        "dataset": "A folder that `dnaspt prepare` makes: windows with their labels, in splits, and `manifest.json`, which says "
        "where they come from and what was left out.",
        "contig": "A sequence of a FASTA file: a chromosome, a scaffold, a contig.",
        "window": "A stretch of sequence that the model sees at once: 4,096 bp of a genome for genes, 512 bp around a peak or a "
        "CpG. A dataset of sequences has whole sequences for windows.",
        "label": "What is known of a base (its class) or of a window (is it a peak?). A label can be missing: it is neither true "
        "nor false, and neither learned nor scored.",
        "class": "One of several labels of which exactly one is true. A base has one of nine: CDS, donor, intron and acceptor on "
        "either strand, or non-coding.",
        "split": "The part of a dataset that a window belongs to: train (to learn from), valid (to choose by) or test (to score "
        "once, at the end).",
        "fold": "One part of a cross-validation. The data are cut into K folds; each is tested once, by models that learned from "
        "the others.",
        "leakage": "Sequence that two splits share, as overlaps or copies. A model can remember it, so scores on test come out "
        "too high.",
        "block": "Neighboring bases or windows (about 10 kb of genome), which intervals resample as one: neighbors are alike. "
        "A sequence without a genome is a block of its own.",
        "signal track": "A bigWig file with a number for each base, such as coverage. `prepare regions --signal` makes "
        "a number of each window from it.",
        "background": "Windows without a peak, against which windows with peaks are told apart.",
        "soft-masked": "In lower case: repeats, in most genomes.",
    },
    "Models": {
        "language model": "A network that guesses hidden (masked) bases from the bases around them. It needs no labels.",
        "self-pretraining (SPT)": "To train a language model on the task's own sequences first, and then fine-tune it on their "
        "labels (arXiv 2506.17766).",
        "encoder": "The network that reads the sequence: layers of dilated convolutions. Pretraining trains it.",
        "hidden state, embedding": "The numbers that the encoder gives for a base, or their mean over a window.",
        "head": "The part of the network that turns hidden states into labels: softmax, sigmoid, CRF or gene model.",
        "softmax, sigmoid": "Heads that score each base (softmax: one class of several) or each window (sigmoid: true or "
        "false for each label) by itself.",
        "CRF": "Conditional random field: a head that scores the classes of all bases of a sequence together, and knows which "
        "may follow each other (no intron without a donor).",
        "gene model": "A head that decodes whole genes: start and stop codons, frame, splice sites, and how long exons and "
        "introns are (docs/gene_models.md).",
        "regression": "To predict a number instead of a label that is true or false: a signal, an expression, a binding.",
        "decoding": "To find the most probable legal genes from the scores of single bases.",
        "fine-tuning": "To train encoder and head on labels.",
        "from scratch": "To train on labels an encoder that was not pretrained.",
        "composition": "What k-mers and Markov chains say of a window, which can be added to what the network says.",
        "ensemble": "Several models as one: the mean of what they say.",
        "receptive field": "How far from a base the model looks, on either side.",
        "checkpoint": "The weights of a model, with their description. A run keeps the best one on valid, and the last one.",
        "attribution": "How much a base speaks for a label: a number for each base, made by `explain` (docs/explain.md).",
        "in-silico mutagenesis (ISM)": "An attribution: each base is changed to each other letter, and the model is asked again.",
        "gradient x input": "An attribution from one pass through the model: fast, and rougher than mutagenesis.",
        "DeepLIFT/SHAP": "An attribution against shuffled copies of the sequence.",
        "model card": "The page that `export` writes beside a model: data, splits, scores, license, how to use it.",
        "epoch, step, batch": "A pass over the training data; one update of the weights; the windows of one update.",
        "learning rate": "How far each step moves the weights. It is the setting that matters most.",
    },
    "Scores": {
        "MCC": "Matthews correlation coefficient over all bases and classes: 1 is perfect, 0 is chance. Rare classes count.",
        "sensitivity (recall)": "Share of the annotated exons or genes that were found.",
        "precision": "Share of the predicted exons or genes that are right.",
        "F1": "Harmonic mean of sensitivity and precision.",
        "AUROC": "Area under the ROC curve: how often a window with the label scores higher than one without it. 0.5 is chance.",
        "AUPRC": "Area under the precision-recall curve (average precision). Chance is the share of true labels, so compare it "
        "only within one dataset.",
        "accuracy": "Share of the labels that are predicted right. Where one class is common, it is high for nothing.",
        "Pearson's r": "How well predicted numbers follow the true ones along a straight line: 1 is perfect, 0 is chance.",
        "Spearman's rho": "As Pearson's r, of ranks: whether the order is right.",
        "R2": "Share of the variance of the true numbers that the predicted ones explain. Below 0: worse than their mean.",
        "95 % interval": "The middle 95 % of scores of many test sets that are drawn from the blocks of this one: [low, high].",
        "calibration": "Whether probabilities are right: of windows with probability 0.8, 80 % should have the label.",
        "nats": "Unit of the loss of a language model: -ln of the probability of the true base. Guessing among four bases costs "
        "1.386 nats; less is better.",
        "log-odds": "ln(p / (1 - p)) of a probability p: 0 for 0.5.",
        "baseline": "A simple method that a model has to beat: k-mers, the CpG count, AUGUSTUS.",
        "out of fold": "Scored by a model that has not learned from what is scored.",
    },
    "Studies": {
        "run": "A folder that `pretrain`, `finetune` or `ensemble` writes: settings, checkpoints, scores.",
        "study": "Many runs that answer one question: does self-pretraining help on these data?",
        "arm": "One way to a model in a study: from scratch, self-pretrained, with a CRF.",
        "seed": "The number that all randomness comes from. Runs of other seeds show how much is chance.",
        "trial, tuning": "A run that tries a learning rate on valid; test is not read.",
        "gain": "Difference between the scores of two arms, with its interval. Undecided: the interval has 0 in it.",
        "protocol": "On which sequences an encoder is pretrained: the windows of the task itself, or others.",
    },
}
"""Terms by chapter, with what they mean here."""


def glossary_page() -> str:
    """The glossary as Markdown."""
    parts = ["# Glossary", "Made by `docs/make_glossary.py`.", ""]
    for chapter, terms in TERMS.items():
        parts += [f"## {chapter}", "| term | what it is |", "|---|---|"]
        parts += [f"| {term} | {meaning} |" for term, meaning in terms.items()] + [""]
    of_annotations = {
        name: words for name, words in WORDS.items() if name.startswith("annotation_") and name not in FOUND
    }
    parts += [
        "## Counts",
        "What tables say, and the name of the same number in `manifest.json`, in `result.json` and in what `--json` prints.",
        "More on each: [files.md](files.md).",
        "",
        *_counts("Found", "`counts` of a dataset", FOUND),
        *_counts(
            "Found in annotations",
            "`counts` of a dataset; `left_out` of `compare-annotations` and `baseline`, without `annotation_`",
            of_annotations,
        ),
        *_counts("Left out", "`dropped` of a dataset; `not_scored` of `variants`", LEFT_OUT),
        *_counts(
            "Results", "`result` of a run; what `simulate`, `predict`, `decode`, `embed` and `variants` say", RESULTS
        ),
        *_counts("Levels of gene structure", "`levels` of an evaluation", LEVELS),
    ]
    return "\n".join(parts)


def _counts(title: str, where: str, words: Mapping[str, str]) -> list[str]:
    """A table of words and the names that they stand for."""
    rows = [f"| {text} | `{name}`{_short_form(name)} |" for name, text in words.items()]
    return [f"### {title}", f"{where[0].upper()}{where[1:]}.", "", "| in tables | name |", "|---|---|", *rows, ""]


def _short_form(name: str) -> str:
    """The name of a count of an annotation where it stands without its beginning; else empty."""
    return f", `{short}`" if (short := name.removeprefix("annotation_")) != name and short in WORDS else ""


if __name__ == "__main__":
    (Path(__file__).parent / "glossary.md").write_text(glossary_page(), encoding="utf-8")
