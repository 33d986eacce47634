"""Names of rows of bedMethyl: which modification their level is one of."""

import pytest

from dnaspt.genome.modifications import parse_name

FIVE_MC = """
m|m,CG,0|m,CHH,0|27551|27551,CG,0|CHEBI:27551|5mC|5mc|5mCG|5-mC|m5C|mC|mCHH|5-methylcytosine|5mC,CG,0|"5mC"|C+m|C+m?
|5mc sample 1|m sample|brain5mC|5-methyl-cytosine
"""
NO_MODIFICATION = """
.|sample A|"sample A"|IMR90|WGBS_rep1|peak_12345|17|M|H|FC|CAC1|MA|HMC-1|liver, T|T cell|methyl|Methylome|row 1|HepG2_mcf7
"""
OTHER = """
h|f|c|a|g|e|b|o|n|T|U|A|G|N|h,CG,0|a,A,0|21839|76792|76794|76793|28871|17596|21839,C,0|CHEBI:76792|C+h|C+h.|A+a|h sample
|5hmC|5HMC|5hmCG|5-hmC|hmC|hmc|5hmC sample 1|sample_5hmC_rep1|TAB-seq 5hmC|5-hydroxymethylcytosine|hydroxymethylcytosine
|5fC|fC|5-formylcytosine|5caC|caC|5-carboxylcytosine|4mC|m4C|N4-methylcytosine|4-methylcytosine|6mA|m6A|mA|N6-methyladenine
|4mC_5mC|5mC_6mA|m,a|8oxoG|5hmU|pseU|inosine|5hmC,CG,0|brain5hmC|5OHmC|5-OHmC|OHmC|hydroxymethylation|5-hydroxymethyl-cytosine
|hydroxy-methylcytosine|N4-methyl-cytosine|5-formyl-cytosine
"""
COMBINED = "C|C,CG,0|C,C,0|mh|hm|C+mh|m,h|m+h|m/h|5mC+5hmC|5mC 5hmC|5mC, 5hmC|5mCG_5hmCG|5hmCG_5mCG|m,C|5mC5hmC|5mc5hmc"
PATTERNS = "-,-,C|m,-,C|-,m,C|m,m,C|h,m,C|21839,m,C|-,m,C,CG,0|-,m"


def names(text: str) -> list[str]:
    return [name.strip("\n") for name in text.replace("\n|", "|").strip().split("|")]


@pytest.mark.parametrize("name", names(FIVE_MC))
def test_names_of_5mc_are_known(name: str) -> None:
    parsed = parse_name(name)
    assert parsed.modifications == {"5mC"} and parsed.is_5mc and not parsed.is_combined


@pytest.mark.parametrize("name", names(NO_MODIFICATION))
def test_names_of_samples_say_nothing_and_are_taken_as_5mc(name: str) -> None:
    parsed = parse_name(name)
    assert not parsed.modifications and parsed.is_5mc and not parsed.is_pattern


@pytest.mark.parametrize("name", names(OTHER))
def test_names_of_other_modifications_are_no_5mc(name: str) -> None:
    parsed = parse_name(name)
    assert parsed.modifications and not parsed.is_5mc and not parsed.is_combined and not parsed.is_pattern


@pytest.mark.parametrize("name", names(COMBINED))
def test_codes_that_count_5mc_with_others_are_combined(name: str) -> None:
    parsed = parse_name(name)
    assert parsed.is_combined and not parsed.is_5mc


@pytest.mark.parametrize("name", names(PATTERNS))
def test_patterns_of_both_strands_are_no_levels(name: str) -> None:
    parsed = parse_name(name)
    assert parsed.is_pattern and not parsed.is_5mc and not parsed.is_combined


@pytest.mark.parametrize(
    ("name", "motif"), [("m", ""), ("m,CG,0", "CG,0"), ("h,CCGG,1", "CCGG,1"), ("5mC,CG,0", "CG,0"), ("a, b", "")]
)
def test_motifs_are_read(name: str, motif: str) -> None:
    assert parse_name(name).motif == motif
