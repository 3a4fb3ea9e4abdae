"""Models of coverage: as many parameters as the authors', outputs at every bin, and what the sequence does to them."""

import pytest
import torch

from proformer.models import build, find_recipe
from proformer.tasks import Task

BINS = (1, 32, 64, 128, 256, 512, 1024, 2048)
# Toneyan et al.'s code, built by Keras: parameters with running statistics, at bins of 1, 32 and 128 bp.
COUNTS = {
    ("basenji", "profile"): {1: 2_038_287, 32: 2_038_287, 128: 2_038_287},
    ("bpnet", "profile"): {1: 1_824_527, 32: 1_824_527, 128: 1_824_527},
    ("bpnet", "counts"): {1: 142_622},
    ("residualbind", "cnn-task"): {1: 9_397_327, 32: 5_254_735, 128: 5_154_511},
    ("residualbind", "cnn-all"): {1: 7_675_087, 32: 3_532_495, 128: 3_432_271},
    ("residualbind", "residual-task"): {1: 20_791_567, 32: 12_585_743, 128: 12_387_215},
    ("residualbind", "residual-all"): {1: 23_854_735, 32: 15_648_911, 128: 15_450_383},
    ("residualbind", "residual-32-task"): {32: 22_565_263},
    ("residualbind", "residual-32-all"): {32: 19_270_159},
    ("basenji", "label"): {1: 2_038_287},
    ("residualbind", "cnn-label"): {1: 3_383_247},
    ("residualbind", "residual-label"): {1: 14_382_991},
    ("basset", "label"): {1: 10_372_515},
}
SMALL = {
    "basenji": {"filters": 8, "wide": 8, "blocks": 2},
    "bpnet": {"filters": 8, "layers": 2},
    "residualbind": {"filters": [8, 8, 8], "dense": 16, "wide": 8, "head": 4},
    "basset": {"filters": [8, 8, 8], "dense": [16, 16]},
}


def make(model, recipe, **keys):
    return build({"model": model, **find_recipe(model, recipe)["model"], **keys})


@pytest.mark.parametrize(("model", "recipe"), COUNTS)
def test_parameters_are_as_many_as_the_authors(model, recipe):
    for size, expected in COUNTS[model, recipe].items():
        with torch.device("meta"):
            made = make(model, recipe, bin=size)
        state = {name: value for name, value in made.state_dict().items() if "num_batches" not in name}
        assert sum(value.numel() for value in state.values()) == expected


@pytest.mark.parametrize(("model", "recipe"), COUNTS)
def test_outputs_have_a_position_for_every_bin_and_no_coverage_is_below_0(model, recipe):
    torch.manual_seed(1)
    codes = torch.randint(0, 5, (2, 2048), dtype=torch.uint8)
    labels, counts = recipe.endswith("label"), recipe == "counts"
    for size in BINS:
        if "32" in recipe and size < 32:
            continue
        made = make(model, recipe, bin=size, tasks=3, **SMALL[model]).eval()
        with torch.no_grad():
            output = made(codes)
        assert output.shape == (2, 3, 1 if labels else 2048 // size + counts)
        assert labels or counts or output.min() >= 0
        assert labels or counts or (output[0] != output[1]).any()


def test_the_first_activation_is_exponential_where_it_is_asked_for():
    found = [
        make("residualbind", "cnn-task", activation=name, **SMALL["residualbind"]) for name in ("relu", "exponential")
    ]
    kinds = [[type(part).__name__ for part in model.body] for model in found]
    assert [kind[3] for kind in kinds] == ["ReLU", "Exponential"]
    assert kinds[0][4:] == kinds[1][4:]


def test_a_basenji_block_begins_as_the_identity():
    made = make("basenji", "profile", **SMALL["basenji"]).train()
    x = torch.randn(2, 8, 64)
    assert torch.equal(x + made.blocks[0](x), x)


@pytest.mark.parametrize("recipe", ["profile", "counts"])
def test_a_bpnet_gives_each_task_a_head_of_its_own(recipe):
    torch.manual_seed(2)
    made = make("bpnet", recipe, tasks=4, **SMALL["bpnet"])
    assert made.profile.weight.std().item() == pytest.approx(
        (2 / (7 * 9) if recipe == "profile" else 2 / (25 * 9)) ** 0.5, rel=0.2
    )
    made(torch.zeros(1, 2048, dtype=torch.uint8))[:, 1].sum().backward()
    assert made.profile.weight.grad[[0, 2, 3]].abs().max() == 0


def test_a_model_of_counts_is_trained_by_its_task():
    made = make("bpnet", "counts", tasks=2, length=64, bin=8, **SMALL["bpnet"])
    task = Task("counts and profile", ("a", "b"), bin=8)
    target = task.transform(torch.randint(0, 9, (3, 2, 8)).float())
    assert torch.isfinite(task.loss(made(torch.zeros(3, 64, dtype=torch.uint8)), target))


@pytest.mark.parametrize("recipe", ["cnn-task", "residual-label"])
def test_a_last_batch_may_be_a_single_sequence(recipe):
    made = make("residualbind", recipe, tasks=2, **SMALL["residualbind"]).train()
    made(torch.randint(0, 4, (2, 2048), dtype=torch.uint8))
    before = {name: value.clone() for name, value in made.middle.state_dict().items()}
    assert torch.isfinite(made(torch.zeros(1, 2048, dtype=torch.uint8))).all()
    assert all(torch.equal(value, before[name]) for name, value in made.middle.state_dict().items())
