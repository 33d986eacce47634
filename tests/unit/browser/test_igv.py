import hashlib
import json
from importlib import resources

import numpy as np
import pytest

from dnaspt.browser.igv import (
    IGV,
    IGV_SHA256,
    IGV_VERSION,
    VIEW,
    Track,
    View,
    coding_features,
    content_policy,
    gene_feature,
    one_based,
    script,
    script_json,
)
from dnaspt.genome.transcripts import Transcript


def test_igv_is_the_file_of_the_package_beside_its_licence() -> None:
    folder = resources.files("dnaspt.browser")
    content = folder.joinpath(IGV).read_bytes()
    assert hashlib.sha256(content).hexdigest() == IGV_SHA256
    assert "MIT License" in folder.joinpath("igv.LICENSE.txt").read_text(encoding="utf-8")
    assert f'"{IGV_VERSION}"'.encode() in content


def test_scripts_can_stand_in_a_page() -> None:
    for name in (IGV, VIEW):
        text = script(name)
        assert "</script" not in text.lower() and "<!--" not in text and "\r" not in text
        assert "sourceMappingURL=igv" not in text


def test_views_switch_off_what_igv_would_load_from_the_network() -> None:
    text = script(VIEW)
    assert "loadDefaultGenomes: false" in text and "search: false" in text


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "<!--", "a\u2028b\u2029c", "]]>&amp;", '"\\'])
def test_names_in_json_cannot_end_the_script_they_stand_in(name: str) -> None:
    text = script_json({"name": name})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"name": name}


def test_a_gene_becomes_boxes_and_a_line() -> None:
    gene = Transcript(
        "c", "-", gene_id="g", transcript_id="t", cds=((10, 20), (30, 42)), score=0.91234, is_partial=True
    )
    assert gene_feature(gene, "#000000") == {
        "chr": "c",
        "start": 10,
        "end": 42,
        "strand": "-",
        "name": "t",
        "cdStart": 10,
        "cdEnd": 42,
        "exons": [{"start": 10, "end": 20}, {"start": 30, "end": 42}],
        "score": 0.9123,
        "partial": "true",
        "color": "#000000",
    }


def test_coding_bases_of_the_reverse_strand_point_down() -> None:
    coding = np.zeros((2, 6))
    coding[0, 1:3], coding[1, 4:] = 0.52, 1.0
    assert coding_features(coding, "c", 100, 10) == [
        {"chr": "c", "start": 101, "end": 103, "value": 0.5},
        {"chr": "c", "start": 104, "end": 106, "value": -1.0},
    ]
    assert coding_features(np.zeros((2, 0)), "c", 0, 10) == []


def test_a_view_names_its_tracks_and_loci() -> None:
    tracks = (
        Track("genes", "annotation", features=()),
        Track("signal", "wig", url="files/1", format="bigwig", extent=(0, 1), height_px=40),
        Track("run", "wig", service="runs/0/coding", visible_bp=1000),
    )
    view = json.loads(View({"id": "g"}, tracks, (("c", 0, 10),)).json())
    assert [track["name"] for track in view["tracks"]] == ["genes", "signal", "run"]
    assert view["tracks"][0]["features"] == [] and "url" not in view["tracks"][0]
    assert view["tracks"][1]["max"] == 1 and view["tracks"][1]["height"] == 40
    assert view["tracks"][2]["service"] == "runs/0/coding" and view["tracks"][2]["visibilityWindow"] == 1000
    assert view["loci"] == [{"chr": "c", "start": 0, "end": 10}]


def test_the_name_of_a_track_is_no_html() -> None:
    assert Track("<img src=x>.bed", "annotation").config()["name"] == "&lt;img src=x>.bed"


def test_a_policy_allows_named_scripts_alone() -> None:
    policy = content_policy(scripts=["let a = 1;"])
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy
    assert "script-src 'sha256-" in policy and "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "script-src 'self';" in content_policy(scripts=(), connect="'self'")


def test_a_locus_is_written_as_genome_browsers_write_it() -> None:
    assert one_based("chr1", 0, 20_000) == "chr1:1-20,000"
