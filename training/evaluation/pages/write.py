"""All pages and plots into a folder."""

from pathlib import Path

from training.evaluation.pages.baselines import baselines_page
from training.evaluation.pages.details import generators, photographs
from training.evaluation.pages.figures import draw_figures
from training.evaluation.pages.model_card import model_card
from training.evaluation.pages.summary import readme
from training.evaluation.pages.tables import Document


def write_pages(
    document: Document | None, folder: Path, baselines: Document | None = None
) -> list[Path]:
    """README, generators, photographs and the model card, with their plots; and the baselines.

    Each document has its own pages; those of one that is not there are left as they are.
    """
    pages = {} if document is None else _of_the_product(document, folder, baselines)
    if baselines is not None:
        pages["baselines.md"] = baselines_page(baselines, document)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / name).write_text(text)
    return [folder / name for name in pages]


def _of_the_product(document: Document, folder: Path, baselines: Document | None) -> dict[str, str]:
    figures = draw_figures(document, folder)
    return {
        "README.md": readme(document, figures, baselines=baselines is not None),
        "generators.md": generators(document),
        "photographs.md": photographs(document),
        "model-card.md": model_card(document),
    }
