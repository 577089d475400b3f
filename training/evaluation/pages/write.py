"""All pages and plots into a folder."""

from pathlib import Path

from training.evaluation.pages.details import generators, photographs
from training.evaluation.pages.figures import draw_figures
from training.evaluation.pages.model_card import model_card
from training.evaluation.pages.summary import readme
from training.evaluation.pages.tables import Document


def write_pages(document: Document, folder: Path) -> list[Path]:
    """README, generators, photographs and the model card, with their plots."""
    figures = draw_figures(document, folder)
    pages = {
        "README.md": readme(document, figures),
        "generators.md": generators(document),
        "photographs.md": photographs(document),
        "model-card.md": model_card(document),
    }
    for name, text in pages.items():
        (folder / name).write_text(text)
    return [folder / name for name in pages]
