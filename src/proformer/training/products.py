"""Matrix products through oneDNN where the processor's maker keeps the default library (MKL) from its widest vectors.

On processors of other makers than Intel, MKL stops at 256 bits; oneDNN, which comes with PyTorch, uses 512. Where the
processor has units as wide, float32 products of any model run about twice as fast, with the same rounding error.
"""

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

_LEAST_WORK, _LEAST_SIDE = 1 << 22, 32  # multiplications, rows or columns; below, the call costs more than it saves
_library: torch.library.Library | None = None


def onednn_is_faster(model: nn.Module | None = None) -> bool:
    """Whether oneDNN multiplies faster here; a property of processor and model, so that a run is repeated exactly.

    Models without a matrix of 4,096 numbers lose more to the calls than they gain.
    """
    if model is not None and max((p.numel() for p in model.parameters()), default=0) < 1 << 12:
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available():
        return False
    return _has_wide_units(Path("/proc/cpuinfo"))


def _has_wide_units(cpuinfo: Path) -> bool:
    """Whether an AMD processor computes 512 bits at a time: Zen 5 (family 26) does, Zen 4 (25) takes two turns."""
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return False
    family = re.search(r"^cpu family\s*:\s*(\d+)", text, flags=re.MULTILINE)
    return "AuthenticAMD" in text and family is not None and int(family[1]) >= 26


def use_onednn(on: bool) -> None:
    """Have `mm`, `addmm` and `bmm` of float32 matrices on the CPU computed by oneDNN, in the whole process, or not."""
    global _library
    if _library is not None:
        _library._destroy()
        _library = None
    if on:
        _library = torch.library.Library("aten", "IMPL")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Warning only once for all operators")  # that kernels are replaced
            for name, function in (("mm", _mm), ("addmm", _addmm), ("bmm", _bmm)):
                _library.impl(name, function, "CPU", allow_override=True)


def _large(a: Tensor, b: Tensor) -> bool:
    """Whether a product of a [m, k] and b [k, n] is oneDNN's."""
    sides = (*a.shape, b.shape[1])
    return a.dtype == torch.float32 and min(sides) >= _LEAST_SIDE and sides[0] * sides[1] * sides[2] >= _LEAST_WORK


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a [m, k] times b [k, n].

    The kernel reads its second operand as it lies, straight or transposed, and copies the first unless its rows are in
    order. Operands with gaps between rows are copied before: the kernel for them is a hundred times slower.
    """
    linear = torch.ops.mkldnn._linear_pointwise
    if bias is None and not a.is_contiguous() and a.t().is_contiguous():
        return linear(_without_gaps(b).t(), a, None, "none", [], "").t()
    return linear(a, _without_gaps(b).t(), bias, "none", [], "")


def _without_gaps(b: Tensor) -> Tensor:
    return b if b.is_contiguous() or b.t().is_contiguous() else b.contiguous()


def _mm(a: Tensor, b: Tensor) -> Tensor:
    if not _large(a, b):
        return torch.ops.aten.mm.out(a, b, out=a.new_empty(a.shape[0], b.shape[1]))
    return _product(a, b)


def _addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    if (beta, alpha, bias.dim()) != (1, 1, 1) or not _large(a, b):
        out = a.new_empty(a.shape[0], b.shape[1])
        return torch.ops.aten.addmm.out(bias, a, b, beta=beta, alpha=alpha, out=out)
    return _product(a, b, bias)


def _bmm(a: Tensor, b: Tensor) -> Tensor:
    if not len(a) or not _large(a[0], b[0]):
        return torch.ops.aten.bmm.out(a, b, out=a.new_empty(a.shape[0], a.shape[1], b.shape[2]))
    return torch.stack([_product(x, y) for x, y in zip(a.unbind(), b.unbind(), strict=True)])
