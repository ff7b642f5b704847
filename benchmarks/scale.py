"""How much is measured: `once` in every test run so that no benchmark rots, `quick` at a desk, `full` before a release.

The environment's BENCH_SCALE chooses; results say which it was, and only equal amounts of work are compared.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "BENCH_SCALE"
GB = 10**9
SHORT_ROUNDS = 3  # rounds of milliseconds for one round of seconds


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and rounds of one scale. The first `warm_up_rounds` of every plan are thrown away."""

    name: str
    rounds: int
    warm_up_rounds: int
    end_to_end_share: float  # of each contestant's bytes
    whole_choice: bool  # every contestant, or the few that tell most
    memory_bytes: tuple[int, ...]
    single_round_from_bytes: int  # such an object is moved once, and not in the warm-up
    resume_rows: int  # of 100 bytes; the object in which crashes happen
    verified_rows: tuple[int, ...]  # of 100 bytes


SCALES = {
    "once": Scale(
        name="once",
        rounds=1,
        warm_up_rounds=0,
        end_to_end_share=0.01,
        whole_choice=False,
        memory_bytes=(10**6,),
        single_round_from_bytes=GB,
        resume_rows=400_000,
        verified_rows=(2_000,),
    ),
    "quick": Scale(
        name="quick",
        rounds=3,
        warm_up_rounds=1,
        end_to_end_share=0.12,
        whole_choice=False,
        memory_bytes=(10**7, 10**8),
        single_round_from_bytes=10**8,
        resume_rows=4 * 10**6,
        verified_rows=(10**5,),
    ),
    "full": Scale(
        name="full",
        rounds=5,
        warm_up_rounds=1,
        end_to_end_share=1.0,
        whole_choice=True,
        memory_bytes=(10**7, 10**8, GB, 10 * GB),
        single_round_from_bytes=GB,
        resume_rows=10**7,
        verified_rows=(10**6, 10**7),
    ),
}


def chosen_scale() -> Scale:
    """Return the scale that the environment asks for; `once` if it asks for none. Raises KeyError."""
    return SCALES[os.environ.get(VARIABLE, "once")]
