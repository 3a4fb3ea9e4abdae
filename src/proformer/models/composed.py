"""Models composed of blocks by name (Prix Fixe: Rafi et al. 2024): data processor → first → core → final block.

Each block states the channels and positions it gives for those it gets, so any that fit can be combined; what does
not fit is reported when the model is built, also on torch's meta device, which holds no weights.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor

from proformer.datasets.batches import Batch
from proformer.errors import InputError
from proformer.models import blocks
from proformer.models.base import Loss, Model
from proformer.models.blocks import autosome, bhi
from proformer.settings import Count, Flanks, check, did_you_mean, within
from proformer.tasks import Task

ROLES: tuple[blocks.Role, ...] = get_args(blocks.Role)
NAMED = 4  # weights that do not fit, in one line


@dataclass(frozen=True)
class Config:
    """Which blocks, and their settings.

    length, flanks: of the sequences, from the data. tasks: how many there are, from the data; for final blocks
    that predict several. processor, first, core, final: names of the four blocks. options: keys of each, such as {core:
    {lstm: 64}}; null: none.
    """

    length: Count = 100
    flanks: Flanks = ("", "")
    tasks: Count = 1
    processor: str = "autosome"
    first: str = "autosome"
    core: str = "autosome"
    final: str = "autosome"
    options: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(self.options.keys() - set(ROLES)):
            raise InputError(f"options has {unknown[0]!r}, expected {', '.join(ROLES)}")
        checked = {role: _options(role, self) for role in ROLES if self.options.get(role) is not None}
        for role in ROLES:
            blocks.find(role, getattr(self, role))
        object.__setattr__(self, "options", checked)


class Composed(Model):
    """Codes uint8 [B, L] to [B, T, P]: the mean over all that the data processor makes of a sequence."""

    def __init__(
        self, processor: blocks.Processor, first: blocks.Block, core: blocks.Block, final: blocks.FinalBlock
    ) -> None:
        super().__init__()
        self.processor, self.first, self.core, self.final = processor, first, core, final

    def network(self, channels: Tensor) -> Any:
        """Channels float [N, C, L] to the final block's own outputs."""
        return self.final(self.core(self.first(channels)))

    def forward(self, codes: Tensor) -> Tensor:
        """Predict."""
        return self._mean([self.network(channels) for channels in self.processor.inputs(codes)])

    def loss(self, batch: Batch, task: Task) -> Loss:
        """The final block's loss of the data processor's labels."""
        channels, labels = self.processor.examples(batch, task)
        outputs = self.network(channels)
        total, parts = self.final.loss(outputs, labels, task)
        return Loss(total, self._mean([outputs]), parts)

    def _mean(self, outputs: list[Any]) -> Tensor:
        scores = [self.processor.by_sequence(self.final.score(part)) for part in outputs]
        return torch.cat(scores, dim=1).mean(dim=1)

    def reset_parameters(self) -> None:
        """Initialise each block in its team's way."""
        for block in (self.first, self.core, self.final):
            block.reset_parameters()


def build(config: Config) -> Composed:
    """Put the blocks together. Raises InputError for blocks that do not fit."""
    made: dict[str, Any] = {}
    for role in ROLES:
        made[role] = _make(role, config, made)
    model = Composed(**made)
    if model.processor.masks != model.final.masks:
        masks, predicts = ("masks", "does not predict") if model.processor.masks else ("does not mask", "predicts")
        processor, final = _name("processor", config), _name("final", config)
        raise InputError(f"model composed: {processor} {masks} nucleotides; {final} {predicts} masked nucleotides")
    model.reset_parameters()
    return model


def _options(role: blocks.Role, config: Config) -> dict[str, Any]:
    """The options of a block, checked. Raises InputError for a block or a key that does not exist, and for a value."""
    kind = blocks.find(role, getattr(config, role))
    hints = get_type_hints(kind.__init__, include_extras=True)  # type: ignore[misc]
    known = list(signature(kind).parameters)[2 if role == "processor" else 1 :]  # behind what the block before it gives
    found = config.options[role] or {}
    with within(f"options of {_name(role, config)}"):
        for key in found:
            if key not in known:
                raise InputError(f"unknown key {key!r}{did_you_mean(key, known)}")
        return {key: check(key, value, hints[key]) for key, value in found.items()}


def _make(role: blocks.Role, config: Config, made: dict[str, Any]) -> Any:
    """The block of a role, on what the one before it gives."""
    before = next(reversed(made), None)
    given = [made[before].gives] if before else [config.length, config.flanks]
    kind, options = blocks.find(role, getattr(config, role)), config.options.get(role) or {}
    if "tasks" in signature(kind).parameters:
        options = {"tasks": config.tasks, **options}
    try:
        return kind(*given, **options)
    except InputError as error:
        gives = f"{_name(before, config)} gives {given[0]}; " if before else ""
        raise InputError(f"model composed: {gives}{_name(role, config)} expects {error}") from None


def _name(role: str, config: Config) -> str:
    return f"{'data processor' if role == 'processor' else f'{role} block'} {getattr(config, role)}"


