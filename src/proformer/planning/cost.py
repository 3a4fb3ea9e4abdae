"""What a model costs before it is trained: operations, parameters and memory, counted on the model itself.

A step is traced on torch's meta device, which holds shapes alone. Models that ask for the values of tensors are traced
on a CPU instead. Of torch's LSTMs, one position is traced and counted as often as there are positions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proformer.errors import InputError
from proformer.files import write_text
from proformer.models import DEFAULT
from proformer.points import TrainingJob
from proformer.settings import within
from proformer.training.config import read_job

if TYPE_CHECKING:
    import torch

    from proformer.models.base import Model

T = TypeVar("T")
TRAINING = 3  # a step's forward passes' worth: forward, and backward to inputs and to weights
THREAD = 5e9  # FLOP/s of a CPU thread: modest, small models reach it
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


@dataclass(frozen=True)
class JobCost(Cost):
    """Of one training, its settings too: epoch_rows are the sequences of an epoch, 0 where it is one pass."""

    epochs: int
    batch_size: int
    epoch_rows: int
    precision: str


def cost(config: Mapping[str, Any]) -> Cost:
    """Read a model's cost off the built model."""
    return _traced(json.dumps(dict(config), sort_keys=True), _cost)


def forward_flops(config: Mapping[str, Any]) -> int:
    """FLOPs of a prediction alone, for one sequence; sooner there than `cost`."""
    return _traced(json.dumps(dict(config), sort_keys=True), _forward)


def job_costs(jobs: Sequence[TrainingJob], kept: Path | None = None) -> tuple[dict[str, JobCost], dict[str, str]]:
    """What trainings cost, by path; and of those whose model cannot be built, why.

    kept: a file in which costs are looked up, and which receives new ones: to count them needs torch, and a second.
    Raises InputError for settings that are wrong, and for a run of which nothing can be built.
    """
    known = _read_costs(kept)
    before, costs, skipped = len(known), dict[str, JobCost](), dict[str, str]()
    for job in jobs:
        if (name := _digest(job)) not in known:
            known[name] = _job_cost(job)
        if isinstance(price := known[name], str):
            skipped[job.path] = price
        else:
            costs[job.path] = price
    if kept and len(known) > before:
        kept.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: price if isinstance(price, str) else asdict(price) for name, price in known.items()}
        write_text(kept, json.dumps(plain, indent=1) + "\n")
    can_be_built = {job.run for job in jobs if job.path in costs}
    for job in jobs:
        if job.run not in can_be_built:
            raise InputError(f"runs: {job.run}: the model cannot be built: {skipped[job.path]}")
    return costs, skipped


def known_costs(jobs: Sequence[TrainingJob], kept: Path) -> dict[str, JobCost]:
    """What is known of trainings without counting, by path."""
    known = _read_costs(kept)
    found = {job.path: known.get(_digest(job)) for job in jobs}
    return {path: price for path, price in found.items() if isinstance(price, JobCost)}


