"""`latentprint train fieldset`: pictures that nothing learned from, as a user would have them."""

import json
from pathlib import Path
from typing import Annotated

import typer


def field_set(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    pictures: Annotated[
        int, typer.Option(min=2, help="Test pictures of each source and generator, at most.")
    ] = 100,
    of_a_kind: Annotated[int, typer.Option(min=1, help="Pictures of each kind, at most.")] = 48,
    siblings: Annotated[
        int, typer.Option(min=1, help="Generators of each family that was held out.")
    ] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Write a folder of pictures that nothing learned from, to measure register and scan on.

    Photographs of the sources held out, the same after each history (enlarged, noisy, printed
    and scanned), and generators of the families held out, in folders real_SOURCE, kind_NAME and
    gen_NAME. Exit codes: 0 written, 1 the photographs are not there, 2 the folder holds something.
    """
    from collections import defaultdict

    from training.data.manifest import load_manifest
    from training.generators.catalogue import generators
    from training.open_set.field_set import FieldSetSizes, write_field_set

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
