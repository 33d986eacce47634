"""Tracks of a genome to an interactive view (igv.js): the configuration as JSON, and the scripts that show it without a network.

igv.min.js of the npm package `igv` lies beside this file, unchanged, with its licence. Its list of genomes and its search on the
network are switched off, and the pages forbid what they do not hold by a Content-Security-Policy: igv.js shows names and
attributes of files as HTML.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from markupsafe import Markup

from dnaspt.genome.intervals import runs
from dnaspt.genome.transcripts import Transcript

IGV_VERSION = "3.8.10"
"""Version of the npm package `igv` that igv.min.js comes from."""
IGV_SHA256 = "87b991ae2a720978172e269dd5127c495e56df5af31144dff19c83124e2f5744"
"""sha256 of igv.min.js as the package has it."""
IGV, VIEW = "igv.min.js", "view.js"
"""The scripts of a view, in their order."""
INK = "#24292f"
"""Color of the annotation."""
RUN_COLORS = (
    *("#8a8f98", "#2f7fb8", "#12355b", "#c8702a", "#5f8f4e", "#8c5aa8", "#b04a5a", "#3d8f8a", "#a08a2c", "#555a60"),
)
"""Color of run 1, 2, ..., in figures too; repeated where there are more."""
Feature = dict[str, Any]
"""A feature as igv.js takes it: chr, start, end (0-based half-open), and for genes strand, name and exons."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track of a view.

    Attributes:
        name: how it is called.
        kind: annotation (genes, intervals), wig (values along the genome) or variant.
        color: of what is drawn; "" where each feature has its own.
        features: what it holds, where that is small; None where it comes from `url`.
        url: address of a file, below the page's own.
        format: of that file, as igv.js calls it.
        index_url: address of the file's index; "" where there is none.
        service: address below the page's own that answers for a stretch, with chr, start and end; "" for none.
        visible_bp: longest stretch for which it is asked; 0 for no limit.
        extent: lowest and highest value of a wig track; None where the values decide.
        height_px: height of the track.
    """

    name: str
    kind: Literal["annotation", "wig", "variant"]
    color: str = INK
    features: Sequence[Feature] | None = None
    url: str = ""
    format: str = ""
    index_url: str = ""
    service: str = ""
    visible_bp: int = 0
    extent: tuple[float, float] | None = None
    height_px: int = 0

    def config(self) -> dict[str, Any]:
        """Configuration of the track for igv.js; `service` is for our own script, which makes a source of it."""
        shown = self.name.replace("<", "&lt;")  # igv.js takes the name for HTML
        content: dict[str, Any] = {"name": shown, "type": self.kind}
        if self.color:
            content["color"] = self.color
        if self.kind == "annotation":
            content |= {"displayMode": "EXPANDED", "nameField": "name"}
        if self.extent is not None:
            content |= {"min": self.extent[0], "max": self.extent[1]}
        if self.height_px:
            content["height"] = self.height_px
        if self.visible_bp:
            content["visibilityWindow"] = self.visible_bp
        if self.features is not None:
            content["features"] = list(self.features)
        for name, value in (("url", self.url), ("format", self.format), ("indexURL", self.index_url)):
            if value:
                content[name] = value
        if self.service:
            content["service"] = self.service
        return content


@dataclass(frozen=True, slots=True)
class View:
    """What a view shows.

    Attributes:
        reference: genome as igv.js takes it: id, name, and fastaURL with indexURL, or a data URI of the stretches shown.
        tracks: tracks, top down.
        loci: places to look at, as (contig, start, end), 0-based half-open; the first is shown first.
    """

    reference: Mapping[str, Any]
    tracks: tuple[Track, ...]
    loci: tuple[tuple[str, int, int], ...]

    def json(self) -> Markup:
        """The view as JSON for a script element of type application/json."""
        content = {
            "reference": dict(self.reference),
            "tracks": [track.config() for track in self.tracks],
            "loci": [{"chr": chrom, "start": start, "end": end} for chrom, start, end in self.loci],
        }
        return script_json(content)


def script_json(content: Any) -> Markup:
    """JSON that can stand in a script element, whatever names it holds: nothing in it ends the element or a line of script."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))  # ASCII: U+2028 and U+2029 are escaped
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def one_based(chrom: str, start: int, end: int) -> str:
    """A stretch as a genome browser writes it: 1-based, both ends included."""
    return f"{chrom}:{start + 1:,}-{end:,}"


def gene_feature(gene: Transcript, color: str = "") -> Feature:
    """The coding part of a transcript: boxes for its CDS, lines for its introns."""
    feature: Feature = {
        "chr": gene.chrom,
        "start": gene.start,
        "end": gene.end,
        "strand": gene.strand,
        "name": gene.transcript_id,
        "cdStart": gene.start,
        "cdEnd": gene.end,
        "exons": [{"start": start, "end": end} for start, end in gene.cds],
    }
    score = gene.score if gene.probability is None else gene.probability
    if score is not None:
        feature["score"] = round(score, 4)
    if gene.is_partial:
        feature["partial"] = "true"
    return feature | ({"color": color} if color else {})


def coding_features(coding: np.ndarray, chrom: str, start: int, n_steps: int) -> list[Feature]:
    """Probability of coding bases, runs of one value above 0: the forward strand upward, the reverse strand downward.

    Args:
        coding: probability (2, L) of a coding base of the forward and of the reverse strand.
        chrom: contig.
        start: position of the first base.
        n_steps: probabilities are rounded to one part in so many.
    """
    features: list[Feature] = []
    for sign, probabilities in zip((1, -1), coding, strict=True):
        values, intervals = runs(np.rint(probabilities * n_steps).astype(np.int16))
        for value, (left, right) in zip(values.tolist(), intervals.tolist(), strict=True):
            if value:
                place = {"chr": chrom, "start": start + left, "end": start + right}
                features.append(place | {"value": sign * value / n_steps})
    return sorted(features, key=lambda feature: (feature["start"], feature["end"]))


def run_color(number: int) -> str:
    """Color of a run, from 0."""
    return RUN_COLORS[number % len(RUN_COLORS)]


@cache
def script(name: str) -> str:
    """A script of this folder, as it stands in a page: without the address of its source map."""
    text = resources.files("dnaspt.browser").joinpath(name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.split("\n") if not line.startswith("//# sourceMappingURL="))


def script_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def content_policy(*, scripts: Sequence[str], connect: str = "'none'") -> str:
    """A Content-Security-Policy that lets a page run these scripts alone, and load nothing but what it holds itself.

    Args:
        scripts: inline scripts, as text.
        connect: where scripts may ask: 'none', or 'self' for the server of the page, whose own scripts may run too.
    """
    allowed = [script_hash(text) for text in scripts] + (["'self'"] if connect == "'self'" else [])
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(allowed) or "'none'",
        "style-src": "'unsafe-inline'",  # igv.js sets styles of its elements
        "img-src": "data: blob:",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
