"""Keys, types and ranges of settings: one table of what is refused, and in which words."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from proformer.errors import InputError
from proformer.models import build, find, names, resolve
from proformer.settings import Count, Flanks, Positive, Share, check, hints_of, meanings, read, within
from proformer.tasks import Task
from proformer.training.config import Training, read_job

WHOLE = "expected a whole number of at least 1"
REFUSED = [
    ({"epochs": 1.5}, f"epochs is 1.5, {WHOLE}"),
    ({"epochs": math.inf}, f"epochs is inf, {WHOLE}"),
    ({"epochs": -3}, f"epochs is -3, {WHOLE}"),
    ({"epochs": True}, f"epochs is True, {WHOLE}"),
    ({"epochs": None}, f"epochs is None, {WHOLE}"),
    ({"epochs": 10**12}, "epochs is 1000000000000, expected a smaller number"),
    ({"epoch": 3}, "unknown key 'epoch'; did you mean 'epochs'?"),
    ({"patience": -1}, f"patience is -1, {WHOLE} or null"),
    ({"seed": -1}, "seed is -1, expected a whole number of at least 0"),
    ({"seed": "one"}, "seed is 'one', expected a whole number of at least 0"),
    ({"seed": [1]}, "seed is [1], expected a whole number of at least 0"),
    ({"compile": "maybe"}, "compile is 'maybe', expected true or false"),
    ({"deterministic": 7}, "deterministic is 7, expected true or false or null"),
    ({"betas": [0.9, 1]}, "betas is [0.9, 1], expected a list of 2 numbers of at least 0 and below 1"),
    ({"betas": [0.9]}, "betas is [0.9], expected a list of 2 numbers of at least 0 and below 1"),
    ({"betas": 0.9}, "betas is 0.9, expected a list of 2 numbers of at least 0 and below 1"),
    ({"learning_rate": math.nan}, "learning_rate is nan, expected a number above 0"),
    ({"learning_rate": "fast"}, "learning_rate is 'fast', expected a number above 0"),
    ({"learning_rate": 10**400}, f"learning_rate is 1{'0' * 79}, expected a smaller number"),
    ({"reverse_complement": 1.5}, "reverse_complement is 1.5, expected a number of at least 0 and at most 1"),
    ({"shift": 0.5}, "shift is 0.5, expected a whole number of at least 0"),
    ({"target_sd": 0}, "target_sd is 0, expected a number above 0 or null"),
    ({"loss": "hubert"}, "loss is 'hubert', expected one of mse, huber, poisson, bce"),
    ({"select": "r"}, "select is 'r', expected one of pearson"),
    ([], "found [], expected keys and values"),
]


@pytest.mark.parametrize(("keys", "message"), REFUSED)
def test_impossible_training_settings(keys, message):
    with pytest.raises(InputError) as caught:
        read(Training, keys, "training")
    assert str(caught.value).startswith(f"training: {message}")


MODELS = [
    ({"model": "nonesuch"}, "model 'nonesuch': no file nonesuch.py in the models folder; known: "),
    ({"model": "legnt"}, "model 'legnt': no file legnt.py in the models folder; did you mean 'legnet'?"),
    ({"model": "../x"}, "model '../x': no file"),
    ({"model": 3}, "model 3: no file"),
    ({"widht": 64}, "model proformer: unknown key 'widht'; known: length, kmer"),
    ({"head": "cls"}, "model proformer: head is 'cls', expected one of ap, meh, glu"),
    ({"blocks": 2.5}, f"model proformer: blocks is 2.5, {WHOLE}"),
    ({"mask_rate": 1.0}, "model proformer: mask_rate is 1.0, expected a number of at least 0 and below 1"),
    ({"beta": -1}, "model proformer: beta is -1, expected a number of at least 0"),
    ({"model": "legnet", "widths": [4]}, "model legnet: widths is [4], expected a list of whole numbers of at least 8"),
    ({"model": "crmnet", "flanks": ["ACN", ""]}, "model crmnet: flanks is ['ACN', ''], expected a list of 2 texts"),
    ({"model": "danq", "gates": "soft"}, "model danq: gates is 'soft', expected one of hard, logistic"),
    ({"model": "deepsea", "pools": 3}, "model deepsea: pools is 3, expected a list of whole numbers of at least 1"),
]


@pytest.mark.parametrize(("keys", "message"), MODELS)
def test_impossible_model_keys(keys, message):
    with pytest.raises(InputError) as caught:
        build(keys)
    assert str(caught.value).startswith(message)


JOBS = [
    ({"modle": {}}, "config: unknown key 'modle'; did you mean 'model'?"),
    ({"model": []}, "config: model is [], expected keys and values or text or null"),
    ({"recipe": "repaird", "model": "legnet"}, "model 'legnet': no recipe 'repaird'; did you mean 'repaired'?"),
]


@pytest.mark.parametrize(("config", "message"), JOBS)
def test_impossible_jobs(config, message):
    with pytest.raises(InputError) as caught:
        read_job(config)
    assert str(caught.value).startswith(message)


def test_a_job_is_its_recipe_with_the_keys_that_are_given():
    model, training = read_job({"model": "legnet", "training": {"epochs": 3}}, {"length": 80, "flanks": ["A", "C"]})
    assert (model["model"], model["length"], model["flanks"], model["unknown"]) == ("legnet", 80, ("A", "C"), 0)
    assert (training.epochs, training.schedule) == (3, "onecycle")


@dataclass(frozen=True)
class Own:
    """What a user writes."""

    size: Count
    rate: Positive = 1.0
    sides: Flanks = ("", "")
    share: Share | None = None


def test_values_are_as_the_annotations_have_them():
    own = read(Own, {"size": np.int64(3), "rate": "1e-3", "sides": ["A", "CG"], "share": 1}, "own")
    assert own == Own(3, 0.001, ("A", "CG"), 1.0)
    assert [type(value) for value in vars(own).values()] == [int, float, tuple, float]


def test_the_place_stands_before_the_message():
    with pytest.raises(InputError, match=r"^runs: grid: own: the key 'size' is missing$"), within("runs: grid"):
        read(Own, {}, "own")


@pytest.mark.parametrize("model", names())
def test_defaults_and_recipes_of_every_model_are_possible(model):
    for recipe in [None, *getattr(find(model), "RECIPES", {})]:
        config, settings = read_job({"model": model, "recipe": recipe})
        assert resolve(config) == config
        assert read(Training, vars(settings), "training") == settings


def test_keys_of_a_task():
    assert Task.read("here", {"names": ["a", "b"], "kind": "values", "mean": [0, 1], "sd": [1, 2]}).sd == (1.0, 2.0)
    with pytest.raises(InputError, match=r"^here: task: kind is 'number', expected one of value, values"):
        Task.read("here", {"kind": "number"})
    with pytest.raises(InputError, match=r"^here: task: sd is .* expected a list of numbers of at least 0"):
        Task.read("here", {"sd": [math.nan]})


def test_unknown_annotations_take_values_of_their_type():
    assert check("path", "x", str) == "x"
    with pytest.raises(InputError, match="path is b'', expected text"):
        check("path", b"", str)


@pytest.mark.parametrize("kind", [Training, Task, *(find(name).Config for name in names())])
def test_every_key_says_what_it_means(kind):
    found = meanings(kind)
    assert list(hints_of(kind)) == [key for key in hints_of(kind) if len(found.get(key, "")) > 5]
