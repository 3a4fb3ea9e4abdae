"""The models of the three configurations: keys that exist, and at full size the published recipes."""

import pytest

from proformer.errors import InputError
from proformer.models import find_recipe, resolve
from proformer.planning.configuration import read_configuration
from proformer.points import training_jobs
from proformer.settings import read
from proformer.training.config import Training, read_job, read_training

DATA = {"length": 100, "flanks": ("", "")}


def jobs_of(root, *overlays):
    config, _ = read_configuration([root / "config" / f"{name}.yaml" for name in overlays], root)
    return training_jobs(config)


def resolved(model, recipe, keys, training):
    published = find_recipe(model, recipe)
    settings = read(Training, {**published["training"], **training}, "training")
    return resolve({"model": model, **published["model"], **keys}, DATA), settings


@pytest.mark.parametrize("overlay", [[], ["sample"], ["paper"]])
def test_every_key_exists(root, overlay):
    jobs = jobs_of(root, *overlay)
    assert len({job.run for job in jobs}) >= 14
    for job in jobs:
        read_job(job.config, job.data, job.dataset)


def test_null_in_an_overlay_is_the_recipe_alone(root, tmp_path):
    """In place of setting every key of the demo again."""
    (tmp_path / "own.yaml").write_text("runs: {deepsea: {keys: null, training: null}}")
    config, _ = read_configuration([tmp_path / "own.yaml"], root)
    (job,) = (job for job in training_jobs(config) if job.run == "deepsea")
    assert job.config["model"] == {"model": "deepsea"}
    assert (job.config["training"], job.config["recipe"]) == ({"seed": 1}, "as-released")


def test_a_length_of_null_counts_as_not_given(root, tmp_path):
    (tmp_path / "own.yaml").write_text("datasets: {dream: {length: null}}")
    config, _ = read_configuration([tmp_path / "own.yaml"], root)
    assert config["datasets"]["dream"]["length"] == 100
    assert resolve({"model": "legnet", "length": None}, {"length": 30})["length"] == 30


def test_at_full_size_nothing_of_the_demo_is_left_in_a_peer(root):
    """Overlays are merged key by key, so a key of the demo that is not set again would stay."""
    promoters = [job for job in jobs_of(root, "paper") if job.dataset in ("complex", "dreamfull")]
    peers = [job for job in promoters if job.config["model"]["model"] not in ("proformer", "composed")]
    assert len(peers) >= 14
    for job in peers:
        keys = dict(job.config["model"])
        name, recipe = keys.pop("model"), job.config["recipe"]
        run = {key: job.config["training"][key] for key in ("seed", "precision") if key in job.config["training"]}
        assert resolved(name, recipe, keys, job.config["training"]) == resolved(name, recipe, {}, run), job.label


def test_paths_begin_at_home_as_in_a_shell(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    (tmp_path / "own.yaml").write_text("mirror: ~/mirror\ndatasets: {dream: {train: [~/a.txt, b~/c.txt]}}\n")
    config, _ = read_configuration([tmp_path / "own.yaml"], root)
    assert config["mirror"] == "/home/ada/mirror"
    assert config["datasets"]["dream"]["train"] == ["/home/ada/a.txt", "b~/c.txt"]


@pytest.mark.parametrize(
    ("blocks", "recipe"),
    [
        ("autosome bhi autosome autosome", "autosome"),  # DREAM-CNN
        ("autosome bhi bhi autosome", "autosome"),  # DREAM-RNN
        ("autosome autosome unlock_dna autosome", "attention"),  # DREAM-Attn
        ("bhi bhi bhi bhi", "bhi"),
    ],
)
def test_at_full_size_combinations_are_prix_fixe_s_own(root, blocks, recipe):
    jobs = [job for job in jobs_of(root, "paper") if job.run == "prixfixe"]
    (job,) = (job for job in jobs if " ".join(job.axes.values()) == blocks)
    keys = dict(job.config["model"])
    assert keys.pop("model") == "composed"
    found = resolved("composed", job.config["recipe"], keys, job.config["training"])
    assert found == resolved("composed", recipe, job.axes, {"seed": 1})


def test_training_settings_are_read_without_the_length_of_the_data():
    job = {"model": {"model": "basenji", "bin": 384}, "recipe": "profile", "training": {"epochs": 7}}
    assert read_training(job).epochs == 7
    with pytest.raises(InputError, match="bins of 384 bp do not divide the length of 2048"):
        read_job(job)
