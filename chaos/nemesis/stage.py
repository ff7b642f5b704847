"""Where nemeses strike: a broker, S3 and DynamoDB, each behind a proxy for the target alone; and jobs that run there.

Harness and judge reach the services directly, so that no fault blinds them.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from chaos.job import Job, gather
from chaos.nemesis.base import Nemesis, strike_of
from chaos.proxy import HttpWire, KafkaWire, Proxy
from harness.broker.jvm import JvmBroker
from harness.broker.settings import LOOPBACK, free_ports
from harness.checker import Validity, Verdict, judge
from harness.cloud import Cloud
from harness.history import AT_LEAST_ONCE, Attempt, Records
from harness.partition import LiveReader
from harness.target import Target
from harness.world import World

PROCESSOR = (sys.executable, "-m", "processor", "run")
# The same run with short patience: what takes minutes until a real one gives up, takes seconds here.
HASTY = (
    sys.executable,
    "-c",
    """
import sys
from processor import confluent_reads, kafka_python_reads, model, processor
model.FENCE_TIMEOUT_S = kafka_python_reads.READ_TIMEOUT_S = confluent_reads.READ_TIMEOUT_S = 2.0
processor.RETRY_WAITS_S = (0.1,) * len(processor.RETRY_WAITS_S)
from processor.__main__ import main
sys.exit(main(["run"]))
""",
)


class BrokerBehindProxy(JvmBroker):
    """A broker with a second listener that advertises a proxy: whoever comes through the proxy stays on it."""

    def __init__(self, proxy: Proxy, *, properties: Mapping[str, str] | None = None) -> None:
        super().__init__(properties=properties)
        proxy.server = f"{LOOPBACK}:{free_ports(1)[0]}"
        self._extra |= {
            "listeners": f"CLIENT://{self.bootstrap_servers},PROXIED://{proxy.server},"
            f"CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"CLIENT://{self.bootstrap_servers},PROXIED://{proxy.address}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }


class Stage:
    """A broker of its own, a cloud, and the three proxies. A context manager."""

    world: World

    def __init__(self) -> None:
        self.kafka, self.s3, self.dynamodb = Proxy(KafkaWire), Proxy(HttpWire), Proxy(HttpWire)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for proxy in (self.kafka, self.s3, self.dynamodb):
                opened.enter_context(proxy)
            broker = opened.enter_context(BrokerBehindProxy(self.kafka))
            cloud = opened.enter_context(Cloud())
            self.s3.server = self.dynamodb.server = cloud.environment()["AWS_ENDPOINT_URL"].removeprefix("http://")
            self.world = opened.enter_context(World(broker=broker, cloud=cloud))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def clear(self) -> None:
        """Switch every fault off."""
        for proxy in (self.kafka, self.s3, self.dynamodb):
            proxy.switch_off()

    def environment(self, topic: str, source: str) -> dict[str, str]:
        """Return the variables of a run that meets the proxies."""
        return {
            **self.world.environment(topic=topic, source=source, job_id=topic),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.address,
            "AWS_ENDPOINT_URL_S3": f"http://{self.s3.address}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{self.dynamodb.address}",
        }


class Play:
    """One job on a stage, with all its attempts, watched by a live reader. A context manager."""

    def __init__(self, stage: Stage, job: Job) -> None:
        self.stage, self.job = stage, job
        self.topic = stage.world.create_topic()
        source = stage.world.upload(f"{self.topic}.csv", job.csv)
        self.environment = {
            **stage.environment(self.topic, source),
            "KAFKA_CLIENT": job.client,
            "DELIVERY": job.delivery,
            **job.settings,
        }
        self.targets: list[Target] = []
        self.attempts: list[Attempt] = []
        self.committed: Records | None = None
        self._live = LiveReader(stage.world.broker.bootstrap_servers, self.topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.clear()
        self._live.__exit__()
        for target in self.targets:
            target.signal(signal.SIGKILL)

    def start(self, *command: str, **settings: str) -> Target:
        """Start another attempt; `command` is the processor if none is given."""
        number = len(self.targets) + 1
        target = Target(command or PROCESSOR, {**self.environment, **settings}, number=number)
        self.targets.append(target)
        return target

    def end(self, target: Target, *, within_s: float) -> Attempt:
        """Return how an attempt ended, and keep it for the judge. Raises TimeoutError."""
        attempt = target.wait(within_s=within_s)
        self.attempts.append(attempt)
        return attempt

    def judged(self, *nemeses: Nemesis) -> Verdict:
        """Return the verdict on everything the job left behind; all attempts must have ended."""
        self.stage.clear()
        strikes = [strike_of(nemesis) for nemesis in nemeses]
        attempts = sorted(self.attempts, key=lambda attempt: attempt.number)
        evidence = gather(self.stage.world, self.job, self.topic, attempts=attempts, strikes=strikes, live=self._live)
        self.committed = evidence.committed
        return judge(evidence)

    def require_valid(self, *nemeses: Nemesis) -> None:
        """Raise AssertionError unless every nemesis struck and the judge finds nothing.

        What at-least-once does not promise is no finding: there, rows may be repeated.
        """
        missed = [nemesis.name for nemesis in nemeses if not nemesis.struck]
        assert not missed, f"did not strike: {missed}"
        verdict = self.judged(*nemeses)
        allowed = {"Duplicate"} if self.job.delivery == AT_LEAST_ONCE else set[str]()
        assert verdict.names <= allowed, verdict.summary
        assert verdict.validity is Validity.VALID or verdict.names, verdict.summary
