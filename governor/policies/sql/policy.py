"""SQL in the arguments of tool calls, judged by what it would do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, PositiveInt, model_validator

from governor.actions import Action, AttemptState
from governor.decisions import Finding, Severity
from governor.model import Name
from governor.policies.base import Policy
from governor.policies.sql.access import Access, LowerNames, column_objections, in_order, table_objections
from governor.policies.sql.arguments import members, sql_arguments
from governor.policies.sql.functions import HARMFUL
from governor.policies.sql.vocabulary import (
    CLASSES,
    DIALECTS,
    RULES,
    SHOWN,
    UNSEEN,
    Deed,
    Objection,
    canonical,
    canonical_rule,
)
from governor.wording import did_you_mean

if TYPE_CHECKING:
    from governor.policies.sql.statements import Statement


def _dialect(name: str) -> str:
    if name.lower() not in DIALECTS:
        raise ValueError(f"unknown dialect `{name}`{did_you_mean(name, DIALECTS)}")
    return name.lower()


Verbs = Annotated[tuple[Annotated[Name, AfterValidator(canonical)], ...], AfterValidator(in_order)]
Rule = Annotated[Name, AfterValidator(canonical_rule)]


class SQLPolicy(Policy):
    """Judge SQL by its syntax tree; what is not understood is denied.

    Arguments named query, sql or statement are judged, at any depth and of any
    tool; with `tools`, the named argument of the listed tools only. `deny` and
    `allow` hold verbs (DROP) or effect classes (dcl); `read_only` permits what
    only reads. Views, triggers and functions made in the database are out of
    sight: let the engine refuse as well, by a read-only role or an authorizer.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    type: Literal["sql"] = "sql"
    dialect: Annotated[str, AfterValidator(_dialect)] = "sqlite"
    read_only: bool = False
    denied: Verbs = Field(default=(), alias="deny")
    allowed: Verbs | None = Field(default=None, alias="allow")
    tools: dict[Name, Name] | None = None
    tables: Access = Access()
    columns: Access = Access()
    functions: LowerNames = ()
    """Functions that may be called besides those of the engine that only compute."""
    max_statements: PositiveInt = 1
    max_bytes: PositiveInt = 20_000
    severities: dict[Rule, Severity] = Field(default_factory=dict)
    """What a verb, an effect class or a rule costs, where it is not the default."""

    @model_validator(mode="after")
    def _restricts_something(self) -> Self:
        if self.read_only or self.denied or self.allowed is not None:
            return self
        if self.tables != Access() or self.columns != Access():
            return self
        raise ValueError("restricts nothing; set `read_only`, `deny`, `allow`, `tables` or `columns`")

    @property
    def engine(self) -> str:
        return f"sqlglot {version('sqlglot')}"

    def evaluate(self, action: Action, so_far: AttemptState) -> Finding | None:
        """The worst finding over all SQL of the call; never raises for any arguments."""
        if self.tools is not None and action.tool not in self.tools:
            return None
        try:
            arguments = action.arguments
        except (ValueError, RecursionError):
            return self._object(Objection("argument", "the arguments are not a JSON object"), "")
        findings = [self._judge(text, where) for where, text in self._sql_of(action.tool, arguments)]
        if self.tools is not None and not findings:
            missing = f"the argument `{self.tools[action.tool]}` is missing"
            return self._object(Objection("argument", missing), "")
        return max(findings, key=lambda found: (found.effect.rank, found.severity.rank), default=None)

    def _sql_of(self, tool: str, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        if self.tools is None:
            return sql_arguments(arguments)
        wanted = self.tools[tool]
        return ((where, value) for where, name, value in members(arguments) if name == wanted)

    def _judge(self, text: Any, where: str) -> Finding:
        if not isinstance(text, str):
            return self._object(Objection("argument", "the argument must be a text of SQL"), where)
        if len(text) > self.max_bytes or len(text.encode(errors="surrogatepass")) > self.max_bytes:
            return self._object(Objection("size", f"the text is longer than {self.max_bytes} bytes"), where)
        objections = list(self._objections(text))
        if not objections:
            return self.allow("sql", where=where)
        return self._object(max(objections, key=lambda objection: self._severity(objection).rank), where)

    def _objections(self, text: str) -> Iterator[Objection]:
        from governor.policies.sql.reading import read  # sqlglot takes 0.2 s to import

        reading = read(text, self.dialect)
        if len(reading) > self.max_statements:
            yield Objection("statements", f"{len(reading)} statements in one call are denied")
        for statement in reading:
            if isinstance(statement, Objection):
                yield statement
            else:
                yield from self._against(statement)

    def _against(self, statement: Statement) -> Iterator[Objection]:
        yield from (deed.objection for deed in statement.deeds if self._denies(deed))
        if statement.unread and not self._licenses(statement):
            yield statement.unread
        for name in statement.functions:
            if name not in self.functions and not self._permits_function(name):
                rule = HARMFUL.get(name.rpartition(".")[2], "function")
                yield Objection(rule, f"the function `{name[:SHOWN]}` is denied")
        yield from table_objections(self.tables, statement.names, self.dialect)
        yield from column_objections(self.columns, statement.names, self.dialect)
        for verb in statement.unbounded:
            yield Objection("unbounded-write", f"`{verb}` of every row is denied; add a condition")

    def _denies(self, deed: Deed) -> bool:
        if self.read_only and deed.kind != "read":
            return True
        if self.allowed is not None and deed.allowed_by.isdisjoint(self.allowed):
            return True
        return not deed.denied_by.isdisjoint(self.denied)

    def _licenses(self, statement: Statement) -> bool:
        """Whether `allow` is there to say that CALL, COPY and their like may run unseen."""
        return self.allowed is not None and all(deed.verb in UNSEEN for deed in statement.deeds)

    def _permits_function(self, name: str) -> bool:
        """Whether `allow` names the effect of a function, as `sleep` for `pg_sleep`."""
        kind = HARMFUL.get(name)
        return self.allowed is not None and kind is not None and not self._denies(Deed(name, kind))

    def _severity(self, objection: Objection) -> Severity:
        for name in (objection.verb, objection.rule):
            if name in self.severities:
                return self.severities[name]
        return CLASSES.get(objection.rule) or RULES[objection.rule]

    def _object(self, objection: Objection, where: str) -> Finding:
        return self.deny(objection.rule, objection.reason, self._severity(objection), where)
