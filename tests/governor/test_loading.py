from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PositiveInt

from governor.errors import ConfigError
from governor.loading import apply_overrides, did_you_mean, load, parse
from governor.model import Frozen
from governor.policies import AnyPolicy


class Scheme(Frozen):
    scheme: str


class Additive(Scheme):
    scheme: Literal["additive"] = "additive"
    weight: Annotated[float, Field(ge=0, le=10)] = 1.0


class Lagrangian(Scheme):
    scheme: Literal["lagrangian"] = "lagrangian"


class Sink(Frozen):
    path: Path
    every: PositiveInt = 1


class Run(Frozen):
    workers: PositiveInt = 1
    governor: Literal["on", "off"] = "on"
    name: str | None = None
    note: str = ""
    rewards: Annotated[Additive | Lagrangian, Field(discriminator="scheme")] = Additive()
    policies: tuple[AnyPolicy, ...] = ()
    sinks: dict[str, Sink] = Field(default_factory=dict)
    extra: int | Sink | None = None
    dry: bool = False


def complaint(text: str, overrides: tuple[str, ...] = (), source: str = "run.yaml") -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, Run, source, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wrokers: 8", "run.yaml:1:1: `wrokers`: unknown key; did you mean `workers`?"),
        (
            "rewards:\n  scheme: additive\n  wieght: 2",
            "run.yaml:3:3: `rewards.wieght`: unknown key; did you mean `weight`?",
        ),
        (
            "rewards:\n  shceme: additive",
            "run.yaml:2:3: `rewards.shceme`: unknown key; did you mean `scheme`?",
        ),
        ("rewards: {}", "run.yaml:1:1: `rewards.scheme`: is missing"),
        (
            "rewards: {scheme: aditive}",
            "run.yaml:1:11: `rewards.scheme`: unknown scheme `aditive`; did you mean `additive`?",
        ),
        (
            "rewards: {scheme: x}",
            "run.yaml:1:11: `rewards.scheme`: unknown scheme `x`; known are `additive`, `lagrangian`",
        ),
        (
            "policies:\n  - type: sqll",
            "run.yaml:2:5: `policies.0.type`: unknown policy type `sqll`; did you mean `sql`?",
        ),
        (
            "policies:\n  - type: sql\n    deny: [DROP, DELTE]",
            "run.yaml:3:18: `policies.0.deny.1`: unknown verb `DELTE`; did you mean `DELETE`?",
        ),
        (
            "policies:\n  - type: sql\n    tables: {alow: []}",
            "run.yaml:3:14: `policies.0.tables.alow`: unknown key; did you mean `allow`?",
        ),
        (
            "policies:\n  - type: sql\n    deny: DROP",
            "run.yaml:3:5: `policies.0.deny`: must be a list, not `DROP`",
        ),
        (
            "policies:\n  - type: call_budget\n    cals: 3",
            "run.yaml:3:5: `policies.0.cals`: unknown key; did you mean `calls`? (and 1 more)",
        ),
        ("policies:\n  - type: call_budget", "run.yaml:2:5: `policies.0.calls`: is missing"),
        (
            "sinks: {a: {path: x, evry: 2}}",
            "run.yaml:1:22: `sinks.a.evry`: unknown key; did you mean `every`?",
        ),
        ("extra: {pth: x}", "run.yaml:1:9: `extra.pth`: unknown key; did you mean `path`? (and 1 more)"),
        ("workers: zero", "run.yaml:1:1: `workers`: must be a whole number >= 1, not `zero`"),
        ("workers: 0", "run.yaml:1:1: `workers`: must be a whole number >= 1, not `0`"),
        ("workers: 1.5", "run.yaml:1:1: `workers`: must be a whole number >= 1, not `1.5`"),
        (
            "rewards: {scheme: additive, weight: 11}",
            "run.yaml:1:29: `rewards.weight`: must be a number >= 0 and <= 10, not `11`",
        ),
        (
            "rewards: {scheme: additive, weight: .nan}",
            "run.yaml:1:29: `rewards.weight`: must be a number >= 0 and <= 10, not `nan`",
        ),
        ("governor: of", "run.yaml:1:1: `governor`: must be one of `on`, `off`, not `of`"),
        ("dry: maybe", "run.yaml:1:1: `dry`: must be true or false, not `maybe`"),
        ("note: [a]", "run.yaml:1:1: `note`: must be a text, not a list"),
        ("note:", "run.yaml:1:1: `note`: must be a text, not nothing"),
        ("rewards: 3", "run.yaml:1:1: `rewards`: must be keys and values, not `3`"),
        ("policies: {}", "run.yaml:1:1: `policies`: must be a list, not keys and values"),
        ("note: 1\nworkers: 0\nx: 2", "run.yaml:1:1: `note`: must be a text, not `1` (and 2 more)"),
        ("a: 1\nb: 2\na: 3", "run.yaml:3:1: duplicate key `a`"),
        ("sinks: {a: 1, a: 2}", "run.yaml:1:15: duplicate key `a`"),
        ("? [a]\n: b", "run.yaml:1:3: key is no text"),
        ("a: b: c", "run.yaml:1:5: mapping values are not allowed here"),
        ("a: [1", "run.yaml:1:6: expected ',' or ']', but got '<stream end>'"),
        (
            "a: 1\n---\nb: 2",
            "run.yaml:2:1: expected a single document in the stream, but found another document",
        ),
        ("a: \x01", "run.yaml: holds a character that YAML does not allow"),
        ("", "run.yaml: is empty"),
        ("# nothing yet", "run.yaml: is empty"),
        ("- a", "run.yaml: must hold keys and values, not a list"),
        ("name: &a [*a]", "run.yaml:1:1: `name`: must be a text, not a list"),
    ],
)
def test_a_mistake_is_told_in_one_line(text: str, message: str) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = ", "run.toml:1:11: invalid value"),
        ("workers = 1\nworkers = 2", "run.toml:2:12: cannot overwrite a value"),
        ("workers = 'x'", "run.toml: `workers`: must be a whole number >= 1, not `x`"),
        (
            "[rewards]\nscheme = 'aditive'",
            "run.toml: `rewards.scheme`: unknown scheme `aditive`; did you mean `additive`?",
        ),
        ("", "run.toml: is empty"),
    ],
)
def test_a_mistake_in_toml_is_told_in_one_line(text: str, message: str) -> None:
    assert complaint(text, source="run.toml") == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("workers=zero",), "override `workers=zero`: `workers`: must be a whole number >= 1, not `zero`"),
        (("workers=2", "workers=0"), "override `workers=0`: `workers`: must be a whole number >= 1, not `0`"),
        (
            ("rewards.shceme=additive",),
            "override `rewards.shceme=additive`: `rewards.shceme`: unknown key; did you mean `scheme`?",
        ),
        (
            ("policies.0.deny=[DRP]",),
            "override `policies.0.deny=[DRP]`: `policies.0.deny.0`: unknown verb `DRP`; did you mean `DROP`?",
        ),
        (("policies.1.deny=[DROP]",), "override `policies.1.deny=[DROP]`: `policies.1` does not exist"),
        (("policies.first=1",), "override `policies.first=1`: `policies.first` does not exist"),
        (("workers.a=1",), "override `workers.a=1`: `workers` holds one value only"),
        (("workers",), "override `workers`: must be `dotted.key=value`"),
        (("=8",), "override `=8`: must be `dotted.key=value`"),
        (("a..b=8",), "override `a..b=8`: must be `dotted.key=value`"),
        (("workers=[1",), "override `workers=[1`: `[1` is not a YAML value"),
    ],
)
def test_a_mistake_in_an_override_names_the_override(overrides: tuple[str, ...], message: str) -> None:
    text = "workers: 1\npolicies:\n  - type: sql\n    deny: [DROP]\n"
    assert complaint(text, overrides) == message


