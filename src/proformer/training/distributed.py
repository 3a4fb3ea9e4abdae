"""Data parallelism: several processes train one model, and every step is the step of one process.

Each process (rank) sees all data and holds the whole model. A batch of the settings' size is drawn and masked in the
same way on every rank; each computes its share of the rows. DistributedDataParallel averages gradients, and
SyncBatchNorm takes moments over all rows, so that without dropout clipping and optimiser see what one process would
see, up to the order of float additions. `Ranks()` is one process: nothing is set up.
"""

import gc
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from proformer.datasets.batches import Batch
from proformer.errors import InputError

T = TypeVar("T")


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
        """This rank's rows of `total`; all of them where there are fewer rows than ranks."""
        if total < self.world:
            return slice(0, total)
        return slice(total * self.rank // self.world, total * (self.rank + 1) // self.world)

    def part(self, batch: Batch, seed: int) -> tuple[Batch, float]:
        """This rank's rows of a batch, and what its loss weighs in the mean over ranks; seeds what is drawn for it.

        Dropout differs between ranks, since each draws for its own rows.
        """
        shared = 1 < self.world <= len(batch)
        torch.manual_seed(seed + self.rank * 1_000_000_007 if shared else seed)
        if not shared:
            return batch, 1.0
        part = SharedBatch(batch.codes, batch.target, ranks=self, seed=seed)
        return part, part.share * self.world

    def mean(self, value: Tensor, weight: float) -> Tensor:
        """The mean over ranks, with weights that add up to their number."""
        if self.world == 1:
            return value
        value = value * (weight / self.world)
        dist.all_reduce(value)
        return value

    def gather(self, part: Tensor, total: int) -> Tensor:
        """The rows of all ranks, on every rank: [rows, …] to [total, …]."""
        if self.world == 1 or total < self.world:
            return part
        whole = part.new_zeros(total, *part.shape[1:])
        whole[self.rows(total)] = part
        dist.all_reduce(whole)
        return whole

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether a flag is set on any rank, for each flag; ranks wait for each other here."""
        if self.world == 1:
            return flags
        votes = torch.tensor(flags, dtype=torch.int32)  # on the CPU: a GPU's queue goes on
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return tuple(map(bool, votes.tolist()))

    def from_first(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, on every rank. An InputError there ends all ranks; rank 0 reports it."""
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
            raise self.error_of_all(box[0])
        return box[0]

    def error_of_all(self, error: InputError) -> BaseException:
        """What to raise for an error that every rank meets: rank 0 reports it, the others exit with its code."""
        return error if self.first else SystemExit(2)

    def place(self, device: torch.device) -> torch.device:
        """This rank's own GPU, or the CPU. Raises InputError if the node shows fewer GPUs than it has ranks."""
        if self.world == 1 or device.type == "cpu":
            return device
        seen = torch.cuda.device_count()  # 1: the launcher shows each process its own
        if 1 < seen <= self.local:
            raise InputError(f"rank {self.rank} is process {self.local + 1} of its node, which shows {seen} GPUs")
        torch.cuda.set_device(self.local if seen > 1 else 0)
        return torch.device("cuda", torch.cuda.current_device())

    def parallel(self, step: nn.Module, device: torch.device) -> nn.Module:
        """The module whose gradients, and whose moments of a batch, are those of all ranks."""
        if self.world == 1 or not any(p.requires_grad for p in step.parameters()):
            return step
        if device.type != "cpu":
            step = nn.SyncBatchNorm.convert_sync_batchnorm(step)
        for module in step.modules():
            if type(module) is nn.BatchNorm1d:
                module.__class__ = BatchNormOnCpu
        # The graph is the same at every step; parameters that take no part in it, such as key biases, get no gradient.
        return DistributedDataParallel(
            step, forward_sync_buffers=False, gradient_as_bucket_view=True, static_graph=True
        )

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
            # Threads of gloo that still run can abort the process as it exits, and change its exit code. Those of NCCL
            # would be waited for, and would wait for a lost rank.
            gc.collect()  # DistributedDataParallel is held in circles
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


class SharedBatch(Batch):
    """One rank's rows of a batch; what is drawn or counted is drawn or counted for the whole of it."""

    def __init__(self, codes: Tensor, target: Tensor, ranks: Ranks, seed: int) -> None:
        self.whole, self.part = len(codes), ranks.rows(len(codes))
        self.generator = torch.Generator(codes.device).manual_seed(seed)
        super().__init__(codes[self.part], target[self.part])

    @property
    def share(self) -> float:
        """Of the whole batch's rows."""
        return len(self) / self.whole

    def uniform(self, columns: int) -> Tensor:
        """Numbers in [0, 1) for every row, those that one process would draw: [B, columns]."""
        device = self.codes.device
        return torch.rand(self.whole, columns, device=device, generator=self.generator)[self.part]

    def total(self, number: Tensor) -> Tensor:
        """A count over the whole batch."""
        number = number.clone()
        dist.all_reduce(number)
        return number


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


class BatchNormOnCpu(nn.BatchNorm1d):
    """SyncBatchNorm for CPUs, which PyTorch lacks: moments are those of the rows of all ranks."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, c, …]."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        shape, axes = [1, -1, *[1] * (x.ndim - 2)], [axis for axis in range(x.ndim) if axis != 1]
        wide = x.float() if x.dtype == torch.bfloat16 else x
        n = _Sum.apply(wide.new_tensor(x.numel() // x.shape[1]))
        mean = _Sum.apply(wide.sum(axes)) / n
        centred = wide - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / n
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(variance.detach() * n / (n - 1), self.momentum)
        y = centred * (variance + self.eps).rsqrt().view(shape)
        return (y * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)
