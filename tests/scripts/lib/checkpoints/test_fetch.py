"""Getting a model from a server on loopback that does all that servers, proxies and thieves do."""

from __future__ import annotations

import errno
import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from scripts import download_model
from scripts.lib.checkpoints import fetch, pretrained
from scripts.lib.config import checks, pipeline_config
from scripts.lib.core import http as core_http
from scripts.lib.core.errors import DataError, UsageError
from tests.model_server import ARCHIVE, CHECKPOINT, NAME, SHA256, STEM, Server, packed


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(core_http, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(core_http, "STALL_SECONDS", 0.4)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def get(folder: Path, source: object = None, name: str = NAME) -> int:
    origin = ["--from", str(source)] if source else []
    return download_model.main([name, "--output_dir", str(folder), *origin])


def refused(folder: Path, source: object = None, name: str = NAME) -> str:
    with pytest.raises(DataError) as caught:
        get(folder, source, name)
    assert not (folder / name).exists(), "whole or not at all"
    assert not [path for path in folder.glob("*") if ".partial-" in path.name], "nothing half-made is left"
    return f"{caught.value}\n{caught.value.consequence}"


def assert_whole(folder: Path) -> None:
    found = {f"{STEM}/{path.name}": path.read_bytes() for path in (folder / NAME).iterdir()}
    assert found == CHECKPOINT
    assert sorted(path.name for path in folder.iterdir()) == [NAME, f"{NAME}.json"]


def test_the_model_is_whole_pinned_and_its_use_is_said(server, tmp_path, capsys):
    assert get(tmp_path, server.url) == 0
    assert_whole(tmp_path)
    pin = json.loads((tmp_path / f"{NAME}.json").read_text(encoding="utf-8"))
    assert pin["archive"] == {"bytes": len(ARCHIVE), "sha256": SHA256}
    assert pin["source"] == server.url
    output = capsys.readouterr().out
    assert f"{len(ARCHIVE):,} bytes, SHA-256 {SHA256}" in output
    assert f'{NAME}/model.ckpt" fine_tune_checkpoint_type: "detection"' in output


@pytest.mark.parametrize("behaviour", ["cut", "stall"])
def test_a_break_is_gone_over(server, tmp_path, behaviour):
    server.behaviours = [behaviour]
    get(tmp_path, server.url)
    assert_whole(tmp_path)
    (_, first), (_, second) = server.requests
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 500_000


@pytest.mark.parametrize(
    "behaviours",
    [
        [503, 429],
        ["no ranges"],
        ["cut", "no ranges"],
        ["cut", "other range"],
        ["no length"],
        ["too long"] * 9,
        ["cut", 500, "cut"],
    ],
)
def test_what_a_server_may_do_does_no_harm(server, tmp_path, behaviours):
    server.behaviours = behaviours
    get(tmp_path, server.url)
    assert_whole(tmp_path)


def test_a_download_that_broke_off_goes_on_in_the_next_run(server, tmp_path, capsys):
    server.behaviours = ["cut"] + [503] * core_http.ATTEMPTS
    message = refused(tmp_path, server.url)
    assert "the server answers 503" in message
    assert f"of {len(ARCHIVE):,} bytes here" in message
    assert "this command goes on from there" in message
    server.requests.clear()
    server.behaviours.clear()
    get(tmp_path, server.url)
    assert_whole(tmp_path)
    assert len(server.requests) == 1
    start = int(re.fullmatch(r"bytes=(\d{5,})-", server.requests[0][1])[1])
    assert f"Trying {server.url}, from byte {start:,} on" in capsys.readouterr().out


def test_a_file_that_has_changed_in_between_is_refused_and_then_taken_from_its_beginning(server, tmp_path):
    server.behaviours = ["cut"] + [503] * core_http.ATTEMPTS
    refused(tmp_path, server.url)
    other = CHECKPOINT | {f"{STEM}/model.ckpt.index": b"another index"}
    server.content = packed(other)
    server.behaviours.clear()
    assert "is damaged" in refused(tmp_path, server.url), "the archive's checksum does not fit"
    get(tmp_path, server.url)
    assert (tmp_path / NAME / "model.ckpt.index").read_bytes() == b"another index"


def test_a_download_that_was_complete_is_not_fetched_again(server, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetch, "_install", killed)
        get(tmp_path, server.url)
    get(tmp_path, server.url)
    assert_whole(tmp_path)
    assert [asked for _, asked in server.requests] == [None, f"bytes={len(ARCHIVE)}-"]


@pytest.mark.parametrize(
    ("behaviours", "expected"),
    [
        ([404], "the server answers 404 Not Found"),
        ([403], "the server answers 403 Forbidden"),
        (["html"], "the server sends not an archive but text/html, which begins '<html><title>Please sign in"),
        (["too short"], "is damaged, cut off, or not a tar archive"),
        ([500] * 20, f"the server answers 500 Internal Server Error ({core_http.ATTEMPTS} attempts)"),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_no_model(server, tmp_path, behaviours, expected):
    server.behaviours = list(behaviours)
    message = refused(tmp_path, server.url)
    assert expected in message
    assert not (tmp_path / f"{NAME}.json").exists(), "what was never used is not pinned"
    assert f"{NAME} was not made" in message
    assert "is kept" not in message, "nothing has arrived"
    server.behaviours.clear()
    get(tmp_path, server.url)
    assert_whole(tmp_path)


def test_https_comes_first_then_http(server, tmp_path, monkeypatch, capsys):
    http_url = server.url.removesuffix(f"{STEM}.tar.gz")
    addresses = (http_url.replace("http:", "https:"), http_url)
    monkeypatch.setattr(pretrained, "ADDRESSES", addresses)
    get(tmp_path)
    assert_whole(tmp_path)
    assert re.search(r"Trying https://.*\n  cannot be reached: .*SSL.*\nTrying http://", capsys.readouterr().out)
    assert server.requests == [(f"/models/object_detection/{STEM}.tar.gz", None)]


def test_without_a_network_one_sentence_says_what_to_fetch_and_where_to_put_it(tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(pretrained, "ADDRESSES", (f"http://127.0.0.1:{port}/",))
    message = refused(tmp_path)
    place = (tmp_path / f"{STEM}.tar.gz").as_posix()
    url = f"http://127.0.0.1:{port}/object_detection/{STEM}.tar.gz"
    assert message.splitlines()[0] == (
        f"{STEM}.tar.gz could not be downloaded ({url}: cannot be reached: Connection refused); "
        f"fetch {url} by other means, save it as {place} and run this command again."
    )
    (tmp_path / f"{STEM}.tar.gz").write_bytes(ARCHIVE)
    get(tmp_path)
    assert (tmp_path / f"{STEM}.tar.gz").read_bytes() == ARCHIVE, "the user's file stays"
    (tmp_path / f"{STEM}.tar.gz").unlink()
    assert_whole(tmp_path)


@pytest.mark.parametrize("source", ["missing.tar.gz", "ftp://example.org/model.tar.gz", "."])
def test_a_source_that_is_none_is_a_usage_error(tmp_path, source):
    with pytest.raises(UsageError, match="--from"):
        get(tmp_path, source)


def test_a_full_disk_leaves_neither_model_nor_pin_and_keeps_the_download(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("scripts.lib.checkpoints.archive.shutil.copyfileobj", full)
        get(tmp_path, server.url)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(f".{STEM}.tar.gz.partial")] == []
    get(tmp_path, server.url)
    assert_whole(tmp_path)
    assert [asked for _, asked in server.requests] == [None, f"bytes={len(ARCHIVE)}-"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"README": b""}, "holds no checkpoint model.ckpt; it holds README"),
        ({"model.ckpt.index": b""}, "holds model.ckpt.index without its .data file"),
        (
            {name.replace(STEM, "faster_rcnn_nas_coco_2018_01_28"): b"" for name in CHECKPOINT},
            "is the archive of faster_rcnn_nas",
        ),
    ],
)
def test_the_archive_of_something_else_is_refused(tmp_path, content, expected):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(packed(content))
    assert expected in refused(tmp_path, path)


def test_an_unsafe_archive_leaves_no_model(server, tmp_path):
    server.content = packed(CHECKPOINT | {"../outside.txt": b"x"})
    assert "'../outside.txt': leads outside" in refused(tmp_path / "pretrained", server.url)
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize("folder", ["", "./", "another_name/"])
def test_the_checkpoint_lies_in_the_models_folder_whatever_the_archives_is_called(tmp_path, folder):
    path = tmp_path / "a.tgz"
    path.write_bytes(packed({name.replace(f"{STEM}/", folder): data for name, data in CHECKPOINT.items()}))
    get(tmp_path, path)
    path.unlink()
    assert_whole(tmp_path)


def test_a_second_run_compares_and_downloads_nothing(server, tmp_path, capsys):
    get(tmp_path, server.url)
    get(tmp_path)
    assert len(server.requests) == 1
    assert "is there already; its files are those of the first use" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["shorter", "other bytes", "missing"])
