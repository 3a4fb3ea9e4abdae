"""Settings have one type and one range: as options, in files, and in the workflow's configuration."""

import copy
import math

import pytest
import yaml
from test_settings import MODELS, REFUSED

from proformer.cli import function_of, main
from proformer.cli.options import read_words
from proformer.errors import InputError
from proformer.planning.configuration import complete, read_file
from proformer.planning.cost import job_costs
from proformer.points import TrainingJob

OPTIONS = {
    "threads": "train --threads",
    "checkpoint_minutes": "train --checkpoint-minutes",
    "device": "train --device",
    "score_samples": "peers --samples",
    "seeds.0": "simulate --seed",
    "simulate.train": "simulate --train",
    "simulate.test": "simulate --test",
    "simulate.seed": "simulate --seed",
    **{f"simulate_vaishnav.{key}": f"simulate-vaishnav --{key}" for key in ("native", "random", "drift", "seed")},
    **{f"simulate_atac.{key}": f"simulate-atac --{key}" for key in ("genome_size", "pairs", "libraries", "seed")},
    **{f"simulate_coverage.{key}": f"simulate-coverage --{key}" for key in ("genome_size", "cells", "seed")},
    **{f"simulate_benchmarks.{key}": f"simulate-benchmarks --{key}" for key in ("enhancers", "elements", "seed")},
    **{f"near.{key}": f"nearest --{key}" for key in ("within", "warn_distance", "warn_share")},
    **{f"datasets.dream.{key}": f"prepare --{key}" for key in ("length", "flanks", "too_long", "wrong_flank")},
    **{f"datasets.dream.{key}": f"split --{key}" for key in ("near", "block")},
    "explain.methods.0": "explain --method",
    "explain.patterns.0": "importance --patterns",
    **{f"explain.{key}": f"importance --{key}" for key in ("backgrounds", "every", "null")},
    **{f"explain.{key}": f"design --{key}" for key in ("edits", "goal")},
    "datasets.dream.fractions.validation": "split --fractions",
    "datasets.dream.split": "split --by",
    "datasets.dream.part": "score --part",
    "evaluations.native.rows": "measured --rows",
    "evaluations.native.medium": "measured --medium",
    "atac.mapq": "atac fragments --mapq",
    "atac.min_alignment_rate": "atac align --min-rate",
    "atac.effective_genome_size": "atac peaks --genome-size",
    "atac.peaks": "atac peaks --mode",
    "atac.signal": "atac signal --mode",
    "atac.threads": "atac align --threads",
    **{
        f"atac.windows.{key}": f"atac windows --{key}"
        for key in ("number", "length", "reach", "centre", "seed", "max_n", "transform")
    },
}
VALUES = [-1, 0, 1, 2, 3, 10, 11, 99, 100, 254, 255, 1024, 1025, 10_000, 10_001, 60_000, 2**32, 10**12, -0.1, 0.5, 1.0]
VALUES += [1.5, math.nan, math.inf, "", "x", "1_0", "1e-3", "1e39", "１", "\xa01", "acgt", "CG"]


def by_option(words, value, capsys):
    """What is wrong with the value of an option, or nothing."""
    verb, *step, option = words.replace("_", "-").split()
    values = [str(value), str(value)] if option == "--flanks" else [str(value)]
    with pytest.raises(SystemExit):  # for want of the other options
        read_words(verb, function_of(verb), [*step, option, *values])
    error = capsys.readouterr().err
    return error.partition("expected ")[2] if f"argument {option}" in error else None


def by_key(path, value, base, root):
    """What is wrong with the value of a key of the configuration, or nothing."""
    config = copy.deepcopy(base)
    *keys, last = path.split(".")
    at = config
    for key in keys:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[int(key)]
    at[int(last) if last.isdigit() else last] = [value, value] if last == "flanks" else value
    try:
        complete(config, root)
    except InputError as error:
        return str(error).partition("expected ")[2]
    return None


@pytest.mark.parametrize("path", OPTIONS)
def test_an_option_and_its_key_refuse_the_same(path, root, capsys):
    section, *more = path.split(".")
    base = read_file(root / "config/own.yaml") | ({section: read_file(root / "config.yaml")[section]} if more else {})
    refused = 0
    for value in VALUES:
        option, key = by_option(OPTIONS[path], value, capsys), by_key(path, value, base, root)
        assert (option is None) == (key is None), (value, option, key)
        refused += option is not None
    assert refused > (8 if path == "explain.goal" else 10)  # which may be any number


def by_train(config, stores, tmp_path, capsys):
    words = ["--train", str(stores[0]), "--validation", str(stores[1]), "--out", str(tmp_path / "m"), "--threads", "1"]
    assert main(["train", "--config", config, *words]) == 2
    return capsys.readouterr().err.strip().removeprefix("proformer train: error: ")


@pytest.mark.parametrize(
    ("config", "message"),
    [({"training": keys}, f"training: {message}") for keys, message in REFUSED if keys]
    + [({"model": keys}, message) for keys, message in MODELS],
)
def test_a_setting_is_refused_in_the_same_words_everywhere(config, message, stores, tmp_path, capsys):
    text = yaml.safe_dump(config, default_flow_style=True, width=10**6)
    (tmp_path / "config.yaml").write_text(text)
    job = TrainingJob("a", "mine", "dream", 1, {"model": {}, "training": {}} | config, data={"length": 100})
    with pytest.raises(InputError) as in_a_run:
        job_costs([job])
    told = [by_train(form, stores, tmp_path, capsys) for form in (text.strip(), str(tmp_path / "config.yaml"))]
    told.append(str(in_a_run.value).removeprefix("runs: mine: "))
    assert [words for words in told if not words.startswith(message)] == []
    assert not (tmp_path / "m/model.json").exists()
