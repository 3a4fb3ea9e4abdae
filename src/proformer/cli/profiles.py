"""The verb that judges models of coverage."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import CpuThreads, Device, named, read_yaml
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, write_table, write_text
from proformer.settings import read


def profiles(
    *,
    models: Annotated[tuple[InputFolder, ...], "folders of trained models, of coverage or of labels"],
    test: Annotated[
        Path | None, "store of the test part: profiles of whole windows (`proformer coverage`, `split`)"
    ] = None,
    variants: Annotated[
        tuple[str, ...] | None, "ELEMENT=FILE.tsv, measured: chromosome, position, reference, alternative, effect"
    ] = None,
    sequences: Annotated[Path | None, "of the variants: FASTA of `proformer atac genome`, or HDF5 with --loci"] = None,
    loci: Annotated[Path | None, "CSV of what the HDF5 file holds: locus, chr, center"] = None,
    contig_names: Annotated[str | None, "of variants: add-chr, strip-chr, or a table: name there, FASTA's name"] = None,
    out: Annotated[
        OutputFolder,
        "folder of the tables: scores, examples, supplements, variants, effects, alleles, claims, published",
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
      proformer profiles --models models/* --variants F9=combined_F9.tsv SORT1=combined_SORT1.tsv \\
          --sequences CAGI5_onehots_centered_2048.h5 --loci centered_combined_cagi.csv \\
          --settings '{variant_window: 1152, shifts: 4}' --out variants

    Coverage at each model's bins, at coarser ones and smoothed; windows with peaks told from others; how much
    predictions vary when windows are shifted; and predicted effects of variants beside measured ones.
    """
    import pandas as pd

    from proformer.datasets.store import open_store
    from proformer.evaluation.claims import to_html
    from proformer.evaluation.judgement import Judgement
    from proformer.evaluation.profile_claims import published, report_card
    from proformer.evaluation.profile_examples import examples
    from proformer.evaluation.profile_tables import by_element, supplements
    from proformer.evaluation.profile_variants import ALLELES, EFFECTS, example, judge_variants, read_variants
    from proformer.evaluation.profiles import joined, judge_all
    from proformer.models.folder import read_folder
    from proformer.training.device import choose_device, set_up

    place = choose_device(device)
    set_up(place, threads, None)
    plan = read(Judgement, read_yaml(settings, "--settings"), "settings")
    if not (test or variants) or bool(variants) != bool(sequences):
        raise InputError("expected --test, or --variants with --sequences, or both")
    read_models = {str(folder): read_folder(folder, place) for folder in models}
    if not read_models:
        raise InputError("--models: found none, expected at least one")
    store = open_store(test) if test else None
    tables = [judge_all(read_models, store, plan)] if store else []
    shown = pd.DataFrame(columns=EFFECTS), pd.DataFrame(columns=ALLELES)
    if variants and sequences:
        files = {element: Path(file) for element, file in named(variants)}
        measured = read_variants(files, sequences, loci, plan.variant_window, contig_names)
        found, effects = judge_variants(read_models, measured, plan)
        tables.append(found)
        shown = example(read_models, effects, found, measured)
        print(f"{len(measured.table):,} variants; {measured.dropped:,} of another reference are left out")
    scores = joined(tables)
    write_table(out / "scores.tsv", scores)
    write_table(out / "variants.tsv", by_element(scores))
    for name, part in zip(("effects", "alleles"), shown, strict=True):
        write_table(out / f"{name}.tsv", part)
    if not store:
        print(by_element(scores).to_string(index=False, float_format="%.3f"))
        return
    write_table(out / "examples.tsv", examples(read_models, scores, store, plan))
    for number, table in supplements(scores).items():
        write_table(out / f"supplement_{number}.tsv", table)
    write_table(out / "published.tsv", published())
    card = report_card(scores, simulated)
    write_table(out / "claims.tsv", card)
    if html:
        write_text(html, to_html(card, note, "Report card: the claims on models of coverage"))
    print(f"{len(read_models)} models on {len(store):,} windows of {test}")
