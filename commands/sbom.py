"""Print the software bill of materials (CycloneDX 1.6, JSON): `python -m commands.sbom > sbom.json`.

It lists the installed distributions that Buyerview needs to run, directly or through others, with version, licence and
package URL. The same installation always gives the same bytes, so it has no timestamp.
"""

import json
import re
import sys
import uuid
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT_NAME = "buyerview"
LONGEST_LICENCE = 80
"""Some distributions have the whole text of a licence in the field for its name."""
Json = dict[str, object]


def bill_of_materials(extras: tuple[str, ...] = ("postgres",)) -> Json:
    """Return the bill of materials of this installation, with the given extras if they are installed."""
    needs: dict[str, set[str]] = {}
    found: dict[str, Distribution] = {}
    waiting = [(ROOT_NAME, frozenset(extras))]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in done:
            continue
        done.add((name, chosen))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
        for requirement in _requirements(found[name], chosen):
            other = canonicalize_name(requirement.name)
            needs.setdefault(name, set()).add(other)
            waiting.append((other, frozenset(requirement.extras)))
    parts = [_component(name, found[name]) for name in sorted(found) if name != ROOT_NAME]
    links: list[Json] = [
        {
            "ref": _reference(found[name]),
            "dependsOn": sorted(_reference(found[n]) for n in needs.get(name, ()) & found.keys()),
        }
        for name in sorted(found)
    ]
    content = json.dumps([parts, links], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": {**_component(ROOT_NAME, found[ROOT_NAME]), "type": "application"}},
        "components": parts,
        "dependencies": links,
    }


def _requirements(installed: Distribution, extras: frozenset[str]) -> list[Requirement]:
    """Return the requirements that apply on this machine, with and without the extras."""
    environments = [{"extra": extra} for extra in ("", *extras)]
    listed = [Requirement(text) for text in installed.requires or ()]
    return [one for one in listed if one.marker is None or any(map(one.marker.evaluate, environments))]


def _reference(installed: Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(installed.metadata['Name'])}@{installed.version}"


def _component(name: str, installed: Distribution) -> Json:
    reference = _reference(installed)
    part: Json = {"type": "library", "bom-ref": reference, "name": name, "version": installed.version}
    licence = _licence(installed)
    return {**part, "purl": reference, **({"licenses": [licence]} if licence else {})}


def _licence(installed: Distribution) -> Json:
    """Return the licence as SPDX expression, or by the name that the distribution gives; empty if it gives none."""
    fields = installed.metadata
    if "License-Expression" in fields:
        return {"expression": fields["License-Expression"]}
    names = [re.sub(r".*:: ", "", line) for line in fields.get_all("Classifier") or () if line.startswith("License ::")]
    text = fields["License"].strip() if "License" in fields else ""
    if not names and text and len(text) <= LONGEST_LICENCE and "\n" not in text:
        names = [text]
    return {"license": {"name": " or ".join(names)}} if names else {}


if __name__ == "__main__":
    json.dump(bill_of_materials(), sys.stdout, indent=2)
    sys.stdout.write("\n")
