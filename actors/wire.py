"""What crosses between worker and kernel: MessagePack arrays in one `bytes`.

Bytes are the cheapest argument Ray has, and arrays without field names the
smallest encoding; a tool's arguments travel as the JSON text that is decided.
"""

from __future__ import annotations

import msgspec

from governor.actions import Action, AttemptState
from governor.decisions import Decision
from governor.records import Conduct, Reward


class Question(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An action and its attempt's state: all that a decision depends on."""

    action: Action
    so_far: AttemptState


class Bill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A task reward and a conduct: all that a reward depends on."""

    task: float
    conduct: Conduct


encode = msgspec.msgpack.Encoder().encode
questions = msgspec.msgpack.Decoder(list[Question]).decode
decisions = msgspec.msgpack.Decoder(list[Decision]).decode
bills = msgspec.msgpack.Decoder(list[Bill]).decode
rewards = msgspec.msgpack.Decoder(list[Reward]).decode
