"""Submits training and evaluation to Vertex AI, follows the jobs, and brings the model back.

In:   a pipeline config with the files that it names, a bucket, and gcloud, whose login, project and region are used.
Out:  on the bucket: gs://BUCKET/data/..., and gs://BUCKET/JOB/ with pipeline.config, train/ and eval/ of each job;
      here: runs/cloud/JOB/ with the job as it was submitted, and what `export` fetches and makes.

  python cloud/submit.py upload --bucket BUCKET
  python cloud/submit.py train --bucket BUCKET --workers 0 --parameter_servers 0
  python cloud/submit.py logs
  python cloud/submit.py status
  python cloud/submit.py eval
  python cloud/submit.py tensorboard
  python cloud/submit.py export
  python cloud/submit.py cancel
  python cloud/submit.py batch-detect --bucket BUCKET --input gs://BUCKET/photos --model gs://BUCKET/exported_model
      --output_path gs://BUCKET/detections/run1

All but upload, train and batch-detect take the latest job, or --job NAME. Before money is spent, all that can be
checked is: the job specification against the API's own message type, machines and GPUs, the programs' flags, config,
records, label map and checkpoint on the bucket, the bucket's region, the container. The gcloud command and an estimate
of the cost are shown, and asked for (--yes: not asked). --dry_run does all but the last step. What stands after `--`
goes to train.py, eval.py or detect_beam.py:

  python cloud/submit.py train --bucket BUCKET -- --num_train_steps 2000

--backend ml-engine shows what the same step was on ML Engine, which has ended. From an empty project to the exported
model: cloud/README.md. Needs requirements-cloud.txt, gcloud, and for batch-detect requirements-beam.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import _init_paths  # noqa: F401
from google.protobuf import text_format

from cloud.lib import bucket, bucket_config, gcloud, job_spec, ml_engine, prices, submitted
from cloud.lib.submitted import Job
from scripts.lib.checkpoints import checkpoint_files
from scripts.lib.config import checks, pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import ERROR, DataError, Finding, UsageError
from scripts.lib.models import exported_model
from scripts.lib.training import cluster

DEFAULT_REGION = "us-central1"
BASE_CONFIG = files.default_path("configs/ssd_mobilenet_v1_gcs.config")
IMAGE = "{region}-docker.pkg.dev/{project}/apparel/trainer:1"
FORMS = (  # of flags' values, and how they are described
    ("job_name", re.compile(r"[A-Za-z][\w-]{0,127}", re.ASCII), "a letter, then up to 127 letters, digits, - and _"),
    ("train_dir", re.compile(r"gs://[^/]+/.*[^/]/*"), "a folder on a bucket, gs://BUCKET/FOLDER"),
    ("service_account", re.compile(r"[^@\s]+@[^@\s]+"), "the account's e-mail address"),
)
MACHINE_NAME = Path("/sys/class/dmi/id/product_name")  # where google-auth looks, too
LOOK_SECS = 60  # between two looks whether a job that is followed has ended
LAST_LINES_SECS = 30  # for what it logged at the end
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED")


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    if args.backend == "ml-engine":
        return show_ml_engine(args)
    return VERBS[args.verb](args)


# -------------------------------------------------------------------------------------------------------- arguments


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    words = list(sys.argv[1:] if argv is None else argv)
    own, passed_on = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = command_line.make_parser(__doc__)
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", help=", ".join(VERBS), parser_class=make_verb_parser
    )
    for verb, function in VERBS.items():
        add_flags(verbs.add_parser(verb, help=function.__doc__, description=function.__doc__), verb)
    args = parser.parse_args(own)
    if passed_on and args.verb not in ("train", "eval", "batch-detect"):
        parser.error(f"{args.verb} passes nothing on to a program: leave out -- {' '.join(passed_on)}")
    args.passed_on = passed_on
    args.bucket = bucket.check_name(args.bucket) if getattr(args, "bucket", None) else None
    args.job_name = getattr(args, "job_name", None) or f"imgSeg_{int(time.time())}"
    for flag in ("workers", "parameter_servers"):
        if (getattr(args, flag, None) or 0) < 0:
            parser.error(f"--{flag} cannot be negative")
    for flag, pattern, expected in FORMS:
        value = getattr(args, flag, None)
        if value and not pattern.fullmatch(value):
            parser.error(f"--{flag} {value!r}: expected {expected}")
    return args


def make_verb_parser(prog: str, description: str) -> argparse.ArgumentParser:
    parser = command_line.make_parser(description)
    parser.prog = prog
    return parser


def add_flags(parser: argparse.ArgumentParser, verb: str) -> None:
    def add(name: str, meaning: str, **options) -> None:
        parser.add_argument(f"--{name}", help=meaning, **options)

    add(
        "backend",
        "ml-engine: show what was run on the service that has ended",
        choices=("vertex", "ml-engine"),
        default="vertex",
    )
    starts_from_job = verb in ("eval", "logs", "status", "cancel", "tensorboard", "export")
    add("project", f"Google Cloud project (default: {'the job' if starts_from_job else 'gcloud'}'s)")
    region = "the job's" if starts_from_job else f"gcloud's ai/region, else {DEFAULT_REGION}"
    add("region", f"region of the job (default: {region})")
    add("yes", "do not ask", action="store_true")
    add("dry_run", "check and show everything, and change nothing", action="store_true")
    if starts_from_job:
        add("job", "name or number of the job (default: the latest submitted from here)")
    if verb in ("upload", "train", "batch-detect"):
        add("bucket", "name of the bucket", required=True)
    if verb in ("upload", "train"):
        add("config", "pipeline config, with its files on the bucket or here", type=local_path, default=BASE_CONFIG)
    if verb in ("train", "eval"):
        add("job_name", "name of the new job (default: imgSeg_<seconds>)")
        default = IMAGE.format(region="REGION", project="PROJECT")
        add("image", f"the container that cloud/cloudbuild.yaml built (default: {default})")
        add("service_account", "e-mail of the account that the job runs as (default: Vertex AI's own)", default="")
        spec = "vertex_training.yaml" if verb == "train" else "vertex_evaluation.yaml"
        add("spec", "template of the job", type=local_path, default=files.default_path(f"cloud/{spec}"))
    if verb == "train":
        add("train_dir", "folder for checkpoints, to go on from one (default: gs://BUCKET/JOB/train)")
        add("workers", "number of workers beside the master (default: the template's)", type=int)
        add("parameter_servers", "number of parameter servers (default: the template's)", type=int)
        add("evaluator", "a machine that evaluates each new checkpoint", action="store_true")
    if verb == "logs":
        add("interval", "seconds between two looks", type=command_line.positive_int, default=15)
    if verb == "status":
        add("all", "list all jobs of the region", action="store_true")
    if verb == "tensorboard":
        add("port", "port of the page", type=int, default=6006)
    if verb == "export":
        add("step", "checkpoint of this step (default: the latest)", type=int)
        add(
            "output_directory",
            "folder for the exported model (default: runs/cloud/JOB/exported_model)",
            type=local_path,
        )
    if verb == "batch-detect":
        add("input", "photos on the bucket: a folder, a pattern, or a text file with addresses", required=True)
        add("model", "address of the exported model", required=True)
        add("output_path", "address that the results' names begin with", required=True)
        add("image", "container of the workers, with Beam and this repository (cloud/README.md)", required=True)
        add("max_num_workers", "at most so many machines", type=command_line.positive_int, default=10)
        add("machine_type", "of the machines", default="e2-standard-4")


def settings(args: argparse.Namespace, job: Job | None = None) -> argparse.Namespace:
    """Project and region: as given, else the job's, else gcloud's; `known` tells whether gcloud can be asked.

    Raises:
        UsageError: gcloud is missing or not logged in, or there is no project.
    """
    if args.dry_run and not gcloud.is_installed():
        print(f"warning: gcloud is missing, so nothing on Google Cloud was checked; {gcloud.INSTALL}.", file=sys.stderr)
        args.known, configured = False, gcloud.Configuration("", "")
    else:
        args.known, configured = True, gcloud.configuration()
    args.project = args.project or (job.project if job else configured.project)
    args.region = args.region or (job.region if job else configured.region or DEFAULT_REGION)
    if not args.project:
        raise UsageError("there is no project; give --project, or set it: gcloud config set project PROJECT")
    return args


def find_job(args: argparse.Namespace) -> Job:
    """The job that --job names; one that was submitted elsewhere is known by its number, project and region alone."""
    try:
        job = submitted.find(args.job)
    except UsageError:
        if not (args.job and args.job.isdecimal() and args.project and args.region):
            raise
        return Job(args.job, "", args.job, args.project, args.region, *[""] * 4, submitted=0)
    return dataclasses.replace(job, project=args.project or job.project, region=args.region or job.region)


def confirm(args: argparse.Namespace, question: str) -> bool:
    """Whether to go on: asks, unless --yes; never with --dry_run.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if args.dry_run:
        print("Nothing was changed (--dry_run).")
        return False
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at; give --yes")
    with contextlib.suppress(EOFError):
        if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
            return True
    print("Nothing was changed.")
    return False


