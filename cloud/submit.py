"""Train and evaluate on Vertex AI: submit jobs, follow them, and bring the model back.

In:   a pipeline config with the files that it names, a bucket, and gcloud with its login, project and region.
Out:  on the bucket: gs://BUCKET/data/..., and gs://BUCKET/JOB/ with pipeline.config, train/ and eval/;
      here: runs/cloud/JOB/ with the job as it was submitted, and what `export` fetches and makes.

  python cloud/submit.py upload --bucket BUCKET
  python cloud/submit.py train --bucket BUCKET --workers 0 --parameter_servers 0
  python cloud/submit.py logs
  python cloud/submit.py status
  python cloud/submit.py eval
  python cloud/submit.py export
  python cloud/submit.py cancel
  python cloud/submit.py batch-detect --bucket BUCKET --input gs://BUCKET/photos --model gs://BUCKET/exported_model
      --output_path gs://BUCKET/detections/run1 --image IMAGE

logs, status, eval, export and cancel take the latest job, or --job NAME. Before it costs money everything is checked:
the job specification, the programs' flags, the container, and on the bucket its region, config, records, label map and
checkpoint. The job and the gcloud command are shown, and you are asked (--yes: not asked); --dry_run stops there.
Flags after `--` go to train.py, eval.py or detect_beam.py:

  python cloud/submit.py train --bucket BUCKET -- --num_steps 2000

From an empty project to the exported model: cloud/README.md. Needs requirements-cloud.txt, gcloud, and for batch-detect
requirements-beam.txt.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import time
from collections.abc import Sequence

import _init_paths  # noqa: F401

from cloud.lib import bucket, dataflow, gcloud, jobs, submitted, transfer
from cloud.lib.gcloud import DEFAULT_REGION, open_session
from scripts.lib.core import command_line, files

BASE_CONFIG = files.default_path("configs/ssd_mobilenet_v1_gcs.config")


def main(argv: Sequence[str] | None = None) -> int | None:
    args, program_flags = parse_arguments(argv)
    start = functools.partial(open_session, dry_run=args.dry_run, yes=args.yes)
    find = functools.partial(submitted.find, project=args.project, region=args.region)
    match args.verb:
        case "upload":
            if transfer.upload(start(args.project, args.region), args.bucket, args.pipeline_config_path):
                path = args.pipeline_config_path
                config = [] if path == BASE_CONFIG else ["--pipeline_config_path", str(path)]
                print(f"Next: {gcloud.shown(['python', 'cloud/submit.py', 'train', '--bucket', args.bucket, *config])}")
        case "train" | "eval":
            options = jobs.JobOptions(
                name=args.job_name or f"imgSeg_{int(time.time())}",
                template=args.spec,
                image=args.image,
                service_account=args.service_account,
                program_flags=program_flags,
            )
            if args.verb == "train":
                session = start(args.project, args.region)
                machines = args.workers, args.parameter_servers, args.evaluator
                jobs.submit_training(session, options, args.bucket, args.pipeline_config_path, args.train_dir, machines)
            else:
                trained = find(args.job, "train")
                jobs.submit_evaluation(start(trained.project, trained.region), options, trained)
        case "status" if args.all:
            jobs.show_all(start(args.project, args.region))
        case "logs" | "status" | "cancel":
            job = find(args.job)
            act = {"logs": jobs.follow, "status": jobs.show, "cancel": jobs.cancel}[args.verb]
            act(start(job.project, job.region), job)
        case "export":
            job = find(args.job, "train")
            return transfer.export(start(job.project, job.region), job, args.step, args.output_dir)
        case "batch-detect":
            places = args.bucket, args.input, args.model, args.output_path
            return dataflow.submit(start(args.project, args.region), *places, args.image, program_flags)
    return 0


def parse_arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Return this script's flags, and those after `--`, which go to the program of the job."""
    words = list(sys.argv[1:] if argv is None else argv)
    end = words.index("--") if "--" in words else len(words)
    program_flags = words[end + 1 :]

    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--project", help="Google Cloud project (default: the job's, else gcloud's)")
    region = f"region of the job (default: the job's, else gcloud's ai/region, else {DEFAULT_REGION})"
    everywhere.add_argument("--region", help=region)
    everywhere.add_argument("--yes", action="store_true", help="do not ask")
    everywhere.add_argument("--dry_run", action="store_true", help="check and show everything, change nothing")

    existing = argparse.ArgumentParser(add_help=False, parents=[everywhere])
    existing.add_argument("--job", help="name or number of the job (default: the latest submitted from here)")

    new = argparse.ArgumentParser(add_help=False)
    new.add_argument("--job_name", type=job_name, help="name of the new job (default: imgSeg_<seconds>)")
    new.add_argument("--image", default="", help=f"container of the job (default: {jobs.DEFAULT_IMAGE})")
    account = "e-mail of the account that the job runs as (default: Vertex AI's own)"
    new.add_argument("--service_account", default="", help=account)

    on_bucket = argparse.ArgumentParser(add_help=False, parents=[everywhere])
    on_bucket.add_argument("--bucket", type=bucket.bucket_name, required=True, help="name of the bucket")

    with_config = argparse.ArgumentParser(add_help=False, parents=[on_bucket])
    config = "pipeline config, with its files on the bucket or here"
    config_path = "--pipeline_config_path", "--config"
    with_config.add_argument(*config_path, type=command_line.existing_file, default=BASE_CONFIG, help=config)

    parser = command_line.make_parser(__doc__, passes_on=True)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    add_verb = functools.partial(verbs.add_parser, allow_abbrev=False, formatter_class=parser.formatter_class)

    add_verb("upload", parents=[with_config], help="copy a config's records, label map and checkpoint to the bucket")

    train = add_verb("train", parents=[with_config, new], help="submit a training job")
    template = files.default_path("cloud/vertex_training.yaml")
    train.add_argument("--spec", type=command_line.existing_file, default=template, help="template of the job")
    train.add_argument("--train_dir", type=bucket.address, help="checkpoints (default: gs://BUCKET/JOB/train)")
    workers = "number of workers beside the master (default: the template's)"
    train.add_argument("--workers", type=command_line.not_negative_int, help=workers)
    servers = "number of parameter servers (default: the template's)"
    train.add_argument("--parameter_servers", type=command_line.not_negative_int, help=servers)
    train.add_argument("--evaluator", action="store_true", help="add a machine that evaluates each new checkpoint")

    evaluation = add_verb("eval", parents=[existing, new], help="submit an evaluation of a job's latest checkpoint")
    template = files.default_path("cloud/vertex_evaluation.yaml")
    evaluation.add_argument("--spec", type=command_line.existing_file, default=template, help="template of the job")

    add_verb("logs", parents=[existing], help="follow a job's log until the job ends")

    status = add_verb("status", parents=[existing], help="show how far a job is")
    status.add_argument("--all", action="store_true", help="list all jobs of the region")

    add_verb("cancel", parents=[existing], help="stop a job; what it has written stays")

    export = add_verb("export", parents=[existing], help="fetch a checkpoint from the bucket and export the model here")
    export.add_argument("--step", type=int, help="step of the checkpoint (default: the latest)")
    output = "folder for the exported model (default: runs/cloud/JOB/exported_model)"
    output_dir = "--output_dir", "--output_directory"
    export.add_argument(*output_dir, type=command_line.local_path, help=output)

    detect = add_verb("batch-detect", parents=[on_bucket], help="submit detection on a bucket's images to Dataflow")
    images = "images: a folder, a pattern, or a text file with addresses"
    detect.add_argument("--input", type=bucket.address, required=True, help=images)
    detect.add_argument("--model", type=bucket.address, required=True, help="address of the exported model")
    detect.add_argument("--output_path", type=bucket.address, required=True, help="what the results' names begin with")
    detect.add_argument("--image", required=True, help="container of the workers (cloud/beam.md)")

    args = parser.parse_args(words[:end])
    if not args.verb:
        parser.error(f"give what to do: {', '.join(verbs.choices)}")
    if program_flags and args.verb not in ("train", "eval", "batch-detect"):
        parser.error(f"{args.verb} passes nothing on to a program: leave out -- {' '.join(program_flags)}")
    return args, program_flags


def job_name(text: str) -> str:
    """An argparse type: a display name of a job."""
    if not re.fullmatch(r"[A-Za-z][\w-]{0,127}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a letter, then up to 127 letters, digits, - and _")
    return text


if __name__ == "__main__":
    command_line.run(main)
