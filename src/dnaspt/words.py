"""Names of counts in plain words: what people read for the names that stand in manifest.json, in result.json and in `--json`.

docs/glossary.md lists them (`python docs/make_glossary.py` makes it again).
"""

from collections.abc import Mapping
from types import MappingProxyType

FOUND: Mapping[str, str] = MappingProxyType(
    {
        "annotation_rows": "rows of the annotation that were read",
        "contigs": "contigs",
        "ambiguous_letters": "letters other than A, C, G, T and N, read as N",
        "genes": "genes",
        "transcripts": "transcripts with a CDS",
        "coding_genes": "coding genes",
        "other_isoforms": "transcripts that are not the longest of their gene",
        "stop_codons_in_cds": "transcripts whose CDS has the stop codon",
        "stop_codons_from_rows": "transcripts whose stop codon came from stop_codon rows",
        "stop_codons_from_sequence": "transcripts whose stop codon was found behind the CDS",
        "stop_codons_not_found": "transcripts without a stop codon",
        "introns": "introns",
        "introns_gt_ag": "introns from GT to AG",
        "introns_gc_ag": "introns from GC to AG",
        "introns_at_ac": "introns from AT to AC",
        "introns_other": "introns with other splice sites",
        "cds_not_multiple_of_3": "transcripts whose CDS is no whole number of codons",
        "coding_off_contig": "intervals that end beyond their contig",
        "frameshift_introns": "introns below 4 bp: labels missing",
        "genes_across_splits": "genes that lie in two splits: labels missing",
        "genes_conflicting": "genes that contradict another one on a base",
        "transcripts_across_origin": "transcripts across the origin of a circular contig: labels missing",
        "bp_unknown": "bases whose annotation is not known: labels missing",
        "bp_n": "bases that are N: labels missing",
        "bp_coding_elsewhere": "bases coding in another transcript alone: labels missing",
        "bp_conflicting": "bases on which two genes disagree: labels missing",
        "illegal_stretches": "places where no gene structure fits the labels",
        "bp_illegal": "bases there: labels missing",
        "unlabeled_ambiguous_letters": "letters read as N in the unlabeled sequence",
        "unlabeled_contigs_renamed": "unlabeled contigs that got another name",
        "windows": "windows",
        "windows_with_a_label": "windows with at least one label that is true",
        "regions": "regions that were read",
        "regions_cut_at_end": "regions cut at the end of their contig",
        "regions_merged": "regions that share a window with another one",
        "background_windows": "windows without a region (background)",
        "background_short": "background windows that were wanted and not found",
        "cpg_in_genome": "CpGs in the genome",
        "cpg_with_call": "CpGs with reads in a sample",
        "cpg_labeled": "CpGs with a label",
        "calls": "calls that were read",
        "calls_repeated": "calls of a position that has one already",
        "sequences": "sequences",
        "sequences_with_a_label": "sequences with at least one label that is true",
        "repeated": "sequences that stand more than once",
        "contradicting": "sequences that stand more than once, with different labels",
        "numbers_missing": "numbers that are missing: less than half of the window's middle has a value",
        "bins": "bins",
        "variants": "variants",
        "with_effect": "variants with an effect",
    }
)
"""What was found: names of `counts` in manifest.json."""

