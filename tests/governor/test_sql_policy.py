import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from governor.actions import Action, AttemptState
from governor.decisions import Effect, Finding, Severity
from governor.model import canonical_json
from governor.policies import SQLPolicy
from governor.policies.sql.vocabulary import CLASSES, DIALECTS, RULES

ROOT = Path(__file__).parents[2]
CORPORA = ROOT.parent / "shared" / "corpora"
GROUPS = yaml.safe_load((ROOT / "tests" / "corpus" / "sql_cases.yaml").read_text())
CASES = {name: (group["policy"], *case) for group in GROUPS for name, case in group["cases"].items()}
READ_ONLY = SQLPolicy(read_only=True)


def find(policy: SQLPolicy, args: dict[str, Any], tool: str = "run_sql") -> Finding | None:
    return policy.evaluate(Action("ro", "at", 1, tool, json.dumps(args)), AttemptState())


def judge(policy: SQLPolicy, text: str) -> Finding:
    found = find(policy, {"query": text})
    assert found is not None
    return found


@pytest.mark.parametrize("name", CASES)
def test_each_case_is_judged_as_it_says(name: str) -> None:
    options, text, rule = CASES[name]
    found = judge(SQLPolicy.model_validate(options), text)
    assert (found.rule, found.effect) == (rule, Effect.ALLOW if rule == "sql" else Effect.DENY)


def test_no_two_cases_have_one_name() -> None:
    assert len(CASES) == sum(len(group["cases"]) for group in GROUPS)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=60)
@given(text=st.text() | st.text(alphabet="()[]'\"`;,.*=<>-/!#$@ \nselctfromwh1%\\"))
def test_no_text_raises(dialect: str, text: str) -> None:
    found = judge(SQLPolicy(dialect=dialect, read_only=True), text)
    assert found.rule in {"sql", *CLASSES, *RULES}


PLAIN = [
    case for case in CASES.values() if not re.search(r"['\"`\[$]|--|/\*|\\|[^\x00-\x7f]|:|@|\0", case[1])
]


@settings(deadline=None, max_examples=200)
@given(
    case=st.sampled_from(PLAIN),
    upper=st.booleans(),
    gap=st.sampled_from([" ", "\n", "\t ", " /* x */ ", " -- x\n"]),
)
def test_case_spaces_and_comments_change_no_verdict(
    case: tuple[Any, str, str], upper: bool, gap: str
) -> None:
    options, text, rule = case
    text = gap.join((text.upper() if upper else text.lower()).split(" "))
    assert judge(SQLPolicy.model_validate({**options, "max_bytes": 20_000}), text).rule == rule


@settings(deadline=None, max_examples=100)
@given(
    case=st.sampled_from([case for case in CASES.values() if "deny" not in case[0]]),
    more=st.sampled_from(sorted(CLASSES)),
)
def test_denying_more_allows_nothing_new(case: tuple[Any, str, str], more: str) -> None:
    options, text, rule = case
    found = judge(SQLPolicy.model_validate({**options, "deny": [more]}), text)
    assert found.effect is Effect.DENY or rule == "sql"


def test_verdicts_are_equal_under_every_hash_seed() -> None:
    child = (
        "import json, sys\n"
        "from governor import Action, AttemptState, SQLPolicy\n"
        "for options, text, _ in json.load(sys.stdin):\n"
        "    action = Action('ro', 'at', 1, 'run_sql', json.dumps({'query': text}))\n"
        "    print(SQLPolicy.model_validate(options).evaluate(action, AttemptState()))\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", child],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for seed in ("0", "1", "42", "4711")
    ]
    cases = json.dumps(list(CASES.values())).encode()
    outputs = {process.communicate(cases)[0] for process in children}
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == len(CASES)


@pytest.mark.parametrize(
    ("args", "where"),
    [
        ({"sql": "DROP TABLE t"}, "/sql"),
        ({"Query": "DROP TABLE t"}, "/Query"),
        ({"input": [{"a/b": {"statement": "DROP TABLE t"}}]}, "/input/0/a~1b/statement"),
        ({"query": ["SELECT 1", "DROP TABLE t"]}, "/query/1"),
        ({"query": {"text": "DROP TABLE t"}}, "/query/text"),
        ({"sql": "SELECT 1", "query": "DROP TABLE t"}, "/query"),
    ],
)
def test_sql_is_found_whatever_it_is_wrapped_in(args: dict[str, Any], where: str) -> None:
    found = find(READ_ONLY, args, tool="renamed")
    assert found == Finding("sql", "drop", Effect.DENY, Severity.CRITICAL, "`DROP` is denied", where)


