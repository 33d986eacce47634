"""Folder pages of BEND's public share to paths of files; what a page says is checked before it becomes a path of ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

from dnaspt.bend.http import Web
from dnaspt.errors import DnasptError

HOST, SHARE = "https://sid.erda.dk", "aNQa0Oz2lY"
"""BEND's share (bend/README of its authors); the same layout is expected of a mirror."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@, -]*")
_WINDOWS_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
_MAX_DEPTH, _MAX_FOLDERS, _MAX_FILES = 8, 1_000, 10_000
"""Folders within folders, folders in all, and files of a folder, beyond which a share is not believed."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the share.

    Attributes:
        path: path below the root of the share.
        url: address.
    """

    path: PurePosixPath
    url: str


def list_files(web: Web, folder: str, host: str = HOST, share: str = SHARE) -> list[RemoteFile]:
    """List all files below a folder of the share.

    Args:
        web: how to ask.
        folder: path of the folder below the root of the share.
        host: address of the server.
        share: name of the share on that server.

    Raises:
        DnasptError: a page cannot be read, names no file, or names a path that leads elsewhere.
    """
    files = list(_walk(_Share(web, host.rstrip("/"), share), safe_path(folder), 0))
    if not files:
        raise DnasptError(f"{host}: no file in {folder}; is it a mirror of BEND's share?")
    return files


@dataclass
class _Share:
    """A share that is being listed.

    Attributes:
        web: how to ask.
        host: address of the server.
        name: name of the share.
        n_folders: folders so far.
    """

    web: Web
    host: str
    name: str
    n_folders: int = 0

    def page(self, address: str) -> "_Page":
        """The page of a folder.

        Raises:
            DnasptError: it cannot be had or read, or there are too many of them.
        """
        self.n_folders += 1
        if self.n_folders > _MAX_FOLDERS:
            raise DnasptError(f"{address}: more than {_MAX_FOLDERS:,} folders")
        page = _Page()
        try:
            page.feed(self.web.text(address))
        except (
            ValueError,
            AssertionError,
        ) as error:  # an address that is none; declarations that HTMLParser does not know
            raise DnasptError(f"{address}: no page of a share ({str(error)[:80]!r})") from error
        return page


def _walk(share: _Share, folder: PurePosixPath, depth: int) -> Iterator[RemoteFile]:
    """The files of a folder and of those below it, from their pages."""
    if depth > _MAX_DEPTH:
        raise DnasptError(f"{share.host}: folder {folder} lies more than {_MAX_DEPTH} deep")
    address = f"{share.host}/cgi-sid/ls.py?share_id={quote(share.name)}&current_dir={quote(str(folder))}&flags=f"
    page = share.page(address)
    for name in page.folders:
        yield from _walk(share, folder / _safe_name(name, address), depth + 1)
    for number, href in enumerate(page.files):
        if number >= _MAX_FILES:
            raise DnasptError(f"{address}: more than {_MAX_FILES:,} files")
        try:
            url = urljoin(address, href)
            parts = urlsplit(url)
        except ValueError as error:
            raise DnasptError(f"{address}: a file lies at {href!r}, which is no address") from error
        if parts.netloc != urlsplit(share.host).netloc:
            raise DnasptError(f"{address}: a file lies at {url!r}, on another host")
        prefix = f"/share_redirect/{share.name}/"
        if not parts.path.startswith(prefix):
            raise DnasptError(f"{address}: a file lies at {url!r}; expected {prefix}...")
        path = safe_path(unquote(parts.path.removeprefix(prefix)))
        if path.parent != folder:
            raise DnasptError(f"{address}: names {str(path)!r}, which is not in {folder}")
        yield RemoteFile(path, url)


def safe_path(text: str) -> PurePosixPath:
    """A relative path of plain names, which cannot lead out of the root.

    Raises:
        DnasptError: it is absolute, climbs, or holds a name that some system reads as more than a name.
    """
    names = text.split("/")
    return PurePosixPath(*(_safe_name(name, text) for name in names))


def _safe_name(name: str, where: str) -> str:
    """A name that is one path component on every system."""
    plain = (
        _PLAIN_NAME.fullmatch(name)
        and not name.endswith((".", " "))
        and name.split(".")[0].upper() not in _WINDOWS_DEVICES
    )
    if not plain or len(name) > 200:
        raise DnasptError(f"{where!r}: names {name!r}; expected a plain file name")
    return name


class _Page(HTMLParser):
    """Names of the folders and addresses of the files that a folder's page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.folders: list[str] = []
        self.files: list[str] = []
        self._text: list[str] | None = None
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link: to a folder by its class, to a file by its title."""
        values = {name: value or "" for name, value in attrs}
        if tag != "a":
            return
        if "directoryicon" in values.get("class", "").split():
            inside = parse_qs(urlsplit(values.get("href", "")).query).get("current_dir", [""])[0].rstrip("/")
            self._name, self._text = inside.rsplit("/", 1)[-1] if inside else "", []
        elif values.get("title") == "open":
            self.files.append(values.get("href", ""))

    def handle_data(self, data: str) -> None:
        """The text of a link to a folder."""
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """The end of a link: the folder's name is in its address, else it is its text."""
        if tag == "a" and self._text is not None:
            name = self._name or "".join(self._text).strip().rstrip("/")
            if name not in (".", ".."):  # the page's own way up
                self.folders.append(name)
            self._text = None
