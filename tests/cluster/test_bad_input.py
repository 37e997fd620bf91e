"""Each mistake is one line that names the place and the nearest valid name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster import components
from cluster.run_config import load_run
from governor.config import Component
from governor.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sql_agent" / "run.yaml"
POLICY = {"version": 1, "policies": [{"type": "sql", "read_only": True}]}
RUN = {
    "policy": "policy.yaml",
    "agent": {"use": "toys:Agent"},
    "algorithm": {"use": "toys:Algorithm"},
    "dataset": {"use": "toys:dataset"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    return tmp_path


def write(folder: Path, **changes: object) -> Path:
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(RUN | changes, sort_keys=False))
    return file


def in_one_line(error: ConfigError, said: list[str]) -> None:
    message = str(error)
    assert "\n" not in message
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wrokers": 3}, ["run.yaml:", "`wrokers`", "did you mean `workers`"]),
        ({"workers": 0}, ["run.yaml:", "`workers`"]),
        ({"workers": "many"}, ["run.yaml:", "`workers`", "many"]),
        ({"governor": "maybe"}, ["run.yaml:", "`governor`", "maybe"]),
        ({"rewards": {"scheme": "aditive"}}, ["run.yaml:", "aditive", "did you mean `additive`"]),
        ({"rewards": {"scheme": "additive", "mots": 1}}, ["mots", "did you mean `most`"]),
        ({"kernels": {"replica": 2}}, ["`kernels.replica`", "did you mean `replicas`"]),
        ({"audit": {"mode": "stric"}}, ["`audit.mode`", "stric"]),
        ({"agent": {"use": "toys"}}, ["`agent.use`", "toys"]),
        ({"agent": None}, ["`agent`"]),
        ({"policy": "polcy.yaml"}, ["polcy.yaml"]),
    ],
)
def test_a_mistake_in_the_run_file_is_named(
    folder: Path, changes: dict[str, object], said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_run(write(folder, **changes))

    in_one_line(caught.value, said)


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ([{"type": "sqll"}], ["policy.yaml:", "sqll", "did you mean `sql`"]),
        ([{"type": "sql", "deny": ["DELTE"]}], ["policy.yaml:", "DELTE", "did you mean `DELETE`"]),
        ([{"type": "sql", "readonly": True}], ["policy.yaml:", "readonly", "did you mean `read_only`"]),
        ([{"type": "call_budget", "calls": 0}], ["policy.yaml:", "calls"]),
        ([], ["policy.yaml", "policies"]),
    ],
)
def test_a_mistake_in_the_bundle_is_named(folder: Path, policies: list[object], said: list[str]) -> None:
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY | {"policies": policies}, sort_keys=False))

    with pytest.raises(ConfigError) as caught:
        load_run(write(folder))

    in_one_line(caught.value, said)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["wrokers=3"], ["wrokers", "did you mean `workers`"]),
        (["workers"], ["workers", "key=value"]),
        (["rewards.scheme=seeed"], ["seeed", "did you mean `seed`"]),
        (["workers=lots"], ["workers", "lots"]),
    ],
)
def test_a_mistake_in_an_override_is_named(folder: Path, overrides: list[str], said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_run(write(folder), overrides)

    in_one_line(caught.value, said)


def test_overrides_and_file_agree_on_off() -> None:
    assert load_run(EXAMPLE, ["governor=off"]).config.governor == "off"


def test_the_shipped_example_loads_and_its_policies_are_absolute() -> None:
    loaded = load_run(EXAMPLE)

    assert Path(str(loaded.config.policy)).is_absolute()
    assert all(folder.is_absolute() for folder in loaded.config.path)


class Toy:
    def __init__(self, size: int = 1, *, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        if size < 0:
            raise ValueError("a negative size")


def make(use: str, **options: object) -> Toy:
    component = Component.model_validate({"use": use, **options})
    return components.make(component, Toy, where="agent", defaults={"seed": 7})


def test_a_component_gets_its_options_and_the_runs_seed() -> None:
    assert (make(f"{__name__}:Toy", size=3).size, make(f"{__name__}:Toy").seed) == (3, 7)
    assert make(f"{__name__}:Toy", seed=1).seed == 1


@pytest.mark.parametrize(
    ("use", "options", "said"),
    [
        ("no_such_module:Toy", {}, "no module `no_such_module`"),
        (f"{__name__}:Toyy", {}, "did you mean `Toy`"),
        (f"{__name__}:Toy", {"sise": 3}, "`agent.sise`: unknown option"),
        (f"{__name__}:Toy", {"size": -1}, "a negative size"),
        (f"{__name__}:make", {"use_": 1}, "`agent"),
        (f"{__name__}:ROOT", {}, "cannot be called"),
        ("os:getcwd", {}, "made a str, not a Toy"),
    ],
)
def test_a_component_that_cannot_be_made_is_named(use: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(use, **options)

    assert said in str(caught.value)


def governor(*args: str, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster.main", *args],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env=os.environ | {"PYTHONPATH": str(path)},
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "missing.yaml"], "missing.yaml"),
        (["run", str(EXAMPLE), "wrokers=3"], "did you mean `workers`"),
        (["run", str(EXAMPLE), "--address", "127.0.0.1:1"], "no Ray at `127.0.0.1:1`"),
        (["run", str(EXAMPLE), "run_dir=README.md/x"], "run_dir"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_the_command_says_it_in_one_line_and_exits_with_2(args: list[str], said: str, tmp_path: Path) -> None:
    before = set(ROOT.iterdir())

    done = governor(*args)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert set(ROOT.iterdir()) - before <= {ROOT / ".cache"}


def test_another_agentlightning_is_named_with_the_one_to_install(tmp_path: Path) -> None:
    installed = tmp_path / "agentlightning-1.0.2.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: agentlightning\nVersion: 1.0.2\n")

    done = governor("run", str(EXAMPLE), path=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("error: agentlightning 1.0.2 is installed; this needs 0.3")
    assert len(done.stderr.splitlines()) == 1