# ------------------------------------------------------------------------------------------------------- the verbs


def upload(args: argparse.Namespace) -> int | None:
    """Copies the records, the label map and the fine-tune checkpoint of a config to the bucket."""
    settings(args)
    config = pipeline_config.read(args.config)
    local = bucket_config.on_disk(config, args.bucket)
    findings = checks.check_training(local, args.config, on_buckets=False)
    findings += checks.check_evaluation(local, args.config, on_buckets=False)
    refuse(findings, "nothing was uploaded")
    wanted = bucket_config.uploads(config, args.bucket)
    there = {}
    if args.known:
        refuse(bucket.check_location(args.bucket, args.region), "nothing was uploaded")
        there = bucket.listing(wanted.values())
    new = {file: address for file, address in wanted.items() if not is_same(file, there.get(address))}
    for file, address in wanted.items():
        size = f"{file.stat().st_size / 1e6:.1f} MB" if file in new else "there already"
        print(f"{files.shown_path(file)} -> {address} ({size})")
    if not new:
        print("Everything is on the bucket.")
        return 0
    commands = [
        bucket.copy_command([str(file) for file in new if new[file].rpartition("/")[0] == folder], f"{folder}/")
        for folder in sorted({address.rpartition("/")[0] for address in new.values()})
    ]
    for command in commands:
        print(f"> {gcloud.shown(['gcloud', *command])}")
    if not confirm(args, f"Upload {len(new)} files, {sum(file.stat().st_size for file in new) / 1e6:.0f} MB?"):
        return 0
    for command in commands:
        try:
            gcloud.run(*command)
        except DataError as error:
            raise DataError(error.findings, "run this again: what has been uploaded is not uploaded twice") from error
    own_config = [] if args.config == BASE_CONFIG else ["--config", str(args.config)]
    following = gcloud.shown(["python", "cloud/submit.py", "train", "--bucket", args.bucket, *own_config])
    print(f"Uploaded. Next: {following}")
    return 0