def test_a_model_that_has_changed_is_refused_here_and_by_training(server, tmp_path, change):
    get(tmp_path, server.url)
    path = tmp_path / NAME / "model.ckpt.data-00000-of-00001"
    data = path.read_bytes()
    {
        "shorter": lambda: path.write_bytes(data[:-1]),
        "other bytes": lambda: path.write_bytes(b"\0" + data[1:]),
        "missing": path.unlink,
    }[change]()
    with pytest.raises(DataError, match="when it was first used it had 1,200,000 bytes, SHA-256"):
        get(tmp_path)
    text = f'train_config {{ fine_tune_checkpoint: "{(tmp_path / NAME / "model.ckpt").as_posix()}" }}'
    (tmp_path / "a.config").write_text(text, encoding="utf-8")
    config = pipeline_config.read(tmp_path / "a.config")
    findings = map(str, checks.check_training(config, tmp_path / "a.config"))
    assert [line for line in findings if "first used" in line]


def test_another_archive_than_that_of_the_first_use_is_refused(server, tmp_path):
    get(tmp_path, server.url)
    for path in (tmp_path / NAME).iterdir():
        path.unlink()
    (tmp_path / NAME).rmdir()
    server.content = packed(CHECKPOINT | {f"{STEM}/new": b""})
    message = refused(tmp_path, server.url)
    assert f"{server.url} is not the {STEM}.tar.gz of the first use" in message
    assert "holds other files" in message
    assert f"remove {(tmp_path / f'{NAME}.json').as_posix()}" in message
    server.content = ARCHIVE
    get(tmp_path, server.url)
    assert_whole(tmp_path)


