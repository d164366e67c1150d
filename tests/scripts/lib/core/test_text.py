"""Text files: UTF-8 as it is written, or an error that says where it is not."""

from __future__ import annotations

import pytest

from scripts.lib.core import text
from scripts.lib.core.errors import DataError


@pytest.mark.parametrize("content", [b"T\xc3\xb6ps\r\nb\n", b"\xef\xbb\xbfT\xc3\xb6ps\r\nb\n"])
def test_text_is_read_without_its_byte_order_mark_and_with_its_line_ends(content, tmp_path):
    (tmp_path / "a.txt").write_bytes(content)
    assert text.read_text(tmp_path / "a.txt") == "Töps\r\nb\n"


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.txt").write_bytes("one\nTöps\n".encode("latin-1"))
    with pytest.raises(DataError) as error:
        text.read_text(tmp_path / "a.txt")
    (finding,) = error.value.findings
    assert finding.line == 2 and "is not UTF-8: byte 0xf6 at position 5" in finding.message


def test_a_file_too_large_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    (tmp_path / "a.txt").write_bytes(b"\xff" * 11)
    with pytest.raises(DataError, match="at most 0 MB are read; split it"):
        text.read_text(tmp_path / "a.txt")


def test_case_32_a_csv_that_is_none_is_a_sentence(tmp_path):
    (tmp_path / "a.csv").write_text('a,"b\nc",ü\n1,2\n', encoding="utf-8", newline="")
    assert text.read_rows(tmp_path / "a.csv") == [["a", "b\nc", "ü"], ["1", "2"]]
    (tmp_path / "a.csv").write_text("a" * 140_000)
    with pytest.raises(DataError, match="a.csv: is not a CSV: field larger than field limit"):
        text.read_rows(tmp_path / "a.csv")
