"""Options that contradict each other or the files, each named for its fault, and the answer."""

from tests.integration.sources import GENES, GENOME
from tests.integration.spoiling import BadFolder, text

OPTIONS = {
    "genes_in_bed": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.bed", "{}/out.bed", "expected a name .*gff3"
    ),
    "windows_in_gff3": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.gff3 --stride-bp 16",
        "{}/out.gff3",
        "unknown suffix; expected .bed, .bw",
    ),
    "stride_of_zero": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.bed --stride-bp 0",
        "stride_bp 0",
        "expected 1 to the window",
    ),
    "threshold_above_one": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.bed --stride-bp 16 --threshold 50",
        "threshold 50",
        "expected 0 to 1",
    ),
    "sensitivity_of_a_softmax": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.gff3 --sensitivity 0.9",
        "--sensitivity is for gene models",
        "this model has a softmax head",
    ),
    "tracks_of_a_softmax": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.gff3 --tracks {}/t",
        "{}/t.coding_plus.bw",
        "--tracks is for gene models; this model has a softmax head",
    ),
    "regions_of_another_genome": BadFolder(
        "predict {}/genes --genome {}/other.fa --out {}/out.gff3 --regions {}/peaks.bed",
        "{}/peaks.bed",
        "contig 'chr1' is not in .*/other.fa; are its names those of the FASTA",
    ),
    "predicted_into_no_folder": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/no/where/out.gff3", "{}/no/where", "no such folder"
    ),
    "predicted_into_a_folder": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.gff3",
        "{}/out.gff3",
        "is a folder",
        lambda f: (f / "out.gff3").mkdir(),
    ),
    "head_of_another_task": BadFolder(
        "finetune {}/windows --out {}/out --head crf", "head 'crf' does not fit task 'regions'", "expected sigmoid"
    ),
    "head_unknown": BadFolder(
        "finetune {}/data --out {}/out --head mlp", "Invalid value for '--head': 'mlp'", "not one of .*'crf', 'softmax'"
    ),
    "preset_unknown": BadFolder(
        "pretrain {}/data --out {}/out --preset huge", "Invalid value for '--preset': 'huge'", "not one of .*'paper'"
    ),
    "batch_of_one_base": BadFolder("pretrain {}/data --out {}/out --batch-bp 1", "options", "batch_bp = 1: .*64"),
    "label_fraction_of_zero": BadFolder(
        "finetune {}/data --out {}/out --label-fraction 0", "options", "label_fraction = 0"
    ),
    "pretrained_on_an_unknown_split": BadFolder(
        "pretrain {}/data --out {}/out --config {}/s.toml",
        "{}/data",
        "split is called 'dev'",
        text("s.toml", "splits = ['dev']\n"),
    ),
    "output_already_there": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/data",
        "{}/data",
        "already there; choose another",
    ),
    "overwritten_folder_is_no_dataset": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/genes --overwrite",
        "{}/genes",
        "is there and is no dataset .*; choose another --out",
    ),
    "protein_predicted": BadFolder(
        "predict {}/genes --genome {}/protein.fa --out {}/out.gff3",
        "{}/protein.fa:4",
        "is it protein?",
        text("protein.fa", f">chr1\n{GENOME.split()[1]}\n>p\nMKTAYI\n"),
    ),
    "genome_absent_predicted": BadFolder(
        "predict {}/genes --genome {}/no.fa --out {}/out.gff3",
        "{}/no.fa",
        "No such file or directory; expected a readable",
    ),
    "valid_contigs_beside_position": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --valid-contigs chr2",
        "options",
        "^error: options: valid_contigs and test_contigs have an effect with split 'contig' alone$",
    ),
    "contig_for_valid_and_test": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out"
        " --split contig --valid-contigs chr2 --test-contigs chr2",
        "contig 'chr2' is named for valid and for test",
        "choose one",
    ),
    "contig_of_the_split_unknown": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --split contig --test-contigs chr7",
        "contig 'chr7' of the split has no record in",
        "check its name",
    ),
    "fractions_above_one": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --config {}/s.toml",
        "split fractions",
        r"\(0.8, 0.3, 0.2\); expected three that are not negative and sum to 1",
        text("s.toml", "fractions = [0.8, 0.3, 0.2]\n"),
    ),
    "valid_genome_without_annotation": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --valid-genome {}/other.fa",
        "options",
        "^error: options: valid_genome and valid_annotation belong together; give both or none$",
    ),
    "split_is_no_word_and_no_file": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --split random",
        "options",
        "^error: options: split 'random' is neither a file nor one of position",
    ),
    "genome_given_twice": BadFolder(
        "prepare genes --genome {}/genome.fa --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out",
        "{}/genome.fa",
        "record 'chr1' stands in two genome files",
    ),
    "window_longer_than_contigs": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/out --window-bp 4096",
        "{}/genome.fa",
        "no window left .*; check window_bp",
    ),
    "core_longer_than_window": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/out --window-bp 128",
        "options",
        "^error: options: core_bp 256 is more than window_bp 128$",
    ),
    "region_file_twice": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --regions {}/peaks.bed --out {}/out --window-bp 256",
        "two region files are named 'peaks'",
        "rename one",
    ),
    "odd_window_around_cpgs": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --window-bp 63",
        "options",
        "^error: options: window_bp 63 is odd; expected an even one",
    ),
    "two_names_for_one_sample": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --names a,b",
        "options",
        "^error: options: 2 names for 1 files of calls; expected one each$",
    ),
    "coverage_beyond_every_call": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --min-coverage 99 --window-bp 64",
        "{}/genome.fa",
        "no window left",
    ),
    "strict_about_leakage": BadFolder(
        "prepare genes --genome {}/twice.fa --annotation {}/genes.gff3 --out {}/out --window-bp 64 --strict"
        " --split contig --test-contigs chr2",
        "{}/out",
        "share|leak",
        lambda f: (
            (f / "twice.fa").write_text(f">chr1\n{GENOME.split()[1]}\n>chr2\n{GENOME.split()[1]}\n"),
            (f / "genes.gff3").write_text(
                GENES + GENES.replace("chr1", "chr2").replace("=g", "=h").replace("=t", "=u")
            ),
        ),
    ),
    "simulated_over_other_files": BadFolder(
        "simulate --out {}/data --overwrite", "{}/data", "is not a simulated genome .*choose another --out"
    ),
    "too_short_to_simulate": BadFolder("simulate --out {}/out --contig-bp 10", "options", "contig_bp = 10: .*10000"),
}
