"""Everything the governor raises.

GovernorError
  ConfigError            the configuration cannot be used
  GovernorUnavailable    a part of the governor did not answer in time
    DecisionUnavailable    no decision point answered
    AuditUnavailable       the audit log did not take a record
    PricingUnavailable     no reward aggregator answered
  UngovernedCall         a governed tool was called outside an attempt
  AttemptTerminated      a decision ended the attempt
  AuditError             the audit log cannot be written or read
    RunLocked              another writer holds the run
"""

from __future__ import annotations


class GovernorError(Exception):
    """Base of every error raised by this product."""


class ConfigError(GovernorError):
    """The configuration cannot be used."""


class GovernorUnavailable(GovernorError):
    """A part of the governor did not answer in time; the attempt has no reward."""


class DecisionUnavailable(GovernorUnavailable):
    """No decision point answered within the deadline."""


class AuditUnavailable(GovernorUnavailable):
    """The audit log did not take a record within the deadline."""


class PricingUnavailable(GovernorUnavailable):
    """No reward aggregator answered within the deadline."""


class UngovernedCall(GovernorError):
    """A governed tool was called outside a governed attempt."""


class AttemptTerminated(GovernorError):
    """A decision ended the attempt; no further action is taken."""


class AuditError(GovernorError):
    """The audit log cannot be written or read."""


class RunLocked(AuditError):
    """Another process writes to this run."""
