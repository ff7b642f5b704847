"""How jobs on fakes are played to bring out bugs of the record that no mutant's trial brings out."""

from __future__ import annotations

from chaos.mutants.trials import Play
from chaos.on_fakes import JOB_ID, FakeJob


def topic_made_anew(job: FakeJob) -> None:
    """The topic is deleted and made anew before the second send."""
    job.faults.before("sink.send", 2, job.partition.recreate)
    job.finish()


def checkpoint_counts_seven_rows(job: FakeJob) -> None:
    """The second run finds a checkpoint that counts more rows than there are records."""
    job.attempt()
    job.table.put(JOB_ID, {**job.item, "last_line": 7, "byte_offset": job.workload.ranges[6].line_end})
    job.finish()


def tail_lost(offsets_beyond: int) -> Play:
    """Return the play in which the partition is cut so many offsets behind what the checkpoint counts."""

    def play(job: FakeJob) -> None:
        job.attempt()
        job.partition.truncate(int(job.item["next_offset"]) + offsets_beyond)
        job.finish()

    return play
