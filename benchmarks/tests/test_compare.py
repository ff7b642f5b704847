"""A comparison names what got worse, and nothing that stayed within the noise."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path

import pytest

from benchmarks.compare import CORE_YARDSTICK, compare, main
from benchmarks.results import Measured, NoResults, Results, load, noise, spread
from benchmarks.tests.planted_results import planted

WORSE, WITHIN = "end to end 3", "rows from bytes 4"


def with_one(results: Results, changed: Measured) -> Results:
    return replace(results, benchmarks={**results.benchmarks, changed.name: changed})


def test_what_got_worse_is_named_and_what_is_within_the_noise_is_not() -> None:
    found = compare(planted(1), planted(2, slower={WORSE: 1.3, WITHIN: 1.03}))
    assert [change.name for change in found.worse] == [WORSE]
    within = next(change for change in found.changes if change.name == WITHIN)
    assert within.verdict == "same"
    assert within.noise > 0.03


def test_what_got_better_is_no_news_of_the_bad_kind() -> None:
    found = compare(planted(1), planted(2, slower={WORSE: 0.6}))
    assert not found.worse
    assert next(change for change in found.changes if change.name == WORSE).verdict == "better"


@pytest.mark.parametrize("day", [0.5, 1.0, 2.0])
def test_a_slow_day_is_no_change(day: float) -> None:
    found = compare(planted(1), planted(2, day=day, slower={WORSE: 1.4}))
    assert [change.name for change in found.worse] == [WORSE]
    assert len(found.yardsticks) == 2
    assert [one.share for one in found.yardsticks] == pytest.approx([day - 1] * 2, abs=0.1 * day)


def test_the_noisier_the_rounds_the_less_is_named() -> None:
    calm, loud = planted(1, sigma=0.01), planted(2, sigma=0.2, slower={WORSE: 1.2})
    assert not compare(calm, loud).worse
    assert compare(calm, planted(2, sigma=0.01, slower={WORSE: 1.2})).worse


@pytest.mark.parametrize(("rounds", "most"), [(3, 0.02), (5, 0.004), (15, 0.002)])
def test_false_alarms_are_as_rare_as_the_docstring_says(rounds: int, most: float) -> None:
    runs = [compare(planted(2 * k, rounds=rounds), planted(2 * k + 1, rounds=rounds)) for k in range(100)]
    alarms = sum(len(run.worse) for run in runs)
    assert alarms / sum(len(run.changes) for run in runs) <= most


def test_a_fifth_more_time_is_found_in_rounds_that_differ_by_some_percent() -> None:
    runs = [compare(planted(2 * k), planted(2 * k + 1, slower={WORSE: 1.2})) for k in range(50)]
    assert sum(WORSE in {change.name for change in run.worse} for run in runs) >= 40


def test_rounds_that_differ_many_times_over_prove_nothing() -> None:
    new = planted(2, slower={WORSE: 3.0})
    wild = replace(new.benchmarks[CORE_YARDSTICK], seconds=(0.3, 0.3, 0.3, 1.0, 2.0))
    found = compare(planted(1), with_one(new, wild))
    assert {change.verdict for change in found.changes if change.name.startswith("rows")} == {"same"}
    assert [change.name for change in found.worse] == [WORSE]


def test_another_amount_of_work_is_not_compared_but_named() -> None:
    old, new = planted(1), planted(2, slower={WORSE: 9})
    more = replace(new.benchmarks[WORSE], rows=2_000)
    found = compare(old, with_one(new, more))
    assert not found.worse
    assert found.left_out == (WORSE,)


def test_a_single_round_proves_nothing() -> None:
    new = planted(2, slower={WORSE: 9})
    single = replace(new.benchmarks[WORSE], seconds=new.benchmarks[WORSE].seconds[:1])
    found = compare(planted(1), with_one(new, single))
    assert not found.worse
    assert "unknown, one round" in str(next(change for change in found.changes if change.name == WORSE))


def test_memory_is_compared_as_it_is() -> None:
    def run(peak_bytes: int) -> Results:
        rounds = tuple({"peak_memory_bytes": peak_bytes + k * 1_000} for k in range(3))
        size = Measured("size", "confluent 10 MB", (1.0, 1.0, 1.0), rounds=rounds)
        return with_one(planted(1), size)

    found = compare(run(10**8), run(2 * 10**8))
    assert [change.name for change in found.worse] == ["peak memory, confluent 10 MB"]


def test_without_a_yardstick_the_times_themselves_are_compared() -> None:
    old, new = planted(1), planted(2, day=2.0)
    rest = {name: one for name, one in new.benchmarks.items() if name != CORE_YARDSTICK}
    worse = compare(old, replace(new, benchmarks=rest)).worse
    assert {change.name for change in worse} == {name for name in rest if name.startswith("rows from bytes")}


def test_spread_overlooks_a_tenth_at_each_end_and_noise_shrinks_with_rounds() -> None:
    assert spread([1.0, 1.0, 3.0]) == pytest.approx(log(3))
    assert spread([0.1, *[1.0] * 18, 9.0]) == 0.0
    assert noise([1.0, 1.1] * 8) < noise([1.0, 1.1] * 2)


def saved(results: Results, path: Path) -> Path:
    """Write results as pytest-benchmark writes them, as far as it matters."""
    benchmarks = [
        {
            "stats": {"data": list(one.seconds)},
            "extra_info": {
                "figure": one.figure, "name": one.name, "settings": {}, "rows": one.rows, "object_bytes": 0,
            },
        }
        for one in results.benchmarks.values()
    ]  # fmt: skip
    content = {"benchmarks": benchmarks, "machine_info": {"scale": "full"}, "commit_info": {"id": "0"}, "datetime": ""}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_command_ends_with_1_where_something_got_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = saved(planted(1), tmp_path / "old.json")
    assert main(old, saved(planted(2), tmp_path / "same.json")) == 0
    assert "nothing got worse" in capsys.readouterr().out
    assert main(old, saved(planted(2, slower={WORSE: 1.5}), tmp_path / "worse.json")) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"worse: {WORSE}"


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"benchmarks": [{}]}', encoding="utf-8")
    with pytest.raises(NoResults):
        load(tmp_path / "other.json")
