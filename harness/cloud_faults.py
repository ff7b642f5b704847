"""The one seam through which the cloud misbehaves: planned by operation, used up in the order they were planned."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from harness.cloud_requests import Request


@dataclass(frozen=True, slots=True)
class Fault:
    """An error instead of the effect (`status`, `code`), or the effect with its answer lost or short.

    Of a lost answer `after_bytes` of the body get through; None: not even the status line. With `reset` the
    connection is not closed but reset. A `short` answer ends after `after_bytes` as if that were all of it.
    """

    status: int | None = None
    code: str = ""
    after_bytes: int | None = None
    reset: bool = False
    short: bool = False

    @property
    def is_error(self) -> bool:
        """Tell whether the request is refused without any effect."""
        return self.status is not None

    def answer(self, request: Request) -> Response:
        """Return the error as the service would write it."""
        message = "the harness refused this request on purpose"
        if request.service != "s3":
            body = json.dumps({"__type": f"com.amazonaws.{request.service}#{self.code}", "message": message})
            return Response(body, status=self.status, content_type="application/x-amz-json-1.0")
        body = f"<Error><Code>{escape(self.code)}</Code><Message>{message}</Message></Error>"
        return Response(body, status=self.status, content_type="application/xml")


class Faults:
    """The plans that are still open. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin without a plan."""
        self._lock = threading.Lock()
        self._plans: dict[str, list[tuple[Fault | None, float]]] = defaultdict(list)

    def plan(self, operation: str, fault: Fault, times: float, *, skip: int = 0) -> None:
        """Strike `times` requests of the operation, after the plans made before and `skip` requests that are spared."""
        if times < 1:
            raise ValueError(f"a fault strikes at least once, not {times} times")
        with self._lock:
            if skip:
                self._plans[operation].append((None, skip))
            self._plans[operation].append((fault, times))

    def next(self, operation: str) -> Fault | None:
        """Use up and return the fault for a request of this operation that has just arrived; None: serve it."""
        with self._lock:
            plans = self._plans[operation]
            if not plans:
                return None
            fault, times = plans[0]
            plans[:1] = [(fault, times - 1)] if times > 1 else []
            return fault

    def clear(self) -> None:
        """Drop every plan."""
        with self._lock:
            self._plans.clear()
