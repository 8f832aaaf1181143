"""Mutation testing of judging: `python -m tests.mutation [--sample 300] [--seed 1] [module.py ...]`.

It needs `pip install cosmic-ray`. Each mutant changes one expression of a module. A forked process judges random orders
and worked examples with the changed SQL, and compares them with the reference implementation. The reference verdicts
are computed once. A mutant survives if no test fails. An error counts as a failed test. Annotations are not changed. It
is not part of CI, because a mutant takes seconds.
"""

import argparse
import ast
import importlib
import importlib.abc
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

# installed for this program only
from cosmic_ray.ast import ast_nodes, get_ast_from_path  # type: ignore[import-not-found, import-untyped, unused-ignore]
from cosmic_ray.mutating import mutate_code  # type: ignore[import-not-found, import-untyped, unused-ignore]
from cosmic_ray.plugins import get_operator, operator_names  # type: ignore[import-not-found, import-untyped, unused-ignore]

from metrics.schema import metadata
from tests.reference.draws import drawn
from tests.reference.random_orders import populated
from tests.reference.random_worlds import World, worlds
from tests.reference.verdicts import judge
from tests.support.engines import memory
from tests.support.rule_cases import judged_alike

ROOT = Path(__file__).resolve().parents[1]
JUDGING = (
    "due_dates",
    "promise_revisions",
    "owed",
    "returns",
    "receipts",
    "billing",
    "line_verdicts",
    "order_verdicts",
    "tables",
)
MODULES = ("metrics/policy.py", *(f"metrics/facts/orders/{name}.py" for name in JUDGING))
"""Modules to change by default: the policy and the order facts."""
COMPARISONS = (
    "tests.metrics.facts.orders.worlds",
    "tests.metrics.facts.orders.compare_verdicts",
    "tests.metrics.facts.orders.test_reference_agrees",
)
"""Modules that import the changed modules: worlds, the comparison and the tests. A fork imports them again."""
SECONDS_A_MUTANT = 180
STARTS, HISTORIES = (6, 8, 5, 12, 7, 2), 60
"""Random worlds with different policies and feeds, the most sensitive first, and the number of orders in each."""
PENDING = 10
"""A random world with many orders that are not due yet."""
QUIETLY = ("-q", "-x", "-n0", "--assert=plain", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "filterwarnings=")
VARIABLES = "core/Variable"
"""Operators that need variable names. They are left out."""

Mutant = tuple[str, str, int, int]
"""Module, operator, occurrence, line."""


