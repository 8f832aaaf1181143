"""The software bill of materials names every installed distribution that Buyerview needs, in CycloneDX's format."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from commands.sbom import bill_of_materials

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    words = [sys.executable, "-m", "commands.sbom"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    made: dict[str, Any] = json.loads(printed)
    return made


def test_bill_has_the_fields_that_the_schema_requires(bill: dict[str, Any]) -> None:
    """Source: CycloneDX 1.6, JSON schema: bom, component, licenseChoice and dependency."""
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", bill["serialNumber"])
    root = bill["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("application", "buyerview", version("buyerview"))
    for part in [root, *bill["components"]]:
        assert set(part) <= {"type", "bom-ref", "name", "version", "purl", "licenses"}
        assert part["type"] in ("application", "library")
        assert part["purl"] == part["bom-ref"] == f"pkg:pypi/{part['name']}@{part['version']}"
        for choice in part.get("licenses", []):
            assert list(choice) in (["expression"], ["license"])
            assert choice.get("expression") or choice["license"]["name"]
    references = [part["bom-ref"] for part in [root, *bill["components"]]]
    assert len(set(references)) == len(references)
    assert sorted(link["ref"] for link in bill["dependencies"]) == sorted(references)
    assert all(other in references for link in bill["dependencies"] for other in link["dependsOn"])


def test_bill_lists_direct_and_indirect_dependencies_with_installed_versions(bill: dict[str, Any]) -> None:
    versions = {part["name"]: part["version"] for part in bill["components"]}
    for name in ("duckdb", "streamlit", "sqlalchemy", "numpy", "starlette", "mako"):
        assert versions[name] == version(name)
    assert not {"pytest", "mypy", "ruff", "buyerview"} & set(versions), "tools of development are not needed to run"
    licensed = sum("licenses" in part for part in bill["components"])
    assert licensed >= 0.9 * len(versions)


def test_bill_is_the_same_each_time(bill: dict[str, Any]) -> None:
    assert bill_of_materials() == bill
