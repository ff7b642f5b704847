"""Makes the harness's fixtures known to every test."""

pytest_plugins = ["harness.plugin"]