_OF_ANNOTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "rows": "rows that were read",
        "transcripts_trans_spliced": "transcripts that are spliced from two transcripts",
        "transcripts_on_both_strands": "transcripts with CDS on both strands",
        "transcripts_against_their_rows": "transcripts whose rows do not fit each other",
        "transcripts_of_unclear_proteins": "transcripts whose CDS rows may be one protein or several",
        "transcripts_of_pseudogenes": "transcripts of pseudogenes",
        "transcripts_of_other_kinds": "transcripts that are not translated in full, or of other kinds",
        "transcripts_cut_off": "transcripts whose own row is not in the file",
        "transcripts_across_origin": "transcripts across the origin of a circular contig",
        "transcripts_with_overlapping_cds": "transcripts with CDS rows that overlap",
        "stop_codons_without_transcript": "stop_codon rows that name no transcript",
        "coding_exons_without_transcript": "coding_exon rows that name no transcript",
        "cds_without_parent": "CDS rows without Parent",
        "cds_without_ids": "CDS rows without gene_id and transcript_id",
        "names_at_several_places": "names that stand at several places of a contig",
        "genes_at_several_places": "genes whose transcripts lie apart from each other",
        "nameless_sequence_regions": "##sequence-region lines without a contig",
        "sequence_regions_without_coordinates": "##sequence-region lines without usable coordinates",
        "sequence_regions_that_disagree": "##sequence-region lines that disagree on a contig",
    }
)
"""What reading an annotation counts; in manifest.json these names begin with `annotation_`."""

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "off_contig": "windows that reach beyond their contig",
        "not_in_one_split": "windows that do not lie in one split, or in one fold",
        "unknown_bases": "too many N, or an N where a base is compared",
        "blacklist": "windows that touch the blacklist",
        "contig_not_in_genome": "on contigs that the genome lacks",
        "region_without_window": "regions that make no window positive",
        "regions_below_min_overlap": "regions that cover too little of a window's middle",
        "end_unknown": "ends without a position (BEDPE)",
        "zero_signal": "rows whose value is 0, or without one (bedGraph)",
        "low_coverage": "CpGs with too few reads in every sample",
        "not_cpg": "calls that are on no CpG of the genome",
        "other_modification": "calls of other modifications than 5mC",
        "hemi_pattern": "patterns of both strands",
        "combined_modifications": "calls of 5mC together with other modifications",
        "other_motif": "calls of a site that was called for another motif too",
        "no_level": "calls without a level",
        "contigs_without_annotation": "contigs that no annotation names",
        "bp_on_contigs_without_annotation": "bases on contigs that no annotation names",
        "annotated_contigs_without_sequence": "annotated contigs that the genome lacks",
        "transcripts_on_contigs_without_sequence": "transcripts on contigs that the genome lacks",
        "unknown_regions_on_contigs_without_sequence": "intervals of --unknown on contigs that the genome lacks",
        "transcripts_not_in_one_split": "transcripts across splits, which no score compares with",
        "windows_all_n": "windows of N alone",
        "bp_in_windows_all_n": "bases in windows of N alone",
        "windows_all_missing": "windows without a known label",
        "bp_in_windows_all_missing": "bases in windows without a known label",
        "unlabeled_windows_all_n": "unlabeled windows of N alone",
        "empty_sequence": "rows without a sequence",
        "no_alternative": "records without an alternative allele",
        "symbolic_allele": "alleles that are no sequence, such as <DEL>",
        "same_as_reference": "alleles that are equal to REF",
        "reference_mismatch": "alleles whose REF is not what the genome has",
        "longer_than_half_the_window": "alleles longer than half the window",
        "unknown_window": "alleles in a window of which more than half is N",
    }
)
"""What was left out, by reason: names of `dropped` in manifest.json, and of `not_scored` of `dnaspt variants`."""