def is_same(file: Path, there: bucket.Object | None) -> bool:
    return bool(there and there.size == file.stat().st_size and there.crc32c == bucket.crc32c(file))


def train(args: argparse.Namespace) -> int | None:
    """Submits a training job."""
    settings(args)
    config = bucket_config.on_bucket(pipeline_config.read(args.config), args.bucket)
    run_dir = f"{bucket.PREFIX}{args.bucket}/{args.job_name}"
    train_dir = (args.train_dir or f"{run_dir}/train").rstrip("/")
    job = Job(
        args.job_name,
        "train",
        "",
        args.project,
        args.region,
        args.bucket,
        config=f"{run_dir}/pipeline.config",
        train_dir=train_dir,
        eval_dir=f"{train_dir.rpartition('/')[0]}/eval",
        submitted=int(time.time()),
    )
    counts = {job_spec.WORKERS: args.workers, job_spec.PARAMETER_SERVERS: args.parameter_servers}
    counts = {pool: count for pool, count in counts.items() if count is not None}
    counts[job_spec.EVALUATOR] = int(args.evaluator)
    template = job_spec.with_replicas(job_spec.read_template(args.spec), counts)
    findings: list[Finding | str] = checks.check_trainable(config, args.config)
    if not findings:
        findings += checks.check_batch(config, args.config)
    findings += [f"{files.shown_path(args.config)}: {problem}" for problem in cluster.check_sync_replicas(config)]
    if args.known and bucket.listing([job.config]):
        findings.append(f"there is a job {job.name} on the bucket already; give another --job_name")
    readers = ("train_input_reader", *(["eval_input_reader"] * args.evaluator))
    return submit(args, job, config, args.config, readers, template, findings)


