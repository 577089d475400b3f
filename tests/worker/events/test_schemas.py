"""The schemas checked in are those of the models, and the examples obey them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from worker.broker.topics import Topics
from worker.documents.write_schemas import FOLDER, RECORDS, documents, write

EXAMPLES = Path(__file__).parent / "examples"


def test_the_schemas_checked_in_are_the_generated_ones() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert found == documents(), "run `make schemas` and look at the difference"


def test_writing_gives_every_document(tmp_path: Path) -> None:
    assert {path.name: path.read_text() for path in write(tmp_path / "new")} == documents()


@pytest.mark.parametrize("example_name", [*sorted(RECORDS), "verdict-1.1"])
def test_each_schema_is_valid_and_takes_its_examples_but_no_empty_object(example_name: str) -> None:
    schema = json.loads(documents()[f"{example_name.removesuffix('-1.1')}.json"])
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    example = json.loads((EXAMPLES / f"{example_name}.json").read_text())
    assert list(validator.iter_errors(example)) == []
    assert list(validator.iter_errors({})) != []


def test_the_asyncapi_document_names_every_topic_and_every_reference_resolves() -> None:
    document = json.loads(documents()["asyncapi.json"])
    assert {c["address"] for c in document["channels"].values()} == set(Topics().all())
    for reference in _references(document):
        if reference.startswith("./"):
            assert (FOLDER / reference).is_file()
        else:
            node: Any = document
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]
            assert node


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [r for child in node.values() for r in _references(child)]
    if isinstance(node, list):
        return [r for child in node for r in _references(child)]
    return []
