"""How many images a second a cluster of parameter servers would train: a model, every assumption of which is a flag.

In:   a pipeline config, whose variables are counted, and the assumptions.
Out:  a table on stdout: images a second asynchronously and in step (sync_replicas), and what holds them up.

  python cloud/scaling.py --pipeline_config_path configs/ssd_mobilenet_v1_multi.config --replicas 1 5 20

In each step a replica fetches all trainable variables (float32: 4 bytes each) from the parameter servers, computes, and
sends as many bytes of gradients back. The trainer deals the variables out to the servers in turn, by number and not by
size, so that the fullest one, which is what counts, holds more than its share.

Asynchronously the replicas are the customers of a closed queueing network: computing is a delay without a queue; the
fullest server's line out, its line in, and the update of its variables are queues. Its throughput follows from mean
value analysis (Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing Networks", J. ACM 27, 1980). In
step all replicas fetch at once, wait for the slowest, send at once, and one update follows. Not in the model: reading
records, and fetching that overlaps with computing.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import _init_paths  # noqa: F401

from scripts.lib import object_detection_api
from scripts.lib.config import pipeline_config
from scripts.lib.core import command_line, files
from scripts.lib.core.command_line import local_path
from scripts.lib.core.errors import UsageError
from scripts.lib.core.tensorflow import import_tensorflow

BYTES_PER_VALUE = 4  # float32


class Cluster(NamedTuple):
    """What the model is computed from; times in seconds, sizes in bytes, lines in bytes a second.

    Attributes:
        compute_seconds: one replica's forward and backward pass of its batch.
        batch_size: images a replica takes a step.
        step_bytes: of all trainable variables, and as many of all gradients.
        fullest_share: the part of them that lies on the fullest parameter server.
        replica_line, server_line: of a replica and of a parameter server, in each direction.
        update_seconds: for all variables on one server to be updated.
        spread: standard deviation of compute_seconds between replicas and steps, as a part of it.
    """

    compute_seconds: float
    batch_size: int
    step_bytes: float
    fullest_share: float
    replica_line: float
    server_line: float
    update_seconds: float
    spread: float


class Throughput(NamedTuple):
    """Images a second, and the part of the time that the busiest queue is busy (asynchronous) or all compute."""

    images_per_second: float
    busy: float


def asynchronous(cluster: Cluster, replicas: int) -> Throughput:
    """Mean value analysis of the closed network described above, with `replicas` customers."""
    server_bytes = cluster.step_bytes * cluster.fullest_share
    line, update = server_bytes / cluster.server_line, cluster.update_seconds * cluster.fullest_share
    service = (line, line, update)
    own_line = max(0.0, cluster.step_bytes / cluster.replica_line - line)  # where it is the slower end of the two
    delay = cluster.compute_seconds + 2 * own_line
    waiting = [0.0] * len(service)
    steps_per_second = 0.0
    for customers in range(1, replicas + 1):
        response = [seconds * (1 + queue) for seconds, queue in zip(service, waiting, strict=True)]
        steps_per_second = customers / (delay + sum(response))
        waiting = [steps_per_second * seconds for seconds in response]
    return Throughput(steps_per_second * cluster.batch_size, steps_per_second * max(service))


def in_step(cluster: Cluster, replicas: int) -> Throughput:
    """All fetch, compute and send together; the slowest of the replicas sets the pace.

    The expected maximum of n normal values is taken as Blom's quantile, (n - 0.375) / (n + 0.25).
    """
    slowest = cluster.spread * statistics.NormalDist().inv_cdf((replicas - 0.375) / (replicas + 0.25))
    compute = cluster.compute_seconds * (1 + slowest)
    server_seconds = replicas * cluster.step_bytes * cluster.fullest_share / cluster.server_line
    transfer = max(server_seconds, cluster.step_bytes / cluster.replica_line)
    seconds = compute + 2 * transfer + cluster.update_seconds * cluster.fullest_share
    return Throughput(replicas * cluster.batch_size / seconds, compute / seconds)


def fullest_share(sizes: Sequence[int], trainable: Sequence[bool], servers: int) -> float:
    """The part of the trainable values on the fullest server, variables dealt out in the order of their creation.

    Args:
        sizes: number of values of each variable of the model, trainable or not.
        trainable: whether it is, for each.
        servers: number of parameter servers. The first variable goes to the second one: the global step, to the first.
    """
    held = [0] * servers
    for position, (size, is_trainable) in enumerate(zip(sizes, trainable, strict=True), start=1):
        held[position % servers] += size * is_trainable
    return max(held) / sum(held)


def count_variables(config: pipeline_config.Message) -> tuple[list[int], list[bool]]:
    """Builds the config's model for training; returns the number of values of each variable, and if it is trainable.

    Raises:
        UsageError: it is no SSD: a model of two stages cannot be built for training without ground truth.
    """
    if config.model.WhichOneof("model") != "ssd":
        raise UsageError("--pipeline_config_path: the variables of SSD models alone can be counted, and this is none")
    object_detection_api.prepare()
    tf = import_tensorflow()
    from object_detection.builders import model_builder

    with tf.Graph().as_default():
        model = model_builder.build(config.model, is_training=True)
        image = tf.placeholder(tf.float32, [1, 512, 512, 3])
        model.predict(*model.preprocess(image))
        trainable = {variable.op.name for variable in tf.trainable_variables()}
        variables = tf.global_variables()
        assert all(variable.dtype.base_dtype == tf.float32 for variable in variables if variable.op.name in trainable)
        return [v.shape.num_elements() for v in variables], [v.op.name in trainable for v in variables]


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_arguments(argv)
    sizes, trainable = count_variables(pipeline_config.read(args.pipeline_config_path))
    parameters = sum(size for size, is_trainable in zip(sizes, trainable, strict=True) if is_trainable)
    share = fullest_share(sizes, trainable, args.parameter_servers)
    cluster = make_cluster(args, parameters, share)
    print(describe(args, cluster, sum(trainable), parameters))
    print(table(cluster, args.replicas))
    return 0


def make_cluster(args: argparse.Namespace, parameters: int, share: float) -> Cluster:
    bytes_per_gbit = 1e9 / 8 * args.efficiency
    return Cluster(
        compute_seconds=args.batch_size / args.images_per_second,
        batch_size=args.batch_size,
        step_bytes=parameters * BYTES_PER_VALUE,
        fullest_share=share,
        replica_line=args.replica_gbps * bytes_per_gbit,
        server_line=args.server_gbps * bytes_per_gbit,
        update_seconds=parameters / args.updates_per_second,
        spread=args.spread,
    )


def describe(args: argparse.Namespace, cluster: Cluster, variables: int, parameters: int) -> str:
    return (
        f"{files.shown_path(args.pipeline_config_path)}: {variables} variables, {parameters:,} float32 values: "
        f"{cluster.step_bytes / 1e6:.1f} MB of variables and as much of gradients a step.\n"
        f"{args.parameter_servers} parameter servers, the fullest with {cluster.fullest_share:.0%} of it; "
        f"a replica alone computes {args.images_per_second:g} images/s in batches of {args.batch_size}.\n"
    )


def table(cluster: Cluster, replica_counts: Sequence[int]) -> str:
    """A row for each number of replicas, in Markdown."""
    alone = cluster.batch_size / cluster.compute_seconds
    rows = [
        "| replicas | asynchronous, images/s | of ideal | busiest queue | in step, images/s | of ideal | computing |",
        "|---|---|---|---|---|---|---|",
    ]
    for count in replica_counts:
        free, bound = asynchronous(cluster, count), in_step(cluster, count)
        cells = [str(count)]
        for result in (free, bound):
            rate = result.images_per_second
            cells += [f"{rate:.0f}", f"{rate / (alone * count):.0%}", f"{result.busy:.0%} busy"]
        cells[-1] = cells[-1].replace("busy", "of the time")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_line.make_parser(__doc__)
    parser.add_argument(
        "--pipeline_config_path",
        type=local_path,
        default=files.default_path("configs/ssd_mobilenet_v1_multi.config"),
        help="whose model's variables are counted",
    )
    integer = command_line.positive_int
    parser.add_argument("--replicas", type=integer, nargs="+", default=[1, 5, 20], metavar="N", help="that train")
    parser.add_argument("--parameter_servers", type=integer, default=3, metavar="N", help="as in the job")
    parser.add_argument("--batch_size", type=integer, default=24, metavar="N", help="images a replica takes a step")
    for name, default, meaning in (
        ("images_per_second", 100.0, "of a replica that trains alone: measure it with one machine"),
        ("replica_gbps", 16.0, "a replica's network, Gbit/s: Google's limit for n1-standard-8"),
        ("server_gbps", 16.0, "a parameter server's network, Gbit/s"),
        ("efficiency", 0.5, "part of the network's rate that gRPC gets through"),
        ("updates_per_second", 5e8, "values that a parameter server updates a second (Adam: three arrays each)"),
    ):
        parser.add_argument(f"--{name}", type=command_line.positive, default=default, metavar="X", help=meaning)
    parser.add_argument(
        "--spread",
        type=command_line.not_negative,
        default=0.1,
        metavar="X",
        help="standard deviation of the time to compute a step, as a part of it",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    command_line.run(main)