def evaluate(args: argparse.Namespace) -> int | None:
    """Submits an evaluation of the latest checkpoint of a training job."""
    trained = submitted.find(args.job, "train")
    settings(args, trained)
    local = submitted.folder_of(trained.name) / "pipeline.config"
    config = pipeline_config.read(local)
    args.bucket = trained.bucket
    job = dataclasses.replace(
        trained,
        name=args.job_name,
        verb="eval",
        id="",
        project=args.project,
        region=args.region,
        submitted=int(time.time()),
    )
    problems: list[Finding | str] = []
    if args.known and not bucket_config.latest_checkpoint(trained.train_dir):
        problems.append(f"there is no checkpoint in {trained.train_dir} yet; `submit.py status` shows how far it is")
    return submit(args, job, config, local, ("eval_input_reader",), job_spec.read_template(args.spec), problems)


def submit(
    args: argparse.Namespace,
    job: Job,
    config: pipeline_config.Message,
    config_path: Path,
    readers: tuple[str, ...],
    template: dict,
    findings: Sequence[Finding | str],
) -> int | None:
    """Checks a job, shows what it costs, asks, and submits it.

    Args:
        args: the command line.
        job: what will be remembered of it, without its number.
        config: with its files on the bucket.
        config_path: its file, for messages.
        readers: the config's input readers that the job needs.
        template: of the job specification.
        findings: what has been found so far.
    """
    image = args.image or IMAGE.format(region=args.region, project=args.project.replace(":", "/"))
    spec = job_spec.fill(
        template,
        {
            "IMAGE": image,
            "PIPELINE_CONFIG": job.config,
            "TRAIN_DIR": job.train_dir,
            "EVAL_DIR": job.eval_dir,
            "RUN_DIR": job.config.rpartition("/")[0],
            "SERVICE_ACCOUNT": args.service_account,
            "PROJECT": args.project,
            "REGION": args.region,
            "BUCKET": args.bucket,
            "JOB_NAME": job.name,
        },
    )
    for pool in spec["workerPoolSpecs"]:
        if args.passed_on and isinstance(pool, dict) and pool.get("containerSpec"):
            pool["containerSpec"]["args"] = [*pool["containerSpec"].get("args", []), *args.passed_on]
    findings = [*findings, *job_spec.check(spec, args.spec, parse_program_flags)]
    folder = submitted.folder_of(job.name)
    if submitted.is_known(job.name):
        findings.append(f"there is a job {job.name} already, in {files.shown_path(folder)}; give another --job_name")
    if args.known:
        findings += bucket.check_location(args.bucket, args.region)
        build = ("--config=cloud/cloudbuild.yaml", "--ignore-file=cloud/.gcloudignore")
        findings += check_image(image, [*build, f"--substitutions=_IMAGE={image}"])
        findings += bucket_config.check(config, config_path, readers)
    refuse(findings, "nothing was submitted")

    spec_text = job_spec.text(spec, f"{job.name}, submitted by cloud/submit.py {args.verb}")
    local_config = folder / "pipeline.config"
    copy = bucket.copy_command([str(local_config)], job.config)
    create = [
        "ai",
        "custom-jobs",
        "create",
        f"--project={args.project}",
        f"--region={args.region}",
        f"--display-name={job.name}",
        f"--config={folder / 'job.yaml'}",
        "--format=value(name)",
    ]
    print(spec_text)
    print(f"Cost: {prices.estimate(spec)}.")
    new_config = job.verb == "train"
    for command in ([copy] if new_config else []) + [create]:
        print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if not confirm(args, f"Submit {job.name}?"):
        return 0

    with files.atomic_write(folder / "job.yaml", "w") as file:
        file.write(spec_text)
    left = f"nothing was submitted, and nothing uploaded; {files.shown_path(folder)} keeps what was to be"
    try:
        if new_config:
            with files.atomic_write(local_config, "w") as file:
                file.write(text_format.MessageToString(config, as_utf8=True))
            gcloud.run(*copy)
            remove = gcloud.shown(["gcloud", "storage", "rm", job.config])
            left = f"{job.config} was uploaded, and goes with: {remove}; {files.shown_path(folder)} is its copy here"
        left = f"nothing was submitted (if it broke off on the way, `submit.py status --all` shows the job); {left}"
        number = gcloud.run(*create).strip().rpartition("/")[2]
    except DataError as error:
        raise DataError(error.findings, left) from error
    except KeyboardInterrupt:
        print(f"{left}.", file=sys.stderr)
        raise
    job = dataclasses.replace(job, id=number)
    print(f"Submitted {job.name}, number {number}: {job.console}", flush=True)
    submitted.remember(job)
    print("Next: python cloud/submit.py logs")
    return 0


