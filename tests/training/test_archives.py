"""Getting published data, from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import datasets, formats, pictures
from taxo.training.archives import Archive, Source, fetch
from taxo.training.data import load
from taxo.training.inputs import Bytes
from taxo.training.published import SOURCES
from taxo.training.settings import sensible

from . import files


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=partial(http.serve_forever, poll_interval=0.02))
    thread.start()
    yield folder, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def packed(folder: Path, file: Path) -> None:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            for path in folder.rglob("*"):
                archive.write(path, path.relative_to(folder.parent))
        return
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, folder.name)


def archive(file: Path, address: str) -> Archive:
    return Archive(
        f"{address}/{file.name}", hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    )


def cifar(server: tuple[Path, str], tmp_path: Path) -> Source:
    """CIFAR-10's own source, but for the address."""
    folder, address = server
    files.cifar10(tmp_path / "cifar-10-batches-py")
    packed(tmp_path / "cifar-10-batches-py", folder / "cifar-10-python.tar.gz")
    return replace(SOURCES["cifar10"], archives=(archive(folder / "cifar-10-python.tar.gz", address),))


def serve(monkeypatch: pytest.MonkeyPatch, name: str, source: Source) -> None:
    from taxo.training.archives import read

    row = replace(datasets.DATA_SETS[name], source=source, load=partial(read, name, source))
    monkeypatch.setitem(datasets.DATA_SETS, name, row)


def test_what_is_not_there_is_said_with_the_command_that_gets_it(run_command, capsys):
    assert run_command("train", "plain", "--data", "cifar10", "--data-root", "shelf") == 1
    error = capsys.readouterr().err
    assert "error[T501]: the data set `cifar10` is not in `shelf/cifar-10-batches-py`" in error
    assert "`taxo data cifar10 --download`" in error
    assert run_command("train", "plain", "--data", "imagenet", "--data-root", "shelf") == 1
    assert "ask at image-net.org" in capsys.readouterr().err


def test_data_are_downloaded_checked_unpacked_and_trained_on(
    server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_command, capsys
):
    serve(monkeypatch, "cifar10", cifar(server, tmp_path))
    words = ("--data", "cifar10", "--data-root", "shelf", "--download", "--augment", "none")
    small = ("--model", "linear", "--epochs", "1", "--batch-size", "10", "--quiet")
    assert run_command("train", "plain", *words, *small) == 0
    assert "downloading http://127.0.0.1" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == ["cifar-10-batches-py"]
    data = load(replace(sensible("cifar10"), data_root=str(tmp_path / "shelf")), torch.device("cpu"))
    assert isinstance(data.train.inputs, Bytes)
    assert data.sizes == "45 train, 5 validation, 10 test"
    (server[0] / "cifar-10-python.tar.gz").unlink()
    assert run_command("data", "cifar10", "--download", "--data-root", "shelf") == 0  # it is there
    assert "shelf/cifar-10-batches-py" in capsys.readouterr().out


def test_files_that_are_no_archives_lie_side_by_side(server, tmp_path: Path):
    folder, address = server
    files.idx(folder / "all")
    for file in list((folder / "all").iterdir()):
        file.rename(folder / file.name)
    found = tuple(archive(folder / Path(a.url).name, address) for a in SOURCES["mnist"].archives)
    fetch("mnist", replace(SOURCES["mnist"], archives=found), tmp_path, lambda _: None)
    assert formats.idx(tmp_path / "mnist").test_from == 20


def test_a_zip_is_unpacked(server, tmp_path: Path):
    folder, address = server
    files.tiny_imagenet(tmp_path / "tiny-imagenet-200", side=8)
    packed(tmp_path / "tiny-imagenet-200", folder / "tiny-imagenet-200.zip")
    source = replace(SOURCES["tiny_imagenet"], archives=(archive(folder / "tiny-imagenet-200.zip", address),))
    fetch("tiny_imagenet", source, tmp_path / "shelf", lambda _: None)
    assert pictures.tiny_imagenet(tmp_path / "shelf" / "tiny-imagenet-200").classes == 3


@pytest.mark.parametrize("trouble", ["checksum", "gone", "no archive"])
def test_a_download_that_fails_leaves_nothing(server, tmp_path: Path, trouble: str):
    source, file = cifar(server, tmp_path), server[0] / "cifar-10-python.tar.gz"
    messages = {"checksum": "has the checksum", "gone": "not found", "no archive": "cannot be unpacked"}
    if trouble == "gone":
        file.unlink()
    else:
        file.write_bytes(b"something else")
    if trouble == "no archive":
        source = replace(source, archives=(archive(file, server[1]),))
    with pytest.raises(TaxoError, match=f"T502.*{messages[trouble]}"):
        fetch("cifar10", source, tmp_path / "shelf", lambda _: None)
    assert list((tmp_path / "shelf").iterdir()) == []


def test_an_archive_writes_nowhere_else(server, tmp_path: Path):
    folder, address = server
    with tarfile.open(folder / "bad.tar.gz", "w:gz") as bad:
        member = tarfile.TarInfo("../../escaped")
        member.size = 2
        bad.addfile(member, io.BytesIO(b"no"))
    source = replace(SOURCES["cifar10"], archives=(archive(folder / "bad.tar.gz", address),))
    with pytest.raises(TaxoError, match=r"T502.*cannot be unpacked"):
        fetch("cifar10", source, tmp_path / "shelf", lambda _: None)
    assert not list(tmp_path.rglob("escaped"))


def test_what_nobody_may_download_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(TaxoError, match=r"T501.*cannot be downloaded by a program.*\n.*image-net"):
        fetch("imagenet", SOURCES["imagenet"], tmp_path, lambda _: None)


def test_the_list_says_what_is_here(run_command, capsys):
    assert run_command("data", "--data-root", "shelf", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == datasets.DATA_SETS.keys()
    assert rows["digits"]["here"]
    assert not rows["svhn"]["here"]
    assert run_command("data") == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("cifar100", "playground:spirals", "text:PATH"))
    assert run_command("data", "cifar1000") == 1
    assert "did you mean `cifar100`" in capsys.readouterr().err
