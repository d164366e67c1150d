"""Files to and from a bucket: upload what a config needs, fetch a checkpoint and export it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from google.protobuf import text_format

from cloud.lib import bucket, gcloud
from cloud.lib.gcloud import Session
from cloud.lib.submitted import VertexJob
from scripts.lib.config import checks, pipeline_config
from scripts.lib.core import files
from scripts.lib.core.errors import DataError
from scripts.lib.core.wording import counted


def upload(session: Session, bucket_name: str, config_path: Path) -> bool:
    """Copy a config's records, label maps and fine-tune checkpoint to the bucket, except those that are there already.

    Returns:
        True if all of them are on the bucket now.
    """
    config = pipeline_config.read(config_path)
    local = bucket.on_disk(config, bucket_name)
    findings = checks.check_training(local, config_path, on_buckets=False)
    findings += checks.check_evaluation(local, config_path, on_buckets=False)
    checks.raise_errors(findings, "nothing was uploaded")
    addresses = bucket.uploads(config, bucket_name)
    stored = {}
    if session.online:
        checks.raise_errors(bucket.check_location(bucket_name, session.region), "nothing was uploaded")
        stored = bucket.listing(addresses.values())
    new: dict[str, list[str]] = {}
    megabytes = 0.0
    for file, address in addresses.items():
        same = address in stored and stored[address] == bucket.crc32c(file)
        size = file.stat().st_size / 1e6
        print(f"{files.shown_path(file)} -> {address} ({'there already' if same else f'{size:.1f} MB'})")
        if not same:
            new.setdefault(address.rpartition("/")[0], []).append(str(file))
            megabytes += size
    commands = [["storage", "cp", *paths, f"{folder}/"] for folder, paths in sorted(new.items())]
    for command in commands:
        print(f"> {gcloud.shown(['gcloud', *command])}")
    if new and not session.confirm(f"Upload {counted(sum(map(len, new.values())), 'file')}, {megabytes:.0f} MB?"):
        return False
    for command in commands:
        try:
            gcloud.run(*command)
        except DataError as error:
            raise DataError(error.findings, "run this again; files that were uploaded are skipped") from error
    print("Everything is on the bucket.")
    return True


def export(session: Session, job: VertexJob, step: int | None, output_dir: Path | None) -> int:
    """Fetch a checkpoint and the label map from the bucket, and export the model on this machine.

    Args:
        step: of the checkpoint; None: the latest.
        output_dir: folder for the exported model; None: runs/cloud/JOB/exported_model.

    Returns:
        Exit status of scripts/export_inference_graph.py; 0 if the user did not want it.

    Raises:
        DataError: there is no such checkpoint.
    """
    config = pipeline_config.read(job.folder / "pipeline.config")
    steps = bucket.checkpoint_steps(job.train_dir)
    if not steps or (step is not None and step not in steps):
        wanted = "no checkpoint" if step is None else f"no checkpoint of step {step}"
        found = ", ".join(map(str, steps)) or "none"
        raise DataError([f"{job.train_dir} has {wanted}; found {found}"], "nothing was exported")
    step = steps[-1] if step is None else step

    label_map, local = job.folder / "label_map.pbtxt", job.folder / "train" / f"model.ckpt-{step}"
    export_config = job.folder / "export.config"
    copies = [
        ["storage", "cp", f"{job.train_dir}/model.ckpt-{step}.*", f"{local.parent}{os.sep}"],
        ["storage", "cp", pipeline_config.label_map_path(config), str(label_map)],
    ]
    script = [
        "scripts/export_inference_graph.py",
        "--input_type=image_tensor",
        f"--pipeline_config_path={export_config}",
        f"--trained_checkpoint_prefix={local}",
        f"--output_directory={(output_dir or job.folder / 'exported_model').absolute()}",
    ]
    for command in copies:
        print(f"> {gcloud.shown(['gcloud', *command])}")
    print(f"> {gcloud.shown(['python', *script])}", flush=True)
    if not session.confirm(f"Fetch and export step {step}?"):
        return 0
    local.parent.mkdir(parents=True, exist_ok=True)
    for command in copies:
        gcloud.run(*command)
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = label_map.as_posix()
    config.train_config.ClearField("fine_tune_checkpoint")  # not needed for an export
    with files.atomic_write(export_config, "w") as file:
        file.write(text_format.MessageToString(config, as_utf8=True))
    return subprocess.run([sys.executable, *script], cwd=files.REPOSITORY_ROOT, check=False).returncode