def parse_program_flags(command: Sequence[str], arguments: Sequence[str]) -> None:
    """Reads a container's arguments as the program there will.

    Raises:
        SystemExit, UsageError: it will not take them.
    """
    if command and command[-1].endswith("eval.py"):
        from scripts import eval as evaluation

        evaluation.parse_arguments(arguments)
    elif not command or command[-1].endswith(("task.py", "train.py")):
        from cloud import task
        from scripts import train as training

        flags = training.parse_arguments(task.parse_arguments(arguments)[1])
        if flags.eval_every and files.is_url(flags.train_dir):
            raise UsageError("--eval_every needs a train_dir on the machine; give --evaluator, or run `submit.py eval`")


def check_image(image: str, build: Sequence[str]) -> list[str]:
    """What is wrong where the registry does not have the container, a sentence.

    Args:
        image: its address.
        build: the flags with which `gcloud builds submit` makes it.
    """
    match = re.fullmatch(r"([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/([^/]+)/(.+):([\w.-]+)", image)
    if not match:
        return []  # by digest, of another registry, or malformed, which a specification's check says
    region, project, repository, package, tag = match.groups()
    tags = gcloud.attempt(
        "artifacts",
        "tags",
        "list",
        f"--project={project}",
        f"--location={region}",
        f"--repository={repository}",
        f"--package={package.replace('/', '%2F')}",
        "--format=value(name.basename())",
    )
    if tags.returncode == 0 and tag in tags.stdout.split():
        return []
    if tags.returncode and not re.search(r"NOT_FOUND|not found", tags.stderr, re.IGNORECASE):
        return [f"{image}: {gcloud.explain(tags.stderr)}"]
    command = gcloud.shown(["gcloud", "builds", "submit", *build, "."])
    return [f"there is no container {image}; give --image, or build it (cloud/README.md) with: {command}"]


def refuse(findings: Sequence[Finding | str], consequence: str) -> None:
    """Raises DataError where one is an error, as a plain sentence is; warnings alone are printed."""
    findings = list(dict.fromkeys(findings))
    if any(isinstance(each, str) or each.severity == ERROR for each in findings):
        raise DataError(findings, consequence)
    for warning in findings:
        print(warning, file=sys.stderr)


def logs(args: argparse.Namespace) -> int | None:
    """Follows a job's log until the job ends; Ctrl+C ends the following, not the job."""
    job = find_job(args)
    settings(args, job)
    describe(job)
    command = ["ai", "custom-jobs", "stream-logs", job.id, *place(job), f"--polling-interval={args.interval}"]
    print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if args.dry_run:
        return 0
    try:
        return follow(job, command)
    except KeyboardInterrupt:
        print("\nNo longer followed; the job goes on. To end it: python cloud/submit.py cancel")
        return 0


def follow(job: Job, command: Sequence[str]) -> int:
    """Runs `stream-logs`, and ends it when the job has: gcloud looks at that once, when it starts (SDK 528)."""
    with gcloud.running(*command) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_SECS)
            if (state := describe(job).get("state", "")) in ENDED:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_LINES_SECS)
                print(f"{job.name}: {state_of({'state': state})}")
                return 0


def status(args: argparse.Namespace) -> int | None:
    """Shows how far a job is, or all jobs of the region."""
    if args.all:
        settings(args)
        show_all(args)
        return 0
    job = find_job(args)
    settings(args, job)
    described = describe(job)
    print(f"{job.name} ({job.id}): {state_of(described)}; {job.console}")
    for name, key in (("submitted", "createTime"), ("started", "startTime"), ("ended", "endTime")):
        if key in described:
            print(f"{name:<10} {described[key]}")
    if job.train_dir:
        latest = bucket_config.latest_checkpoint(job.train_dir)
        print(f"checkpoint {latest or f'none yet in {job.train_dir}'}")
    if "error" in described:
        raise DataError([gcloud.explain(f"ERROR: {described['error'].get('message', 'it gives no reason')}")])
    return 0


