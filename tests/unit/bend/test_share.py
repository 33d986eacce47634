"""Pages of the share: files and folders that they name, and names that lead elsewhere."""

from pathlib import PurePosixPath

import pytest

from dnaspt.bend.share import _MAX_DEPTH, RemoteFile, list_files, safe_path
from dnaspt.errors import DnasptError

HOST, SHARE = "https://host.example", "share"


class Pages:
    """A web whose pages are given, by the folder that they show."""

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages

    def text(self, url: str) -> str:
        folder = url.split("current_dir=")[1].split("&")[0].replace("%2F", "/")
        return self.pages[folder]


def file(href: str) -> str:
    return f'<a title="open" href="{href}">open</a>'


def folder(name: str, path: str = "") -> str:
    href = f"ls.py?share_id={SHARE};current_dir={path}" if path else ""
    return f'<a class="x directoryicon" href="{href}">{name}</a>'


def listed(pages: dict[str, str], start: str = "data") -> list[RemoteFile]:
    return list_files(Pages(pages), start, HOST, SHARE)  # type: ignore[arg-type]


def test_files_of_a_folder_and_of_those_below_it_are_listed() -> None:
    link = f"/share_redirect/{SHARE}/data"
    pages = {
        "data": file(f"{link}/a.bed") + folder("..") + folder("more") + "<a href='/'>home</a>",
        "data/more": file(f"{HOST}{link}/more/b%20c.fa"),
    }
    assert listed(pages) == [
        RemoteFile(PurePosixPath("data/more/b c.fa"), f"{HOST}{link}/more/b%20c.fa"),
        RemoteFile(PurePosixPath("data/a.bed"), f"{HOST}{link}/a.bed"),
    ]


def test_a_folder_is_named_by_its_address_and_else_by_its_text() -> None:
    pages = {
        "data": '<a class="directoryicon" href="ls.py?x=1&amp;current_dir=data/inner/">shown otherwise</a>',
        "data/inner": folder("text", "data/inner/hidden"),  # behind a semicolon it is no part of the address
        "data/inner/text": file(f"/share_redirect/{SHARE}/data/inner/text/x"),
    }
    assert [remote.path.as_posix() for remote in listed(pages)] == ["data/inner/text/x"]


@pytest.mark.parametrize(
    ("href", "message"),
    [
        ("https://elsewhere.example/share_redirect/share/data/x", "on another host"),
        ("/other/data/x", "expected /share_redirect/share/"),
        (f"/share_redirect/{SHARE}/data/../../x", "expected /share_redirect/share/"),
        (f"/share_redirect/{SHARE}/data/%2e%2e/x", r"names '\.\.'"),
        (f"/share_redirect/{SHARE}/other/x", "names 'other/x', which is not in data"),
    ],
)
def test_a_file_that_lies_elsewhere_is_refused(href: str, message: str) -> None:
    with pytest.raises(DnasptError, match=message):
        listed({"data": file(href)})


@pytest.mark.parametrize(
    "name", ["../x", ".hidden", "a\\b", "C:x", "NUL", "com1.txt", "trailing.", "a\0b", "x" * 201, "", "é"]
)
def test_names_that_are_more_than_a_name_are_refused(name: str) -> None:
    with pytest.raises(DnasptError, match="expected a plain file name"):
        safe_path(f"data/{name}")


def test_plain_names_make_a_path() -> None:
    assert safe_path("data/GRCh38.primary_assembly.genome.fa").parts == ("data", "GRCh38.primary_assembly.genome.fa")


def test_a_share_without_files_or_without_end_is_refused() -> None:
    with pytest.raises(DnasptError, match="no file in data; is it a mirror of BEND's share"):
        listed({"data": "<html></html>"})
    paths = ["data" + "/x" * depth for depth in range(_MAX_DEPTH + 2)]
    with pytest.raises(DnasptError, match=f"lies more than {_MAX_DEPTH} deep"):
        listed({path: folder("x") for path in paths})
    with pytest.raises(DnasptError, match="more than 10,000 files"):
        listed({"data": file(f"/share_redirect/{SHARE}/data/x") * 10_001})


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (file("http://[bad"), r"a file lies at 'http://\[bad', which is no address"),
        ('<a class="directoryicon" href="http://[bad">x</a>', "no page of a share"),
        ("<![foo[", "no page of a share"),
        (file(f"/share_redirect/{SHARE}/data/a\x1b.bed"), r"names 'a\\x1b\.bed'"),
        ("\0" * 99, "no file in data"),
    ],
)
def test_a_page_that_cannot_be_read_is_told(page: str, message: str) -> None:
    with pytest.raises(DnasptError, match=message):
        listed({"data": page})


def test_folders_without_number_are_refused() -> None:
    paths = ["data", *(f"data/x{number}" for number in range(1_000))]
    with pytest.raises(DnasptError, match="more than 1,000 folders"):
        listed(
            {path: "".join(folder(f"x{number}") for number in range(1_000)) if path == "data" else "" for path in paths}
        )
