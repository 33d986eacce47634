"""Damaged input files for the readers: each ends in a clean error, or in results that cannot be wrong.

`python tests/fuzz/readers.py --inputs 100000` makes so many files from valid ones by seeded mutations (bytes, columns, rows,
numbers, packing) and reads each. Anything but an error of dnaspt, or results that break a rule, is printed with its seed.
The last line says how many files were read, refused and faulty; exit code 1 if one was faulty. `--seed N` begins elsewhere.

Rules: intervals lie in order and are not negative, levels are from 0 to 1, letters are letters, and no base that a CDS row of a
transcript covers is labeled non-coding.
"""

import argparse
import gzip
import logging
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from dnaspt.errors import DnasptError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import has_labels, read_bed, read_labeled_bed
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.fasta import Contig, contig_names, read_fasta
from dnaspt.genome.gene_states import NONCODING
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.tracks import read_calls
from dnaspt.genome.vcf import read_alleles
from dnaspt.prepare.gene_labels import label_genes
from dnaspt.prepare.splits import SplitInterval

LENGTH = 600
CONTIG = Contig("chr1", alphabet.encode("".join(random.Random(0).choices("ACGT", k=LENGTH)).encode()))
GFF3 = """##gff-version 3
##sequence-region chr1 1 600
chr1\tx\tgene\t11\t200\t.\t+\t.\tID=g1;biotype=protein_coding
chr1\tx\tmRNA\t11\t200\t.\t+\t.\tID=t1;Parent=g1
chr1\tx\texon\t11\t60\t.\t+\t.\tParent=t1
chr1\tx\tCDS\t21\t60\t.\t+\t0\tID=c1;Parent=t1;protein_id=P1
chr1\tx\tCDS\t91\t120\t.\t+\t2\tID=c1;Parent=t1;protein_id=P1
chr1\tx\tmRNA\t11\t200\t.\t+\t.\tID=t2;Parent=g1
chr1\tx\tCDS\t21\t60\t.\t+\t0\tID=c2;Parent=t2,t1
chr1\tx\tpseudogene\t250\t300\t.\t-\t.\tID=p1
chr1\tx\tCDS\t251\t280\t.\t-\t0\tParent=p1;pseudo=true
chr1\tx\tCDS\t401\t430\t.\t-\t0\tID=lone
chr1\tx\tregion\t1\t600\t.\t.\t.\tID=chr1;Is_circular=true
"""
GTF = """chr1\tx\tgene\t11\t200\t.\t+\t.\tgene_id "g1"; gene_biotype "protein_coding";
chr1\tx\ttranscript\t11\t200\t.\t+\t.\tgene_id "g1"; transcript_id "t1";
chr1\tx\texon\t11\t60\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; exon_number 1;
chr1\tx\tCDS\t21\t60\t.\t+\t0\tgene_id "g1"; transcript_id "t1"; protein_id "P1";
chr1\tx\tCDS\t91\t120\t.\t+\t2\tgene_id "g1"; transcript_id "t1"; protein_id "P1";
chr1\tx\tstop_codon\t121\t123\t.\t+\t0\tgene_id "g1"; transcript_id "t1";
chr1\tx\tCDS\t301\t330\t.\t-\t0\tgene_id "g2"; transcript_id "t3"; transcript_type "IG_V_gene";
chr1\tx\tgene\t401\t500\t.\t+\t.\tg3
chr1\tx\ttranscript\t401\t500\t.\t+\t.\tg3.t1
chr1\tx\tCDS\t401\t430\t.\t+\t0\ttranscript_id "g3.t1"; gene_id "g3";
"""
BED = "track name=x\nchr1\t10\t50\tp1\t5\t+\nchr1\t60\t90\tp2\t0\t-\nchr2\t1\t9\tp3\t1\t.\n"
NARROWPEAK = "chr1\t10\t50\tp1\t5\t+\t4.5\t3.2\t1.1\t12\nchr1\t60\t90\tp2\t0\t.\t1.5\t-1\t-1\t-1\n"
BED12 = "chr1\t10\t90\tp\t0\t+\t10\t90\t0\t2\t10,20,\t0,60,\n"
BEND = "chromosome\tstart\tend\tstrand\tlabel\tsplit\nchr1\t0\t90\t+\t0,2\ttrain\nchr1\t90\t180\t.\t\ttest\n"
MODKIT = "".join(
    f"chr1\t{at}\t{at + 1}\t{code}\t{n}\t+\t{at}\t{at + 1}\t255,0,0\t{n}\t{100 * k / n:.2f}\t{k}\t{n - k}\t0\t0\t0\t0\t0\n"
    for at, code, n, k in ((5, "m", 10, 5), (9, "m", 4, 4), (9, "h", 4, 0), (20, "m,CG,0", 8, 2))
)
ENCODE = "chr1\t5\t6\t.\t10\t+\t5\t6\t0,0,0\t10\t50\nchr1\t9\t10\t.\t4\t-\t9\t10\t0,0,0\t4\t100\n"
BISMARK = "chr1\t6\t6\t50\t5\t5\nchr1\t10\t10\t100\t4\t0\n"
VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=600>
##INFO=<ID=DP,Number=1,Type=Integer,Description="d">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1
chr1\t10\trs1\tA\tC,G\t50\tPASS\tDP=3\tGT\t0/1
chr1\t20\t.\tACG\tA\t.\t.\t.\tGT\t1/1
chr1\t30\t.\tN\t<DEL>\t.\t.\tDP=1\tGT\t./.
"""
FASTA = ">chr1 some words\nACGTNNacgtRYK\nACGT\n>chr2\nTTTTGGGG\n"
NUMBERS = (
    "0",
    "-1",
    "1e30",
    "nan",
    "inf",
    "NaN",
    ".",
    "",
    "4294967296",
    "9" * 30,
    "9" * 5000,
    "1.0",
    "0x10",
    "１",
    "-0",
    "+5",
    "1_000",
)
PIECES = (
    b"\t",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b";",
    b"=",
    b",",
    b'"',
    b"%",
    b"%2C",
    b"#",
    b">",
    b" ",
    "é".encode(),
)


def mutate(content: bytes, chance: random.Random) -> bytes:
    """Damage a file in one to four places."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        lines = content.split(b"\n")
        kind = chance.randrange(9)
        if kind == 0 and content:
            at = chance.randrange(len(content))
            content = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
        elif kind == 1 and content:
            at = chance.randrange(len(content))
            content = content[:at] + chance.choice(PIECES) + content[at + chance.choice((0, 1, 5)) :]
        elif kind == 2:
            content = content[: chance.randrange(len(content) + 1)]
        elif kind == 3:
            row = chance.randrange(len(lines))
            lines[row:row] = [chance.choice(lines)] * chance.choice((1, 1, 3))
            content = b"\n".join(lines)
        elif kind == 4:
            del lines[chance.randrange(len(lines))]
            content = b"\n".join(lines)
        elif kind in (5, 6):
            row = chance.randrange(len(lines))
            fields = lines[row].split(b"\t")
            fields[chance.randrange(len(fields))] = chance.choice(NUMBERS).encode()
            lines[row] = b"\t".join(fields)
            content = b"\n".join(lines)
        elif kind == 7:
            row = chance.randrange(len(lines))
            fields = lines[row].split(b"\t")
            first, second = chance.randrange(len(fields)), chance.randrange(len(fields))
            fields[first], fields[second] = fields[second], fields[first]
            lines[row] = b"\t".join(fields)
            content = b"\n".join(lines)
        else:
            chance.shuffle(lines)
            content = b"\n".join(lines)
    packing = chance.randrange(40)
    if packing == 0:
        content = gzip.compress(content, mtime=0)
    elif packing == 1:
        content = gzip.compress(content, mtime=0)[: chance.randrange(1, 60)]
    elif packing == 2:
        content = content.replace(b"\n", b"\r")
    elif packing == 3:
        content = content.decode("latin-1").encode("utf-16")
    return content