def show_all(args: argparse.Namespace) -> None:
    jobs = gcloud.run_json("ai", "custom-jobs", "list", f"--project={args.project}", f"--region={args.region}")
    for each in jobs:
        number = each["name"].rpartition("/")[2]
        print(f"{number:<20} {each.get('createTime', '')[:19]:<20} {state_of(each):<11} {each.get('displayName', '')}")
    if not jobs:
        print(f"There is no job in {args.region} of {args.project}.")


def cancel(args: argparse.Namespace) -> int | None:
    """Stops a job; what it has written stays."""
    job = find_job(args)
    settings(args, job)
    state = describe(job).get("state", "")
    if state in ENDED:
        print(f"{job.name} has ended already ({state_of({'state': state})}).")
        return 0
    command = ["ai", "custom-jobs", "cancel", job.id, *place(job)]
    print(f"> {gcloud.shown(['gcloud', *command])}", flush=True)
    if confirm(args, f"Cancel {job.name}?"):
        gcloud.run(*command)
        print(f"Cancelled {job.name}. Its checkpoints stay in {job.train_dir or 'its train_dir'}.")
    return 0


def describe(job: Job) -> dict:
    return gcloud.run_json("ai", "custom-jobs", "describe", job.id, *place(job))


def place(job: Job) -> list[str]:
    return [f"--project={job.project}", f"--region={job.region}"]


def state_of(described: dict) -> str:
    return described.get("state", "unknown").removeprefix("JOB_STATE_").lower()


def tensorboard(args: argparse.Namespace) -> int | None:
    """Starts TensorBoard on a job's folder on the bucket."""
    job = submitted.find(args.job, "train")
    folder = job.train_dir.rpartition("/")[0]
    # TensorBoard's faster loader has trouble with the credentials of buckets (tensorboard issues 5819, 5850).
    flags = [f"--logdir={folder}", "--load_fast=false", f"--port={args.port}"]
    print(f"> {gcloud.shown(['tensorboard', *flags])}", flush=True)
    if args.dry_run:
        return 0
    if importlib.util.find_spec("tensorboard") is None or importlib.util.find_spec("tensorflow") is None:
        raise UsageError("TensorBoard reads buckets through TensorFlow; install both: pip install -r requirements.txt")
    if problems := missing_login("TensorFlow"):
        raise UsageError(*problems)
    return subprocess.run([sys.executable, "-m", "tensorboard.main", *flags], check=False).returncode


def missing_login(program: str) -> list[str]:
    """A sentence where a program with Google's libraries will find no login: gcloud's own is not theirs."""
    base = Path(os.environ.get("APPDATA", "")) if os.name == "nt" else Path.home() / ".config"
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or base / "gcloud")
    found = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or os.environ.get("GOOGLE_AUTH_TOKEN_FOR_TESTING")
    if found or (folder / "application_default_credentials.json").is_file() or is_on_google_cloud():
        return []
    return [f"{program} has a login of its own for buckets; run `gcloud auth application-default login`"]


def is_on_google_cloud() -> bool:
    """Whether this is a machine of Google's, which has an account without a login."""
    try:
        return MACHINE_NAME.read_text(encoding="utf-8").startswith("Google")
    except OSError:
        return False