RESULTS: Mapping[str, str] = MappingProxyType(
    {
        "out": "written to",
        "files": "files",
        "n_contigs": "contigs",
        "n_bp": "bases",
        "n_genes": "genes",
        "n_transcripts": "transcripts",
        "n_introns": "introns",
        "gene_bp": "bases from the first to the last exon of genes",
        "cds_bp": "coding bases",
        "repeat_bp": "soft-masked bases (repeats)",
        "n_islands": "CpG islands",
        "n_peaks": "peaks of each kind",
        "n_cpg_rows": "rows of methylation calls",
        "n_partial": "genes that lack an end (partial)",
        "n_left_out": "genes left out by a filter",
        "n_resumed": "contigs taken over from a broken-off prediction",
        "n_windows": "windows",
        "n_unknown": "left out: more than half N",
        "n_off_contig": "left out: reach beyond their contig",
        "n_sequences": "sequences",
        "n_empty": "rows without a sequence",
        "label": "label",
        "method": "method",
        "average_strands": "both strands averaged",
        "n_longer": "intervals longer than a window, of which the middle is explained",
        "n_not_drawn": "windows with the label that were not drawn",
        "n_shared_bp": "bases in more than one window: a bigWig has their mean",
        "gap": "share by which contributions do not add up (deeplift)",
        "n_file_bytes": "bytes",
        "for_transformers": "transformers can load it",
        "hub": "name on the hub",
        "commit": "commit",
        "address": "address",
        "n_vectors": "vectors",
        "hidden_size": "numbers in a vector (hidden size)",
        "n_bytes": "bytes before packing",
        "records": "records",
        "scored": "alleles scored",
        "valid_nats": "nats per masked base on valid",
        "valid_accuracy": "accuracy on valid",
        "valid_mcc": "MCC on valid",
        "valid_base_f1": "F1 of coding bases on valid",
        "valid_exon_f1": "F1 of exons on valid",
        "valid_gene_f1": "F1 of genes on valid",
        "valid_auroc": "mean AUROC on valid",
        "valid_auprc": "mean AUPRC on valid",
        "valid_pearson": "mean Pearson correlation on valid",
        "valid_spearman": "mean Spearman correlation on valid",
        "valid_r2": "mean R2 on valid",
        "mcc": "MCC",
        "base_f1": "F1 of coding bases",
        "exon_f1": "F1 of exons",
        "gene_f1": "F1 of genes",
        "valid_score": "score that chose the checkpoint",
        "train_mcc": "MCC on train, out of fold",
        "train_base_f1": "F1 of coding bases on train, out of fold",
        "train_exon_f1": "F1 of exons on train, out of fold",
        "train_gene_f1": "F1 of genes on train, out of fold",
        "best_step": "best step",
        "step": "step",
        "steps": "optimizer steps",
        "minutes": "minutes",
        "device": "device",
        "precision": "precision of numbers, bits",
        "markov_order": "Markov chain: order",
        "markov_nats": "Markov chain: nats per masked base",
        "markov_accuracy": "Markov chain: accuracy",
        "two_sided_k": "n-grams of both sides: bases on each side",
        "two_sided_nats": "n-grams of both sides: nats per masked base",
        "two_sided_accuracy": "n-grams of both sides: accuracy",
        "nats_by_k": "n-grams of both sides: nats for 1, 2, ... bases on each side",
        "n_masked": "masked bases that were guessed",
        "n_cut_bp": "bases cut out because valid or test has them too",
        "n_cut_stretches": "stretches cut out",
        "n_offered_bp": "bases before cutting out",
        "n_held_out_bp": "bases of valid and test that were looked for",
    }
)
"""What commands say of what they wrote: names of their summaries and of result.json."""

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "base": "coding base",
        "donor": "donor",
        "acceptor": "acceptor",
        "splice_site": "splice site",
        "exon": "coding exon",
        "intron_chain": "intron chain",
        "transcript": "transcript",
        "gene": "gene",
    }
)
"""Levels of gene structure at which predicted genes are compared with annotated ones."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        **{f"annotation_{name}": f"annotation: {words}" for name, words in _OF_ANNOTATIONS.items()},
        **_OF_ANNOTATIONS,
        **RESULTS,
        **FOUND,
        **LEFT_OUT,
    }
)
"""Every name that has words of its own."""


def words_of(name: str) -> str:
    """A name in plain words; one that is not known without its underscores.

    Example:
        >>> words_of("cpg_with_call")
        'CpGs with reads in a sample'
        >>> words_of("dilation_max")
        'dilation max'
    """
    if name in WORDS:
        return WORDS[name]
    return name if " " in name else name.removeprefix("n_").replace("_", " ")
