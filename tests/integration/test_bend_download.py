"""`dnaspt bend download` against a share on the loopback address that breaks off, lies, redirects and sends hostile names."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from tests.integration.bend_share import SHARE, Shared, serving
from tests.integration.in_process import dnaspt

from dnaspt.bend import download as download_module
from dnaspt.bend.download import Fetched, download
from dnaspt.bend.http import Web
from dnaspt.errors import ConfigError, DnasptError, InputError, NoSpaceError

QUICK = Web(retries=3, wait_s=0.001, timeout_s=5)
GENOME = "data/genomes/GRCh38.primary_assembly.genome.fa"


def make_shared(n_parts: int = 2, n_bytes: int = 50_000) -> Shared:
    chance = random.Random(1)
    files = {f"data/gene_finding/part{n}.hdf5": chance.randbytes(n_bytes + n) for n in range(n_parts)}
    files["data/gene_finding/gene_finding.bed"] = b"chromosome\tstart\tend\tsplit\n"
    files["data/gene_finding/more/notes.txt"] = b"notes"
    files[GENOME] = b">chr1\nACGT\n"
    files["data/genomes/GRCh37.primary_assembly.genome.fa"] = b">1\nACGT\n"
    return Shared(files)


def get(url: str, root: Path, web: Web = QUICK) -> Fetched:
    return download("gene_finding", root, mirror=url, web=web)


def break_off(shared: Shared, url: str, root: Path) -> None:
    """A download that is interrupted within its first file."""
    shared.breaks = {"data/gene_finding/part0.hdf5": 1}

    def interrupt(name: str, so_far: int, total: int) -> None:
        if so_far < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("gene_finding", root, mirror=url, web=QUICK, tell=interrupt)


def test_a_task_and_its_genome_arrive_whole_and_are_not_asked_for_again(tmp_path: Path) -> None:
    shared = make_shared()
    with serving(shared) as url:
        first = get(url, tmp_path)
        assert len(first.downloaded) == 5 and not first.verified
        asked = len(shared.asked)
        second = get(url, tmp_path)
        assert not second.downloaded and len(second.verified) == 5
        assert all("ls.py" in path for path, _ in shared.asked[asked:])
    for path, data in shared.files.items():
        assert (tmp_path / path).exists() == ("GRCh37" not in path)
        if "GRCh37" not in path:
            assert (tmp_path / path).read_bytes() == data
    known = json.loads((tmp_path / "checksums.json").read_text())
    assert known[GENOME]["sha256"] == hashlib.sha256(shared.files[GENOME]).hexdigest()


def test_twenty_downloads_that_break_off_at_random_bytes_all_resume_to_the_right_bytes(tmp_path: Path) -> None:
    shared = make_shared(n_parts=20)
    shared.breaks = {path: 2 for path in shared.files if path.endswith(".hdf5")}
    with serving(shared) as url:
        get(url, tmp_path)
    assert not any(shared.breaks.values())
    known = json.loads((tmp_path / "checksums.json").read_text())
    for path, data in shared.files.items():
        if path.endswith(".hdf5"):
            assert known[path]["sha256"] == hashlib.sha256(data).hexdigest()
            assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == known[path]["sha256"]
    assert sum(bool(span) for _, span in shared.asked) >= 20
    assert not list(tmp_path.rglob("*.part*"))


def test_what_one_call_leaves_the_next_goes_on_with(tmp_path: Path) -> None:
    shared = make_shared(n_parts=1)
    with serving(shared) as url:
        break_off(shared, url, tmp_path)
        part = tmp_path / "data/gene_finding/part0.hdf5.part"
        assert 0 < part.stat().st_size < 50_000
        get(url, tmp_path)
    assert any(span.startswith("bytes=") for _, span in shared.asked)
    assert (tmp_path / "data/gene_finding/part0.hdf5").read_bytes() == shared.files["data/gene_finding/part0.hdf5"]


def test_a_server_without_ranges_begins_anew(tmp_path: Path) -> None:
    shared = make_shared(n_parts=1)
    shared.no_ranges, shared.breaks = True, {"data/gene_finding/part0.hdf5": 1}
    with serving(shared) as url:
        get(url, tmp_path)
    assert (tmp_path / "data/gene_finding/part0.hdf5").read_bytes() == shared.files["data/gene_finding/part0.hdf5"]


def test_a_file_that_changes_between_two_pieces_is_not_patched_together(tmp_path: Path) -> None:
    shared, path = make_shared(n_parts=1), "data/gene_finding/part0.hdf5"
    with serving(shared) as url:
        break_off(shared, url, tmp_path)
        shared.files[path] = random.Random(5).randbytes(70_000)
        get(url, tmp_path)
    assert (tmp_path / path).read_bytes() == shared.files[path]


@pytest.mark.parametrize(("fault", "said"), [("longer", "gave up"), ("shorter", "another number of bytes")])
def test_a_server_that_lies_about_lengths_is_not_believed(fault: str, said: str, tmp_path: Path) -> None:
    shared = make_shared(n_parts=1)
    getattr(shared, fault).add("data/gene_finding/part0.hdf5")
    with serving(shared) as url, pytest.raises(DnasptError, match=said):
        get(url, tmp_path)
    assert not (tmp_path / "data/gene_finding/part0.hdf5").exists()


def test_redirects_are_followed_within_http_alone(tmp_path: Path) -> None:
    shared, path = make_shared(n_parts=1), "data/gene_finding/part0.hdf5"
    shared.moved = {path: f"/moved/{path}"}
    with serving(shared) as url:
        get(url, tmp_path / "followed")
        assert (tmp_path / "followed" / path).read_bytes() == shared.files[path]
        for target in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
            shared.moved = {path: target}
            with pytest.raises(DnasptError, match=r"refused|not allowed"):
                get(url, tmp_path / "refused")
    assert not (tmp_path / "refused" / path).exists()


HOSTILE_FILES = (
    f"/share_redirect/{SHARE}/data/gene_finding/../../../../evil",
    f"/share_redirect/{SHARE}/data/gene_finding/%2e%2e%2f%2e%2e%2fevil",
    f"/share_redirect/{SHARE}//etc/evil",
    f"/share_redirect/{SHARE}/data/gene_finding/..%5cevil",
    f"/share_redirect/{SHARE}/data/gene_finding/C:evil",
    f"/share_redirect/{SHARE}/data/gene_finding/evil%00.bed",
    f"/share_redirect/{SHARE}/data/gene_finding/.hidden",
    f"/share_redirect/{SHARE}/data/other/evil.bed",
    "http://127.0.0.2/share_redirect/evil",
    "file:///etc/passwd",
)
HOSTILE_FOLDERS = ("a/../../..", "..evil/", "NUL", "x" * 300, "a b\tc")


@pytest.mark.parametrize("href", HOSTILE_FILES)
def test_hostile_names_of_files_are_refused(href: str, tmp_path: Path) -> None:
    shared = make_shared()
    shared.extra_files = {"data/gene_finding": [href]}
    with serving(shared) as url, pytest.raises(DnasptError):
        get(url, tmp_path / "root")
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path / "root" / "data").exists()


@pytest.mark.parametrize("name", HOSTILE_FOLDERS)
def test_hostile_names_of_folders_are_refused(name: str, tmp_path: Path) -> None:
    shared = make_shared()
    shared.extra_folders = {"data/gene_finding": [name]}
    with serving(shared) as url, pytest.raises(DnasptError):
        get(url, tmp_path / "root")
    assert not (tmp_path / "root" / "data").exists()


def test_a_changed_file_is_named_and_left_alone(tmp_path: Path) -> None:
    shared = make_shared()
    with serving(shared) as url:
        get(url, tmp_path)
        file = tmp_path / "data/gene_finding/part0.hdf5"
        file.write_bytes(b"mine")
        with pytest.raises(InputError, match="has changed since it was downloaded"):
            get(url, tmp_path)
        assert file.read_bytes() == b"mine"
        file.unlink()
        shared.files["data/gene_finding/part0.hdf5"] = b"another file of the same name"
        with pytest.raises(DnasptError, match="is not the file of"):
            get(url, tmp_path)
    assert not file.exists()


def test_a_file_that_somebody_put_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "data/gene_finding/part0.hdf5"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"mine")
    with serving(make_shared()) as url, pytest.raises(InputError, match="is there already"):
        get(url, tmp_path)
    assert file.read_bytes() == b"mine"


def test_a_part_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    mine, part = tmp_path / "mine", tmp_path / "root/data/gene_finding/part0.hdf5.part"
    mine.write_bytes(b"mine")
    part.parent.mkdir(parents=True)
    part.symlink_to(mine)
    with serving(make_shared()) as url:
        ran = dnaspt("bend", "download", "gene_finding", "--root", tmp_path / "root", "--mirror", url)
    assert ran.code == 2
    assert ran.errors == [f"error: {part}: is a link, or no file; expected a file that is half downloaded; remove it"]
    assert mine.read_bytes() == b"mine"


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("mine")
    (tmp_path / "data").write_text("mine")
    with serving(make_shared()) as url:
        for root in (tmp_path / "root", tmp_path):
            with pytest.raises(InputError, match=r"no folder \(.*; expected a folder to write to"):
                get(url, root)


def test_a_disk_without_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = download_module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    shared = make_shared()
    with serving(shared) as url, pytest.raises(NoSpaceError, match="GB left"):
        get(url, tmp_path / "root")
    assert not (tmp_path / "root" / "data").exists()


def test_the_command_says_what_it_did_and_refuses_unknown_tasks(tmp_path: Path) -> None:
    with serving(make_shared()) as url:
        ran = dnaspt("bend", "download", "gene_finding", "--root", tmp_path / "bend", "--mirror", url)
        assert ran.code == 0, ran.errors
        assert "5 files downloaded" in ran.printed
        ran = dnaspt("bend", "download", "gene_findin", "--root", tmp_path / "bend", "--mirror", url)
    assert ran.code == 2 and "known: gene_finding" in " ".join(ran.errors)
    with pytest.raises(ConfigError):
        download("nothing", tmp_path)


def test_a_page_without_files_is_no_share(tmp_path: Path) -> None:
    with serving(Shared({})) as url, pytest.raises(DnasptError, match="is it a mirror of BEND"):
        get(url, tmp_path)