def check_annotation(path: Path) -> None:
    """Read an annotation and label a contig by it."""
    annotation = read_annotation(path)
    for row in annotation.transcripts:
        cds = row.transcript.cds
        assert cds and row.transcript.strand in "+-" and all(0 <= start < end for start, end in cds), cds
        assert all(left[1] < right[0] for left, right in pairwise(cds)), cds
    names = [row.transcript.transcript_id for row in annotation.transcripts]
    assert len(set(names)) == len(names), names
    own = [row for row in annotation.transcripts if row.transcript.chrom == CONTIG.name]
    labeled = label_genes(
        CONTIG,
        own,
        [SplitInterval(CONTIG.name, 0, LENGTH, "train")],
        unknown=[(row.start, min(row.end, LENGTH)) for row in annotation.unknown if row.contig == CONTIG.name],
        coding=[(row.start, row.end) for row in annotation.coding if row.contig == CONTIG.name],
        is_circular=CONTIG.name in annotation.circular,
    )
    for row in own:
        for start, end in row.transcript.cds:
            assert (labeled.labels[start:end] != NONCODING).all(), row.transcript


def check_regions(path: Path) -> None:
    """Read regions, or a table of windows."""
    regions = read_labeled_bed(path).regions if has_labels(path) else read_bed(path)
    assert (regions.start >= 0).all() and (regions.start < regions.end).all()
    assert ((regions.start <= regions.center) & (regions.center <= regions.end)).all()


