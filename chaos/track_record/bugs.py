"""The bugs, in the order in which they were found."""

from __future__ import annotations

from collections.abc import Mapping

from chaos.mutants.registry import Change
from chaos.mutants.trials import Trial, numbered
from chaos.track_record import old
from chaos.track_record.bug import Bug, ByTest, Interleaved, OnFakes, Told, convicted
from chaos.track_record.plays import checkpoint_counts_seven_rows, tail_lost, topic_made_anew
from processor.errors import Contradiction
from processor.model import Delivery

RESUME, SETTLE = "processor.opening.Opening.resume", "processor.opening.Opening._await_stable"
LOOKS_FOR_NO_RECORD: Mapping[str, Change] = {
    "processor.resume.require_tail": old.knows_the_end_by_the_checkpoint_alone,
    "processor.opening.require_record": old.looks_for_no_record,
}
GROWTH = "processor.processor.CSVToKafkaProcessor._require_growth"
REFUSED = Contradiction.exit_code
KILLED = None
LOST_COMMITS = "chaos/tests/test_nemesis_lost_commits.py"
THREE_BROKERS = "chaos/tests/test_three_brokers.py"
# What a strike on the partition or the item leaves behind for the judge, whatever the processor does afterwards.
ROWS_GONE = frozenset({"Truncated", "CheckpointAhead"})
UNSAVED_ROWS_GONE = frozenset({"Truncated", "TornTransaction"})

