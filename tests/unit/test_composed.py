"""Composed models: the sizes and equations of Prix Fixe, what its blocks state, and what cannot be combined."""

import math
import re
from contextlib import nullcontext
from itertools import product

import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F

from proformer.datasets.batches import Batch
from proformer.errors import InputError
from proformer.models import blocks, build
from proformer.models.blocks import Shape
from proformer.models.blocks.autosome import GroupedConvolution
from proformer.models.blocks.unlock_dna import NarrowAttention
from proformer.models.composed import load_original
from proformer.tasks import Task
from proformer.training.config import read_job

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")
TEAMS = ("autosome", "bhi", "unlock_dna")
# Of Prix Fixe's own blocks, by data processor, first and core block, then by final block (0, 1, 2: TEAMS).
SIZES = """
000 1725122 2342641 1724342
001 3954642 7025153 3950790
002 4539410 6996673 4536326
010 1933970 2551489 1933190
011 4130578 7201089 4126726
012 7076178 10146689 7072326
020 1768898 2386417 1768118
021 3998418 7068929 3994566
022 4583186 7040449 4580102
100 1721538 2175217 1720758
101 3951058 6202369 3947206
102 4525586 6327489 4522502
110 1926290 2379969 1925510
111 4122898 6374209 4119046
112 7055698 9307009 7051846
120 1753538 2207217 1752758
121 3983058 6234369 3979206
122 4557586 6359489 4554502
200 1725122 2547441 1724342
201 3954642 8049153 3950790
202 4552210 7828673 4549126
210 1933970 2756289 1933190
211 4130578 8225089 4126726
212 7092178 11186689 7088326
220 1781698 2604017 1780918
221 4011218 8105729 4007366
222 4608786 7885249 4605702
"""
SMALL = {
    "autosome": {"processor": {"window": 40}, "first": {"width": 16}, "core": {"widths": [16, 8]}},
    "bhi": {"processor": {"window": 40}, "first": {"width": 16}, "core": {"lstm": 8}},
    "unlock_dna": {"processor": {"width": 20, "cut": 5}, "first": {"width": 16}, "core": {"heads": 4, "blocks": 1}},
    "proformer": {"first": {"width": 16, "tokens": 3}, "core": {"heads": 2, "blocks": 1}},
}


def composed(processor, first=None, core=None, final=None, **keys):
    names = {"processor": processor, "first": first or processor, "core": core or processor}
    names["final"] = final or names["core"]
    return build({"model": "composed", "flanks": FLANKS, **names, **keys})


def small(*names, **keys):
    torch.manual_seed(0)
    roles = ("processor", "first", "core", "final")
    options = {role: SMALL[name].get(role, {}) for role, name in zip(roles, names, strict=True)}
    return composed(*names, length=34, options=options, **keys)


