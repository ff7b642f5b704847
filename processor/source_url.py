"""`s3://bucket/key`, taken apart."""

from __future__ import annotations

from urllib.parse import urlsplit

from processor.errors import BadSetting


def parse_url(url: str) -> tuple[str, str]:
    """Split `s3://bucket/key`. Raises BadSetting for anything else and for a prefix that ends in a slash."""
    parts = urlsplit(url, allow_fragments=False)
    key = url.removeprefix(f"s3://{parts.netloc}/")  # urlsplit would cut a key at a question mark
    if parts.scheme != "s3" or not parts.netloc or key in ("", url):
        raise BadSetting(f"{url!r} is not s3://bucket/key", hint="set --source or CSV_SOURCE")
    if key.endswith("/"):
        raise BadSetting(f"{url} is a prefix", hint="name one object, not a folder of objects")
    return parts.netloc, key
