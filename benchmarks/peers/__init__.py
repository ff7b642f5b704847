"""Other people's programs that move the same rows into the same partition, measured beside ours in one run."""
