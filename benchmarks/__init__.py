"""Measures the processor; every claim about speed comes from here."""
