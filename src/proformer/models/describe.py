"""What a model is made of, read off the model itself: stages, shapes and parameters, for Figures 1 and 2a."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from proformer.models.proformer import Proformer

NAMES = {"ap": "average pooling (AP)", "meh": "multiple expression heads (MEH)", "glu": "MEH with GLU"}


def describe(model: Proformer) -> dict[str, Any]:
    """Stages in the order of the forward pass; see `proformer.figures.architecture` for the format.

    Shapes are those that a sequence has on its way through the model, seen by hooks; nothing is assumed.
    """
    config, shapes = model.config, _shapes(model)
    stem: Any = model.stem
    head: Any = model.head
    block: Any = model.core[0]
    stages: list[dict[str, Any]] = []

    def stage(part: str, label: str, module: nn.Module | nn.Parameter | None, shape: list[int], **more: Any) -> None:
        stages.append({"part": part, "label": label, "output": shape, "parameters": _count(module), **more})

    sequence = shapes["stem.kmer_dense"]
    stage("input", "both strands, one-hot", None, [2 * config.length, 6])
    stage("stem", f"{config.kmer}-mer embedding", stem.kmer_dense, sequence)
    stage("stem", "position embedding", stem.position_embedding, sequence, join="add")
    stage("stem", "strand embedding", stem.strand_embedding, sequence, join="add")
    if model.tokens:
        tokens = stem.expression_start if stem.expression_embedding is None else stem.expression_embedding
        label = f"{model.tokens} expression token" + "s" * (model.tokens > 1)
        stage("stem", label, tokens, shapes["stem"], join="prepend")
    layers = [
        {"label": label, "residual": name != "ln", "output": shapes[f"core.0.{name}"], "parameters": _count(module)}
        for label, name, module in (
            ("½ feed-forward, gated", "ff1", block.ff1),
            ("separable convolution", "conv", block.conv),
            ("layer norm", "ln", block.ln),
            (f"attention, {config.heads} head" + "s" * (config.heads > 1), "attn", block.attn),
            ("½ feed-forward, gated", "ff2", block.ff2),
        )
    ]
    stage("core", "macaron block", model.core, shapes["core.0"], repeat=len(model.core), layers=layers)
    expression, dense = {"branch": "expression"}, shapes["head.expression_dense"]
    if model.tokens:
        if head.glu_dense is not None:
            stage("head", "gated linear unit", head.glu_dense, [model.tokens, config.dim], **expression)
        stage("head", "dense, per token", head.expression_dense, dense, **expression)
        stage("head", "mean over tokens", None, [1], **expression)
        nucleotides = shapes["head.nucleotide_dense"]
        stage("head", "dense, per position", head.nucleotide_dense, nucleotides, branch="nucleotides")
    else:
        stage("head", "mean over positions", None, [config.dim], **expression)
        stage("head", "dense", head.expression_dense, dense, **expression)
    return {"name": f"Proformer, {NAMES[config.head]}", "parameters": _count(model), "stages": stages}


def _count(module: nn.Module | nn.Parameter | None) -> int:
    if module is None:
        return 0
    return module.numel() if isinstance(module, Tensor) else sum(p.numel() for p in module.parameters())


def _shapes(model: Proformer) -> dict[str, list[int]]:
    """Output shape of every module, without the batch, from one forward pass."""
    shapes: dict[str, list[int]] = {}

    def note(name: str, module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[name] = list(output.shape[1:])

    hooks = [module.register_forward_hook(partial(note, name)) for name, module in model.named_modules()]
    with torch.inference_mode():
        model.both(torch.zeros(1, 2 * model.config.length, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    return shapes