def _read_costs(kept: Path | None) -> dict[str, JobCost | str]:
    """Costs, or why there are none, by digest; those of a damaged file are counted again."""
    try:
        found = json.loads(kept.read_text(encoding="utf-8")) if kept else {}
        costs = {name: price if isinstance(price, str) else JobCost(**price) for name, price in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    numbers = [n for price in costs.values() if not isinstance(price, str) for n in [*vars(price).values()][:-1]]
    return costs if all(isinstance(number, int) for number in numbers) else {}


def _job_cost(job: TrainingJob) -> JobCost | str:
    with within(f"runs: {job.run}"):
        model, training = read_job(job.config, job.data, f"the data set {job.dataset}")
    settings = {name: getattr(training, name) for name in ("epochs", "batch_size", "precision")}
    settings["epoch_rows"] = (training.epoch_batches or 0) * training.batch_size
    try:
        return JobCost(**vars(cost(model)), **settings)
    except Exception as error:  # of any code: the model may be the user's own
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        return kind + (lines[0] if lines else "no message")


def _digest(job: TrainingJob) -> str:
    """Of what a training's cost follows from: its settings, what its data set says, and the model's code."""
    models = Path(__file__).parents[1] / "models"
    files = [models / f"{job.config['model'].get('model', DEFAULT)}.py", *sorted((models / "blocks").glob("*.py"))]
    keys = {key: value for key, value in job.config.items() if key != "point"}
    keys["training"] = {**keys["training"], "seed": 1}
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()
    return hashlib.sha256(
        json.dumps([[*JobCost.__dataclass_fields__], keys, job.data, code], sort_keys=True).encode()
    ).hexdigest()[:16]


def host_megabytes(price: Cost, processes: int, data_megabytes: float, rows: int = 0) -> int:
    """What a training asks for: per process torch itself, the data twice (file and device copy), and the model's state.

    rows: of a batch, where it is trained on the host, which then holds what is kept for the backward pass, and as much
    again that was freed and stays with the process. Otherwise torch comes with CUDA's libraries.
    """
    state = 16 * price.parameters * processes  # weights, two moments, and the best weights, as in a checkpoint
    torch = 700 if rows else 3000
    return processes * (torch + int(3 * data_megabytes)) + int((state + 2 * rows * price.activation_bytes) / 1e6)


@cache
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


def _forward(model: Model, codes: torch.Tensor) -> int:
    return _predict(model, codes)[0] // len(codes)


def _cost(model: Model, codes: torch.Tensor) -> Cost:
    parameters = sum(p.numel() for p in model.parameters())
    forward, output = _predict(model, codes)
    flops, kept = _learn(model, codes, output.float())
    # Additions, all that a constant takes, are not counted: one stands for them.
    predicting, training = (max(1, count // len(codes)) for count in (forward, TRAINING * flops))
    return Cost(parameters, predicting, training, kept // len(codes))


def _predict(model: Model, codes: torch.Tensor) -> tuple[int, torch.Tensor]:
    """FLOPs of predictions, and the predictions."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad(), _one_position(model) as repeated:
        output = model.eval()(codes)
    return counter.get_total_flops() + repeated.flops, output


def _learn(model: Model, codes: torch.Tensor, target: torch.Tensor) -> tuple[int, int]:
    """FLOPs of a loss, and the bytes that autograd keeps for its backward pass, beside the weights."""
    from torch.utils.flop_counter import FlopCounterMode

    from proformer.datasets.batches import Batch
    from proformer.tasks import Task

    batch, task = Batch(codes, target), Task(scale="none")
    with FlopCounterMode(display=False) as counter, _one_position(model) as repeated:
        kept = kept_bytes(model, lambda: model.train().loss(batch, task), repeated)
    return counter.get_total_flops() + repeated.flops, kept


@dataclass
class Repeated:
    """What is traced once in place of many times: how often, now, and the FLOPs of the times that are left out."""

    times: int = 1
    flops: int = 0


@contextmanager
def _one_position(model: Model) -> Iterator[Repeated]:
    """Have the LSTMs of a model compute one position: on the meta device each position is a dozen operations."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    repeated, layers = Repeated(), [layer for layer in model.modules() if isinstance(layer, torch.nn.LSTM)]

    def one(layer: torch.nn.LSTM, x: torch.Tensor) -> tuple[torch.Tensor, object]:
        axis = 1 if layer.batch_first else 0
        repeated.times = x.shape[axis]
        with FlopCounterMode(display=False) as counter:
            output, state = torch.nn.LSTM.forward(layer, x.narrow(axis, 0, 1).clone())
        repeated.flops += (repeated.times - 1) * counter.get_total_flops()
        output = output.repeat_interleave(repeated.times, axis)
        repeated.times = 1
        return output, state

    for layer in layers:
        layer.forward = partial(one, layer)  # type: ignore[assignment]
    try:
        yield repeated
    finally:
        for layer in layers:
            del layer.forward


def kept_bytes(model: Model, compute: Callable[[], object], repeated: Repeated | None = None) -> int:
    """Bytes that autograd keeps of a computation with a model, each storage once, beside the weights.

    repeated: parts of the computation that stand for many.
    """
    import torch

    own = {tensor.untyped_storage()._cdata for tensor in model.state_dict().values()}
    # By storage; the tensors stay alive, so that no storage's address is used twice.
    kept: dict[int, tuple[torch.Tensor, int]] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor, repeated.times if repeated else 1
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = compute()
    del result
    size = sum(times * tensor.untyped_storage().nbytes() for place, (tensor, times) in kept.items() if place not in own)
    kept.clear()  # they hold their graph, which holds `note`: nothing else would ever free them
    return size
