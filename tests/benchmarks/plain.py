"""What the data scripts are compared to: the same jobs as tutorials of this workflow do them.

    python -m tests.benchmarks.plain xml_to_csv XML_DIR OUTPUT_CSV
    python -m tests.benchmarks.plain tfrecord CSV IMAGE_DIR OUTPUT_PATH
    python -m tests.benchmarks.plain decode IMAGE_DIR NUM_IMAGES       prints seconds, wall and CPU

They check nothing, and read by position.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

CLASS_IDS = {"Pants_Leggings": 1, "Dresses": 2, "Skirts": 3, "Tops": 4, "Shorts": 5, "Lingerie": 6}


def xml_to_csv(xml_dir: str, output_csv: str) -> None:
    """One row a box by ElementTree, a table of them by pandas."""
    import glob
    import xml.etree.ElementTree as ElementTree

    import pandas as pd

    rows = []
    for file in sorted(glob.glob(f"{xml_dir}/*.xml")):  # noqa: PTH207
        root = ElementTree.parse(file).getroot()
        for member in root.findall("object"):
            box = member.find("bndbox")
            rows.append(
                (
                    root.find("filename").text,
                    int(root.find("size")[0].text),
                    int(root.find("size")[1].text),
                    member[0].text,
                    int(box[0].text),
                    int(box[1].text),
                    int(box[2].text),
                    int(box[3].text),
                )
            )
    columns = ["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"]
    pd.DataFrame(rows, columns=columns).to_csv(output_csv, index=None)


def tfrecord(csv_input: str, image_dir: str, output_path: str) -> None:
    """One Example after another through tf.io, the image opened for its size."""
    import pandas as pd
    import tensorflow as tf
    from PIL import Image

    def of_bytes(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def of_ints(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def of_floats(values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    with tf.io.TFRecordWriter(output_path) as writer:
        for filename, group in pd.read_csv(csv_input).groupby("filename"):
            with tf.io.gfile.GFile(f"{image_dir}/{filename}", "rb") as file:
                encoded = file.read()
            width, height = Image.open(io.BytesIO(encoded)).size
            xmins, xmaxs, ymins, ymaxs, texts, labels = [], [], [], [], [], []
            for _, row in group.iterrows():
                xmins.append(row["xmin"] / width)
                xmaxs.append(row["xmax"] / width)
                ymins.append(row["ymin"] / height)
                ymaxs.append(row["ymax"] / height)
                texts.append(row["class"].encode("utf8"))
                labels.append(CLASS_IDS[row["class"]])
            feature = {
                "image/height": of_ints([height]),
                "image/width": of_ints([width]),
                "image/filename": of_bytes([filename.encode("utf8")]),
                "image/source_id": of_bytes([filename.encode("utf8")]),
                "image/encoded": of_bytes([encoded]),
                "image/format": of_bytes([b"jpg"]),
                "image/object/bbox/xmin": of_floats(xmins),
                "image/object/bbox/xmax": of_floats(xmaxs),
                "image/object/bbox/ymin": of_floats(ymins),
                "image/object/bbox/ymax": of_floats(ymaxs),
                "image/object/class/text": of_bytes(texts),
                "image/object/class/label": of_ints(labels),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def decode(image_dir: str, num_images: str) -> None:
    """Every pixel by Pillow on one core, at full size (`draft` would decode a JPEG smaller)."""
    from PIL import Image

    names = sorted(path for path in Path(image_dir).iterdir() if path.suffix == ".jpg")[: int(num_images)]
    Image.open(names[0]).load()
    wall, cpu = time.perf_counter(), time.process_time()
    for name in names:
        with Image.open(name) as image:
            image.load()
    print(time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    {"xml_to_csv": xml_to_csv, "tfrecord": tfrecord, "decode": decode}[sys.argv[1]](*sys.argv[2:])
