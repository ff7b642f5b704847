"""The judge's checks, pure: one function per anomaly, grouped by what they look at.

`alignment` lays the records beside the rows · `differences` names what does not fit · `generations` tells which run
came later · `case` holds what the checks share · `rows`, `transactions`, `zombies`, `checkpoints`, `outcome` hold the
checks themselves. Each is linear, or nearly so, in rows, attempts and versions.
"""
