"""One local file judged as `scan` judges it, and its page written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.commands.scan import scan
from worker.commands.workshop import Workshop
from worker.decoder.decode import DecodedImage
from worker.errors import StopError
from worker.events.records import Verdict
from worker.explain.document import to_document
from worker.explain.explanation import explain
from worker.explain.html_page import to_html
from worker.explain.png_page import to_png
from worker.explain.sections import page_of
from worker.judge.pipeline import Pipeline
from worker.registry.view import RegistryView


@dataclass(frozen=True, slots=True)
class Explained:
    """`judged` is the document that `scan` prints of this file; `document` is what `--json` prints.

    `files` are those that were written; none where there is no verdict to explain.
    """

    judged: dict[str, Any]
    document: dict[str, Any]
    files: tuple[Path, ...]


def explain_file(image: Path, out: Path, workshop: Workshop, view: RegistryView) -> Explained:
    """Judge one file, and write NAME.explained.html and NAME.explained.png into the folder `out`.

    NAME is the file's whole name, so that pages of a.png and a.jpg do not meet. Raises StopError
    (exit code 2) where `image` is no file or `out` no folder that can be written to.
    """
    if image.is_dir():
        raise StopError(f"{image} is a folder; give one image file", exit_code=2)
    judged, decoded = judge_file(image, workshop.decoder.decode, workshop.pipeline(), view)
    if judged["record"] != "verdict" or decoded is None:
        return Explained(judged, judged, ())
    explanation = explain(
        decoded,
        Verdict.model_validate(judged),
        view,
        bundle=workshop.bundle,
        extractor=workshop.extractor,
        policy=workshop.policy,
    )
    page = page_of(explanation)
    names = (f"{image.name}.explained.html", f"{image.name}.explained.png")
    contents = (to_html(page).encode("utf-8", "backslashreplace"), to_png(page))
    files = tuple(out / name for name in names)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, content in zip(files, contents, strict=True):
            path.write_bytes(content)
    except OSError as error:
        raise StopError(
            f"the page cannot be written to {out}: {error.strerror or error}; give another folder"
            " by --out",
            exit_code=2,
        ) from error
    document = {
        "record": "explanation",
        "files": [str(path) for path in files],
        **to_document(explanation),
    }
    return Explained(judged, document, files)


def judge_file(
    image: Path, decode: Callable[[bytes], DecodedImage], pipeline: Pipeline, view: RegistryView
) -> tuple[dict[str, Any], DecodedImage | None]:
    """What `scan` says of one file, and the image that it said it of; None where it was refused."""
    seen: list[DecodedImage] = []

    def keeping(data: bytes) -> DecodedImage:
        found = decode(data)
        seen.append(found)
        return found

    documents = list(scan([image], keeping, pipeline, view, 1))
    if len(documents) != 1:
        raise StopError(f"{image} is not one image file; give one", exit_code=2)
    return documents[0], seen[0] if seen else None
