"""The page in a real browser, where one is found: nothing may be logged, and no label drawn over another."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.plugin import not_run
from harness.tests.report_runs import RUNS, damaged
from harness.tests.test_report import written


def opened(page: Path, *, width: int = 1280) -> tuple[str, list[str]]:
    """The page as Chromium has laid it out, and what it logged on its console."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        not_run("browser", what="pages opened in a browser", why="no chromium or google-chrome on the PATH")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += f" --disable-component-update --disable-sync --enable-logging=stderr --v=0 --window-size={width},2000"
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [browser, *flags.split(), profile, "--dump-dom", page.as_uri()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def test_browser_logs_nothing_and_would_log_a_script(tmp_path: Path) -> None:
    html = written(damaged(), tmp_path)
    assert opened(tmp_path / "report.html")[1] == []
    (tmp_path / "planted.html").write_text(
        html.replace("</main>", "<script>alert(1)</script></main>"), encoding="utf-8"
    )
    assert "Content Security Policy" in " ".join(opened(tmp_path / "planted.html")[1])


OVERLAPS = """<script>
const found = [];
for (const drawing of document.querySelectorAll("svg.drawing")) {
  const boxes = [...drawing.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
  boxes.forEach(([a, p], k) => boxes.slice(k + 1).forEach(([b, q]) => {
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (across > 1 && down > 3) found.push(a + " | " + b);
  }));
}
if (document.documentElement.scrollWidth > innerWidth) found.push("the page is wider than its window");
document.title = "overlaps: " + JSON.stringify(found);
</script></body>"""


@pytest.mark.parametrize("name", ["valid", "damaged", "many"])
@pytest.mark.parametrize("width", [1280, 500])
def test_no_label_is_drawn_over_another(name: str, width: int, tmp_path: Path) -> None:
    html = re.sub(r"<meta http-equiv[^>]*>", "", written(RUNS[name](), tmp_path)).replace("</body>", OVERLAPS)
    (tmp_path / "measured.html").write_text(html, encoding="utf-8")
    laid_out, _ = opened(tmp_path / "measured.html", width=width)
    assert re.findall(r"<title>(overlaps: .*?)</title>", laid_out) == ["overlaps: []"]
