"""The verb that judges models of coverage."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import CpuThreads, Device, read_yaml
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, write_table, write_text
from proformer.settings import read


def profiles(
    *,
    models: Annotated[tuple[InputFolder, ...], "folders of trained models, of coverage or of labels"],
    test: Annotated[Path, "store of the test part: profiles of whole windows (`proformer coverage`, `split`)"],
    out: Annotated[
        OutputFolder, "folder of the tables: scores, examples, supplement_2 to supplement_5, claims, published"
    ],
    settings: Annotated[str | Path, "YAML, or a file of it: bins, thresholds, shifts, …"] = "{}",
    html: Annotated[Output | None, "the paper's claims, judged, as a page"] = None,
    simulated: Annotated[bool, "the data are simulated"] = False,
    note: Annotated[str, "what was trained on, in a sentence"] = "",
    device: Device = "cpu",
    threads: CpuThreads = None,
) -> None:
    """Score models of coverage of any resolution, and models of labels, on the same windows.

    examples:
      proformer profiles --models models/* --test test.safetensors --out tables \\
          --settings '{bins: [1, 32, 128], shifts: 20}'

    Coverage at each model's bins, at coarser ones and smoothed; windows with peaks told from others; and how much
    predictions vary when windows are shifted.
    """
    from proformer.datasets.store import open_store
    from proformer.evaluation.claims import to_html
    from proformer.evaluation.judgement import Judgement
    from proformer.evaluation.profile_claims import published, report_card
    from proformer.evaluation.profile_examples import examples
    from proformer.evaluation.profile_tables import supplements
    from proformer.evaluation.profiles import judge_all
    from proformer.models.folder import read_folder
    from proformer.training.device import choose_device, set_up

    place = choose_device(device)
    set_up(place, threads, None)
    plan, store = read(Judgement, read_yaml(settings, "--settings"), "settings"), open_store(test)
    read_models = {str(folder): read_folder(folder, place) for folder in models}
    if not read_models:
        raise InputError("--models: found none, expected at least one")
    scores = judge_all(read_models, store, plan)
    write_table(out / "scores.tsv", scores)
    write_table(out / "examples.tsv", examples(read_models, scores, store, plan))
    for number, table in supplements(scores).items():
        write_table(out / f"supplement_{number}.tsv", table)
    write_table(out / "published.tsv", published())
    card = report_card(scores, simulated)
    write_table(out / "claims.tsv", card)
    if html:
        write_text(html, to_html(card, note, "Report card: the claims on models of coverage"))
    print(f"{len(read_models)} models on {len(store):,} windows of {test}")
