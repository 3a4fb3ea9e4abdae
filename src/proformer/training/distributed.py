"""Data parallelism: several processes train one model, and every step is the step of one process.

Each process (rank) holds all data and the whole model. A batch of the settings' size is drawn and masked alike on every
rank; each computes its share of the rows; losses, predictions and gradients are added up, and clipping and optimiser
then see what one process would see, up to the order of float additions. `Ranks()` is one process: nothing is set up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from proformer.errors import InputError

T = TypeVar("T")
BUCKET = 25 << 18  # numbers: gradients are sent in parts of 25 MiB, as by DistributedDataParallel
DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d)


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run: its number, how many there are, and its number on its node."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, total: int) -> slice:
        """This rank's rows of `total`; all of them where there are fewer rows than ranks (see `weight`)."""
        if total < self.world:
            return slice(0, total)
        return slice(total * self.rank // self.world, total * (self.rank + 1) // self.world)

    def weight(self, total: int) -> float:
        """0 for rows that count on rank 0 alone: with fewer rows than ranks, each computes all of them. Else 1."""
        return float(total >= self.world or self.first)

    def sum(self, values: Tensor) -> Tensor:
        """Add up over the ranks, in place."""
        dist.all_reduce(values)
        return values

    def spread(self, part: Tensor, total: int) -> Tensor:
        """This rank's rows among zeros, [rows] to [total]: what, added up over the ranks, is the whole."""
        whole = part.new_zeros(total)
        whole[self.rows(total)] = part * self.weight(total)
        return whole

    def gather(self, part: Tensor, total: int) -> Tensor:
        """The rows of all ranks, on every rank: [rows] to [total]."""
        return part if self.world == 1 else self.sum(self.spread(part, total))

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether a flag is set on any rank, for each flag; ranks wait for each other here."""
        if self.world == 1:
            return flags
        votes = torch.tensor(flags, dtype=torch.int32)  # on the CPU: a GPU's queue goes on
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return tuple(map(bool, votes.tolist()))

    def from_first(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, on every rank. Its InputError ends them all, and rank 0 alone says why."""
        if self.world == 1:
            return make()
        box: list[Any] = [None]
        if self.first:
            try:
                box[0] = make()
            except InputError as error:
                box[0] = error
        dist.broadcast_object_list(box, device=torch.device("cpu"))
        if isinstance(box[0], InputError):
            raise self.alike(box[0])
        return box[0]

    def alike(self, error: InputError) -> BaseException:
        """What to raise for an error that every rank sees: the others leave with its exit code, and say nothing."""
        return error if self.first else SystemExit(2)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of rank 0."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def place(self, device: torch.device) -> torch.device:
        """This rank's own GPU, or the CPU. Raises InputError if the node shows fewer GPUs than it has ranks."""
        if self.world == 1 or device.type == "cpu":
            return device
        seen = torch.cuda.device_count()  # 1: the launcher shows each process its own
        if 1 < seen <= self.local:
            raise InputError(f"rank {self.rank} is process {self.local + 1} of its node, which shows {seen} GPUs")
        torch.cuda.set_device(self.local if seen > 1 else 0)
        return torch.device("cuda", torch.cuda.current_device())

    def whole_batch(self, total: int) -> AbstractContextManager[Any]:
        """Where dropout and batch normalisation act as on a batch of `total` rows in one process."""
        return WholeBatch(self, total) if 1 < self.world <= total else nullcontext()

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the ranks (NCCL between GPUs, gloo between CPUs); a lost connection becomes a ConnectionError."""
        if self.world == 1:
            yield
            return
        well = False
        try:
            dist.init_process_group(
                "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl", rank=self.rank, world_size=self.world
            )
            yield
            self.any(False)  # all end together
            well = True
        except RuntimeError as error:
            text = " ".join(str(error).split())
            if not isinstance(error, dist.DistError) and "gloo" not in text and "NCCL" not in text:
                raise
            raise ConnectionError(f"rank {self.rank} of {self.world} lost another process ({text[:200]})") from None
        finally:
            # Gloo's threads, left behind, may abort the process as it ends, whatever its exit code was to be. NCCL's
            # would be waited for, and they for a lost rank.
            if dist.is_initialized() and (well or device.type == "cpu"):
                dist.destroy_process_group()


ONE = Ranks()  # one process


def find_ranks(environment: Mapping[str, str] = os.environ) -> Ranks:
    """The ranks that a launcher has started: torchrun, or srun with several tasks; else one process.

    Under srun the meeting point (MASTER_ADDR, MASTER_PORT) is set, unless it is: rank 0 runs on the step's first node,
    and the port follows from the job and the step. (The variables of the step are read: those of the job are also
    there in a batch script, which is one process.)
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
        host, port = meeting_point(environment)
        os.environ.setdefault("MASTER_ADDR", host)
        os.environ.setdefault("MASTER_PORT", str(port))
    else:
        return ONE
    try:
        return Ranks(*(int(environment[name]) for name in names))
    except (KeyError, ValueError):
        found = ", ".join(f"{name}={environment.get(name)}" for name in names)
        raise InputError(f"environment: found {found}, expected a whole number in each") from None


def meeting_point(environment: Mapping[str, str]) -> tuple[str, int]:
    """First node of a Slurm step, and a port below the ephemeral ones: `gpu[07-09,12],big1` is gpu07."""
    nodes = re.sub(r"\[(\w+)[^]]*]", r"\1", environment.get("SLURM_STEP_NODELIST", "localhost"))
    job, step = (int(environment.get(name, 0)) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    return nodes.split(",")[0], 12_000 + (job + 7919 * step) % 20_000


class GradientSum:
    """Adds gradients up over the ranks, in place, while the backward pass still runs: full buckets are sent at once.

    Parameters become ready in the same order on every rank, since each runs the same graph on its rows.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.bucket: list[Tensor] = []
        self.sent: list[tuple[Any, Tensor, list[Tensor]]] = []
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._ready)

    def _ready(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        self.bucket.append(parameter.grad)
        if sum(gradient.numel() for gradient in self.bucket) >= BUCKET:
            self._send()

    def _send(self) -> None:
        if self.bucket:
            flat = torch.cat([gradient.flatten() for gradient in self.bucket])
            self.sent.append((dist.all_reduce(flat, async_op=True), flat, self.bucket))
            self.bucket = []

    def finish(self) -> None:
        """Send what is left and wait until every gradient is the sum."""
        self._send()
        for work, flat, gradients in self.sent:
            work.wait()
            parts = flat.split([gradient.numel() for gradient in gradients])
            torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])
        self.sent = []


class _Sum(torch.autograd.Function):
    """Sum over the ranks; what a rank's part does to the loss is the sum of what it does to every rank's part."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        whole = part.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _Sum.forward(context, gradient)


class WholeBatch(TorchFunctionMode):
    """Functions that draw random numbers for a batch, or look across it, do so for the rows of all ranks.

    Dropout, and `torch.rand(rows, …)`, draw for the whole batch, as one process does, and take this rank's rows. Batch
    normalisation takes its mean and variance over the rows of all ranks, as torch's SyncBatchNorm does between GPUs
    (and only there).
    """

    def __init__(self, ranks: Ranks, total: int) -> None:
        super().__init__()
        self.rows, self.total = ranks.rows(total), total

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in DROPOUTS:
            return self._dropout(func, *args, **kwargs or {})
        if func is torch.rand and args[:1] == (self.rows.stop - self.rows.start,):
            return func(self.total, *args[1:], **kwargs or {})[self.rows]
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs or {})
        return func(*args, **kwargs or {})

    def _dropout(
        self, func: Callable[..., Tensor], x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """The rows lie along the first axis, once or several times over (both strands), or else along another."""
        if not training or not p:
            return x
        rows, (first, *rest) = self.rows.stop - self.rows.start, x.shape
        if first % rows == 0:
            times = first // rows
            noise = func(x.new_ones(times * self.total, *rest), p)
            return x * noise.unflatten(0, (times, self.total))[:, self.rows].flatten(0, 1)
        if rows not in rest:
            return func(x, p)
        axis = x.shape.index(rows)
        shape = [self.total if i == axis else length for i, length in enumerate(x.shape)]
        return x * func(x.new_ones(shape), p).narrow(axis, self.rows.start, rows)

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
        shape = [1, -1, *[1] * (x.ndim - 2)]
        axes = [axis for axis in range(x.ndim) if axis != 1]
        n = x.numel() // x.shape[1] // (self.rows.stop - self.rows.start) * self.total
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = _Sum.apply(wide.sum(axes)) / n
        centred = wide - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / n
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.detach(), momentum)
            running_var.lerp_(variance.detach() * n / (n - 1), momentum)
        y = centred * (variance + eps).rsqrt().view(shape)
        if weight is not None and bias is not None:
            y = y * weight.view(shape) + bias.view(shape)
        return y.to(x.dtype)
