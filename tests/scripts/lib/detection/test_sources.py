"""What --input may name, lists that cannot be read, and what the images are called in the results."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.detection.sources import Sources, output_name

LABELS_HEAD = "filename,width,height,class,xmin,ymin,xmax,ymax"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*names: str):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    make("shop/b.jpg", "shop/a.PNG", "shop/new/c.webp", "shop/notes.txt", "shop/.hidden.jpg", "other/b.jpg", "d.jpg")
    return tmp_path


def test_photos_of_a_folder_are_found_with_their_sub_folders_in_order(here):
    sources = Sources(["shop"], here)
    assert [(one.name, one.place.as_posix()) for one in sources] == [
        ("a.PNG", "shop/a.PNG"),
        ("b.jpg", "shop/b.jpg"),
        ("new/c.webp", "shop/new/c.webp"),
    ]
    assert sources.total == 3


@pytest.mark.parametrize("text", ["film.MP4", "rtsp://camera/1", "https://shop.example/film.mov?x=1", "0", "film.webm"])
def test_videos_and_cameras_are_refused_with_the_way_to_take_images_from_them(here, text):
    (here / "film.webm").touch()
    with pytest.raises(UsageError, match=r"is a video or a camera; take images from it first, e\.g\. ffmpeg -i .*%06d"):
        Sources([text], here)
    (here / "0").mkdir()
    (here / "0/a.jpg").touch()
    assert [one.name for one in Sources(["0"], here)] == ["a.jpg"]


def test_several_inputs_one_after_another_and_a_photo_once(here):
    sources = Sources(["d.jpg", "shop/b.jpg", "shop", str(here / "d.jpg")], here)
    assert [one.name for one in sources] == ["d.jpg", "b.jpg", "a.PNG", "new/c.webp"]
    assert (sources.total, sources.num_repeated) == (6, 2)


def test_photos_of_one_name_are_told_apart_by_their_path_and_do_not_overwrite_each_other(here):
    sources = list(Sources(["shop/b.jpg", "other", str(here / "shop" / "new" / ".." / "new" / "c.webp")], here))
    assert [one.name for one in sources] == ["b.jpg", "other/b.jpg", "c.webp"]
    assert [one.output_name for one in sources] == ["b.jpg", "other/b.jpg", "c.webp.jpg"]
    assert len({one.output_name for one in sources}) == 3


def test_outputs_differ_also_where_a_file_system_ignores_case_and_where_the_suffix_is_added(here):
    (here / "x").mkdir()
    (here / "y").mkdir()
    for name in ("x/a.png", "y/A.png", "x/a.png.jpg"):
        (here / name).touch()
    outputs = [one.output_name.casefold() for one in Sources(["x", "y"], here)]
    assert len(set(outputs)) == 3


def test_pictures_of_an_earlier_run_are_no_photos(here):
    for inputs in (["."], ["**/*.jpg"], ["shop/../*"]):
        sources = Sources(inputs, here, excluded=[Path("other"), here / "shop" / "none"])
        assert "other/b.jpg" not in [one.place.as_posix() for one in sources]
        assert sources.total >= 2
    assert [one.name for one in Sources(["other/b.jpg"], here, excluded=[Path("other")])] == ["b.jpg"]
    assert Sources(["."], here, excluded=[Path("oth")]).total == 5


def test_all_wrong_inputs_are_named_together(here):
    (here / "empty").mkdir()
    with pytest.raises(UsageError) as raised:
        Sources(["none.jpg", "empty", "*.gif", "d.jpg", "gs://shop/b.jpg", "//server[1]/none"], here)
    assert str(raised.value).splitlines() == [
        "--input none.jpg: no such file or folder",
        "error: --input empty: no image in it",
        "error: --input *.gif: no image in it",
        "error: --input gs://shop/b.jpg: only http and https; use cloud/detect_beam.py for images on a bucket",
        "error: --input //server[1]/none: no image in it",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("a.JPEG", "a.JPEG"),
        ("new/a.png", "new/a.png.jpg"),
        ("https://x.example/p/a.jpg", "x.example/p_a-"),
        ("https://x.example/a.jpg", "x.example/a.jpg"),
        ("https://x.example/a.jpg?w=1", "x.example/a-"),
        ("https://x.example:81/", "x.example_81/image-"),
        ("http://x.example/..%2f..%2fa.jpg", "x.example/a-"),
        ("../a.jpg", "a-"),
        ("/etc/a.jpg", "etc_a-"),
        ("C:\\photos\\a.jpg", "C_photos_a-"),
    ],
)
def test_files_made_from_a_photo_stay_in_their_folder(name, expected):
    output = output_name(name)
    assert output.startswith(expected)
    assert output.lower().endswith((".jpg", ".jpeg"))
    assert ".." not in output.split("/") and ":" not in output and not output.startswith("/")


def test_addresses_that_differ_in_what_a_file_name_leaves_out_have_different_files():
    addresses = [f"https://x.example/image?id={number}" for number in range(50)]
    assert len({output_name(address) for address in addresses}) == 50
    assert max(map(len, map(output_name, [f"https://x.example/{'long' * 500}.jpg"]))) < 150


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have Unicode names only")
def test_names_that_are_no_utf8_can_be_written_to_a_table(here):
    (here / os.fsdecode(b"gr\xf6.jpg")).touch()
    (name,) = [one.name for one in Sources(["gr*.jpg"], here)]
    assert name.encode() == b"gr\\udcf6.jpg"


def write(path, *lines: str, encoding: str = "utf-8") -> str:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return str(path)


def names(*inputs: str, image_dir="samples") -> list[str]:
    return [source.name for source in Sources(inputs, image_dir)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("shop/*.jpg", ["b.jpg"]),
        ("*/b.*", ["b.jpg", "shop/b.jpg"]),
        ("**/*.webp", ["c.webp"]),
        ("sh?p", ["a.PNG", "b.jpg", "new/c.webp"]),
    ],
)
def test_patterns_are_expanded_and_only_images_are_taken(here, pattern, expected):
    assert names(pattern) == expected


def test_a_file_whose_name_looks_like_a_pattern(here):
    (here / "e[1].jpg").touch()
    assert names("e[1].jpg") == ["e[1].jpg"]


def test_photos_of_a_labels_csv_each_once(here):
    labels = write(
        here / "labels.csv", LABELS_HEAD, "b.jpg,9,9,Tops,1,1,5,5", "a.jpg,9,9,Tops,1,1,5,5", "b.jpg,9,9,Tops,2,2,5,5"
    )
    sources = list(Sources([labels], here / "samples"))
    assert [(one.name, one.place) for one in sources] == [
        (name, here / "samples" / name) for name in ("b.jpg", "a.jpg")
    ]


def test_a_labels_csv_leads_to_no_file_outside_the_image_folder(here):
    labels = write(here / "labels.csv", LABELS_HEAD, "../b.jpg,9,9,Tops,1,1,5,5", "a.jpg,9,9,Tops,1,1,5,5", "", "x")
    sources = Sources([labels], here)
    assert [one.name for one in sources] == ["a.jpg", "x"]
    assert [(one.line, "leads out" in one.message) for one in sources.findings] == [(2, True)]


@pytest.mark.parametrize(
    "lines",
    [
        ["sku,path", "7,shop/b.jpg", "8,http://x.example/a.jpg", "9,shop/b.jpg", "9,shop\\new\\c.webp"],
        ["Path;Product", "shop/b.jpg;7", "http://x.example/a.jpg;8", "shop/b.jpg;9", "shop/new/c.webp;9"],
        ["product_id\tIMAGE", "7\tshop/b.jpg", "8\thttp://x.example/a.jpg", "9\tshop/b.jpg", "9\tshop/new/c.webp"],
    ],
)
def test_a_csv_of_paths_and_addresses_names_the_products(here, lines, monkeypatch):
    table = write(here / "list.csv", *lines, encoding="utf-8-sig")
    monkeypatch.chdir(here / "other")  # paths start at the list
    sources = Sources([table], "samples")
    assert [str(one.place) for one in sources] == [
        str(here / "shop/b.jpg"),
        "http://x.example/a.jpg",
        str(here / "shop/new/c.webp"),
    ]
    assert sources.products == {
        "shop/b.jpg": ["7", "9"],
        "http://x.example/a.jpg": ["8"],
        "shop/new/c.webp": ["9"],
    }
    assert (sources.total, sources.num_repeated) == (4, 1)


def test_a_text_file_is_a_path_or_address_a_line(here):
    text = write(here / "list.txt", "https://x.example/1.png", "", '"other/b.jpg"', encoding="utf-8-sig")
    assert names(text) == ["https://x.example/1.png", "other/b.jpg"]


def test_stdin_is_a_path_or_address_a_line(here, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("d.jpg\n\nhttps://x.example/1.png\n"))
    sources = Sources(["-"], here)
    assert sources.total == 2
    assert [one.name for one in sources] == ["d.jpg", "https://x.example/1.png"]
    piped = io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfd.jpg\r\n"))  # as PowerShell may send it
    monkeypatch.setattr(sys, "stdin", piped)
    assert [one.name for one in Sources(["-"], here)] == ["d.jpg"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name,size\nb.jpg,3\n", "list.csv:1: the first line is 'name,size', which names no column of images; call"),
        (b"path\ngr\xf6\xdfe.jpg\n", "list.csv:2: is not UTF-8: byte 0xf6 at position 7; save it as UTF-8"),
        (b'path\n"' + b"x" * 140_000 + b'"\n', "list.csv:2: is not a valid CSV: field larger than field limit"),
    ],
)
def test_lists_that_cannot_be_read(here, content, says):
    (here / "list.csv").write_bytes(content)
    with pytest.raises(DataError) as raised:
        Sources(["list.csv"], here)
    assert says in str(raised.value)


def test_a_list_with_nothing_in_it(here):
    write(here / "list.csv", "path", ",")
    with pytest.raises(UsageError, match="no image in it"):
        Sources(["list.csv"], here)


def test_a_line_that_names_no_image_is_an_error_of_its_list(here):
    (here / "list.txt").write_bytes(b"shop/b.jpg\nsh\0op/a.jpg\nd.jpg\n")
    sources = Sources(["list.txt"], here)
    assert [one.name for one in sources] == ["shop/b.jpg", "d.jpg"]
    assert [(one.file, one.line) for one in sources.findings] == [("list.txt", 2)]
    assert sources.total == 2