def test_a_folder_that_came_by_other_means_is_pinned(tmp_path, capsys):
    (tmp_path / NAME).mkdir()
    for name, data in CHECKPOINT.items():
        (tmp_path / NAME / Path(name).name).write_bytes(data)
    get(tmp_path)
    assert "was there already; pinned" in capsys.readouterr().out
    assert_whole(tmp_path)
    for path in (tmp_path / NAME).iterdir():
        path.unlink()
    (tmp_path / NAME).rmdir()
    (tmp_path / "a.tgz").write_bytes(packed(CHECKPOINT | {f"{STEM}/model.ckpt.index": b"other"}))
    assert "of the first use: it holds other files" in refused(tmp_path, tmp_path / "a.tgz")


def test_an_incomplete_folder_is_refused(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(DataError, match="holds no checkpoint model.ckpt; it holds nothing; remove it"):
        get(tmp_path)


@pytest.mark.parametrize("behaviour", ["ok", "no length"])
def test_case_29_a_body_without_end_is_cut_off(server, tmp_path, monkeypatch, behaviour):
    monkeypatch.setattr(fetch, "_MAX_BYTES", 2**20)
    server.content, server.behaviours = b"\x1f\x8b" + bytes(2**25), [behaviour]
    assert "has more than 1 MB" in refused(tmp_path, server.url)
    assert core_http.size(tmp_path / f".{STEM}.tar.gz.partial") <= 2**20


def test_case_29_a_server_that_drips_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(core_http, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(core_http, "MIN_RATE", 10**9)
    pieces = iter([b"\x1f\x8b", *[b"x"] * 100])
    monkeypatch.setattr(core_http, "_blocks", lambda response: (time.sleep(0.05) or piece for piece in pieces))
    assert "sends fewer than 1,000,000,000 bytes a second" in refused(tmp_path, server.url)
    assert len(list(pieces)) > 50, "it was not read to its end"