def export(args: argparse.Namespace) -> int | None:
    """Fetches a checkpoint from the bucket and exports the model here."""
    job = submitted.find(args.job, "train")
    settings(args, job)
    folder = submitted.folder_of(job.name)
    config = pipeline_config.read(folder / "pipeline.config")
    label_map = pipeline_config.label_map_path(config)
    if args.step is None:
        prefix = bucket_config.latest_checkpoint(job.train_dir)
    else:
        prefix = f"{job.train_dir}/model.ckpt-{args.step}"
    if prefix is None or f"{prefix}.index" not in (there := bucket.listing([f"{job.train_dir}/model.ckpt-*.index"])):
        found = sorted(checkpoint_files.step_of(address.removesuffix(".index")) or 0 for address in there)
        steps = found if prefix else []
        raise DataError(
            [
                f"{job.train_dir} has no checkpoint{'' if args.step is None else f' of step {args.step}'}; "
                f"there are {', '.join(map(str, steps)) or 'none'}"
            ],
            "nothing was exported",
        )

    local = folder / "train" / prefix.rpartition("/")[2]
    output = (args.output_directory or folder / "exported_model").absolute()
    export_config = folder / "export.config"
    copies = [
        bucket.copy_command([f"{prefix}.*"], f"{local.parent}{os.sep}"),
        bucket.copy_command([label_map], str(folder / "label_map.pbtxt")),
    ]
    script = [
        "scripts/export_inference_graph.py",
        "--input_type=image_tensor",
        f"--pipeline_config_path={export_config}",
        f"--trained_checkpoint_prefix={local}",
        f"--output_directory={output}",
    ]
    for command in copies:
        print(f"> {gcloud.shown(['gcloud', *command])}")
    print(f"> {gcloud.shown(['python', *script])}", flush=True)
    if not confirm(args, f"Fetch and export step {checkpoint_files.step_of(prefix)}?"):
        return 0
    local.parent.mkdir(parents=True, exist_ok=True)
    for command in copies:
        gcloud.run(*command)
    for reader in pipeline_config.input_readers(config):
        reader.label_map_path = (folder / "label_map.pbtxt").as_posix()
    config.train_config.ClearField("fine_tune_checkpoint")  # an export needs none
    with files.atomic_write(export_config, "w") as file:
        file.write(text_format.MessageToString(config, as_utf8=True))
    return subprocess.run([sys.executable, *script], cwd=files.REPOSITORY_ROOT, check=False).returncode


def batch_detect(args: argparse.Namespace) -> int | None:
    """Submits detection on all images of a bucket to Dataflow (cloud/detect_beam.py)."""
    settings(args)
    for name in ("input", "model", "output_path"):
        if not getattr(args, name).startswith(bucket.PREFIX):
            raise UsageError(f"--{name} {getattr(args, name)} is no address on a bucket: {bucket.PREFIX}...")
    if args.known:
        problems = bucket.check_location(args.bucket, args.region)
        problems += missing_login("Beam")
        problems += check_image(args.image, [f"--tag={args.image}"])
        model = args.model.rstrip("/")
        if not bucket.listing([f"{model}/{exported_model.ONNX}"]):
            problems.append(
                f"there is no {exported_model.ONNX} in {model}; make it with scripts/export_model.py, and copy the "
                f"folder there with: gcloud storage cp --recursive exported_model {model.rpartition('/')[0]}/"
            )
        if not bucket.listing([args.input, f"{args.input.rstrip('/')}/**"], limit=1):
            problems.append(f"--input {args.input}: nothing lies there")
        refuse(problems, "nothing was submitted")
    command = [
        "cloud/detect_beam.py",
        f"--input={args.input}",
        f"--model={args.model}",
        f"--output_path={args.output_path}",
        "--runner=DataflowRunner",
        f"--project={args.project}",
        f"--region={args.region}",
        f"--temp_location={bucket.PREFIX}{args.bucket}/tmp",
        f"--sdk_container_image={args.image}",
        f"--job_name={args.job_name.lower().replace('_', '-')}",
        f"--max_num_workers={args.max_num_workers}",
        f"--machine_type={args.machine_type}",
        "--experiments=no_use_multiple_sdk_containers",  # one process, and so one model, a machine
        "--number_of_worker_harness_threads=2",
        *args.passed_on,
    ]
    print(f"Cost: {prices.dataflow_estimate(args.machine_type, args.max_num_workers)}.")
    print(f"> {gcloud.shown(['python', *command])}", flush=True)
    if not confirm(args, "Submit to Dataflow?"):
        return 0
    return subprocess.run([sys.executable, *command], cwd=files.REPOSITORY_ROOT, check=False).returncode


def show_ml_engine(args: argparse.Namespace) -> int:
    """Prints what the verb was on ML Engine."""
    region = args.region or DEFAULT_REGION
    job = getattr(args, "job", None) or args.job_name
    for command in ml_engine.commands(args.verb, job, args.bucket or "YOUR_BUCKET", region):
        print(" ".join(command))
    print(ml_engine.ENDED)
    return 0


VERBS = {
    "upload": upload,
    "train": train,
    "eval": evaluate,
    "logs": logs,
    "status": status,
    "cancel": cancel,
    "tensorboard": tensorboard,
    "export": export,
    "batch-detect": batch_detect,
}

if __name__ == "__main__":
    command_line.run(main)
