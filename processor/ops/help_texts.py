"""What `COMMAND --help` says before and after the flags; at most 78 columns wide."""

from __future__ import annotations

RUN = (
    """\
Move the rows into the partition, each exactly once, in file order. Start the
same command again after any death: it goes on where it was. Each step is one
JSON line on stdout; an error is one line on stderr with a hint. At a terminal a
bar on stderr takes the place of the steps that go well. A bad row ends the run,
or is skipped and counted, or sent to another topic (--on-bad-row).

With --dry-run, parse the whole object, count its rows, name bad ones, and look
at rights, topic and state as a run would. Sends nothing, claims nothing.
""",
    """\
examples:
  csv-to-kafka run --source s3://bucket/big.csv --topic rows \\
      --bootstrap-servers broker:9092 --checkpoint-table checkpoints
  csv-to-kafka run --dry-run        # with the settings in the environment

exit codes: 0 done; 2 change something; 3 the object changed; 4 a newer run
owns the job; 5 bad row; 6 states contradict each other; 70 a bug; 75 try
again; 130, 143 stopped. --dry-run ends with the code of the run.
""",
)

STATUS = (
    """\
Say what the checkpoint table knows of a job: rows, share of the bytes, rate of
the last run, epoch, age of the last save, time to the end, status, last error.
Name the job by --job-id, or by --source, --topic and --partition as its run.

The object's size is asked of S3; where that fails, the share is unknown. With
--topic and --bootstrap-servers Kafka's position is read as well: it is the
truth, and may be ahead of the checkpoint.
""",
    """\
examples:
  csv-to-kafka status --all --checkpoint-table checkpoints
  csv-to-kafka status --job-id big.csv-1a2b3c4d --json

exit codes: 0 also for a job that failed, read its status; 2 no such job or
table; others as of run
""",
)

VERIFY = (
    """\
Compare the committed records with the rows of the object, one by one, from the
job's first offset on. Prints the first ten differences: row, offset, and the
bytes expected and seen. Give it the settings of the run.

It may run beside the job: then the rows are due that were committed when it
began. What retention has taken is said and cannot be compared. Bad rows have
no record, and their number must be what the job counts as skipped.
""",
    """\
examples:
  csv-to-kafka verify               # with the settings in the environment

exit codes: 0 no difference; 1 a difference; others as of run
""",
)

RESET = (
    """\
Let the job go on from its start, or from --to-row. Claims the job and shuts its
producers out first, so that a run at work ends with 4. Then stores the row, its
byte, and the end of the partition as the job's new first offset.

Nothing is deleted: rows that were sent before come again, behind the new first
offset, from which on the promise holds. May be killed at any moment and run
again. In at-least-once nothing shuts a run out: stop it first. To the start,
the object may be another one than before; to a row it may not.
""",
    """\
examples:
  csv-to-kafka reset                # to the start, after a question
  csv-to-kafka reset --to-row 120000 --yes

exit codes: 0 reset, start the job again; 2 not confirmed, no such job or row;
4 a run has claimed the job meanwhile; others as of run
""",
)

COMPLETION = (
    """\
Print a script that makes the shell complete commands and flags. Needs shtab:
pip install 'csv-to-kafka[completion]'.
""",
    """\
examples:
  csv-to-kafka completion bash > ~/.csv-to-kafka-completion
  echo 'source ~/.csv-to-kafka-completion' >> ~/.bashrc
""",
)

HELP = {"run": RUN, "status": STATUS, "verify": VERIFY, "reset": RESET, "completion": COMPLETION}