def codes_of(rows, length=34):
    return torch.randint(0, 4, (rows, length), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("line", SIZES.split("\n")[1:-1])
def test_parameters_of_the_81_combinations(line):
    (d, f, c), *sizes = (list(map(int, part)) if i == 0 else int(part) for i, part in enumerate(line.split()))
    for final, size in zip(TEAMS, sizes, strict=True):
        with torch.device("meta"):
            made = [blocks.find("processor", TEAMS[d])(100, FLANKS)]
            for role, name in (("first", TEAMS[f]), ("core", TEAMS[c]), ("final", final)):
                made.append(blocks.find(role, name)(made[-1].gives))
        assert sum(p.numel() for block in made for p in block.parameters()) == size


@pytest.mark.parametrize(
    ("names", "size"),
    [
        (("autosome", "bhi", "autosome", "autosome"), 1_933_970),  # DREAM-CNN
        (("autosome", "bhi", "bhi", "autosome"), 4_130_578),  # DREAM-RNN
        (("autosome", "autosome", "unlock_dna", "autosome"), 4_539_410),  # DREAM-Attn
    ],
)
def test_the_dream_models_predict(names, size):
    model = composed(*names).eval()
    assert sum(p.numel() for p in model.parameters()) == size
    assert model.network(torch.rand(2, 6, 150)).shape == (2, 18)
    assert model(codes_of(2, 100)).isfinite().all()


def test_blocks_state_which_combinations_can_be_trained():
    """45 of 81: Unlock_DNA's processor if, and only if, its final block."""
    fit = 0
    for names in product(TEAMS, repeat=4):
        same = (names[0] == "unlock_dna") == (names[3] == "unlock_dna")
        with nullcontext() if same else pytest.raises(InputError, match="masked nucleotides"), torch.device("meta"):
            composed(*names)
            fit += 1
    assert fit == 45


@pytest.mark.parametrize(("i", "j"), [*product(range(4), repeat=2)])
def test_every_block_gives_what_it_states_and_combinations_learn_from_a_batch(i, j):
    names = processor, first, _ = [list(SMALL)[number % 4] for number in (i, j, i + j)]
    final = {"unlock_dna": "unlock_dna", "proformer": "unlock_dna"}.get(processor, "bhi")
    model = small(*names, final)
    codes = codes_of(3)
    for x in model.processor.inputs(codes):
        assert x.shape == (3 * model.processor.views, model.processor.gives.channels, model.processor.gives.length)
        for block in (model.first, model.core):
            x = block(x)
            assert x.shape[1:] == block.gives[:2]
    loss = model.loss(Batch(codes, torch.tensor([3.0, 4.5, 6.0])[:, None, None]), Task(scale="none"))
    loss.total.backward()
    assert loss.prediction.shape == model(codes).shape == (3, 1, 1)
    assert model.eval()(codes).isfinite().all()
    unread = {"first.pos_embedding.weight", "first.expression_embedding.weight", "first.expression_embedding.bias"}
    without = {name for name, p in model.named_parameters() if p.grad is None and not name.endswith("key.bias")}
    assert without == (unread if first == "unlock_dna" else set())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"core": "dense"}, "model composed: core is 'dense'; known: autosome, bhi, proformer, unlock_dna"),
        ({"final": "autosme"}, "model composed: final is 'autosme'; did you mean 'autosome'?"),
        ({"options": {"middle": {}}}, "options has 'middle', expected processor, first, core, final"),
        ({"options": {"core": {"widht": 3}}}, "options of core block autosome: unknown key 'widht'; did you mean"),
        (
            {"first": "bhi", "core": "unlock_dna", "options": {"first": {"width": 18}}},
            "first block bhi gives 18 channels of 150 positions; core block unlock_dna expects channels that 4 heads",
        ),
        ({"options": {"first": {"width": 2}}}, "first block autosome gives 2 channels .* core block autosome expects"),
        ({"options": {"core": {"group": 5}}}, "expects inner widths .* that its group of 5 divides"),
        ({"first": "bhi", "options": {"first": {"width": 5}}}, "first block bhi expects a width that its 2 kernels"),
        (
            {"processor": "unlock_dna"},
            "processor unlock_dna masks nucleotides; final block autosome does not predict masked nucleotides",
        ),
        (
            {"final": "unlock_dna"},
            "processor autosome does not mask nucleotides; final block unlock_dna predicts masked nucleotides",
        ),
        (
            {"processor": "bhi", "options": {"processor": {"padding": [0.5, 0.5, 0.5]}}},
            "data processor bhi expects padding with three probabilities that add up to 1, found .0.5, 0.5, 0.5.",
        ),
        (
            {"first": "unlock_dna", "options": {"processor": {"window": 151}}},
            "gives 6 channels of 151 positions; first block unlock_dna expects an even number of positions",
        ),
    ],
)
def test_what_cannot_be_combined_is_told_without_weights(keys, message):
    with pytest.raises(InputError, match=message), torch.device("meta"):
        build({"model": "composed", **keys})


