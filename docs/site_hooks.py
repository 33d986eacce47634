"""What the site changes in its pages: links that leave docs/, marks of measured numbers, outputs of tutorials, addresses.

MkDocs calls the functions `on_...`. Pages stay as they are on disk, where they are read without the site too.
"""

import json
import os
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from run_tutorials import BLOCK, LANGUAGES, OUT

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = Path(os.environ.get("DNASPT_TUTORIALS", OUT))
"""Folder with the records that docs/run_tutorials.py wrote."""
FENCE = re.compile(r"(^(?P<fence>```+|~~~+).*?^(?P=fence)[ ]*$)", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
LIST_BEHIND_TEXT = re.compile(r"^(?![-*|>#\s]|\d+\. )(?P<text>[^\n]+)\n(?=(?:[-*]|1\.) )", re.MULTILINE)
"""The last line of a paragraph with a list right behind it: for MkDocs such a list needs a blank line before it."""
ADDRESS = re.compile(r"https?://(?!www\.w3\.org/)[^\s\"'`)<>\\]*")
"""Addresses of other hosts. Those of w3.org are names of XML, which no browser asks for."""


def files_beside_docs() -> list[Path]:
    """Files outside docs/ that pages link to, and that the site has too."""
    studies = ROOT / "examples" / "studies"
    reports = [*studies.glob("*/study.md"), *studies.glob("*/study_figures/*.svg"), *studies.glob("*/*.csv")]
    return [ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(reports), *sorted(ROOT.glob("examples/**/*.toml"))]


def on_files(files: Files, config: Any) -> Files:
    """Add the files that stand beside docs/; a TOML file becomes a page that shows it."""
    for file in files_beside_docs():
        path = file.relative_to(ROOT).as_posix()
        if file.suffix == ".toml":
            text = f"# {file.name}\n\n```toml\n{file.read_text(encoding='utf-8')}```\n"
            files.append(File.generated(config, f"{path}.md", content=text))
        else:
            files.append(File.generated(config, path, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """The text of a page as the site shows it."""
    source = page.file.src_uri
    if posixpath.dirname(source) == "tutorials":
        markdown = with_outputs(markdown, posixpath.basename(source).removesuffix(".md"))
    known = {file.src_uri for file in files}
    return "".join(
        part if is_code else with_blank_lines(without_comments(with_site_links(part, source, known)))
        for is_code, part in code_and_text(markdown)
    )


def code_and_text(markdown: str) -> Iterator[tuple[bool, str]]:
    """The parts of a page: whether it is a fenced block, and its text."""
    end = 0
    for block in FENCE.finditer(markdown):
        yield False, markdown[end : block.start()]
        yield True, block[0]
        end = block.end()
    yield False, markdown[end:]


def without_comments(text: str) -> str:
    """A text without HTML comments: they mark measured numbers (benchmarks/make_results.py)."""
    return COMMENT.sub("", text)


def with_blank_lines(text: str) -> str:
    """A text with a blank line before each list."""
    return LIST_BEHIND_TEXT.sub(r"\g<text>\n\n", text)


def with_site_links(text: str, source: str, known: set[str]) -> str:
    """A text whose links that leave docs/ lead to the site's copy of the file.

    Args:
        text: Markdown without fenced blocks.
        source: Path of its page in the site.
        known: Paths of all pages of the site.
    """
    in_docs = (ROOT / "docs" / source).is_file()
    folder = posixpath.dirname(f"docs/{source}" if in_docs else source)

    def site_link(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["path"]))
        if in_docs and target.startswith("docs/"):
            return link[0]
        target = target.removeprefix("docs/")
        target = f"{target}.md" if f"{target}.md" in known else target
        return posixpath.relpath(target, posixpath.dirname(source) or ".") + (link["anchor"] or "")

    return LINK.sub(site_link, text)


def with_outputs(markdown: str, name: str) -> str:
    """A tutorial with what its blocks printed, below each."""
    file = OUTPUTS / f"{name}.json"
    ran = iter(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else [])

    def with_output(block: re.Match[str]) -> str:
        if block["language"] not in LANGUAGES:
            return block[0]
        own = next(ran, None)
        if own is None or own["error"] or (own["language"], own["code"]) != (block["language"], block["code"]):
            raise PluginError(
                f"docs/tutorials/{name}.md: not run as it stands; run python docs/run_tutorials.py {name}"
            )
        return f"{block[0]}\n\n``` {{ .text .output }}\n{own['output']}\n```\n" if own["output"] else block[0]

    return BLOCK.sub(with_output, markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Take addresses of other hosts out of the theme's scripts and styles: a page must not ask another host for anything."""
    for file in Path(config["site_dir"]).rglob("*"):
        if file.suffix == ".map":
            file.unlink()
        elif file.suffix in (".js", ".css"):
            text = file.read_text(encoding="utf-8")
            file.write_text(ADDRESS.sub("", text), encoding="utf-8")
