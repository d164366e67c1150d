"""A data set, read and examined."""

from __future__ import annotations


def test_errors_of_images_that_no_record_will_hold_are_warnings(read_data_set, tmp_path):
    (tmp_path / "samples").mkdir(exist_ok=True)
    (tmp_path / "samples" / "broken.png").write_bytes(b"")
    data, (finding,) = read_data_set(["a.png"], [("a.png", "Tops")])
    assert (finding.severity, finding.code, finding.file) == ("warning", "image-empty", "broken.png")
    assert [image.size for image in data.images] == [(40, 40), None] and data.split == {}


def test_threads_change_nothing(read_data_set):
    images = [f"{number}.png" for number in range(8)]
    rows = [(name, "Tops" if number % 2 else "Topps") for number, name in enumerate(images)]
    (one, one_findings), (many, many_findings) = read_data_set(images, rows), read_data_set([], rows, num_workers=4)
    assert one.images == many.images and one_findings == many_findings and len(one_findings) == 4
