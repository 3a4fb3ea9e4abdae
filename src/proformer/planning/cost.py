"""What a model costs before it is trained: operations, parameters and memory, counted on the model itself.

A step is traced on torch's meta device, which holds shapes alone. Models that ask for the values of tensors are traced
on a CPU instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proformer.files import write_text

if TYPE_CHECKING:
    import torch

    from proformer.models.base import Model

T = TypeVar("T")
TRAINING = 3  # a step's forward passes' worth: forward, and backward to inputs and to weights
ROWS = {"meta": 512, "cpu": 2}  # of the batch that is traced, by device


@dataclass(frozen=True)
class Cost:
    """Of one model: numbers that are trained; FLOPs of a prediction and of a training step, and bytes, per sequence.

    A multiply-add is two FLOPs. A step is TRAINING times the forward pass of its loss. activation_bytes: kept for the
    backward pass, in float32.
    """

    parameters: int
    forward_flops: int
    training_flops: int
    activation_bytes: int


def cost(config: Mapping[str, Any]) -> Cost:
    """Read a model's cost off the built model."""
    return _cost(json.dumps(dict(config), sort_keys=True))


def forward_flops(config: Mapping[str, Any]) -> int:
    """FLOPs of a prediction alone, for one sequence; sooner there than `cost`."""
    return _forward(json.dumps(dict(config), sort_keys=True))


def job_cost(job: Mapping[str, Any], length: int, kept: Path | None = None) -> Cost:
    """The cost of a training job's model ({"model": keys, "recipe": name}) on sequences of this length.

    kept: a file in which costs are looked up, and which receives new ones: to count them needs torch, and a second.
    """
    model, recipe = {"model": "proformer", **job["model"]}, job.get("recipe")
    if kept is None:
        return _job_cost(model, recipe, length)
    spec = importlib.util.find_spec(f"proformer.models.{model['model']}")
    source = Path(spec.origin).read_bytes() if spec and spec.origin else b""
    name = hashlib.sha256(json.dumps([model, recipe, length], sort_keys=True).encode() + source).hexdigest()[:16]
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if name not in known:
        known[name] = asdict(_job_cost(model, recipe, length))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(known, indent=1) + "\n")
    return Cost(**known[name])


def _job_cost(model: Mapping[str, Any], recipe: str | None, length: int) -> Cost:
    from proformer.models import find_recipe, resolve

    return cost(resolve({**find_recipe(model["model"], recipe)["model"], **model}, {"length": length}))


def host_megabytes(price: Cost, processes: int, data_megabytes: float, rows: int = 0) -> int:
    """What a training asks for: per process torch itself, the data twice (file and device copy), and the model's state.

    rows: of a batch, where it is trained on the host, which then holds what is kept for the backward pass.
    """
    state = 16 * price.parameters * processes  # weights, two moments, and the best weights, as in a checkpoint
    return processes * (3000 + int(3 * data_megabytes)) + int((state + rows * price.activation_bytes) / 1e6)


@cache
def _forward(text: str) -> int:
    return _traced(text, lambda model, codes: _predict(model, codes)[0] // len(codes))


@cache
def _cost(text: str) -> Cost:
    def count(model: Model, codes: torch.Tensor) -> Cost:
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        forward, output = _predict(model, codes)
        flops, kept = _learn(model, codes, output.float())
        return Cost(parameters, forward // len(codes), TRAINING * flops // len(codes), kept // len(codes))

    return _traced(text, count)


def _traced(text: str, count: Callable[[Model, torch.Tensor], T]) -> T:
    """Count on the model of this config, built without its memory where that is possible, and a batch of codes."""
    import torch

    from proformer.models import build, resolve

    config = resolve(json.loads(text))
    for device, rows in ROWS.items():
        try:
            with torch.device(device):
                return count(build(config), torch.zeros(rows, config["length"], dtype=torch.uint8))
        except (NotImplementedError, RuntimeError):
            if device == "cpu":
                raise
    raise AssertionError


def _predict(model: Model, codes: torch.Tensor) -> tuple[int, torch.Tensor]:
    """FLOPs of predictions, and the predictions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = model.eval()(codes)
    return counter.get_total_flops(), output


def _learn(model: Model, codes: torch.Tensor, target: torch.Tensor) -> tuple[int, int]:
    """FLOPs of a loss, and the bytes that autograd keeps for its backward pass, beside the weights."""
    from torch.utils.flop_counter import FlopCounterMode

    from proformer.datasets.batches import Batch
    from proformer.tasks import Task

    batch, task = Batch(codes, target), Task(scale="none")
    with FlopCounterMode(display=False) as counter:
        kept = _kept(model, lambda: model.train().loss(batch, task))
    return counter.get_total_flops(), kept


def kept_bytes(model: Model, codes: torch.Tensor) -> int:
    """Bytes that autograd would keep of predictions, beside the weights; the model's mode stays as it is."""
    return _kept(model, lambda: model(codes))


def _kept(model: Model, compute: Callable[[], object]) -> int:
    """Bytes that autograd keeps of a computation, each storage once, beside the weights."""
    import torch

    own = {tensor.untyped_storage()._cdata for tensor in model.state_dict().values()}
    kept: dict[int, torch.Tensor] = {}  # by storage; the tensors stay alive, so that no storage's address is used twice

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = compute()
    del result
    size = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)
    kept.clear()  # they hold their graph, which holds `note`: nothing else would ever free them
    return size
