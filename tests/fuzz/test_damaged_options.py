"""Damaged options and settings, by the thousand: whatever a verb is told, it ends well (see `running`)."""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout, suppress
from inspect import signature
from io import StringIO
from pathlib import Path

import yaml
from cases import CASES, OWN, SETTINGS
from hypothesis import given
from hypothesis import strategies as st
from running import check, repeat

from proformer.cli import function_of
from proformer.cli.options import read_words
from proformer.files import Output
from proformer.models import find
from proformer.settings import hints_of
from proformer.training.config import Training

WORDS = [
    "", "-1", "0", "1", "1.5", "nan", "inf", "1e39", "1_5", "١", "\xa0", "4294967296", "9" * 20, "null", "true", "[]",
    "{}", "{a: [}", "{a: 1}", "nowhere/x", ".", "/dev/null", "/dev/full", "/", "m", "all.st", "-", "--", "a=b", "=",
    "ACN", "A", "\x1b[31m", "x" * 5000, "é", "\udcff", "random", "m/model.json", "train.txt",
]  # fmt: skip
VALUES = [
    None, True, -1, 0, 1, 2, 1.5, 0.5, float("nan"), float("inf"), -0.1, 2**32, 10**30, "", "x", "1_5", "1e-3", "١",
    "\x1b[31m", "ACGN", [], [1], [0.5, 0.5], ["x"], [[1]], {}, {"x": 1}, {"core": {"x": 1}}, "adamw", "constant",
    "loss", "none", "mse",
]  # fmt: skip
ENDLESS = ("--watch",)  # does not end while anything is waiting


def options_of(verb: str) -> list[str]:
    """All options of a verb."""
    names = [f"--{name.rstrip('_').replace('_', '-')}" for name in signature(function_of(verb)).parameters]
    return [name for name in names if name not in ENDLESS]


def replaced(words, at, new):
    return [*words[:at], new, *words[at + 1 :]]


def dropped(words, at, new):
    return [*words[:at], *words[at + 1 :]]


def doubled(words, at, new):
    return [*words[:at], words[at], *words[at:]]


def inserted(words, at, new):
    return [*words[:at], new, *words[at:]]


def misspelt(words, at, new):
    return replaced(words, at, words[at][:-1] + "x")


def given_an_option(words, at, new):
    known = options_of(words[0]) or ["--nothing"]
    return [*words, known[at % len(known)], new]


def overwritten(words: list[str], folder: Path) -> list[str]:
    """What a command may write over, by its options; nothing where it is refused."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stderr(StringIO()), redirect_stdout(StringIO()), suppress(SystemExit):
            given, _ = read_words(words[0], function_of(words[0]), words[1:])
            flat = [each for value in given.values() for each in (value if isinstance(value, list) else [value])]
            names = [os.path.relpath(path) for path in flat if isinstance(path, Output)]
            return ["" if name == "." else name for name in names]
    finally:
        os.chdir(before)
    return []


def test_damaged_options_end_well(inputs, place):
    kinds = [replaced, replaced, dropped, doubled, inserted, misspelt, given_an_option, given_an_option]

    @given(st.sampled_from(sorted(CASES)), st.sampled_from(kinds), st.integers(0, 50), st.sampled_from(WORDS))
    def once(case, change, at, new):
        verb, *words = CASES[case].words.split()
        words = change([verb, *words], 1 + at % max(1, len(words)), new) if words else [verb, new]
        written = overwritten(words, inputs)
        check(words, inputs, place, outputs={*CASES[case].outputs} & {*words}, written=written)

    repeat(once, share=0.25)


def settings_of_trainings(draw_model, key, value):
    """What `train --config` takes, with one key of the model or of the training changed."""
    settings = {"model": dict(SETTINGS[draw_model]), "training": {"epochs": 1, "batch_size": 64, "epoch_batches": None}}
    kinds = {"model": find(draw_model).Config, "training": Training}
    known = [(part, name) for part, kind in kinds.items() for name in hints_of(kind)]
    part, name = known[key % len(known)]
    settings[part][name] = value
    return settings


def test_settings_of_trainings_end_well(inputs, place):
    @given(st.sampled_from(sorted(SETTINGS)), st.integers(0, 200), st.sampled_from(VALUES))
    def once(model, key, value):
        text = yaml.safe_dump(settings_of_trainings(model, key, value), default_flow_style=True, width=10**6)
        words = [
            "train",
            "--train",
            "tr.st",
            "--validation",
            "va.st",
            "--out",
            "o",
            "--device",
            "cpu",
            "--threads",
            "1",
        ]
        check([*words, "--config", text.strip()], inputs, place, outputs=["o/model.safetensors", "o/model.json"])

    repeat(once, share=0.15)


def places(schema, at=(), definitions=None):
    """The path of every key of the configuration's schema; * stands for a name."""
    definitions = definitions or schema["$defs"]
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    yield at
    for name, keys in schema.get("properties", {}).items():
        yield from places(keys, (*at, name), definitions)
    for keys in [schema["additionalProperties"]] if isinstance(schema.get("additionalProperties"), dict) else []:
        yield from places(keys, (*at, "*"), definitions)


def test_configurations_end_well(inputs, place, root):
    known = [
        path for path in places(yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())) if path
    ]

    @given(st.sampled_from(known), st.sampled_from(VALUES))
    def once(path, value):
        config = yaml.safe_load(OWN)
        *keys, last = [{"datasets": "mine", "runs": "x"}.get(path[0], "y") if key == "*" else key for key in path]
        at = config
        for key in keys:
            at[key] = at[key] if isinstance(at.get(key), dict) else {}
            at = at[key]
        at[last] = value
        check(["plan", "--configfile", "own.yaml"], inputs, place, {"own.yaml": yaml.safe_dump(config).encode()})

    repeat(once, share=0.1)