def test_overrides_are_typed_as_yaml_and_leave_the_data_alone() -> None:
    data: dict[str, Any] = {"workers": 2, "policies": [{"calls": 3}]}
    changed = apply_overrides(
        data, ["workers=8", "rewards.scheme=additive", "policies.0.calls=5", "governor=off"]
    )
    assert changed == {
        "workers": 8,
        "policies": [{"calls": 5}],
        "rewards": {"scheme": "additive"},
        "governor": "off",
    }
    assert data == {"workers": 2, "policies": [{"calls": 3}]}


def test_yaml_keeps_what_was_typed() -> None:
    run = parse("governor: off\nname: no\nnote: 12:30", Run)
    assert (run.governor, run.name, run.note) == ("off", "no", "12:30")
    assert parse("governor: on\nname: 2024-01-01\nnote: 'true'\ndry: true", Run).dry
    assert parse("workers: 010\nname: ~\nrewards: {scheme: additive, weight: 1e1}", Run).workers == 10


def test_anchors_and_merges_are_yaml() -> None:
    run = parse("sinks:\n  a: &a {path: x, every: 3}\n  b: {<<: *a, path: y}", Run)
    assert run.sinks["b"] == Sink(path=Path("y"), every=3)


def test_toml_and_yaml_say_the_same() -> None:
    toml = "workers = 3\n[rewards]\nscheme = 'lagrangian'\n"
    assert parse(toml, Run, "run.toml") == parse("workers: 3\nrewards: {scheme: lagrangian}", Run)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    latin, good = tmp_path / "latin.yaml", tmp_path / "good.yaml"
    latin.write_bytes(b"note: \xe9")
    good.write_text("\ufeffworkers: 4", encoding="utf-8")
    for path, message in {
        tmp_path / "none.yaml": "no such file",
        tmp_path: "is a directory, not a file",
        latin: "is not UTF-8 text (byte 6)",
        good / "below": "cannot be read: not a directory",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(path, Run)
        assert str(caught.value) == f"{path}: {message}"
    assert load(str(good), Run, ["dry=true"]) == Run(workers=4, dry=True)


@given(st.text())
def test_any_text_is_a_model_or_a_config_error(text: str) -> None:
    for source in ("x.yaml", "x.toml"):
        with suppress(ConfigError):
            assert isinstance(parse(text, Run, source), Run)


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert did_you_mean("delte", ["DELETE", "DROP"]) == "; did you mean `DELETE`?"
    assert did_you_mean("zzz", ["b", "a"]) == "; known are `a`, `b`"
    assert did_you_mean("zzz", []) == did_you_mean("zzz", map(str, range(20))) == ""