def mutants(modules: list[str]) -> list[Mutant]:
    """Return every change of Cosmic Ray's operators, in a fixed order."""
    changes = []
    for module in modules:
        tree = get_ast_from_path(ROOT / module)
        noted = annotations((ROOT / module).read_text(encoding="utf-8"))
        for name in sorted(operator_names()):
            if name.startswith(VARIABLES):
                continue
            operator = get_operator(name)()
            places = [start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node)]
            changes += [
                (module, name, occurrence, start[0])
                for occurrence, start in enumerate(places)
                if not any(first <= start < last for first, last in noted)
            ]
    return changes


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the positions of annotations: from (line, column) up to (line, column)."""
    nodes = list(ast.walk(ast.parse(source)))
    types = [node.annotation for node in nodes if isinstance(node, (ast.arg, ast.AnnAssign))]
    types += [node.returns for node in nodes if isinstance(node, ast.FunctionDef)]
    return [
        ((annotation.lineno, annotation.col_offset), (annotation.end_lineno or 0, annotation.end_col_offset or 0))
        for annotation in types
        if annotation
    ]


def is_python(source: str) -> bool:
    """Return whether the source is valid Python."""
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def survivors(log: Path) -> list[Mutant]:
    """Return the survivors in the output of an earlier run."""
    results = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return [
        (result["module"], result["operator"], result["occurrence"], result["line"])
        for result in results
        if result["outcome"] == "survived"
    ]


# the base classes of the standard library have no types
class Changed(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):  # type: ignore[misc]
    """Import one module with changed source."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path, source

    # parameters of the import protocol
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """Return the spec of the changed module, else None."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        """Return the path of the module."""
        return str(self.path)

    def get_data(self, path: Any) -> bytes:  # noqa: ARG002
        """Return the changed source."""
        return self.source.encode()


def noticed(mutant: Mutant, source: str, among: list[World], judged: list[Any]) -> bool:
    """Return whether the tests fail with the changed source. They run in a forked process."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    signal.alarm(SECONDS_A_MUTANT)
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        module = mutant[0].removesuffix(".py").replace("/", ".")
        for name in (
            "metrics.policy",
            "metrics.facts.orders",
            *(f"metrics.facts.orders.{one}" for one in JUDGING),
            "tests.support.sql_facts",
            *COMPARISONS,
        ):
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, Changed(module, ROOT / mutant[0], source))
        sys.dont_write_bytecode = True

        for name in COMPARISONS:
            importlib.import_module(name)
        worlds_module, verdicts_module, tests_module = (sys.modules[name] for name in COMPARISONS)
        answers = {id(world.records): judgement for world, judgement in zip(among, judged, strict=True)}
        pytest.MonkeyPatch().setattr(verdicts_module, "judge", lambda records, *_: answers[id(records)])
        if module == "metrics.policy" and pytest.main([*QUIETLY, "tests/metrics/test_policy.py"]):
            os._exit(1)
        engine = memory()
        with engine.connect() as connection:
            metadata.create_all(connection)
            worlds_module.compare(connection, among, verdicts_module.verdict_differences)
            tests_module.test_verdict_stays_the_same_until_next_change_at(connection, PENDING)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - any error counts as a failed test
        os._exit(1)


def main() -> None:
    """Run the tests for each mutant, and print the results."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", default=list(MODULES), help="modules to change (default: policy and judging)"
    )
    parser.add_argument("--sample", type=int, default=300, help="number of random mutants (default: 300; 0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="stop after this many minutes")
    parser.add_argument("--again", type=Path, help="repeat only the survivors in this log of an earlier run")
    options = parser.parse_args()
    among = [populated(drawn(worlds(), 1, start=start)[0], HISTORIES, start=start) for start in STARTS]
    together = sorted((case for case, _ in judged_alike()), key=lambda case: -len(case.records["orders"]))
    among += [World(case.as_of.date(), case.records, case.policy, case.as_of, case.mapped) for case in together]
    judged = [judge(world.records, world.policy, world.as_of, world.mapped) for world in among]
    unchanged = (options.modules[0], "none", 0, 0)
    if noticed(unchanged, (ROOT / options.modules[0]).read_text(encoding="utf-8"), among, judged):
        sys.exit("the tests fail without a mutant; fix them first")
    able = mutants(options.modules)
    chosen = survivors(options.again) if options.again else random.Random(options.seed).sample(able, len(able))
    counts: Counter[tuple[str, str]] = Counter()
    begun = time.monotonic()
    for mutant in chosen:
        if time.monotonic() - begun > options.minutes * 60 or (options.sample and counts.total() >= options.sample):
            break
        module, operator, occurrence, line = mutant
        source = mutate_code((ROOT / module).read_text(encoding="utf-8"), get_operator(operator)(), occurrence)
        if source is None or not is_python(source):
            continue
        outcome = "killed" if noticed(mutant, source, among, judged) else "survived"
        counts[module, outcome] += 1
        print(
            json.dumps(
                {"outcome": outcome, "module": module, "line": line, "operator": operator, "occurrence": occurrence}
            ),
            flush=True,
        )
    for module in options.modules:
        killed, survived = counts[module, "killed"], counts[module, "survived"]
        print(f"{module}: {killed} of {killed + survived} killed")
    killed = sum(number for (_, outcome), number in counts.items() if outcome == "killed")
    print(f"score {killed / max(counts.total(), 1):.1%} of {counts.total()} mutants; {len(able)} mutants exist")


if __name__ == "__main__":
    main()
