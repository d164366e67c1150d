"""What --input may name: patterns, lists, stdin, and lists that cannot be read."""

from __future__ import annotations

import io
import sys

import pytest

from scripts.lib.core.errors import DataError, UsageError
from scripts.lib.detection.sources import Sources

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


def test_lists_without_a_head(here):
    table = write(here / "list.csv", "shop/b.jpg", '"d.jpg"', "")
    text = write(here / "list.txt", "https://x.example/1.png", "", "other/b.jpg")
    assert names(table, text) == ["shop/b.jpg", "d.jpg", "https://x.example/1.png", "other/b.jpg"]


def test_stdin_is_a_path_or_address_a_line(here, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("d.jpg\n\nhttps://x.example/1.png\n"))
    sources = Sources(["-"], here)
    assert sources.total is None
    assert [one.name for one in sources] == ["d.jpg", "https://x.example/1.png"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name,size\nb.jpg,3\n", "list.csv:1: the first line is 'name,size'; no column is named url, image_url"),
        (b"path\ngr\xf6\xdfe.jpg\n", "list.csv: is not UTF-8: byte 0xf6; save it as UTF-8"),
        (b'path\n"' + b"x" * 140_000 + b'"\n', "list.csv: is not a valid CSV: field larger than field limit"),
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
