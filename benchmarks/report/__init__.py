"""One run of the benchmarks as a page: the target first, then drawings, tables, and what it ran on.

What's here: `page` puts it together · `bars` works out one drawing, pure · `templates` draw, in the look of
`harness.report`. The page is a file of its own: no script, no font, no picture from elsewhere.
"""

from benchmarks.report.page import write_page

__all__ = ["write_page"]
