"""In-memory fakes of the processor's ports, kept honest by the contract tests that the real adapters pass too.

What's here
    faults         when a call fails, crashes or takes effect late: the one seam for every fake
    object_bytes   FakeKey (what S3 holds under one key) and FakeObject (one run's view of it)
    entries        Content and Entry: what lies in a log
    partition      FakePartition: log, transaction coordinator and group offsets
    sink           FakeSink: one run's sink on a FakePartition
    checkpoints    FakeCheckpointTable (DynamoDB) and FakeCheckpoints (one run's view of its job)

The first of each pair outlives a crash; the second is one process and dies with it. Nothing here sleeps, draws
random numbers or reads a clock: the same schedule gives the same history.
"""

from harness.fakes.checkpoints import FakeCheckpoints, FakeCheckpointTable
from harness.fakes.entries import Content, Entry
from harness.fakes.faults import Crash, Ending, Fault, Faults
from harness.fakes.object_bytes import FakeKey, FakeObject
from harness.fakes.partition import FakePartition, GroupOffset, Producer
from harness.fakes.sink import ContractBroken, FakeSink

__all__ = [
    "Content",
    "ContractBroken",
    "Crash",
    "Ending",
    "Entry",
    "FakeCheckpointTable",
    "FakeCheckpoints",
    "FakeKey",
    "FakeObject",
    "FakePartition",
    "FakeSink",
    "Fault",
    "Faults",
    "GroupOffset",
    "Producer",
]