def check_calls(path: Path) -> None:
    """Read methylation calls."""
    for calls in read_calls(path).contigs.values():
        assert (calls.position >= 0).all() and (calls.coverage >= 0).all()
        level = calls.level[calls.coverage > 0]
        assert ((level >= 0) & (level <= 1)).all(), level


def check_variants(path: Path) -> None:
    """Read the alleles of a VCF."""
    for alleles in read_alleles(path).by_contig.values():
        for allele in alleles:
            assert allele.start >= 0 and allele.ref and allele.alt, allele


def check_sequences(path: Path) -> None:
    """Read a FASTA file."""
    contigs = list(read_fasta(path))
    assert [contig.name for contig in contigs] == contig_names(path)
    assert all(contig.name and len(contig) for contig in contigs)


READERS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "annotation": (check_annotation, (GFF3, GTF)),
    "regions": (check_regions, (BED, NARROWPEAK, BED12, BEND)),
    "calls": (check_calls, (MODKIT, ENCODE, BISMARK)),
    "bigwig": (check_calls, ()),
    "variants": (check_variants, (VCF,)),
    "sequences": (check_sequences, (FASTA,)),
}


def fuzz(n_inputs: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Read damaged files; the counts of what came of them, and the faults."""
    block = ("chr1", np.array([5, 9]), np.array([6, 11]), np.array([0.5, 1.0]))
    write_bigwig(folder / "valid.bw", [("chr1", LENGTH)], [block])
    bigwig = (folder / "valid.bw").read_bytes()
    counts: Counter[str] = Counter()
    faults = []
    kinds = list(READERS)
    for number in range(seed, seed + n_inputs):
        chance = random.Random(number)
        kind = kinds[number % len(kinds)]
        check, valid = READERS[kind]
        content = mutate(chance.choice(valid).encode() if valid else bigwig, chance)
        path = folder / f"{kind}.{'bw' if kind == 'bigwig' else 'txt'}"
        path.write_bytes(content)
        try:
            check(path)
            counts["read"] += 1
        except DnasptError as error:
            counts["refused"] += 1
            if "\n" in str(error):
                faults.append(f"seed {number} ({kind}): an error of several lines: {str(error)[:200]!r}")
        except Exception:
            counts["faulty"] += 1
            faults.append(f"seed {number} ({kind}): {traceback.format_exc(limit=-2)}\n{content[:300]!r}")
    return counts, faults


def main() -> int:
    """Make and read damaged files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="number of files (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first file (default: 0)")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        counts, faults = fuzz(chosen.inputs, chosen.seed, Path(folder))
    for fault in faults[:40]:
        print(fault)
    print(f"{chosen.inputs} files: {counts['read']} read, {counts['refused']} refused, {len(faults)} faulty")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