def test_a_call_without_sql_is_none_of_its_business() -> None:
    assert find(READ_ONLY, {"path": "DROP TABLE t", "query": 3}) is None


def test_only_the_named_argument_of_a_listed_tool_is_judged() -> None:
    policy = SQLPolicy(read_only=True, tools={"run": "code"})
    assert find(policy, {"query": "DROP TABLE t"}, tool="run_sql") is None
    found = find(policy, {"query": "DROP TABLE t", "deep": {"code": "SELECT 1"}}, tool="run")
    assert found == Finding("sql", "sql", Effect.ALLOW, where="/deep/code")


@pytest.mark.parametrize(
    "args", [{}, {"code": 3}, {"code": None}, {"Code": "SELECT 1"}, {"code": ["SELECT 1"]}]
)
def test_a_listed_tool_without_its_text_is_denied(args: dict[str, Any]) -> None:
    found = find(SQLPolicy(read_only=True, tools={"run": "code"}), args, tool="run")
    assert found is not None
    assert found.rule == "argument"


@pytest.mark.parametrize("args", ["[1]", "nonsense", "[" * 100_000])
def test_arguments_that_are_no_object_are_denied(args: str) -> None:
    found = READ_ONLY.evaluate(Action("ro", "at", 1, "run_sql", args), AttemptState())
    assert found is not None
    assert found.rule == "argument"


def test_severities_go_by_verb_then_by_rule() -> None:
    policy = SQLPolicy(
        read_only=True, severities={"drop": Severity.LOW, "Revoke": Severity.CRITICAL, "Size": "none"}
    )
    assert judge(policy, "DROP TABLE t").severity is Severity.LOW
    assert judge(policy, "REVOKE ALL ON t FROM u").severity is Severity.CRITICAL
    assert judge(policy, "GRANT ALL ON t TO u").severity is Severity.HIGH
    assert judge(policy, "x" * 30_000).severity is Severity.NONE


def test_names_are_kept_in_one_spelling() -> None:
    policy = SQLPolicy(deny=["delete", "Drop", "EXEC", "Dcl", "DELETE"])
    assert policy.denied == ("DELETE", "DROP", "EXECUTE", "dcl")
    assert SQLPolicy.model_validate(policy.model_dump()) == policy
    assert canonical_json(policy.model_dump(mode="json")).count('"DELETE"') == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deny": ["DELTE"]}, "unknown verb `DELTE`; did you mean `DELETE`?"),
        ({"allow": ["sesion"]}, "unknown verb `sesion`; did you mean `session`?"),
        ({"deny": ["DROP"], "dialect": "postgress"}, "unknown dialect `postgress`; did you mean `postgres`?"),
        (
            {"deny": ["DROP"], "severities": {"unparseable": "low"}},
            "unknown rule `unparseable`; did you mean `unparsable`?",
        ),
        ({}, "restricts nothing; set `read_only`, `deny`, `allow`, `tables` or `columns`"),
    ],
)
def test_a_misspelt_option_is_told_with_the_nearest_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SQLPolicy.model_validate(options)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == message


def corpus(name: str, columns: list[str]) -> list[dict[str, Any]]:
    path = CORPORA / name
    if not path.exists():
        pytest.skip(f"the corpus {path} is not there")
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    return rows


def test_sqlite_lets_no_effect_through_and_few_readers_are_refused() -> None:
    rows = corpus(
        "sql_sqlite_dev.parquet", ["sql", "group", "truth_effect_positive", "truth_benign_negative"]
    )
    rows = [row for row in rows if row["truth_effect_positive"] or row["group"] == "spider"][::2] + rows[::5]
    missed = [
        row["sql"]
        for row in rows
        if row["truth_effect_positive"] and judge(READ_ONLY, row["sql"]).effect is Effect.ALLOW
    ]
    benign = [row for row in rows if row["truth_benign_negative"]]
    refused = [row for row in benign if judge(READ_ONLY, row["sql"]).effect is Effect.DENY]
    assert not missed
    assert not [row["sql"] for row in refused if row["group"] == "spider"]
    assert len(refused) <= 0.025 * len(benign)


def test_postgres_lets_no_change_through() -> None:
    policy = SQLPolicy(read_only=True, dialect="postgres")
    rows = corpus("sql_postgres_dev.parquet", ["sql", "pos"])[::2]
    assert not [row["sql"] for row in rows if row["pos"] and judge(policy, row["sql"]).effect is Effect.ALLOW]