def test_weights_of_another_combination_do_not_load(tmp_path):
    from proformer.models import resolve
    from proformer.models.folder import read_folder, write_folder

    config = {"model": "composed", "first": "bhi"}
    write_folder(tmp_path, composed("autosome").state_dict(), {"model": resolve(config), "task": {}})
    with pytest.raises(InputError, match=r"does not belong to model\.json"):
        read_folder(tmp_path)


def same_weights(model, other, names):
    """Give `model` the weights of another whose parts have other names."""
    state = {}
    for name, value in other.state_dict().items():
        for theirs, ours in names.items():
            if name.startswith(theirs):
                state[ours + name.removeprefix(theirs)] = value
    model.load_state_dict(state)


@pytest.mark.parametrize("head", ["meh", "ap"])
def test_proformer_is_a_composition_of_its_blocks(head):
    keys = {"length": 34, "kmer": 5, "dim": 16, "heads": 2, "blocks": 2, "expression_heads": 3, "head": head}
    proformer, tokens = build(keys), 3 if head == "meh" else 0
    options = {"first": {"width": 16, "kmer": 5, "tokens": tokens}, "core": {"heads": 2, "blocks": 2}}
    options["processor"] = {"mask_rate": 0.05 if tokens else 0.0}
    model = composed("proformer", length=34, options=options)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in proformer.parameters())
    same_weights(model, proformer, {"stem.": "first.stem.", "core.": "core.blocks.", "head.": "final.head."})
    batch, task = Batch(codes_of(8), torch.randn(8, 1, 1)), Task(scale="none")
    losses = []
    for each in (model, proformer):
        torch.manual_seed(3)
        losses.append(each.loss(batch, task))
    assert torch.allclose(model(batch.codes), proformer(batch.codes), atol=1e-6)
    assert losses[0].total.item() == pytest.approx(losses[1].total.item(), rel=1e-5)
    assert losses[0].parts.keys() == losses[1].parts.keys()


