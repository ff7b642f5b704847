"""The image by itself, with no more rights than it needs: what runs in it, how it is stopped, how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from chaos.job import STOPPED, Job, Staged, gather, stage
from harness.broker import Broker
from harness.broker.image import engine
from harness.checker import Verdict, judge
from harness.cloud import Cloud
from harness.history import Attempt
from harness.partition import Client, LiveReader
from harness.wait import until
from harness.world import World
from terraform.tests.containers import WITHIN_S, attempt
from terraform.tests.images import LABEL

CLIENTS: tuple[Client, ...] = ("kafka-python", "confluent")
COMMANDS = (("status",), ("verify",), ("run", "--dry-run"), ("reset", "--help"), ("completion", "--help"))
ROWS_PER_S = 1000  # so that the looks at six thousand rows are over before these are
STOP_WITHIN_S = 10.0  # from SIGTERM to SIGKILL of a `docker stop` that says nothing else
END_WITHIN_S = 3.0  # from the last line to the container's end
# Run by the container's own Python: the engine may be elsewhere, and its host without `ps`.
LOOK = """
import json, os, pathlib
seen = {}
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if folder.name != str(os.getpid()):
        fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        words = (folder / "cmdline").read_text().split("\\0")[:-1]
        seen[folder.name] = {"words": words, "state": fields["State"].split()[0], "uids": fields["Uid"].split()}
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Ended:
    """How a container ended, and who ran in it at each look before."""

    attempt: Attempt
    looks: tuple[Mapping[str, Any], ...]
    ended_at: datetime
    stopped_after_s: float | None  # from the request to the end, where it was stopped


def start(image: str, staged: Staged, *words: str) -> Any:
    """Start a container that may do nothing: no writable file, no capability, no init; by default it runs the job."""
    return engine().containers.run(
        image,
        list(words) or None,
        environment=dict(staged.environment),
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode="host",
        labels=LABEL,
        detach=True,
    )


def run(image: str, staged: Staged, number: int, *, stop: bool = False) -> Ended:
    """Run the job in such a container, look into it, and let it end or stop it in mid-run."""
    container = start(image, staged)
    try:
        until(lambda: is_at_work(container), within_s=WITHIN_S, what="a committed batch")
        looks = [processes(container)]
        seconds = None
        if stop:
            began = time.monotonic()
            container.stop()
            seconds = time.monotonic() - began
        else:
            looks.append(processes(container))
        code = container.wait(timeout=WITHIN_S)["StatusCode"]
        lines = container.logs(stderr=False).splitlines()
        container.reload()
        ended_at = datetime.fromisoformat(container.attrs["State"]["FinishedAt"])
        return Ended(attempt(number, code, lines), tuple(looks), ended_at, seconds)
    finally:
        container.remove(force=True)


def is_at_work(container: Any) -> bool:
    """Tell whether a batch is committed. Fails with what the container said when it has ended instead."""
    container.reload()
    said = container.logs()
    assert container.status == "running", said.decode()
    return b'"committed"' in said


def processes(container: Any) -> Mapping[str, Any]:
    """Return the processes of a container by their number there, zombies too, without the one that looks."""

    def look() -> Mapping[str, Any]:
        code, printed = container.exec_run(["/opt/csv-to-kafka/bin/python", "-c", LOOK])
        assert code == 0, printed
        seen: Mapping[str, Any] = json.loads(printed or b"{}")  # a busy engine sometimes loses what was printed
        return seen

    return until(look, within_s=WITHIN_S, what="a look into the container")


def verdict_on(world: World, job: Job, staged: Staged, ends: list[Ended], live: LiveReader) -> Verdict:
    attempts = [ended.attempt for ended in ends]
    return judge(gather(world, job, staged.topic, attempts=attempts, strikes=(), live=live))


def slow(job: Job, client: Client) -> Job:
    return replace(job, client=client, settings={**job.settings, "MAX_ROWS_PER_S": str(ROWS_PER_S)})


# ------------------------------------------------------------------------------------------------ left alone to its end


@dataclass(frozen=True)
class Undisturbed:
    """A job that one container moved from its first row to its last, as long as its world is there."""

    staged: Staged
    ended: Ended
    verdict: Verdict


@pytest.fixture(scope="module", params=CLIENTS)
def undisturbed(request: pytest.FixtureRequest, broker: Broker, job: Job, image: str) -> Iterator[Undisturbed]:
    """One run that nobody stops, and the judge's verdict on what it left."""
    paced = slow(job, request.param)
    with Cloud() as cloud, World(broker=broker, cloud=cloud) as world:
        staged = stage(world, paced)
        with LiveReader(broker.bootstrap_servers, staged.topic) as live:
            ended = run(image, staged, 1)
            yield Undisturbed(staged, ended, verdict_on(world, paced, staged, [ended], live))


def test_container_that_may_write_nothing_and_has_no_capability_moves_every_row(
    undisturbed: Undisturbed,
) -> None:
    assert undisturbed.ended.attempt.exit_code == 0
    assert undisturbed.verdict.validity == "valid", undisturbed.verdict.summary


def test_processor_is_process_one_not_root_and_alone_from_the_first_batch_on(
    undisturbed: Undisturbed,
) -> None:
    for look in undisturbed.ended.looks:
        assert look.keys() == {"1"}, "another process, or one that is defunct"
        (processor,) = look.values()
        assert processor["words"][-2:] == ["/opt/csv-to-kafka/bin/csv-to-kafka", "run"]
        assert processor["state"] != "Z"
        assert "0" not in processor["uids"], "real, effective, saved and file system's"


def test_container_ends_by_itself_right_after_the_last_line(undisturbed: Undisturbed) -> None:
    ended = undisturbed.ended
    last = ended.attempt.steps[-1]
    assert last.name == "done"
    waited = ended.ended_at - datetime.fromisoformat(last.fields["ts"])
    assert waited.total_seconds() < END_WITHIN_S


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_for_the_person_on_call_are_in_the_image(
    undisturbed: Undisturbed, image: str, words: tuple[str, ...]
) -> None:
    container = start(image, undisturbed.staged, *words)
    try:
        assert container.wait(timeout=WITHIN_S)["StatusCode"] == 0, container.logs().decode()
    finally:
        container.remove(force=True)


# --------------------------------------------------------------------------------------------------- stopped in mid-run


@pytest.mark.parametrize("client", CLIENTS)
def test_docker_stop_is_heard_without_an_init_and_the_next_run_finishes(
    world: World, job: Job, image: str, client: Client
) -> None:
    paced = slow(job, client)
    staged = stage(world, paced)
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        stopped = run(image, staged, 1, stop=True)
        assert (stopped.attempt.signal, stopped.attempt.exit_code) == (None, STOPPED)
        assert stopped.attempt.steps[-1].name == "stopped"
        assert stopped.stopped_after_s is not None
        assert stopped.stopped_after_s < STOP_WITHIN_S / 2
        left = world.cloud.checkpoint_versions(staged.topic)[-1]
        assert left["status"] == "STOPPED"
        assert 0 < left["last_line"] < len(job.expected)
        finished = run(image, staged, 2)
        assert finished.attempt.exit_code == 0
        resumed = next(step for step in finished.attempt.steps if step.name == "resumed")
        assert resumed.fields["row"] == left["last_line"]
        assert world.cloud.checkpoint_versions(staged.topic)[-1]["status"] == "COMPLETED"
        verdict = verdict_on(world, paced, staged, [stopped, finished], live)
    assert verdict.validity == "valid", verdict.summary
