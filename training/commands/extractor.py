"""`latentprint train extractor`, `constants`, `export`, `evaluate` and `fieldset`."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.data.fetch import cache_folder
from worker.errors import StopError

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Folder = Annotated[
    Path | None, typer.Option(help="Where the trained network lies; default: the cache folder.")
]


def extractor(
    folder: Folder = None,
    residual_minutes: Annotated[
        float, typer.Option(min=0.01, help="Longest training of the residual branch.")
    ] = 8.0,
    simulations: Annotated[
        int | None, typer.Option(min=1, help="Simulated generators to learn from.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the extractor on real pictures, the zoo and simulated generators."""
    from training.data.manifest import load_manifest
    from training.extractor.train import ExtractorRecipe, load_network, train_extractor

    recipe = ExtractorRecipe()
    recipe = replace(recipe, residual=replace(recipe.residual, minutes=residual_minutes))
    if simulations is not None:
        recipe = replace(recipe, simulations=simulations)
    target = folder or cache_folder() / "extractor"
    train_extractor(recipe, load_manifest(), target, _say)
    _, facts = load_network(recipe, target)
    print(json.dumps(facts) if as_json else f"trained: {target}")


def constants(
    bundle: Annotated[
        Path | None, typer.Option(help="Whose network and statistics; default: the package's own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose the constants of the decision on seeds of SNGAN, and measure them on other seeds.

    Writes training/extractor/constants.json, which `latentprint train export` puts into a bundle.
    """
    from training.extractor.choose_constants import RESULT, choose_constants
    from worker.extractor.bundle import DOCUMENT, default_bundle_path, sha256_of

    folder = bundle or default_bundle_path()
    result = choose_constants(folder, _say)
    made_by = {
        "command": "latentprint train constants",
        "network_and_statistics_of": sha256_of(folder / DOCUMENT),
        "commit": _commit(),
    }
    stated = {**made_by, "date": datetime.now(UTC).date().isoformat(), **result}
    RESULT.write_text(json.dumps(stated, indent=1) + "\n")
    print(json.dumps(stated) if as_json else f"chosen constants in {RESULT}")


def export(
    folder: Folder = None,
    network_of: Annotated[
        Path | None,
        typer.Option(
            "--network-of",
            metavar="BUNDLE",
            help="Take the network of this bundle, of whatever format, and calibrate it anew.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The bundle's folder; default: the package's own.")
    ] = None,
    attribution: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Weights of a paper's attribution network: make its bundle instead, in --output.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Calibrate the trained extractor on real pictures it has not seen, and write the bundle.

    With --attribution the extractor is an attribution network instead, trained as in the paper,
    and --output must be given: it does not replace the package's own bundle. Exit codes: 0
    written, 1 something is not trained yet or was refused, 2 wrong use.
    """
    if attribution is not None:
        _export_attribution(attribution, folder, output, as_json=as_json)
        return
    from training.data.manifest import load_manifest
    from training.extractor.calibrate import (
        CalibrationSizes,
        measure_background,
        measure_calibration,
    )
    from training.extractor.choose_constants import load_constants
    from training.extractor.earlier import network_of as read_network
    from training.extractor.export import ZooGenerator, enrol_zoo, write_bundle
    from training.extractor.sources import TRAINING_SEED, load_photographs, load_real
    from training.extractor.train import (
        ExtractorRecipe,
        limits_of,
        load_network,
        made_sources_for_background,
        training_models,
    )
    from training.zoo.catalog import CATALOG
    from training.zoo.generate import generate, load_generator
    from worker.extractor.bundle import default_bundle_path

    recipe, sizes, manifest = ExtractorRecipe(), CalibrationSizes(), load_manifest()
    if network_of is None:
        network, facts = load_network(recipe, folder or cache_folder() / "extractor")
    else:
        network, facts = read_network(network_of)
    limits = limits_of(recipe)
    _say("reading the photographs")
    reference = load_photographs(manifest, "validation", "calibration")
    held_out = load_photographs(manifest, "test")
    _say(f"measuring the background under every condition, {len(reference)} photographs")
    train = load_real(manifest, "train")
    made = made_sources_for_background(train, range(40), TRAINING_SEED, sizes.per_made_source)
    background = measure_background(
        network, made, reference, load_constants(), limits, sizes, recipe.seed
    )
    _say(f"scoring their views, and those of {len(held_out)} held-out photographs")
    calibration = measure_calibration(network, reference, held_out, limits, recipe.seed)
    first = training_models()[0]
    golden = generate(load_generator(first), 4, TRAINING_SEED)
    target = output or default_bundle_path()
    provenance = {**facts, "commit": _commit(), "date": datetime.now(UTC).date().isoformat()}
    digest = write_bundle(
        target, network, background, calibration, list(golden), limits, provenance
    )
    _say("enrolling the zoo")
    zoo = [CATALOG[name] for name in training_models()]
    reports = enrol_zoo(target, [ZooGenerator(z.name, z.family, z.weights) for z in zoo])
    if as_json:
        print(
            json.dumps(
                {"bundle": str(target), "digest": digest, "enrolled": [asdict(r) for r in reports]}
            )
        )
    else:
        print(f"bundle {digest} in {target}; enrolled {', '.join(r.name for r in reports)}")


def _export_attribution(
    weights: Path, folder: Path | None, output: Path | None, *, as_json: bool
) -> None:
    if output is None or folder is not None:
        seen = "no --output" if output is None else f"--folder {folder}"
        raise StopError(
            f"--attribution {weights} with {seen}; expected --output alone, a folder of its own for"
            " this bundle, since the package's own is not replaced: nothing was written",
            exit_code=2,
        )
    from training.data.manifest import load_manifest
    from training.paper.networks.attribution_bundle import write_attribution_bundle

    digest = write_attribution_bundle(weights, output, load_manifest(), _say)
    document = {"bundle": str(output), "digest": digest}
    print(json.dumps(document) if as_json else f"bundle {digest} in {output}")


def evaluate(
    output: Annotated[
        Path | None, typer.Option(help="Folder of the report; default: docs/evaluation.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle; default: the package's own.")] = None,
    images: Annotated[int, typer.Option(min=10, help="Held-out images per made source.")] = 300,
    as_json: Json = False,
) -> None:
    """Measure the bundle on held-out faces, photos and zoo images, and write the report."""
    from training.data.manifest import load_manifest
    from training.extractor.evaluate import evaluate_bundle
    from training.extractor.report import write_report

    result = evaluate_bundle(bundle, load_manifest(), images, _say)
    target = output or Path("docs") / "evaluation"
    write_report(result, target, command=" ".join(["latentprint", *sys.argv[1:]]), commit=_commit())
    print(json.dumps(result.document()) if as_json else f"report in {target}")


def field_set(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    pictures: Annotated[
        int, typer.Option(min=2, help="Test pictures of each source and generator, at most.")
    ] = 100,
    of_a_kind: Annotated[int, typer.Option(min=1, help="Pictures of each kind, at most.")] = 48,
    siblings: Annotated[
        int, typer.Option(min=1, help="Generators of each family that was held out.")
    ] = 2,
    as_json: Json = False,
) -> None:
    """Write a folder of pictures that nothing learned from, to measure register and scan on.

    Photographs of the sources held out, the same after each history (enlarged, noisy, printed
    and scanned), and generators of the families held out, in folders real_SOURCE, kind_NAME and
    gen_NAME. Exit codes: 0 written, 1 the photographs are not there, 2 the folder holds something.
    """
    from collections import defaultdict

    from training.data.manifest import load_manifest
    from training.extractor.field_set import FieldSetSizes, write_field_set
    from training.generators.catalogue import generators

    by_source: dict[str, list[Path]] = defaultdict(list)
    manifest = load_manifest()
    for entry in manifest.pictures("photo", "held_out"):
        by_source[entry.source].append(manifest.path(entry))
    taken: dict[str, int] = defaultdict(int)
    chosen = []
    for generator in generators("held_out"):
        taken[generator.family] += 1
        if taken[generator.family] <= siblings:
            chosen.append(generator)
    sizes = FieldSetSizes(tested=pictures, of_a_kind=of_a_kind)
    written = write_field_set(folder, by_source, chosen, sizes)
    if as_json:
        print(json.dumps({"folder": str(folder), "pictures": written}))
        return
    for name, count in written.items():
        print(f"{name:<40}{count:>6}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _commit() -> str:
    """The commit of the checkout, or "unknown" outside one."""
    run = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or "unknown"