def convolve(x, state, name, number, groups=1):
    """Convolution, batch norm as at prediction, SiLU: layers `number` and the next of a sequence."""
    x = F.conv1d(x, state[f"{name}.{number}.weight"], padding="same", groups=groups)
    norm = (state[f"{name}.{number + 1}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.silu(F.batch_norm(x, *norm, eps=1e-5))


def test_dream_cnn_against_its_equations():
    model = small("autosome", "bhi", "autosome", "autosome").double().eval()
    state = {name: (torch.rand(value.shape) / 4 + 0.1).to(value.dtype) for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    x = channels = torch.rand(2, 6, 40, dtype=torch.float64)
    first = [
        F.conv1d(x, state[f"{at}.weight"], state[f"{at}.bias"], padding="same")
        for at in ("first.convolutions.branches.0", "first.convolutions.branches.1")
    ]
    x = torch.cat(first, dim=1).relu()
    for stage in ("core.stages.0", "core.stages.1"):
        y = convolve(x, state, f"{stage}.block", 0)
        y = convolve(y, state, f"{stage}.block", 3, groups=y.shape[1] // 2)
        gate = F.linear(y.mean(2), state[f"{stage}.block.6.gate.0.weight"], state[f"{stage}.block.6.gate.0.bias"])
        gate = F.linear(F.silu(gate), state[f"{stage}.block.6.gate.2.weight"], state[f"{stage}.block.6.gate.2.bias"])
        y = convolve(y * gate.sigmoid()[:, :, None], state, f"{stage}.block", 7)
        x = convolve(torch.cat([x, y], dim=1), state, f"{stage}.resize", 0)
    expected = F.conv1d(x, state["final.mapper.weight"], state["final.mapper.bias"]).mean(2)
    assert torch.allclose(model.network(channels), expected, atol=1e-10)


def test_conformer_block_against_its_equations():
    from proformer.models.blocks import unlock_dna

    torch.manual_seed(0)
    core = unlock_dna.Core(Shape(8, 12), blocks=1).double().eval()
    block, x = core.blocks[0], torch.randn(3, 8, 12, dtype=torch.float64)

    def norm(layer, rows):
        return F.layer_norm(rows, (8,), layer.weight, layer.bias, 1e-6)

    def half_step(ff, rows):
        a, b = (norm(ff.ln, rows) @ ff.dense1.weight.T).chunk(2, dim=2)
        return rows + 0.5 * (a * b * b.sigmoid()) @ ff.dense2.weight.T

    y = half_step(block.ff1, x.transpose(1, 2) + core.pos_embedding.weight)
    n = norm(block.conv.ln, y)
    mixed = F.conv1d(n.transpose(1, 2), block.conv.depthwise.weight, padding=7, groups=8).transpose(1, 2)
    y = y + n + (mixed @ block.conv.pointwise.weight.T + block.conv.pointwise.bias).relu()
    y = norm(block.ln, y)
    q, k, v = (y @ block.attn.in_proj_weight.T + block.attn.in_proj_bias).unflatten(2, (3, 4, 2)).permute(2, 0, 3, 1, 4)
    heads = (q @ k.transpose(2, 3) / math.sqrt(2)).softmax(3) @ v
    y = y + heads.transpose(1, 2).flatten(2) @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    assert torch.allclose(core(x), half_step(block.ff2, y).transpose(1, 2), atol=1e-6)


def test_unlock_dna_reads_what_is_left_between_the_cuts():
    """Released: 20 nt off either end, of which the adapters have 17 and 13; the rest in the middle of N."""
    processor = blocks.find("processor", "unlock_dna")(34, FLANKS, width=40)
    insert = "ACGTTGCATGACTCAGGGATATCGAC"
    codes = torch.tensor(["ACGTN".index(c) for c in insert.center(34, "N")], dtype=torch.uint8)[None]
    construct = FLANKS[0] + insert + FLANKS[1]
    expected = construct[20:-20].center(40, "N")
    assert "".join("ACGTN"[c] for c in processor.forward_strand(codes)[0]) == expected
    (channels,) = processor.inputs(codes)
    complement = expected[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert "".join("ACGTNM"[c] for c in channels[0].argmax(0)) == expected + complement
    masked, labels = processor.examples(Batch(codes.expand(200, -1), torch.zeros(200, 1, 1)), Task(scale="none"))
    hidden = masked.argmax(1) == 5
    assert torch.equal(hidden, labels.masked.where)
    known = labels.masked.codes != 4
    assert not hidden[~known].any()
    assert hidden[known].float().mean() == pytest.approx(0.2, abs=0.02)


def test_singletons_are_integers_whatever_the_scale_of_targets():
    processor = blocks.find("processor", "autosome")(34, FLANKS)
    values, task = torch.tensor([8.0, 8.5, 11.0, 11.99]), Task(scale="standardise", mean=(10.3,), sd=(2.7,))
    batch = Batch(codes_of(4), task.transform(values[:, None, None]))
    channels, labels = processor.examples(batch, task)
    assert channels[:, 5, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    assert channels[:, 4, 0].tolist() == [0, 1] * 4
    means = labels.probabilities() @ torch.arange(18.0)
    assert means.tolist() == pytest.approx(values.repeat_interleave(2).tolist(), abs=0.01)


def test_a_final_block_has_a_loss_of_its_own():
    batch, task = Batch(codes_of(4), torch.tensor([3.0, 9.0, 15.0, 7.5])[:, None, None]), Task(scale="none")
    model = small("autosome", "autosome", "autosome", "bhi").eval()
    outputs = model.network(model.processor.examples(batch, task)[0])
    expected = F.huber_loss(outputs, batch.target.flatten().repeat_interleave(2))
    assert model.loss(batch, task).total.item() == pytest.approx(expected.item(), rel=1e-6)
    with pytest.raises(InputError, match="set training: target_mean to 0"):
        small("bhi", "bhi", "bhi", "autosome").loss(batch, Task(scale="standardise", mean=(9.0,), sd=(2.0,)))


@pytest.mark.parametrize(
    ("keys", "letters"), [({"model": "composed", "processor": "bhi"}, "AGCT"), ({"model": "bhi"}, "ACGT")]
)
def test_bhi_s_channels_are_those_of_the_framework_and_of_the_submission(keys, letters):
    model = build({"flanks": FLANKS, "length": 34, **keys}).train()
    (x, *_) = model.processor.inputs(codes_of(3))
    whole = model.processor.windows(codes_of(3))[:, :110]
    assert torch.equal(x[:3], torch.stack([(whole == "ACGT".index(letter)).float() for letter in letters], dim=1))
    assert torch.equal(x[3:], x[:3].flip(1, 2))


def test_initialisation_is_each_team_s_own():
    model = composed("autosome", "bhi", "autosome", "autosome")
    inner = model.core.stages[0].block[3]
    assert inner.weight.std().item() == pytest.approx((2 / (7 * inner.out_channels)) ** 0.5, rel=0.05)
    assert not model.final.mapper.bias.any()
    bound = 1 / math.sqrt(6 * 9)  # torch's
    assert model.first.convolutions.branches[0].weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert isinstance(model.first.convolutions.branches[0], nn.Conv1d)


def test_the_block_of_the_documentation_is_one_file(root, tmp_path, monkeypatch):
    page = (root / "docs/composed.md").read_text()
    code = re.search(r"```python\n# src/proformer/models/blocks/pooled.py\n(.*?)```", page, re.S)[1]
    (tmp_path / "pooled.py").write_text(code)
    monkeypatch.setattr(blocks, "__path__", [*blocks.__path__, str(tmp_path)])
    model = composed("autosome", "pooled", "bhi", "autosome", options={"core": {"lstm": 8}})
    assert model.first(torch.zeros(1, 6, 150)).shape[1:] == model.first.gives[:2] == (128, 75)
    assert model.eval()(codes_of(2, 100)).isfinite().all()


def test_original_weights_are_checked_by_name_and_shape():
    model = small("autosome", "bhi", "unlock_dna", "autosome")
    state = {"first.conv_list.0.conv.weight": torch.zeros(3), "first.block.0.weight": torch.zeros(1)}
    with pytest.raises(InputError) as caught:
        load_original(model, state)
    (note,) = caught.value.__notes__
    named, rest = str(caught.value).removeprefix("original weights: ").split("; and ")
    assert named.split("; ") == note.splitlines()[:4]
    shape, place, *absent = note.splitlines()
    assert shape == "first.conv_list.0.conv.weight has shape (3,), expected (8, 6, 9)"
    assert place == "first.block.0.weight has no place"
    missing = model.state_dict().keys() - {"first.convolutions.branches.0.weight"}
    assert set(absent) == {f"{name} is missing" for name in missing}
    assert rest == f"{len(missing) - 2} more"


def test_original_weights_of_dream_attn_under_their_names():
    """Names and shapes as the original framework saves them."""
    model = small("autosome", "autosome", "unlock_dna", "bhi")
    state = {"first.block.0.weight": torch.rand(16, 6, 7), "core.pos_embedding.weight": torch.rand(40, 16)}
    state |= {f"first.block.1.{name}": torch.rand(16) for name in ("weight", "bias", "running_mean", "running_var")}
    state["first.block.1.num_batches_tracked"] = torch.tensor(3)
    at = "core.blocks.0."
    for ff in ("ff1", "ff2"):
        state |= {f"{at}{ff}.layernorm.weight": torch.rand(16), f"{at}{ff}.layernorm.bias": torch.rand(16)}
        state |= {f"{at}{ff}.linear1.weight": torch.rand(64, 16), f"{at}{ff}.linear2.weight": torch.rand(16, 32)}
    for norm in ("layernorm1", "layernorm2"):
        state |= {f"{at}{norm}.weight": torch.rand(16), f"{at}{norm}.bias": torch.rand(16)}
    state |= {f"{at}conv.0.weight": torch.rand(16, 1, 15), f"{at}conv.1.weight": torch.rand(16, 16, 1)}
    state |= {f"{at}conv.1.bias": torch.rand(16), f"{at}attn.in_proj_weight": torch.rand(48, 16)}
    state |= {f"{at}attn.in_proj_bias": torch.rand(48), f"{at}attn.out_proj.weight": torch.rand(16, 16)}
    state |= {f"{at}attn.out_proj.bias": torch.rand(16), "final.main.0.weight": torch.rand(64, 16 * 40)}
    for layer, size in ((0, (64,)), (2, (64, 64)), (2, (64,)), (4, (1, 64)), (4, (1,))):
        state[f"final.main.{layer}.{'weight' if len(size) == 2 else 'bias'}"] = torch.rand(size)
    load_original(model, state)
    block, x = model.core.blocks[0], torch.rand(2, 16, 40)
    assert torch.equal(block.conv.ln.weight, state[f"{at}layernorm1.weight"])
    assert torch.equal(block.ln.bias, state[f"{at}layernorm2.bias"])
    assert torch.equal(block.conv.pointwise.weight, state[f"{at}conv.1.weight"][:, :, 0])
    flat = F.linear(x.flatten(1), state["final.main.0.weight"], state["final.main.0.bias"])  # channels, then positions
    assert torch.allclose(model.final.dense[0](x.transpose(1, 2).flatten(1)), flat, atol=1e-4)


class Branches(nn.Module):
    """Convolutions side by side, under the original's names."""

    def __init__(self, before, after):
        super().__init__()
        halves = [nn.Module(), nn.Module()]
        for half, kernel in zip(halves, (9, 15), strict=True):
            half.conv = nn.Conv1d(before, after // 2, kernel, padding="same")
        self.conv_list = nn.ModuleList(halves)

    def forward(self, x):
        return torch.cat([half.conv(x).relu() for half in self.conv_list], dim=1)


class OriginalCore(Branches):
    def __init__(self, before, after):
        super().__init__(2 * after, after)
        self.lstm = nn.LSTM(before, after, batch_first=True, bidirectional=True)

    def forward(self, x):
        return super().forward(self.lstm(x.transpose(1, 2))[0].transpose(1, 2))


class OriginalHead(nn.Module):
    """The final blocks of the framework and of its benchmarks, under their names, on [N, 8, L]."""

    def __init__(self, kind, length):
        super().__init__()
        self.kind = kind
        if kind == "autosome":
            self.mapper = nn.Sequential(nn.Conv1d(8, 18, 1))
            self.register_buffer("bins", torch.arange(18))
        elif kind == "bhi":
            layers = nn.Linear(8 * length, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
            self.main = nn.Sequential(*layers)
        elif kind == "unlock_dna":
            self.expression_dense, self.nucleotide_dense = nn.Linear(8, 1), nn.Linear(8, 5)
        elif kind == "human":
            self.mapper, self.linear = nn.Conv1d(8, 256, 1), nn.Sequential(nn.Linear(256, 1))
        else:
            self.mapper1, self.linear1 = nn.Conv1d(8, 256, 1), nn.Sequential(nn.Linear(256, 1))
            self.mapper2, self.linear2 = nn.Conv1d(8, 256, 1), nn.Sequential(nn.Linear(256, 1))

    def forward(self, x):
        if self.kind == "autosome":
            return self.mapper(x).mean(2)
        if self.kind == "bhi":
            return self.main(x.flatten(1)).squeeze(1)
        if self.kind == "unlock_dna":
            return self.expression_dense(x[:, :, :8].transpose(1, 2)).mean(1).squeeze(1)
        if self.kind == "human":
            return self.linear(self.mapper(x).mean(2))
        parts = (self.mapper1, self.linear1), (self.mapper2, self.linear2)
        return torch.cat([linear(mapper(x).mean(2)) for mapper, linear in parts], dim=1)


HEADS = {
    "autosome": ("autosome", "autosome", {}),
    "bhi": ("bhi", "bhi", {}),
    "unlock_dna": ("unlock_dna", "unlock_dna", {}),
    "human": ("benchmarks", "benchmarks", {}),
    "fly": ("benchmarks", "benchmarks", {"tasks": 2}),
}


def original(head):
    """A model with a head, and its original: networks of BHI's first and core block."""
    torch.manual_seed(0)
    processor, final, keys = HEADS[head]
    sizes = {"first": {"width": 16}, "core": {"lstm": 8}, "processor": SMALL.get(processor, {}).get("processor", {})}
    model = composed(processor, "bhi", "bhi", final, length=34, options=sizes, **keys).eval()
    parts = {"first": Branches(model.processor.gives.channels, 16), "core": OriginalCore(16, 8)}
    return model, nn.ModuleDict({**parts, "final": OriginalHead(head, model.core.gives.length)})


@pytest.mark.parametrize("head", HEADS)
def test_weights_of_every_original_head_give_its_outputs(head):
    model, theirs = original(head)
    load_original(model, theirs.state_dict())
    x = torch.rand(3, model.processor.gives.channels, model.processor.gives.length)
    found, expected = model.network(x), theirs["final"](theirs["core"](theirs["first"](x)))
    assert torch.allclose(found[0] if head == "unlock_dna" else found, expected, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("other", HEADS)
def test_weights_of_another_head_are_refused(head, other):
    if head == other:
        return
    model, (_, theirs) = original(head)[0], original(other)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match=r"original weights: .*final\."):
        load_original(model, theirs.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_that_the_original_has_saved_become_a_folder(tmp_path, proformer):
    keys = {"first": "autosome", "core": "autosome", "options": {"core": {"widths": [8]}, "first": {"width": 8}}}
    model = build({"model": "composed", "flanks": FLANKS, **keys}).eval()
    renamed = {
        "first.convolution": "first.block",
        "final.mapper": "final.mapper.0",
        "6.gate": "6.fc",
        "stages.0.block": "seqextractor.inv_res_blc0",
        "stages.0.resize": "seqextractor.resize_blc0",
    }
    state = {}
    for name, value in model.state_dict().items():
        for ours, theirs in renamed.items():
            name = name.replace(ours, theirs)
        state[name] = value
    torch.save(state | {"final.bins": torch.arange(18)}, tmp_path / "best.pth")
    options = ["import-weights", "--model", "composed", "--weights", tmp_path / "best.pth", "--out", tmp_path / "model"]
    assert proformer(*options, "--config", yaml.safe_dump(keys, default_flow_style=True)).returncode == 0
    sequence = "ACGTACGTAGCTAGCTAGATATATACGGCGC"
    (tmp_path / "s.txt").write_text(f"{FLANKS[0]}{sequence}{FLANKS[1]}\n")
    proformer("predict", "--model", tmp_path / "model", "--sequences", tmp_path / "s.txt", "--out", tmp_path / "p.tsv")
    codes = torch.full((1, 100), 4, dtype=torch.uint8)
    codes[0, : len(sequence)] = torch.tensor(["ACGT".index(base) for base in sequence])
    found = float((tmp_path / "p.tsv").read_text().split()[-1])
    assert found == pytest.approx(model(codes).item(), rel=1e-5)
    done = proformer(*options[:-1], tmp_path / "other", "--config", "{core: bhi}")
    assert done.returncode == 2
    *listed, last = done.stderr.splitlines()
    assert "core.seqextractor.resize_blc0.0.weight has no place" in listed
    assert "core.lstm.weight_hh_l0 is missing" in listed
    assert last.endswith(f"; and {len(listed) - 4} more")
    (tmp_path / "best.pth").write_bytes(b"\x80\x02cos\nsystem\n(S'true'\ntR.")
    done = proformer(*options[:-1], tmp_path / "other")
    assert done.stderr.splitlines()[-1].endswith("best.pth: not a .pth file that holds tensors alone, or it is damaged")
    for damaged in (b"", b"a", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M"):
        (tmp_path / "best.pth").write_bytes(damaged)
        assert "best.pth: n" in proformer(*options[:-1], tmp_path / "other").stderr.splitlines()[-1]
    torch.save(state | {"final.mapper.0.bias": torch.full((18,), torch.nan)}, tmp_path / "best.pth")
    done = proformer(*options[:-1], tmp_path / "other", "--config", yaml.safe_dump(keys, default_flow_style=True))
    assert done.stderr.endswith("best.pth: found final.mapper.0.bias with numbers that are not finite\n")
    assert not (tmp_path / "other").exists()
    torch.save({"state_dict": state}, tmp_path / "best.pth")
    assert "state_dict is no tensor" in proformer(*options[:-1], tmp_path / "other").stderr


def test_weights_of_the_fly_benchmark_become_a_folder_with_two_tasks(tmp_path, proformer):
    torch.manual_seed(0)
    theirs = nn.ModuleDict({"first": Branches(5, 16), "core": OriginalCore(16, 8), "final": OriginalHead("fly", 30)})
    torch.save(theirs.state_dict(), tmp_path / "fly.pth")
    blocks = "processor: benchmarks, first: bhi, core: bhi, final: benchmarks"
    keys = f"{{{blocks}, length: 30, tasks: 2, options: {{first: {{width: 16}}, core: {{lstm: 8}}}}}}"
    done = proformer(
        "import-weights", "--model", "composed", "--weights", tmp_path / "fly.pth", "--out", tmp_path / "model",
        "--flanks", "", "", "--config", keys,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (tmp_path / "s.txt").write_text("ACGTT" * 6 + "\n")
    proformer("predict", "--model", tmp_path / "model", "--sequences", tmp_path / "s.txt", "--out", tmp_path / "p.tsv")
    header, row = (line.split("\t") for line in (tmp_path / "p.tsv").read_text().splitlines())
    assert header == ["name", "sequence", "task 1", "task 2"]
    channels = torch.zeros(1, 5, 30)
    channels[0, ["AGCT".index(letter) for letter in "ACGTT" * 6], range(30)] = 1
    for part in theirs.eval().values():
        channels = part(channels)
    assert [float(value) for value in row[2:]] == pytest.approx(channels.flatten().tolist(), rel=1e-4)


def test_recipes_are_one_cycle_with_the_published_rates():
    for name, peak in (("autosome", 0.005), ("attention", 0.001)):
        settings = read_job({"model": "composed", "recipe": name})[1]
        assert settings.schedule == "onecycle"
        assert settings.learning_rate == peak
        assert settings.warmup_start == pytest.approx(peak / 25)
        assert settings.final_rate == pytest.approx(peak / 25 / 1e4)
        assert settings.warmup_epochs == pytest.approx(0.3 * settings.epochs)


def test_unlock_dnas_attention_is_pytorchs():
    attention, x = NarrowAttention(dim=16, heads=4), torch.randn(3, 7, 16)
    expected, _ = torch.nn.MultiheadAttention.forward(attention, x, x, x)  # with weights: not its fused path
    torch.testing.assert_close(attention(x), expected)


@pytest.mark.parametrize(("channels", "group"), [(32, 2), (24, 4), (12, 2), (16, 16), (8, 1), (32, 3)])
def test_merged_groups_compute_what_each_group_does(channels, group):
    """Outputs and gradients; where eight channels do not divide, groups stay as they are."""
    channels -= channels % group
    layer = GroupedConvolution(channels, 2 * channels, 5, padding="same", groups=channels // group).double()
    plain = torch.nn.Conv1d(channels, 2 * channels, 5, padding="same", groups=channels // group).double()
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(3, channels, 11, dtype=torch.float64)
    found, expected = layer(x), plain(x)
    assert torch.allclose(found, expected, atol=1e-12)
    for each in (found, expected):
        each.square().sum().backward()
    assert torch.allclose(layer.weight.grad, plain.weight.grad, atol=1e-10)
    assert torch.allclose(layer.bias.grad, plain.bias.grad, atol=1e-10)