BUGS = (
    Bug(
        "lost-checkpoint-anew-in-two-writes",
        "A checkpoint made anew by two writes; a death between them and an expired position lost rows with exit 0",
        "a false alarm among the mutants",
        (convicted("makes-a-lost-checkpoint-anew-by-two-writes", KILLED, KILLED, 0),),
    ),
    Bug(
        "superseded-run-ends-with-6",
        "A superseded run read bounds, then a position that the newer run had moved meanwhile, and ended with 6 in the"
        " place of 4",
        "every interleaving of two runs",
        (
            Interleaved(
                "processors=2 rows=2 interval=1: 1 1 1 1 1 1 1 2 2 2 2 2 2 2 2 2 2 2 :position 1 1 1",
                {RESUME: old.lease_before_the_position},
            ),
        ),
    ),
    Bug(
        "superseded-run-ends-with-75",
        "A superseded run waited behind the newer one's transaction and ended with 75: start me again, and take the"
        " job back",
        "every interleaving of two runs",
        (
            Interleaved(
                "processors=2 rows=2 interval=1: 1 1 1 1 1 2 2 2 2 2 2 2 2 2 2 1 1 1 1 1 1 1 1 1 1",
                {SETTLE: old.waits_whoever_has_the_transaction_open},
            ),
        ),
    ),
    Bug(
        "claim-returns-the-rivals-lease",
        "A claim that was overtaken returned the rival's lease as its own",
        "contract tests",
        (
            Interleaved(
                "processors=2 rows=2 interval=1: 1 1 1 1 2 2 2 2 1 1 1 1 2 2 2 2 2 2 2 2 2 1 1 1",
                {"harness.fakes.checkpoints.FakeCheckpoints._claim": old.returns_whatever_lease_it_reads},
            ),
            ByTest(
                "harness/tests/contracts/test_checkpoints_contract.py",
                "TestClaim::test_two_racing_claims_get_two_epochs",
            ),
        ),
    ),
    Bug(
        "librdkafka-reads-behind-the-metadata",
        "Positions written by kafka-python were read with garbage behind them by librdkafka: exit 6 for a healthy job",
        "two runs with different clients",
        (ByTest("chaos/tests/test_kills.py", "test_a_job_may_change_its_client_between_two_attempts"),),
    ),
    Bug(
        "fatal-error-trips-over-a-callback",
        "A fatal librdkafka error tripped over the next callback: exit 70 in the place of 4",
        "a zombie under load",
        (
            ByTest("harness/tests/test_vendor_errors.py", "test_fatal_error_that_trips_over_a_callback_is_itself"),
            ByTest(
                "chaos/tests/test_two_runs.py",
                "test_a_zombie_that_wakes_up_after_the_newer_run_is_done_writes_nothing[confluent]",
            ),
        ),
    ),
    Bug(
        "old-leader-epoch-after-a-restart",
        "After a broker's restart the old admin client was refused for its leader epoch, five attempts in a row",
        "killing the broker",
        (ByTest("chaos/tests/test_broker_death.py", "test_a_run_outlives_its_broker"),),
    ),
    Bug(
        "waits-for-what-it-should-fence",
        "With the client confluent, a new run waited for the open transaction of a frozen one before it could fence it,"
        " and ended with 75",
        "a zombie on a quiet machine",
        (
            ByTest(
                "chaos/tests/test_two_runs.py",
                "test_a_zombie_that_wakes_up_after_the_newer_run_is_done_writes_nothing[confluent]",
            ),
        ),
    ),
    Bug(
        "topic-made-anew-under-a-run",
        "A topic made anew under a living run: the run went on in the new one and ended with 0, rows gone",
        "strikes on state",
        (
            OnFakes(
                Trial(numbered, event="the topic is made anew before the second send", play=topic_made_anew),
                (REFUSED,),
                {GROWTH: old.takes_any_offset},
                ROWS_GONE,
            ),
            ByTest(
                "chaos/tests/test_nemesis_partition.py",
                "TestThePartition::test_a_topic_made_anew_under_a_run_is_refused_instead_of_going_on_in_it",
            ),
        ),
    ),
    Bug(
        "at-least-once-believes-the-checkpoint",
        "At-least-once went on from a checkpoint that counted more rows than there were records",
        "strikes on state",
        (
            OnFakes(
                Trial(
                    numbered,
                    ("sink.send:3 crashes before",),
                    "then the checkpoint counts 7 rows in the place of 4",
                    checkpoint_counts_seven_rows,
                    delivery=Delivery.AT_LEAST_ONCE,
                ),
                (KILLED, REFUSED),
                {"processor.resume._require_room": old.counts_no_records},
                frozenset({"CheckpointAhead"}),
            ),
        ),
    ),
    Bug(
        "lost-tail-behind-markers",
        "A lost tail hid behind commit markers",
        "strikes on state",
        (
            OnFakes(
                Trial(
                    numbered,
                    ("checkpoints.save:3 crashes before",),
                    "then the partition loses what is one offset behind the checkpoint's",
                    tail_lost(1),
                ),
                (KILLED, REFUSED),
                LOOKS_FOR_NO_RECORD,
                UNSAVED_ROWS_GONE,
            ),
        ),
    ),
    Bug(
        "lost-tail-of-an-open-transaction",
        "A transaction that lost its end with the tail of the partition gave 75 for ever",
        "strikes on state",
        (
            OnFakes(
                Trial(
                    numbered,
                    ("sink.send:3 crashes before",),
                    "then the partition loses the last record that the checkpoint counts",
                    tail_lost(-1),
                ),
                (KILLED, REFUSED),
                {SETTLE: old.waits_whoever_has_the_transaction_open},
                ROWS_GONE | {"TornTransaction"},
            ),
        ),
    ),
    Bug(
        "answers-cut-within-their-heads",
        "An answer of S3 that was cut within its head was taken for a changed object, one of DynamoDB for no"
        " checkpoint",
        "strikes on the network",
        (
            ByTest(
                "chaos/tests/test_nemesis_network.py", "test_an_answer_of_s3_cut_within_its_head_is_no_changed_object"
            ),
            ByTest("chaos/tests/test_nemesis_network.py", "test_a_run_heals_from_faults_on_the_way_to_dynamodb"),
        ),
    ),
    Bug(
        "deaf-while-it-waits",
        "SIGTERM was not heard while S3 or DynamoDB was silent, nor a second one inside librdkafka",
        "strikes by signal",
        (
            ByTest(
                "chaos/tests/test_nemesis_signals.py",
                "test_a_run_that_waits_ends_soon_when_it_is_asked_and_at_once_when_it_is_asked_twice",
            ),
        ),
    ),
    Bug(
        "coordinator-being-elected",
        "A coordinator that was being elected ended a run with 75 at its first question",
        "a fresh broker under load",
        (ByTest("harness/tests/test_vendor_errors.py", "test_coordinator_that_is_being_elected_is_asked_again"),),
    ),
    Bug(
        "commit-time-counts-as-waiting",
        "The time a commit took counted as waiting time of the next batch, which then held one chunk",
        "unit tests of the limits",
        (
            ByTest(
                "harness/tests/test_csv_source.py",
                "test_time_that_a_commit_takes_is_not_time_that_the_next_batch_waits",
            ),
        ),
    ),
    Bug(
        "late-failure-takes-the-end-back",
        "A late FAILED of a dead run overwrote COMPLETED",
        "late answers on fakes",
        (
            convicted("lets-a-late-failure-take-the-end-back", KILLED, 0, 0),
            ByTest(
                "harness/tests/contracts/test_checkpoints_contract.py",
                "TestFinish::test_late_failure_does_not_take_the_jobs_end_back",
            ),
        ),
    ),
    Bug(
        "lost-row-behind-one-marker",
        "A lost batch of a single row hid behind the commit marker of the batch before it: exit 0, a row gone",
        "writing this table as code",
        (
            OnFakes(
                Trial(
                    numbered,
                    ("checkpoints.save:4 crashes before",),
                    "then the partition loses what is one offset behind the checkpoint's",
                    tail_lost(1),
                    interval_rows=1,
                ),
                (KILLED, REFUSED),
                LOOKS_FOR_NO_RECORD,
                UNSAVED_ROWS_GONE,
            ),
        ),
    ),
    Bug(
        "rebuild-in-another-object",
        "The position had expired, no row was saved yet, and the object was replaced by one that begins alike: the"
        " rebuild went on in the new one, exit 0 with rows of both",
        "stories that Hypothesis chose, seed 11",
        (
            Told(
                "rows=1 interval=1 csv=0 lag=no exactly-once:"
                " sink.commit:1 crashes after; run; position-expires; object-replaced",
                {"processor.opening.of_the_same_object": old.takes_records_for_those_of_any_object},
            ),
        ),
    ),
    Bug(
        "saves-into-an-item-not-begun",
        "A deleted item was made anew by the run's own claim, sent twice and late, and the run saved into it: an item"
        " that no run can read, 6 for ever",
        "stories in bulk, seed 20261124",
        (
            Told(
                "rows=1 interval=1 csv=0 lag=no exactly-once:"
                " checkpoint-lost before sink.send:1; table.update_item:1 fails late 11; run",
                {"harness.fakes.checkpoints._admits": old.saves_into_an_item_that_is_not_begun},
            ),
            ByTest(
                "harness/tests/contracts/test_checkpoints_contract.py",
                "TestSave::test_item_made_anew_by_the_runs_own_claim_is_unavailable_until_it_is_begun",
            ),
        ),
    ),
    Bug(
        "lost-request-to-a-dead-coordinator",
        "With kafka-python a run stood still for 45 s when a coordinator died: the client loses the request that it was"
        " about to send, and waits for its answer",
        "killing the coordinator of three brokers",
        (ByTest(THREE_BROKERS, "test_runs_go_on_when_a_node_falls"),),
    ),
    Bug(
        "one-silent-broker-uses-up-attempts",
        "One silent broker of three used up attempts: kafka-python asks one server, drawn at random, and waits for it"
        " alone",
        "freezing the leader of three brokers",
        (ByTest(THREE_BROKERS, "test_a_new_sink_finds_its_way_past_a_silent_node"),),
    ),
    Bug(
        "keeps-asking-a-fallen-leader",
        "A run that had committed its last row stood still for 20 s: librdkafka's admin client keeps asking a fallen"
        " leader, and gives offset -1001 in the place of an error",
        "killing the leader of three brokers",
        (ByTest(THREE_BROKERS, "test_a_sink_that_knew_the_fallen_node_asks_its_successor"),),
    ),
    Bug(
        "lost-tail-filled-by-a-marker",
        "The partition had lost its tail while a dead run's transaction was open, and the marker that ended that one"
        " took the place of what was lost: exit 0, rows gone",
        "reading the decision table again",
        tuple(
            OnFakes(
                Trial(numbered, ("sink.send:3 crashes at 1",), f"then the partition loses {what}", tail_lost(behind)),
                (KILLED, REFUSED),
                LOOKS_FOR_NO_RECORD,
                ROWS_GONE | {"TornTransaction"},
            )
            for what, behind in (
                ("the marker of the commit that the checkpoint counts", 0),
                ("the last record that the checkpoint counts", -1),
            )
        ),
    ),
    Bug(
        "refuses-rows-that-kafka-took-back",
        "Kafka 4.3.1, killed and started again, gave up the markers of a commit that it had answered: the rows were"
        " aborted, and the job refused with 6 for ever",
        "killing the broker, once in many times",
        (ByTest(LOST_COMMITS, "test_a_commit_that_was_lost_after_its_answer_costs_no_row_and_repeats_none"),),
    ),
    Bug(
        "repeats-rows-whose-position-kafka-lost",
        "The same, where only the position lost its marker: the rows that it should have counted were sent again",
        "thinking about the bug before this one",
        (
            convicted("looks-for-no-row-behind-the-position", 0),
            ByTest(LOST_COMMITS, "test_a_commit_that_was_lost_after_its_answer_costs_no_row_and_repeats_none"),
        ),
    ),
    Bug(
        "waits-for-its-own-lost-transaction",
        "The same, where the rows stayed open: the job ended with 75 for ever, and readers waited",
        "thinking about the bug before the last one",
        (ByTest(LOST_COMMITS, "test_a_forgotten_transaction_is_ended_and_the_run_goes_on"),),
    ),
    Bug(
        "takes-a-later-row-for-a-counted-one",
        "A position was put back by hand, and a row that was aborted later, just like the one between position and"
        " checkpoint, was taken for that one: it was sent again",
        "stories in bulk, seed 20261123",
        (
            Told(
                "rows=3 interval=1 csv=1 lag=no exactly-once: sink.commit:2 crashes after; run;"
                " position-put-back before sink.commit:1; sink.commit:1 crashes before; run",
                {"processor.lost_commits.takewhile": old.looks_behind_what_was_counted},
            ),
        ),
    ),
)
