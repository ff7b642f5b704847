"""Strikes the processor, the broker and the network, and has the harness judge what remains."""