# How Prix Fixe trained the combinations with each team's data processor: all of the data, 80 times.
_AUTOSOME = {**autosome.TRAINING, "epoch_batches": None}
_BHI = {**bhi.TRAINING, "epochs": 80, "batch_size": 1024}
_UNLOCK_DNA = {
    "epochs": 80,
    "batch_size": 1024,
    "optimiser": "adam",
    "betas": (0.9, 0.98),
    "epsilon": 1e-9,
    "schedule": "transformer",
    "schedule_width": 256,
    "clip_over": "all",
}
_SLOWER = {"learning_rate": 0.001, "warmup_start": 4e-5, "final_rate": 4e-9}  # for cores of attention blocks
_BENCHMARK = {**_AUTOSOME, "batch_size": 32}


def _benchmark(first: str, core: str) -> dict[str, Any]:
    return {"processor": "benchmarks", "first": first, "core": core, "final": "benchmarks"}


RECIPES = {
    "autosome": {"model": {}, "training": _AUTOSOME},
    "attention": {"model": {"core": "unlock_dna"}, "training": {**_AUTOSOME, **_SLOWER}},
    # As released, the cosine's length counts sequences and its steps are batches: the rate stays what it is.
    "bhi": {"model": dict.fromkeys(ROLES, "bhi"), "training": {**_BHI, "schedule": "constant"}},
    "bhi-repaired": {"model": dict.fromkeys(ROLES, "bhi"), "training": _BHI},
    # On data other than promoters (Fig. 3).
    "dream-cnn": {"model": _benchmark("bhi", "autosome"), "training": _BENCHMARK},
    "dream-rnn": {"model": _benchmark("bhi", "bhi"), "training": _BENCHMARK},
    "dream-attn": {"model": _benchmark("autosome", "unlock_dna"), "training": {**_BENCHMARK, **_SLOWER}},
    # The framework leaves warm-up, betas and bounds of gradients to its user: these are the challenge's submission's.
    "unlock_dna": {"model": dict.fromkeys(ROLES, "unlock_dna"), "training": _UNLOCK_DNA},
}

# Patterns of names in de-Boer-Lab/random-promoter-dream-challenge-2022 (f7b2e19), and ours.
_NAMES = (
    (r"^first\.block\.", "first.convolution."),
    (r"^(first|core)\.conv_list\.(\d+)\.conv\.", r"\1.convolutions.branches.\2."),
    (r"^core\.seqextractor\.inv_res_blc(\d+)\.", r"core.stages.\1.block."),
    (r"^core\.seqextractor\.resize_blc(\d+)\.", r"core.stages.\1.resize."),
    (r"\.6\.fc\.", ".6.gate."),
    (r"\.(ff[12])\.layernorm\.", r".\1.ln."),
    (r"\.(ff[12])\.linear", r".\1.dense"),
    (r"\.layernorm1\.", ".conv.ln."),
    (r"\.layernorm2\.", ".ln."),
    (r"^(core\.blocks\.\d+)\.conv\.0\.", r"\1.conv.depthwise."),
    (r"^(core\.blocks\.\d+)\.conv\.1\.", r"\1.conv.pointwise."),
    (r"^final\.mapper1?\.(weight|bias)$", r"final.mappers.0.\1"),  # of the benchmarks: one output, or two
    (r"^final\.mapper2\.", "final.mappers.1."),
    (r"^final\.linear1?\.0\.", "final.dense.0."),
    (r"^final\.linear2\.0\.", "final.dense.1."),
    (r"^final\.mapper\.0\.", "final.mapper."),
    (r"^final\.main\.", "final.dense."),
)


@torch.no_grad()
def load_original(model: Composed, state: Mapping[str, Tensor]) -> Composed:
    """Copy weights that the original framework saved (a `PrixFixeNet`'s state dict), in place; nothing unless all fits.

    Raises InputError, which names the first names and shapes that do not fit; a note of it has all of them.
    """
    ours, found, wrong = model.state_dict(), {}, []
    for original, value in state.items():
        name = original
        for pattern, replacement in _NAMES:
            name = re.sub(pattern, replacement, name)
        if original == "final.bins":  # 0 to 17
            continue
        if name not in ours:
            wrong.append(f"{original} has no place")
            continue
        if name.endswith("conv.pointwise.weight") and value.dim() == 3:
            value = value.squeeze(2)
        if isinstance(model.final, bhi.Final) and name == "final.dense.0.weight" and value.shape == ours[name].shape:
            # The original flattens channels before positions.
            value = value.unflatten(1, (-1, model.core.gives.length)).transpose(1, 2).flatten(1)
        if value.shape != ours[name].shape:
            wrong.append(f"{original} has shape {tuple(value.shape)}, expected {tuple(ours[name].shape)}")
        found[name] = value
    wrong += [f"{name} is missing" for name in ours if name not in found]
    if wrong:
        rest = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        error = InputError(f"original weights: {'; '.join(wrong[:NAMED])}{rest}")
        error.add_note("\n".join(wrong))
        raise error
    model.load_state_dict(found)
    return model
