"""Tests of the harness itself: a judge that was never seen to convict proves nothing."""
