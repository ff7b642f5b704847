"""`s3://bucket/key`, taken apart."""

from __future__ import annotations

import re

from processor.errors import BadSetting

# No URL parser: a key may hold anything, a question mark or a newline too, and nothing in it is escaped.
S3_URL = re.compile(r"s3://(?P<bucket>[A-Za-z0-9._-]+)/(?P<key>.+)", re.DOTALL)


def parse_url(url: str) -> tuple[str, str]:
    """Split `s3://bucket/key`. Raises BadSetting for anything else and for a prefix that ends in a slash."""
    found = S3_URL.fullmatch(url)
    if found is None:
        raise BadSetting(f"{url!r} is not s3://bucket/key", hint="set --source or CSV_SOURCE")
    if found["key"].endswith("/"):
        raise BadSetting(f"{url} is a prefix", hint="name one object in --source or CSV_SOURCE, not a folder")
    return found["bucket"], found["key"]
