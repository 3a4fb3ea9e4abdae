"""The device, the threads and the precision of a job."""

import ctypes
import os
import platform

import torch

from proformer.errors import InputError
from proformer.provenance import processor
from proformer.settings import Threads, check
from proformer.training import products

# Values of ONEDNN_MAX_CPU_ISA that leave oneDNN without products of bfloat16 numbers.
_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
NO_BF16 = "precision bf16: this processor has no bf16 arithmetic; computing in float32"


def choose_device(name: str) -> torch.device:
    """The device "cpu", "cuda" or "auto" (a GPU when there is one); InputError when none is seen that was asked for."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: expected cpu, cuda or auto")
    if name == "cuda" and not torch.cuda.is_available():
        build = "a CUDA build" if torch.version.cuda else "a build without CUDA"
        raise InputError(
            f"device cuda: torch {torch.__version__} ({build}) sees no GPU; "
            "check the job's GPU request and driver, or set device: cpu"
        )
    return torch.device(name)


def set_up(device: torch.device, threads: int | None, deterministic: bool | None) -> None:
    """Set threads, determinism (the default on CPU), the matrix library, and an allocator that keeps pages.

    Freed memory is kept by the process: with many small tensors, giving pages back costs more than the arithmetic.
    """
    if threads := check("threads", threads, Threads | None):
        torch.set_num_threads(threads)
    exact = device.type == "cpu" if deterministic is None else deterministic
    if device.type == "cuda":
        torch.use_deterministic_algorithms(exact, warn_only=True)
    else:  # the same, less an import of the compiler
        torch.set_deterministic_debug_mode("warn" if exact else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # unread
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    products.use_onednn(device.type == "cpu" and products.onednn_is_faster())
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no separate mappings
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: give nothing back


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers itself; emulated, they are several times slower than float32.

    ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA, which keep PyTorch from instructions that are there, count.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not torch.backends.mkldnn.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine() not in ("x86_64", "AMD64"):
        return True  # on ARM that was the whole question; on x86 it was for AVX-512, by which oneDNN emulates bf16
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.cpu._is_avx512_bf16_supported():
        return False
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() not in _WITHOUT_BF16


def hardware(device: torch.device) -> str:
    """The processor that does the work, for the record."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
