"""The options of a training."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """The flags of scripts/train.py, by name; its --help describes them. The first group is the API's own."""

    pipeline_config_path: str = ""
    train_dir: str = ""
    train_config_path: str = ""
    input_config_path: str = ""
    model_config_path: str = ""
    num_clones: int = 1
    clone_on_cpu: bool = False
    master: str = ""
    task: int = 0
    worker_replicas: int = 1
    ps_tasks: int = 0

    num_train_steps: int | None = None
    save_every_steps: int | None = None
    save_every_secs: int = 120
    log_every_steps: int = 10
    save_summaries_secs: int = 20
    full_summaries: bool = False
    eval_every: int | None = None
    eval_dir: str = ""
    patience: int | None = None
    overfit: int | None = None
    seed: int | None = None
    verbose: bool = False
