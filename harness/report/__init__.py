"""One run as a page for a person: the verdict first, then what happened, where it was struck, and what was never met.

What's here: `page` puts it together · `runs` lays the attempts out in time · `timeline`, `partition`, `coverage` and
`saves` work out one drawing each, pure · `scale` has the axes · `templates` draw. The page is a file of its own: no
script, no font, no picture from elsewhere, and a policy inside it that forbids the browser to ask for any.
"""

from harness.report.page import write_report

__all__ = ["write_report"]
